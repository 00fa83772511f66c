#![allow(clippy::unwrap_used)]

use super::*;
use crate::health::report::ErrorClass;

const OK: Outcome = Outcome::Ok;
const ERROR: Outcome = Outcome::Error;
const TIMEOUT: Outcome = Outcome::Timeout;

fn values<'r>(values: &[(&'r str, f64)]) -> Vec<Value<'r>> {
    values
        .iter()
        .map(|(key, number)| Value::new(key, *number).unwrap())
        .collect()
}

/// What an outcome with values adds, as (numerator, denominator).
fn with(counting: &Counting, outcome: Option<Outcome>, numbers: &[(&str, f64)]) -> Option<(i128, u64)> {
    let values = values(numbers);
    let report = Report {
        outcome,
        ..Report::later(&values)
    };
    reported(counting, &report).map(|step| (step.num, step.den))
}

fn of(counting: &Counting, report: Report<'_>) -> Option<(i128, u64)> {
    reported(counting, &report).map(|step| (step.num, step.den))
}

fn sum(per: Per) -> Counting {
    Counting::Sum {
        value: "revenue".to_owned(),
        minimum: -1_000_000,
        maximum: 50_000_000,
        per,
    }
}

fn hits(per: Per) -> Counting {
    Counting::Hits {
        value: "converted".to_owned(),
        per,
    }
}

fn above() -> Counting {
    Counting::Above {
        value: "score".to_owned(),
        bound: 850_000,
    }
}

#[test]
fn failures_are_errors_of_all_outcomes_unless_their_class_is_expected() {
    let errors = Counting::Errors {
        expected: vec!["card-declined".to_owned()],
    };
    for (outcome, class, num) in [
        (OK, None, 0),
        (OK, Some("db"), 0),
        (ERROR, None, 1),
        (TIMEOUT, Some("db"), 1),
        (ERROR, Some("card-declined"), 0),
        (TIMEOUT, Some("card-declined"), 0),
        (ERROR, Some("card-declined-2"), 1),
    ] {
        let report = Report {
            class: class.and_then(ErrorClass::parse),
            ..Report::of(outcome)
        };
        assert_eq!(of(&errors, report), Some((num, 1)), "{outcome:?} {class:?}");
    }
    assert_eq!(of(&errors, Report::later(&[])), None);
}

#[test]
fn timeouts_are_timeouts_of_all_outcomes() {
    for (outcome, num) in [(OK, 0), (ERROR, 0), (TIMEOUT, 1)] {
        assert_eq!(of(&Counting::Timeouts, Report::of(outcome)), Some((num, 1)));
    }
    assert_eq!(of(&Counting::Timeouts, Report::later(&[])), None);
}

#[test]
fn a_status_is_bad_within_its_range_and_without_one_nothing_is_said() {
    let status = Counting::Status { from: 500, to: 599 };
    for (code, num) in [(499.0, 0), (500.0, 1), (599.0, 1), (600.0, 0), (200.0, 0)] {
        assert_eq!(
            with(&status, Some(OK), &[("http-status", code)]),
            Some((num, 1)),
            "{code}"
        );
    }
    assert_eq!(with(&status, Some(ERROR), &[("status", 500.0)]), None);
    for code in [99.0, 1_000.0, -1.0, 1e300] {
        let values = values(&[("http-status", code)]);
        let step = reported(
            &status,
            &Report {
                values: &values,
                ..Report::of(OK)
            },
        )
        .unwrap();
        assert_eq!((step.num, step.den, step.clamped), (0, 0, 1), "{code} says nothing");
    }
    let twice = [("http-status", 200.0), ("http-status", 503.0)];
    assert_eq!(with(&status, Some(OK), &twice), Some((1, 1)));
}

#[test]
fn failures_are_slow_however_fast_they_were() {
    let slower = Counting::Slower { bound_us: 1_000 };
    let timed = |outcome, duration_us| {
        of(
            &slower,
            Report {
                duration_us,
                ..Report::of(outcome)
            },
        )
    };
    assert_eq!(timed(OK, Some(1_000)), Some((0, 1)));
    assert_eq!(timed(OK, Some(1_001)), Some((1, 1)));
    assert_eq!(timed(OK, Some(u64::MAX)), Some((1, 1)));
    assert_eq!(timed(OK, None), None);
    assert_eq!(timed(ERROR, Some(1)), Some((1, 1)));
    assert_eq!(timed(TIMEOUT, None), Some((1, 1)));
}

