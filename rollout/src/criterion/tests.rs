use proptest::prelude::*;

use super::*;
use crate::catalogue::{Direction, Kind, OwnDefinition, Resolver, Unit};

fn parse(text: &str) -> Criterion {
    text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn comparison(text: &str) -> Comparison {
    match parse(text) {
        Criterion::Compare(comparison) => comparison,
        other => panic!("{text} is {other:?}"),
    }
}

/// Each form that people write, and its canonical text; all of them suit their metric.
const FORMS: &[(&str, &str)] = &[
    ("error-rate < 1 %", "error-rate < 1 %"),
    ("Error Rate<1%", "error-rate < 1 %"),
    ("errors below 1 percent", "error-rate < 1 %"),
    ("errors at most 1.50 %", "error-rate <= 1.5 %"),
    ("error-rate ≤ 0.01", "error-rate <= 0.01"),
    ("error rate <= 0.8 % + 0.2 points", "error-rate <= 0.8 % + 0.2 points"),
    (
        "error-rate <= 0.8 % - 1 percentage point",
        "error-rate <= 0.8 % - 1 point",
    ),
    (
        "error-rate <= baseline + 0.2 points",
        "error-rate <= baseline + 0.2 points",
    ),
    ("error-rate <= the baseline", "error-rate <= 1x baseline"),
    (
        "error-rate > 2x baseline same hour",
        "error-rate > 2x baseline-same-hour",
    ),
    ("p99 > 2x baseline", "p99 > 2x baseline"),
    ("p99 latency over 2 times baseline", "p99 > 2x baseline"),
    ("p99 > 1.5× 890ms", "p99 > 1.5x 890 ms"),
    ("p95 <= 890 ms + 10 %", "p95 <= 890 ms + 10 %"),
    ("p95 <= control + 50 ms", "p95 <= control + 50 ms"),
    ("p95 < 900 ms", "p95 < 900 ms"),
    ("latency < 1 s", "p95 < 1 s"),
    ("latency +20 % against control", "p95 > 1.2x control"),
    ("complaints > 10 in 24h", "complaints > 10 in 24h"),
    ("complaints more than 10 per day", "complaints > 10 in 24h"),
    ("complaints no more than 10 within 7 days", "complaints <= 10 in 7d"),
    ("complaints > 10 in 90 min", "complaints > 10 in 90min"),
    ("complaints > 10 in an hour", "complaints > 10 in 1h"),
    ("revenue < -5 % against control", "revenue < 0.95x control"),
    ("revenue -5 % against control", "revenue < 0.95x control"),
    ("revenue < 95 % of control", "revenue < 0.95x control"),
    ("conversion < 95 % of baseline", "conversion < 0.95x baseline"),
    ("throughput < 0.8x baseline", "throughput < 0.8x baseline"),
    ("throughput < 100 per second", "throughput < 100/s"),
    ("cost-per-query > $0.50", "cost-per-query > $0.50"),
    ("cost per query > 0.5 USD", "cost-per-query > $0.50"),
    ("cost > 0.50 EUR", "cost-per-query > 0.50 EUR"),
    ("cost > £3.125", "cost-per-query > 3.125 GBP"),
    ("cost > $1 + $0.10", "cost-per-query > $1 + $0.10"),
    ("tokens-per-query > 2x control", "tokens-per-query > 2x control"),
    (
        "hallucination-rate > baseline + 5 points",
        "hallucination-rate > baseline + 5 points",
    ),
    ("hallucinations +5 points", "hallucination-rate > baseline + 5 points"),
    (
        "hallucinations +5 points against control",
        "hallucination-rate > control + 5 points",
    ),
    ("faithfulness < 0.85", "faithfulness < 0.85"),
    ("time to first token > 2 s", "time-to-first-token > 2 s"),
    ("memory > 512 MiB", "memory > 512 MiB"),
    ("cpu >= 250 %", "cpu >= 250 %"),
    ("5xx rate > 0.1 %", "http-5xx-rate > 0.1 %"),
    ("payment-data-loss > 0", "payment-data-loss > 0"),
    ("any payment data loss", "payment-data-loss > 0"),
    ("critical-bugs <= 0", "critical-bugs <= 0"),
    ("No critical bugs", "critical-bugs <= 0"),
    ("tickets <= 1x baseline", "tickets <= 1x baseline"),
    ("no more support tickets", "tickets <= 1x baseline"),
    ("no more support tickets than control", "tickets <= 1x control"),
    ("All metrics stable", "all metrics stable"),
    ("parity with control", "parity with control"),
    ("cart abandonment < 3 %", "cart-abandonment < 3 %"),
];

#[test]
fn every_form_has_one_canonical_text_that_means_the_same() {
    let own = [OwnDefinition {
        key: "cart_abandonment".to_owned(),
        kind: Kind::Rate,
        unit: Unit::Fraction,
        better: Direction::Lower,
        per: None,
        minimum: None,
        maximum: None,
        prometheus: None,
    }];
    for (text, canonical) in FORMS {
        let criterion = parse(text);
        assert_eq!(criterion.to_string(), *canonical, "{text}");
        assert_eq!(parse(canonical), criterion, "{text}");
        // 0.8 % less a whole point cannot be reached.
        let reachable = !canonical.ends_with("- 1 point");
        assert_eq!(check(&criterion, &Resolver::new(&own)).is_ok(), reachable, "{text}");
    }
}

#[test]
fn what_is_no_criterion_is_refused_with_its_column() {
    for (text, problem) in [
        (" ", "column 1: a criterion is empty"),
        ("error-rate", "column 11: a criterion compares with <, <=, > or >="),
        ("error-rate = 1 %", "column 12: a criterion compares with"),
        ("error-rate != 1 %", "column 12: a criterion compares with"),
        ("< 1 %", "column 1: a metric has a name"),
        ("büro < 1 %", "column 1: a metric's name holds"),
        ("no", "column 1: a metric has a name"),
        (
            "error-rate <",
            "column 13: a limit is missing; write a number with its unit",
        ),
        ("error-rate < high", "column 14: a limit is missing"),
        ("error-rate <= baseline +", "column 25: a limit is missing"),
        (
            "error-rate < 0,5 %",
            "column 15: ',' means nothing here; write a number as 1000 or 0.5",
        ),
        (
            "error-rate < 0.1234567 %",
            "column 14: 0.1234567 is no number with at most six places",
        ),
        (
            "complaints > 99999999999999 in 24h",
            "column 14: 99999999999999 is no number",
        ),
        ("complaints > 1.2.3 in 24h", "column 14: 1.2.3 is no number"),
        ("error-rate > 2x", "column 16: relative to what? write control"),
        ("error-rate > 2x yesterday", "column 17: relative to what?"),
        (
            "p95 > 5 % against control",
            "column 7: more or less? write +5 % against control",
        ),
        ("revenue -5 %", "column 9: a change is against something"),
        ("p95 > 5 ms of control", "column 7: only a percentage is of something"),
        (
            "revenue < 95.12345 % of control",
            "column 11: a percentage of a base has at most four places",
        ),
        ("complaints > 10 in", "column 19: a window is a length of time"),
        ("complaints > 10 in 24", "column 20: a window is a length of time"),
        ("complaints > 10 in 0 h", "column 20: a window is a length of time"),
        (
            "complaints > 10 in 1500 ms",
            "column 20: a window is a length of time in whole seconds",
        ),
        (
            "complaints > 10 in 24h or so",
            "column 24: \"or\" is neither a unit nor a window",
        ),
        (
            "p95 > 2x baseline same",
            "column 19: \"same\" is neither a unit nor a window",
        ),
        (
            "p95 < 900 millis",
            "column 11: \"millis\" is neither a unit nor a window",
        ),
    ] {
        let found = text.parse::<Criterion>().unwrap_err().to_string();
        assert!(found.starts_with(problem), "{text}: {found}");
    }
}

#[test]
fn what_makes_no_sense_for_its_metric_is_refused_with_what_to_write() {
    for (text, problem) in [
        (
            "eror-rate < 1 %",
            "eror-rate is not a metric of the catalogue or of this plan: did you mean error-rate?",
        ),
        ("p99 > 5 %", "p99: 5 % is not a length of time; write 900 ms"),
        ("p99 > 900", "p99: 900 is not a length of time; write 900 ms"),
        ("p99 > 2x 5 %", "p99: 5 % is not a length of time"),
        ("error-rate > 5", "error-rate: 5 is not a part of 1; write 1 %"),
        ("error-rate > 5 points", "error-rate: 5 points is not a part of 1"),
        (
            "cost > 0.50",
            "cost-per-query: 0.5 is not money; write $0.50 or 0.50 EUR",
        ),
        ("faithfulness < 85 %", "faithfulness: 85 % is not a score; write 0.85"),
        ("memory > 80 %", "memory: 80 % is not a size; write 512 MiB"),
        (
            "throughput < 5 s",
            "throughput: 5 s is not a rate in a second; write 100/s",
        ),
        ("tickets > 5 % in 24h", "tickets: 5 % is not a count; write 10"),
        ("p95 > baseline + 5 points", "p95: 5 points is not a length of time"),
        (
            "error-rate > baseline + 0.01",
            "error-rate: 0.01 is not in percentage points; write 0.2 points",
        ),
        (
            "cost > $1 + 0.10 EUR",
            "cost-per-query: 0.10 EUR is not in the currency of its base",
        ),
        (
            "error-rate > baseline + 5 %",
            "error-rate: in baseline + 5 % the percentage may be points or a part of the base; write 5 points, or 1.05x baseline",
        ),
        (
            "revenue < -$5",
            "revenue: -$5 is not above zero; write a limit that can be reached",
        ),
        ("error-rate < -1 %", "error-rate: -1 % is not above zero"),
        (
            "p95 > 2x baseline-same-hour",
            "p95: 2x baseline-same-hour cannot be judged by the hour, only so many times a rate or a mean can (agents",
        ),
        (
            "p95 <= baseline-same-hour + 10 %",
            "p95: baseline-same-hour + 10 % cannot be judged",
        ),
        ("error-rate > 0x control", "error-rate: 0x control is not above zero"),
        (
            "revenue -100 % against control",
            "revenue: 0x control is not above zero",
        ),
        ("p95 > baseline - 100 %", "p95: baseline - 100 % is not above zero"),
        ("p95 > 10 ms - 20 ms", "p95: 10 ms - 20 ms is not above zero"),
        ("error-rate < 0 %", "error-rate: 0 % bounds nothing"),
        ("critical-bugs >= 0", "critical-bugs: 0 bounds nothing"),
        ("error-rate > 100 %", "error-rate: 100 % bounds nothing"),
        ("error-rate < 100.5 %", "error-rate: 100.5 % bounds nothing"),
        (
            "error-rate > 1 % in 24h",
            "error-rate: only counts of events have a window; leave the window out",
        ),
        (
            "complaints > 10",
            "complaints: a count needs a window, unless its cap is 0; write complaints > 10 in 24h",
        ),
        ("complaints > 10 in 39 s", "complaints: a window is at least 40 s"),
    ] {
        let found = check(&parse(text), &Resolver::new(&[])).unwrap_err().to_string();
        assert!(found.starts_with(problem), "{text}: {found}");
    }
}

#[test]
fn a_point_estimate_is_judged_exactly_at_the_limit() {
    let estimates = |treatment: f64| Estimates {
        treatment: Some(treatment),
        control: Some(200.0),
        baseline: Some(0.5),
    };
    for (text, treatment, expected) in [
        ("error-rate < 1 %", 0.01, false),
        ("error-rate < 1 %", 0.009_999, true),
        ("error-rate <= 0.8 % + 0.2 points", 0.01, true),
        ("error-rate <= 0.8 % + 0.2 points", 0.010_000_1, false),
        ("error-rate > baseline + 5 points", 0.56, true),
        ("error-rate >= 1x baseline", 0.5, true),
        ("p95 <= 890 ms + 10 %", 979_000.0, true),
        ("p95 > 890 ms + 10 %", 979_000.0, false),
        ("p95 <= 890 ms + 50 ms", 940_000.0, true),
        ("p95 > 1.5x 890 ms", 1_335_000.0, false),
        ("p95 >= 1 min", 60_000_000.0, true),
        ("p95 < control + 10 %", 219.0, true),
        ("revenue -5 % against control", 189.0, true),
        ("revenue -5 % against control", 190.0, false),
        ("memory >= 1 KiB", 1_024.0, true),
        ("cost > $0.50", 0.5, false),
    ] {
        let found = holds(&comparison(text), &estimates(treatment));
        assert_eq!(found, Some(expected), "{text} at {treatment}");
    }
}

#[test]
fn no_data_is_no_answer() {
    let only = |treatment| Estimates {
        treatment,
        ..Estimates::default()
    };
    assert_eq!(holds(&comparison("error-rate < 1 %"), &only(None)), None);
    assert_eq!(holds(&comparison("error-rate < 1 %"), &only(Some(f64::NAN))), None);
    assert_eq!(holds(&comparison("error-rate < 2x control"), &only(Some(0.0))), None);
    assert_eq!(holds(&comparison("error-rate < 2x baseline"), &only(Some(0.0))), None);
    assert_eq!(parity(&only(Some(1.0))), None);
}

#[test]
fn parity_is_within_five_percent_either_way() {
    let pair = |treatment, control| {
        parity(&Estimates {
            treatment: Some(treatment),
            control: Some(control),
            baseline: None,
        })
    };
    assert_eq!(pair(105.0, 100.0), Some(true));
    assert_eq!(pair(95.0, 100.0), Some(true));
    assert_eq!(pair(105.1, 100.0), Some(false));
    assert_eq!(pair(94.9, 100.0), Some(false));
    assert_eq!(pair(0.0, 0.0), Some(true));
}

fn decimals() -> impl Strategy<Value = Decimal> {
    prop_oneof![
        any::<i64>(),
        -5_000_000..5_000_000_i64,
        (-1_000..1_000_i64).prop_map(|whole| whole * 1_000_000),
        Just(i64::MIN),
        Just(i64::MAX),
    ]
    .prop_map(Decimal::from_millionths)
}

fn numbers() -> impl Strategy<Value = Number> {
    let currency = "[A-Z]{3}".prop_map(|code| Written::Money(Currency::new(&code).unwrap()));
    let written = prop_oneof![
        Just(Written::Plain),
        Just(Written::Percent),
        Just(Written::Points),
        Just(Written::Microseconds),
        Just(Written::Milliseconds),
        Just(Written::Seconds),
        Just(Written::Minutes),
        Just(Written::Hours),
        Just(Written::Days),
        Just(Written::Money(Currency::USD)),
        currency,
        Just(Written::Bytes),
        Just(Written::Kilobytes),
        Just(Written::Megabytes),
        Just(Written::Gigabytes),
        Just(Written::Kibibytes),
        Just(Written::Mebibytes),
        Just(Written::Gibibytes),
        Just(Written::PerSecond),
    ];
    (decimals(), written).prop_map(|(value, written)| Number { value, written })
}

fn criteria() -> impl Strategy<Value = Criterion> {
    let base = || {
        prop_oneof![
            Just(Base::Control),
            Just(Base::Baseline),
            Just(Base::BaselineSameHour),
            numbers().prop_map(Base::Fixed),
        ]
    };
    let limit = prop_oneof![
        numbers().prop_map(Limit::Absolute),
        (base(), decimals()).prop_map(|(base, factor)| Limit::Times { base, factor }),
        (base(), numbers()).prop_map(|(base, add)| Limit::Plus { base, add }),
    ];
    let relation = prop_oneof![
        Just(Relation::Below),
        Just(Relation::AtMost),
        Just(Relation::Above),
        Just(Relation::AtLeast),
    ];
    let metric = prop_oneof![
        Just("latency".to_owned()),
        Just("no over".to_owned()),
        "[A-Za-z0-9.:~][A-Za-z0-9 _.:~-]{0,20}",
    ]
    .prop_map(|text| MetricKey::new(&text).unwrap());
    let seconds = prop_oneof![
        1..1_000_000_i64,
        1..i64::MAX / 1_000_000,
        (1..1_000_i64).prop_map(|hours| hours * 3_600)
    ];
    let window = proptest::option::of(seconds.prop_map(|seconds| seconds * 1_000_000));
    prop_oneof![
        1 => Just(Criterion::Stable),
        1 => Just(Criterion::Parity),
        30 => (metric, relation, limit, window).prop_map(|(metric, relation, limit, window)| {
            Criterion::Compare(Comparison { metric, relation, limit, window })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn text_and_value_are_the_same_thing(criterion in criteria()) {
        let text = criterion.to_string();
        prop_assert_eq!(text.parse(), Ok(criterion), "{}", text);
    }

    #[test]
    fn whatever_is_read_is_read_again_from_its_canonical_text(
        text in r"(errors|no|any|p99) ?(<|<=|more than|[+-])? ?[$-]?[0-9]{0,3}\.?[0-9]{0,2} ?(%|x|ms|EUR|points|/s)? ?(of|against|[+-])? ?(control|baseline|5 %)?( in [0-9]{1,3} ?(h|s|min|d))?"
    ) {
        if let Ok(criterion) = text.parse::<Criterion>() {
            prop_assert_eq!(criterion.to_string().parse(), Ok(criterion), "{}", text);
        }
    }

    #[test]
    fn no_text_and_no_value_brings_the_reader_down(text in ".{0,60}", criterion in criteria(), estimate in any::<f64>()) {
        let _ = text.parse::<Criterion>();
        let _ = check(&criterion, &Resolver::new(&[]));
        if let Criterion::Compare(comparison) = criterion {
            let estimates = Estimates { treatment: Some(estimate), control: Some(estimate), baseline: Some(estimate) };
            let answered = holds(&comparison, &estimates).is_some();
            prop_assert_eq!(answered, estimate.is_finite());
        }
    }
}
