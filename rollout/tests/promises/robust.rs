//! The laws of the robust test: the order of merging is of no account, more harm is more evidence, and it does not
//! speak before it has something to speak of.

use proptest::prelude::*;
use rollout::Ladder;
use rollout::evidence::limit::{Kind, Limit, Rule, Side};
use rollout::evidence::robust::{BUCKETS, Buckets, Finding, Stratum, judge};

fn above(limit: Limit) -> Rule {
    Rule {
        kind: Kind::Rate,
        limit,
        harm: Side::Above,
    }
}

fn below(limit: Limit) -> Rule {
    Rule {
        harm: Side::Below,
        ..above(limit)
    }
}

/// Buckets that are all alike but for one bad outcome more in every second.
fn arm(num: i64, den: u64) -> Buckets {
    let mut buckets = Buckets::new();
    (0..BUCKETS).for_each(|bucket| buckets.add(bucket, num + i64::from(bucket % 2 == 0), den));
    buckets
}

/// All in so many buckets.
fn few(buckets: usize, num: i64, den: u64) -> Buckets {
    let mut arm = Buckets::new();
    (0..buckets).for_each(|bucket| arm.add(bucket, num, den));
    arm
}

fn against(control: Buckets, treatment: Buckets) -> [Stratum; 1] {
    [Stratum {
        treatment,
        control: Some(control),
    }]
}

fn alone(treatment: Buckets) -> [Stratum; 1] {
    [Stratum {
        treatment,
        control: None,
    }]
}

fn speaks(finding: Finding) -> bool {
    finding.log_e().is_some()
}

/// (bucket, num, den) as frames bring them.
fn frames() -> impl Strategy<Value = Vec<(usize, i64, u64)>> {
    prop::collection::vec((0..BUCKETS, -3_000_000..9_000_000_i64, 1..400_u64), 1..200)
}

fn summed(frames: &[(usize, i64, u64)]) -> Buckets {
    let mut buckets = Buckets::new();
    frames
        .iter()
        .for_each(|(bucket, num, den)| buckets.add(*bucket, *num, *den));
    buckets
}

proptest! {
    #[test]
    fn any_order_of_merging_gives_the_same_bits(
        treatment in frames(), control in frames(), cut in 0..200_usize, shuffle in any::<u64>(),
    ) {
        let rule = Rule { kind: Kind::Mean, limit: Limit::Relative(1.0), harm: Side::Above };
        let straight = judge(&rule, &against(summed(&control), summed(&treatment)));
        let mut moved = treatment.clone();
        let length = moved.len() as u64;
        moved.sort_by_key(|frame| (frame.0 as u64).wrapping_mul(shuffle) % length.max(1));
        let (early, late) = moved.split_at(cut.min(moved.len()));
        let mut merged = summed(late);
        merged.merge(&summed(early));
        let crooked = judge(&rule, &against(summed(&control), merged));
        prop_assert_eq!(straight.log_e().map(f64::to_bits), crooked.log_e().map(f64::to_bits));
        prop_assert_eq!(straight, crooked);
    }

    #[test]
    fn more_harm_is_never_less_evidence(bad in 1..40_i64, den in 60..400_u64, limit in 0.005..0.05_f64) {
        let log_e = |num| judge(&above(Limit::Absolute(limit)), &alone(few(BUCKETS, num, den))).estimate().unwrap().log_e();
        prop_assert!(log_e(bad + 1) >= log_e(bad));
    }

    #[test]
    fn nonsense_gives_no_evidence_of_harm(
        treatment in frames(), control in frames(), limit in prop_oneof![Just(0.0), Just(f64::NAN), Just(-1.0), Just(1.0)],
        is_mean in any::<bool>(), is_relative in any::<bool>(),
    ) {
        let rule = Rule {
            kind: if is_mean { Kind::Mean } else { Kind::Rate },
            limit: if is_relative { Limit::Relative(limit) } else { Limit::Absolute(limit) },
            harm: Side::Above,
        };
        if let Some(log_e) = judge(&rule, &against(summed(&control), summed(&treatment))).log_e() {
            prop_assert!(!log_e.is_nan() && log_e < f64::INFINITY, "{}", log_e);
        }
    }
}

