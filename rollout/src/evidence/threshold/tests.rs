//! Tables for thresholds.

use super::*;

fn kill(limit: f64) -> Threshold {
    Threshold {
        kind: Kind::Rate,
        operator: Operator::Above,
        limit,
        span: Span::Cumulative,
        minimum_outcomes: Threshold::KILL_OUTCOMES,
        minimum_units: Threshold::KILL_UNITS,
        consecutive: 1,
    }
}

fn seen(num: i128, den: u64, units: u64) -> Seen {
    Seen { num, den, units }
}

#[test]
fn nothing_fires_below_its_minimum() {
    let rule = kill(0.05);
    assert_eq!(rule.is_beyond(&seen(99, 99, 50)), None);
    assert_eq!(rule.is_beyond(&seen(100, 100, 2)), None);
    assert_eq!(rule.is_beyond(&seen(6, 100, 3)), Some(true));
    assert_eq!(rule.is_beyond(&seen(5, 100, 3)), Some(false));
    let unbounded = Threshold {
        minimum_outcomes: 0,
        minimum_units: 0,
        operator: Operator::AtLeast,
        ..rule
    };
    assert_eq!(unbounded.is_beyond(&Seen::default()), None);
}

#[test]
fn each_operator_means_what_it_says() {
    let table = [
        (Operator::Above, [false, false, true]),
        (Operator::AtLeast, [false, true, true]),
        (Operator::Below, [true, false, false]),
        (Operator::AtMost, [true, true, false]),
    ];
    for (operator, expected) in table {
        assert_eq!(
            [0.4, 0.5, 0.6].map(|value| operator.is_beyond(value, 0.5)),
            expected,
            "{operator:?}"
        );
        assert!(!operator.is_beyond(f64::NAN, 0.5));
    }
}

#[test]
fn means_are_read_in_fixed_point() {
    let rule = Threshold {
        kind: Kind::Mean,
        ..kill(0.5)
    };
    assert_eq!(rule.is_beyond(&seen(51_000_000, 100, 3)), Some(true));
    assert_eq!(rule.is_beyond(&seen(50_000_000, 100, 3)), Some(false));
}

#[test]
fn a_window_forgets_and_an_accumulation_does_not() {
    let intervals = [seen(50, 100, 9), seen(0, 100, 4), seen(0, 100, 5)];
    assert_eq!(kill(0.05).look(&intervals), seen(50, 300, 9));
    let window = Threshold {
        span: Span::Window(2),
        ..kill(0.05)
    };
    assert_eq!(window.look(&intervals), seen(0, 200, 5));
    assert_eq!(window.look(&intervals[..1]), seen(50, 100, 9));
}

#[test]
fn only_looks_in_a_row_fire() {
    let rule = Threshold {
        consecutive: 3,
        ..kill(0.05)
    };
    let (bad, good, little) = (seen(10, 100, 9), seen(1, 100, 9), seen(9, 9, 9));
    let fires = |looks: &[Seen]| {
        rule.fires(
            looks
                .iter()
                .fold(Streak::default(), |streak, look| rule.next(streak, look)),
        )
    };
    assert!(fires(&[good, bad, bad, bad]));
    assert!(!fires(&[bad, bad, good, bad]));
    assert!(!fires(&[bad, bad, little, bad]));
    assert!(kill(0.05).fires(rule.next(Streak::default(), &bad)));
    assert!(!kill(0.05).fires(Streak::default()));
}

#[test]
fn odds_of_firing_without_cause_are_those_of_chance() {
    // A harmless rate of 0.8 %, limit twice that, looked at per 100 or per 1,000 of 100,000 requests.
    let twice = kill(0.016);
    let [per_100, per_1_000] = [(100, 1_000), (1_000, 100)].map(|(outcomes, looks)| twice.odds(0.008, outcomes, looks));
    assert!(per_100 > Some(0.999), "{per_100:?}");
    assert!(per_1_000 > Some(0.28) && per_1_000 < Some(0.34), "{per_1_000:?}");
    assert_eq!(twice.odds(0.008, 99, 1_000), Some(0.0));
    assert_eq!(
        Threshold {
            kind: Kind::Mean,
            ..twice
        }
        .odds(0.008, 100, 10),
        None
    );
    assert_eq!(twice.odds(0.0, 100, 10), Some(0.0));
}

#[test]
fn odds_of_a_run_are_counted_right() {
    // All sequences of five looks, by hand.
    for length in 1..=4_u32 {
        let chance: f64 = 0.3;
        let expected: f64 = (0..32_u32)
            .filter(|looks| (0..=(5 - length)).any(|from| looks >> from & ((1 << length) - 1) == (1 << length) - 1))
            .map(|looks| chance.powi(looks.count_ones() as i32) * (1.0 - chance).powi(5 - looks.count_ones() as i32))
            .sum();
        assert!((chance_of_run(chance, length, 5) - expected).abs() < 1e-12, "{length}");
    }
}
