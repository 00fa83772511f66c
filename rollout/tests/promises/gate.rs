//! The gate `no-harm`: what lets a stage be left, and what is said when it does not.

use rollout::{ArmTotals, Delivery, Facts, Gate, HoldReason, Plan, Share, Stage, State, Totals, no_harm};

use crate::builders::{Rollout, SECOND_US, good, harmful, heard, plan, silent, stage};

/// A plan of this one stage, and a state whose dwell has soaked.
fn soaked(stage: Stage) -> (Plan, State) {
    let plan = Plan {
        stages: vec![stage],
        ..plan()
    };
    let mut rollout = Rollout::start(plan);
    rollout.state.clock_started_at_us = Some(rollout.now);
    rollout.state.soaked_us = rollout.plan.stages[0].dwell_us;
    (rollout.plan, rollout.state)
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
        (heard(), heard(), Gate::Proceed),
        (none, none, Gate::Hold(HoldReason::NoTraffic)),
        (none, heard(), Gate::Hold(HoldReason::NoTreatmentTraffic)),
        (heard(), none, Gate::Hold(HoldReason::TooFewOutcomes)),
        (few(99, 50), heard(), Gate::Hold(HoldReason::TooFewOutcomes)),
        (heard(), few(99, 50), Gate::Hold(HoldReason::TooFewOutcomes)),
        (few(100, 2), heard(), Gate::Hold(HoldReason::TooFewUnits)),
        (heard(), few(100, 2), Gate::Hold(HoldReason::TooFewUnits)),
        (few(100, 3), few(100, 3), Gate::Proceed),
        (
            Totals { exposures: 500, ..none },
            heard(),
            Gate::Hold(HoldReason::TooFewOutcomes),
        ),
    ] {
        assert_eq!(
            no_harm(&plan, &state, &arms(treatment, control)),
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
        (heard(), Gate::Proceed),
        (none, Gate::Hold(HoldReason::NoTraffic)),
        (few(99, 3), Gate::Hold(HoldReason::TooFewOutcomes)),
        (few(100, 2), Gate::Hold(HoldReason::TooFewUnits)),
    ] {
        assert_eq!(
            no_harm(&plan, &state, &arms(treatment, none)),
            expected,
            "{treatment:?}"
        );
    }
}

#[test]
fn nobody_exposed_or_nothing_asked_needs_delivery_only() {
    let undelivered = Facts {
        delivery: Delivery {
            live: 10,
            applied: 9,
            persisted: 0,
        },
        ..silent()
    };
    for stage in [
        stage("none", 0.0),
        Stage {
            dwell_us: 0,
            ..stage("all", 100.0)
        },
    ] {
        let (plan, state) = soaked(stage);
        assert_eq!(no_harm(&plan, &state, &silent()), Gate::Proceed);
        assert_eq!(no_harm(&plan, &state, &undelivered), Gate::Wait);
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
        assert_eq!(no_harm(&plan, &state, &silent()), Gate::Hold(HoldReason::NoTraffic));
        assert_eq!(no_harm(&plan, &state, &arms(few(1, 1), few(1, 1))), Gate::Proceed);
    }
}

#[test]
fn evidence_at_the_warn_level_lets_nothing_pass() {
    let (plan, state) = soaked(stage("canary", 5.0));
    assert_eq!(no_harm(&plan, &state, &harmful(19.9)), Gate::Proceed);
    assert_eq!(no_harm(&plan, &state, &harmful(20.1)), Gate::Wait);
    assert_eq!(no_harm(&plan, &state, &harmful(50.1)), Gate::Hold(HoldReason::Evidence));
}

#[test]
fn before_the_dwell_is_over_nothing_is_amiss() {
    let (plan, mut state) = soaked(stage("canary", 5.0));
    state.soaked_us -= 1;
    assert_eq!(no_harm(&plan, &state, &good()), Gate::Wait);
    assert_eq!(no_harm(&plan, &state, &silent()), Gate::Wait);
    state.soaked_us = 10 * SECOND_US;
    state.clock_started_at_us = None;
    assert_eq!(no_harm(&plan, &state, &good()), Gate::Wait);
}

#[test]
fn a_gate_passes_on_present_facts_only() {
    let (plan, state) = soaked(stage("canary", 5.0));
    let undelivered = Delivery {
        live: 10,
        applied: 9,
        persisted: 0,
    };
    assert_eq!(no_harm(&plan, &state, &Facts { fresh: false, ..good() }), Gate::Wait);
    assert_eq!(
        no_harm(
            &plan,
            &state,
            &Facts {
                delivery: undelivered,
                ..good()
            }
        ),
        Gate::Wait
    );
}

#[test]
fn a_share_of_one_bucket_is_compared() {
    let (plan, state) = soaked(Stage {
        share: Share::new(1).unwrap(),
        ..stage("sliver", 0.0)
    });
    assert_eq!(no_harm(&plan, &state, &silent()), Gate::Hold(HoldReason::NoTraffic));
}