#[test]
fn fifty_bad_outcomes_speak_and_fewer_hold_at_most() {
    let rule = above(Limit::Absolute(0.01));
    let early = judge(&rule, &alone(few(49, 1, 10)));
    assert_eq!((early.log_e(), early.early()), (None, Ladder::Hold));
    assert!(speaks(judge(&rule, &alone(few(50, 1, 10)))));
    let within = judge(&rule, &alone(few(49, 1, 1_000)));
    assert_eq!((within.log_e(), within.early()), (None, Ladder::None));
}

#[test]
fn both_arms_together_reach_the_fifty_when_compared() {
    let relative = above(Limit::Relative(1.0));
    assert!(!speaks(judge(&relative, &against(few(24, 1, 100), few(25, 1, 100)))));
    assert!(speaks(judge(&relative, &against(few(25, 1, 100), few(25, 1, 100)))));
    // An absolute limit is treatment's alone.
    assert!(!speaks(judge(
        &above(Limit::Absolute(0.001)),
        &against(few(64, 9, 100), few(25, 1, 100))
    )));
}

#[test]
fn means_speak_from_a_thousand_outcomes_in_each_arm() {
    let rule = |limit| Rule {
        kind: Kind::Mean,
        ..above(limit)
    };
    let (little, enough) = (few(9, 9_000_000, 111), few(10, 9_000_000, 100));
    assert!(!speaks(judge(&rule(Limit::Absolute(0.01)), &alone(little.clone()))));
    assert!(speaks(judge(&rule(Limit::Absolute(0.01)), &alone(enough.clone()))));
    assert!(!speaks(judge(
        &rule(Limit::Relative(1.0)),
        &against(little, enough.clone())
    )));
    assert!(speaks(judge(
        &rule(Limit::Relative(1.0)),
        &against(enough.clone(), enough)
    )));
}

#[test]
fn a_handful_of_units_never_speaks() {
    let rule = above(Limit::Absolute(0.01));
    assert!(!speaks(judge(&rule, &alone(few(3, 300, 300)))));
    assert!(speaks(judge(&rule, &alone(few(4, 300, 300)))));
    assert_eq!(judge(&rule, &alone(few(1, 300, 300))), Finding::Silent);
    assert_eq!(judge(&rule, &[]), Finding::Silent);
}

#[test]
fn strata_speak_together() {
    // Two units each, in different buckets: four in all.
    let mut other = Buckets::new();
    (10..12).for_each(|bucket| other.add(bucket, 300, 300));
    let strata = [few(2, 300, 300), other].map(|treatment| Stratum {
        treatment,
        control: None,
    });
    assert!(speaks(judge(&above(Limit::Absolute(0.01)), &strata)));
}

#[test]
fn nothing_is_compared_without_a_control() {
    assert_eq!(
        judge(&above(Limit::Relative(1.0)), &alone(arm(9, 100))),
        Finding::Silent
    );
}

#[test]
fn lower_limits_find_what_is_missing() {
    let rule = below(Limit::Absolute(0.95));
    let (fine, poor, dead) = (arm(97, 100), arm(90, 100), few(BUCKETS, 0, 100));
    assert_eq!(judge(&rule, &alone(fine)).log_e(), Some(f64::NEG_INFINITY));
    assert!(judge(&rule, &alone(poor.clone())).log_e() > Some(10.0));
    assert!(
        judge(&rule, &alone(dead)).log_e() > Some(100.0),
        "a treatment under which nothing succeeds"
    );
    assert!(judge(&below(Limit::Relative(0.95)), &against(arm(98, 100), poor.clone())).log_e() > Some(3.0));
    assert_eq!(
        judge(&above(Limit::Absolute(0.95)), &alone(poor)).log_e(),
        Some(f64::NEG_INFINITY)
    );
}

#[test]
fn what_happens_in_another_stratum_is_not_compared() {
    // Everybody does worse in the second stratum, where most of treatment is: pooled, it would be 1 point behind.
    let calm = Stratum {
        treatment: few(BUCKETS, 1, 90),
        control: Some(few(BUCKETS, 1, 90)),
    };
    let rough = Stratum {
        treatment: few(BUCKETS, 30, 900),
        control: Some(few(BUCKETS, 3, 90)),
    };
    let strata = [calm, rough];
    let finding = judge(&above(Limit::Relative(1.0)), &strata);
    assert!(finding.estimate().unwrap().difference.abs() < 1e-12);
}
