//! The gate `no-harm`: what lets a stage be left, and what is said when it does not.

use rollout::{
    AbortCause, ArmTotals, Facts, HoldReason, Ladder, Level, Plan, Share, Stage, State, Totals, Verdict, Wait,
    duration::Dwell, judge,
};

use crate::builders::{Rollout, SECOND_US, delivered, good, harmful, heard, of_stages, silent, stage};

/// A plan of this one stage, and a state whose dwell has soaked.
fn soaked(stage: Stage) -> (Plan, State) {
    let mut rollout = Rollout::soaking_in(of_stages(vec![stage]));
    rollout.state.soaked_us = rollout.state.dwell_us(&rollout.plan).unwrap();
    (rollout.plan, rollout.state)
}

fn verdict(plan: &Plan, state: &State, facts: &Facts) -> Verdict {
    judge(plan, state, facts, state.observed_at_us)
}

fn holds(reason: HoldReason) -> Verdict {
    Verdict::Hold(vec![reason])
}

fn waits(plan: &Plan, state: &State, facts: &Facts) -> bool {
    matches!(verdict(plan, state, facts), Verdict::Wait(_))
}

fn arms(treatment: Totals, control: Totals) -> Facts {
    Facts {
        arms: ArmTotals { treatment, control },
        ..good()
    }
}

fn few(outcomes: u64, units: u64) -> Totals {
    Totals {
        exposures: outcomes,
        outcomes,
        units,
        bad: 0,
    }
}

#[test]
fn a_compared_stage_needs_both_arms() {
    let (plan, state) = soaked(stage("canary", 5.0));
    let none = Totals::default();
    for (treatment, control, expected) in [
        (heard(), heard(), Verdict::Pass),
        (none, none, holds(HoldReason::NoTraffic)),
        (none, heard(), holds(HoldReason::NoTreatmentTraffic)),
        (heard(), none, holds(HoldReason::TooFewOutcomes)),
        (few(99, 50), heard(), holds(HoldReason::TooFewOutcomes)),
        (heard(), few(99, 50), holds(HoldReason::TooFewOutcomes)),
        (few(100, 2), heard(), holds(HoldReason::TooFewUnits)),
        (heard(), few(100, 2), holds(HoldReason::TooFewUnits)),
        (few(100, 3), few(100, 3), Verdict::Pass),
        (
            Totals { exposures: 500, ..none },
            heard(),
            holds(HoldReason::TooFewOutcomes),
        ),
    ] {
        assert_eq!(
            verdict(&plan, &state, &arms(treatment, control)),
            expected,
            "{treatment:?} {control:?}"
        );
    }
}

#[test]
fn a_stage_for_all_needs_treatment_only() {
    let (plan, state) = soaked(stage("all", 100.0));
    let none = Totals::default();
    for (treatment, expected) in [
        (heard(), Verdict::Pass),
        (none, holds(HoldReason::NoTraffic)),
        (few(99, 3), holds(HoldReason::TooFewOutcomes)),
        (few(100, 2), holds(HoldReason::TooFewUnits)),
    ] {
        assert_eq!(
            verdict(&plan, &state, &arms(treatment, none)),
            expected,
            "{treatment:?}"
        );
    }
}

#[test]
fn nobody_exposed_or_nothing_asked_needs_delivery_only() {
    let undelivered = Facts {
        delivery: delivered(10, 9).delivery,
        ..silent()
    };
    for stage in [
        stage("none", 0.0),
        Stage {
            dwell: Dwell::For(0),
            ..stage("all", 100.0)
        },
    ] {
        let (plan, state) = soaked(stage);
        assert_eq!(verdict(&plan, &state, &silent()), Verdict::Pass);
        assert!(waits(&plan, &state, &undelivered));
    }
}

#[test]
fn a_minimum_of_zero_is_still_one() {
    for share in [5.0, 100.0] {
        let (plan, state) = soaked(Stage {
            minimum_outcomes: 0,
            minimum_units: 0,
            ..stage("eager", share)
        });
        assert_eq!(verdict(&plan, &state, &silent()), holds(HoldReason::NoTraffic));
        assert_eq!(verdict(&plan, &state, &arms(few(1, 1), few(1, 1))), Verdict::Pass);
    }
}

#[test]
fn evidence_at_the_warn_level_lets_nothing_pass() {
    let (plan, state) = soaked(stage("canary", 5.0));
    assert_eq!(verdict(&plan, &state, &harmful(19.9)), Verdict::Pass);
    assert!(waits(&plan, &state, &harmful(20.1)));
    assert_eq!(verdict(&plan, &state, &harmful(50.1)), holds(HoldReason::Evidence));
}

#[test]
fn before_the_dwell_is_over_nothing_is_amiss() {
    let (plan, mut state) = soaked(stage("canary", 5.0));
    state.soaked_us -= 1;
    assert!(waits(&plan, &state, &good()));
    assert!(waits(&plan, &state, &silent()));
    state.soaked_us = 10 * SECOND_US;
    state.clock_started_at_us = None;
    assert!(waits(&plan, &state, &good()));
}

#[test]
fn a_gate_passes_on_present_facts_only() {
    let (plan, state) = soaked(stage("canary", 5.0));
    assert!(waits(&plan, &state, &Facts { fresh: false, ..good() }));
    assert!(waits(&plan, &state, &delivered(10, 9)));
}

#[test]
fn a_share_of_one_bucket_is_compared() {
    let (plan, state) = soaked(Stage {
        share: Share::new(1).unwrap(),
        ..stage("sliver", 0.0)
    });
    assert_eq!(verdict(&plan, &state, &silent()), holds(HoldReason::NoTraffic));
}

#[test]
fn a_guard_does_no_more_than_its_level() {
    let (mut plan, state) = soaked(stage("canary", 5.0));
    let number = harmful(1e9);
    for (level, expected) in [
        (Level::Warn, Verdict::Wait(vec![Wait::Evidence(Ladder::Warn)])),
        (Level::Hold, holds(HoldReason::Evidence)),
    ] {
        plan.guards[0].level = level;
        assert_eq!(verdict(&plan, &state, &number), expected);
    }
    plan.guards[0].level = Level::Abort;
    let aborts = |verdict| matches!(verdict, Verdict::Abort(AbortCause::Evidence { .. }));
    assert!(aborts(verdict(&plan, &state, &number)));
    // Of a guard that the plan does not know, harm is taken at its word.
    plan.guards.clear();
    assert!(aborts(verdict(&plan, &state, &number)));
}