#[test]
fn what_is_above_the_bound_is_counted_of_what_has_the_value_or_failed_without() {
    for (outcome, numbers, added) in [
        (Some(OK), &[("score", 0.85)][..], Some((0, 1))),
        (Some(OK), &[("score", 0.850_000_1)], Some((1, 1))),
        (Some(OK), &[("score", 0.1), ("score", 0.9)], Some((1, 1))),
        (Some(ERROR), &[("score", 0.1)], Some((0, 1))),
        (Some(ERROR), &[("cost", 9.0)], Some((1, 1))),
        (Some(OK), &[("cost", 9.0)], None),
        (None, &[("score", 0.9)], Some((1, 1))),
        (None, &[], None),
    ] {
        assert_eq!(with(&above(), outcome, numbers), added, "{outcome:?} {numbers:?}");
    }
}

#[test]
fn a_hit_beyond_yes_and_no_is_said_to_be_outside() {
    for (number, num, clamped) in [(0.0, 0, 0), (1.0, 1, 0), (17.0, 1, 1), (-3.0, 0, 1)] {
        let values = values(&[("converted", number)]);
        let step = reported(&hits(Per::Value), &Report::later(&values)).unwrap();
        assert_eq!((step.num, step.den, step.clamped), (num, 1, clamped), "{number}");
    }
}

#[test]
fn values_are_summed_in_millionths_within_their_clamp() {
    for (number, num, clamped) in [
        (9.99, 9_990_000, 0),
        (50.0, 50_000_000, 0),
        (50.000_001, 50_000_000, 1),
        (-1.0, -1_000_000, 0),
        (-1e300, -1_000_000, 1),
    ] {
        let values = values(&[("revenue", number), ("other", 1.0)]);
        let step = reported(&sum(Per::Value), &Report::later(&values)).unwrap();
        assert_eq!((step.num, step.den, step.clamped), (num, 1, clamped), "{number}");
    }
    let two = [("revenue", 1.0), ("revenue", 2.0)];
    assert_eq!(with(&sum(Per::Value), Some(ERROR), &two), Some((3_000_000, 2)));
    assert_eq!(with(&sum(Per::Value), Some(OK), &[]), None);
}

#[test]
fn a_hit_is_at_least_one_half() {
    for (number, num) in [(0.499_999_9, 0), (0.5, 1), (1.0, 1), (-1.0, 0)] {
        assert_eq!(with(&hits(Per::Value), None, &[("converted", number)]), Some((num, 1)));
    }
}

#[test]
fn per_exposure_the_denominator_is_the_exposures() {
    for counting in [sum(Per::Exposure), hits(Per::Exposure)] {
        assert_eq!(exposed(&counting).map(|step| (step.num, step.den)), Some((0, 1)));
        let added = with(&counting, None, &[("revenue", 1.0), ("converted", 1.0)]).unwrap();
        assert!(added.0 > 0 && added.1 == 0, "{added:?}");
    }
    for counting in [
        sum(Per::Value),
        hits(Per::Value),
        above(),
        Counting::Timeouts,
        Counting::Lost,
    ] {
        assert_eq!(exposed(&counting), None);
    }
}

#[test]
fn lost_exposures_are_bad_where_they_are_said_to_be() {
    let metric = |counting, lost_is_bad| MetricSpec {
        number: 0,
        key: "m".to_owned(),
        counting,
        lost_is_bad,
    };
    let bad = Some(Step::part(true));
    let errors = || Counting::Errors { expected: Vec::new() };
    for counting in [errors(), Counting::Timeouts, Counting::Slower { bound_us: 1 }, above()] {
        assert_eq!(lost(&metric(counting.clone(), true)), bad);
        assert_eq!(lost(&metric(counting, false)), None);
    }
    for lost_is_bad in [false, true] {
        assert_eq!(lost(&metric(Counting::Lost, lost_is_bad)), bad);
        assert_eq!(lost(&metric(sum(Per::Value), lost_is_bad)), None);
        assert_eq!(lost(&metric(hits(Per::Exposure), lost_is_bad)), None);
    }
    assert_eq!(of(&Counting::Lost, Report::of(ERROR)), Some((0, 1)));
    assert_eq!(of(&Counting::Lost, Report::later(&[])), None);
}

#[test]
fn no_value_is_larger_than_a_frame_could_tell() {
    let limit = SUM_LIMIT as i64;
    let within = |minimum, maximum| Counting::Sum {
        value: "bytes".to_owned(),
        minimum,
        maximum,
        per: Per::Value,
    };
    let huge = [("bytes", 1e300)];
    let wide = within(i64::MIN, i64::MAX);
    assert_eq!(with(&wide, Some(OK), &huge), Some((i128::from(limit), 1)));
    assert_eq!(
        with(&wide, Some(OK), &[("bytes", -1e300)]),
        Some((-i128::from(limit), 1))
    );
    assert_eq!(with(&within(0, limit), Some(OK), &huge), Some((i128::from(limit), 1)));
    assert_eq!(with(&within(limit + 1, i64::MAX), Some(OK), &huge), None);
}
