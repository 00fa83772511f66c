//! Single decisions of the state machine: a rollout is led somewhere, one thing changes, and this follows.

use rollout::{
    AbortCause, DAY_US, Delivery, Facts, HoldReason, Phase, Plan, Stage, Transition, Unit, Visit, duration::Dwell,
};

use crate::builders::{
    Rollout, SECOND_US, START_US, delivered, evidence, good, harmful, held, latched, plan, silent, stage,
};

#[test]
fn a_good_rollout_goes_through_every_stage_and_completes() {
    let mut rollout = Rollout::start(plan());
    let happened = rollout.every_second(60, &good());
    let advanced = |from: usize| Transition::Advanced { from, to: from + 1 };
    let started = Transition::ClockStarted;
    assert_eq!(
        happened,
        [
            started.clone(),
            advanced(0),
            started.clone(),
            advanced(1),
            started.clone(),
            Transition::Completed
        ]
    );
    assert_eq!(rollout.phase(), Phase::Completed);
    assert_eq!(rollout.state.sequence, 8);
    assert_eq!(rollout.state.ended_at_us, Some(START_US + 33 * SECOND_US));
    let stages: Vec<_> = rollout
        .state
        .visits
        .iter()
        .map(|visit| (visit.stage, visit.visit))
        .collect();
    assert_eq!(stages, [(0, 1), (1, 1), (2, 1)]);
    assert_eq!(rollout.state.compared_horizons(&rollout.plan), [0, 1]);
}

#[test]
fn the_clock_starts_when_99_percent_have_applied() {
    let mut rollout = Rollout::start(plan());
    assert_eq!(rollout.after(1, &delivered(200, 197)), None);
    assert_eq!(rollout.phase(), Phase::Ramp);
    assert_eq!(rollout.after(1, &delivered(200, 198)), Some(Transition::ClockStarted));
    assert_eq!(rollout.state.clock_started_at_us, Some(rollout.now));
    assert_eq!(rollout.state.soaked_us, 0);
}

#[test]
fn without_agents_it_is_held_and_goes_on_when_they_come() {
    let mut rollout = Rollout::start(plan());
    assert_eq!(rollout.after(1, &delivered(0, 0)), Some(held(HoldReason::NoAgents)));
    assert_eq!(rollout.after(1, &delivered(0, 0)), None);
    assert_eq!(rollout.after(1, &delivered(5, 1)), Some(Transition::Resumed));
    assert_eq!(rollout.phase(), Phase::Ramp);
    assert_eq!(rollout.after(1, &delivered(0, 0)), Some(held(HoldReason::NoAgents)));
    assert_eq!(rollout.after(1, &delivered(5, 5)), Some(Transition::ClockStarted));
}

#[test]
fn a_new_agent_pauses_the_soak_and_nothing_else() {
    let mut rollout = Rollout::soaking();
    rollout.every_second(3, &good());
    assert_eq!(rollout.every_second(20, &delivered(11, 10)), []);
    assert_eq!(rollout.state.soaked_us, 3 * SECOND_US);
    assert_eq!(rollout.phase(), Phase::Soak);
}

#[test]
fn soak_counts_only_what_was_watched() {
    let mut rollout = Rollout::soaking();
    rollout.after(2, &good());
    assert_eq!(rollout.state.soaked_us, 2 * SECOND_US);
    rollout.after(3_600, &good());
    assert_eq!(rollout.state.soaked_us, 7 * SECOND_US);
    rollout.after(-3_600, &good());
    assert_eq!(rollout.state.soaked_us, 7 * SECOND_US);
    rollout.after(1, &Facts { fresh: false, ..good() });
    assert_eq!(rollout.state.soaked_us, 7 * SECOND_US);
    rollout.after(1, &good());
    assert_eq!(rollout.state.soaked_us, 8 * SECOND_US);
}

#[test]
fn silence_holds_after_the_dwell_and_not_before() {
    let mut rollout = Rollout::soaking();
    assert_eq!(rollout.every_second(9, &silent()), []);
    assert_eq!(rollout.after(1, &silent()), Some(held(HoldReason::NoTraffic)));
    assert_eq!(rollout.every_second(600, &silent()), []);
    let mut one_armed = good();
    one_armed.arms.treatment = silent().arms.treatment;
    assert_eq!(rollout.after(1, &one_armed), Some(held(HoldReason::NoTreatmentTraffic)));
    assert_eq!(rollout.after(1, &good()), Some(Transition::Resumed));
    assert_eq!(rollout.after(1, &good()), Some(Transition::Advanced { from: 0, to: 1 }));
}

#[test]
fn stale_data_holds_after_a_grace() {
    let mut rollout = Rollout::soaking();
    let stale = Facts { fresh: false, ..good() };
    assert_eq!(rollout.every_second(9, &stale), []);
    assert_eq!(rollout.after(1, &stale), Some(held(HoldReason::Stale)));
    assert_eq!(rollout.after(1, &good()), Some(Transition::Resumed));
    assert_eq!(rollout.phase(), Phase::Soak);
    assert_eq!(rollout.state.soaked_us, 0);
}

#[test]
fn a_stage_that_is_being_delivered_is_not_stale() {
    let mut rollout = Rollout::start(plan());
    assert_eq!(
        rollout.every_second(
            60,
            &Facts {
                fresh: false,
                ..delivered(10, 1)
            }
        ),
        []
    );
}

#[test]
fn evidence_at_the_hold_level_stops_the_clock_until_it_falls() {
    let mut rollout = Rollout::soaking();
    rollout.every_second(4, &good());
    assert_eq!(rollout.after(1, &harmful(51.0)), Some(held(HoldReason::Evidence)));
    assert_eq!(rollout.every_second(60, &harmful(99.0)), []);
    assert_eq!(rollout.state.soaked_us, 4 * SECOND_US);
    assert_eq!(rollout.after(1, &harmful(49.0)), Some(Transition::Resumed));
    assert_eq!(rollout.every_second(60, &harmful(49.0)), [Transition::GateReached]);
    assert_eq!(rollout.phase(), Phase::Gate);
    assert_eq!(
        rollout.after(1, &harmful(19.0)),
        Some(Transition::Advanced { from: 0, to: 1 })
    );
}

#[test]
fn harm_aborts_and_names_its_culprit() {
    let mut rollout = Rollout::soaking();
    let number = evidence(100.1).unwrap();
    let cause = AbortCause::Evidence {
        guard: 0,
        horizon: 1,
        log_evidence: number.log_evidence,
    };
    assert_eq!(rollout.after(1, &harmful(100.1)), Some(Transition::Aborted(cause)));
    assert_eq!(rollout.phase(), Phase::Aborting);
    assert!(rollout.state.is_withdrawn() && !rollout.state.is_final());
}

#[test]
fn an_abort_is_delivered_when_every_live_agent_has_it_on_disk() {
    let mut rollout = Rollout::soaking();
    rollout.after(1, &latched());
    let persisted = |persisted| Facts {
        delivery: Delivery {
            live: 100,
            applied: 100,
            persisted,
        },
        ..good()
    };
    assert_eq!(rollout.after(1, &persisted(99)), None);
    assert_eq!(
        rollout.after(
            1,
            &Facts {
                resumed: true,
                fresh: false,
                ..persisted(100)
            }
        ),
        None
    );
    assert_eq!(rollout.after(1, &persisted(100)), Some(Transition::AbortDelivered));
    assert_eq!(rollout.phase(), Phase::Aborted);
    assert!(rollout.state.is_final());
}

#[test]
fn an_abort_without_any_agent_waits_a_minute_for_one() {
    let mut rollout = Rollout::soaking();
    rollout.after(1, &latched());
    rollout.after(
        100,
        &Facts {
            resumed: true,
            ..delivered(0, 0)
        },
    );
    assert_eq!(rollout.every_second(60, &delivered(0, 0)), []);
    assert_eq!(rollout.after(1, &delivered(1, 1)), None);
    assert_eq!(rollout.every_second(60, &delivered(0, 0)), []);
    assert_eq!(rollout.after(1, &delivered(0, 0)), Some(Transition::AbortDelivered));
}

#[test]
fn a_new_leader_gives_the_agents_a_grace_of_its_own() {
    let mut rollout = Rollout::soaking();
    let stale = Facts { fresh: false, ..good() };
    rollout.after(
        3_600,
        &Facts {
            resumed: true,
            ..stale.clone()
        },
    );
    assert_eq!(rollout.every_second(9, &stale), []);
    assert_eq!(rollout.after(1, &stale), Some(held(HoldReason::Stale)));
}

#[test]
fn a_horizon_is_cut_after_a_day_and_when_positions_are_full() {
    let long = Plan {
        stages: vec![Stage {
            dwell: Dwell::For(7 * DAY_US),
            ..stage("canary", 5.0)
        }],
        ..plan()
    };
    let mut rollout = Rollout::start(long.clone());
    rollout.after(1, &good());
    rollout.now = START_US + DAY_US - 2 * SECOND_US;
    assert_eq!(rollout.after(1, &good()), None);
    assert_eq!(rollout.after(1, &good()), Some(Transition::HorizonCut));
    assert_eq!(
        rollout.after(
            1,
            &Facts {
                positions_full: true,
                ..good()
            }
        ),
        Some(Transition::HorizonCut)
    );
    let starts: Vec<_> = rollout
        .state
        .horizons
        .iter()
        .map(|horizon| horizon.started_at_us - START_US)
        .collect();
    assert_eq!(starts, [0, DAY_US, DAY_US + SECOND_US]);

    let mut by_request = Rollout::start(Plan {
        unit: Unit::Request,
        ..long
    });
    by_request.after(1, &good());
    by_request.now += 3 * DAY_US;
    assert_eq!(
        by_request.after(
            1,
            &Facts {
                positions_full: true,
                ..good()
            }
        ),
        None
    );
}

#[test]
fn a_held_rollout_cuts_its_horizons_too() {
    let mut rollout = Rollout::soaking();
    rollout.after(1, &harmful(60.0));
    rollout.now += DAY_US;
    assert_eq!(rollout.after(1, &harmful(60.0)), Some(Transition::HorizonCut));
    assert_eq!(rollout.state.holds, [HoldReason::Evidence]);
}

#[test]
fn a_stage_where_nobody_is_exposed_needs_delivery_and_soak_only() {
    let mut rollout = Rollout::start(Plan {
        stages: vec![stage("dark", 0.0), stage("canary", 5.0)],
        ..plan()
    });
    let happened = rollout.every_second(30, &silent());
    assert_eq!(
        happened,
        [
            Transition::ClockStarted,
            Transition::Advanced { from: 0, to: 1 },
            Transition::ClockStarted,
            held(HoldReason::NoTraffic)
        ]
    );
    assert_eq!(
        rollout.state.visits[1],
        Visit {
            stage: 1,
            visit: 1,
            entered_at_us: START_US + 11 * SECOND_US
        }
    );
}

#[test]
fn deadlines_are_what_time_alone_can_bring() {
    let mut rollout = Rollout::soaking();
    assert_eq!(rollout.deadline(&good()), Some(rollout.now + 10 * SECOND_US));
    rollout.every_second(4, &good());
    assert_eq!(rollout.deadline(&good()), Some(rollout.now + 6 * SECOND_US));
    rollout.after(1, &harmful(60.0));
    assert_eq!(rollout.deadline(&harmful(60.0)), Some(START_US + DAY_US));
    rollout.now = i64::MAX;
    assert_eq!(rollout.deadline(&good()), Some(i64::MAX));
    rollout.now = START_US + 6 * SECOND_US;
    rollout.after(1, &harmful(101.0));
    assert_eq!(rollout.deadline(&good()), None);
}

#[test]
fn an_abort_is_not_proved_by_the_first_agent_that_comes_back() {
    let mut rollout = Rollout::soaking();
    rollout.after(1, &latched());
    let back = |live| Facts {
        delivery: Delivery {
            live,
            applied: live,
            persisted: live,
        },
        ..good()
    };
    let first = Facts {
        resumed: true,
        ..back(1)
    };
    assert_eq!(rollout.every_second(10, &first), []);
    assert_eq!(rollout.after(1, &back(2)), Some(Transition::AbortDelivered));
}
