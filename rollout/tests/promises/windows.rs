//! Windows, freezes and start times: they delay a gate to the second, and never an abort.

use rollout::{
    AbortCause, Act, Facts, HoldReason, Phase, Plan, Refusal, RollbackCause, Transition, Wait, judge, waits,
};

use crate::builders::{
    HOUR_US, Rollout, SECOND_US, START_US, at, criterion, good, harmful, held, latched, measured, off, plan, window,
};

const ADVANCED: Transition = Transition::Advanced { from: 0, to: 1 };
/// From the first stage's clock (Sunday, 15:06:41) to Monday, 09:00 UTC.
const TO_MONDAY: i64 = 64_399;

/// Every gap counts as seen: time is virtual.
fn patient(facts: Facts) -> Facts {
    Facts {
        longest_gap_us: i64::MAX,
        ..facts
    }
}

fn business_hours(plan: &mut Plan) {
    plan.windows = vec![window("Mon-Fri 09:00-17:00 UTC")];
}

fn frozen(plan: &mut Plan) {
    let black_friday = window("2025-06-14..2025-06-16 UTC");
    plan.freezes = [("black-friday".to_owned(), black_friday)].into();
}

fn window_wait(rollout: &Rollout) -> Option<Wait> {
    let waits = waits(&rollout.plan, &rollout.state, &good(), rollout.now);
    waits.into_iter().find(|wait| matches!(wait, Wait::Window { .. }))
}

#[test]
fn a_gate_opens_when_its_window_does() {
    let mut rollout = at(Phase::Soak).with(business_hours);
    let opens = START_US + SECOND_US + TO_MONDAY * SECOND_US;
    assert_eq!(rollout.after(60, &patient(good())), Some(Transition::GateReached));
    let expected = Wait::Window {
        until_us: Some(opens),
        freeze: None,
    };
    assert_eq!(window_wait(&rollout), Some(expected));
    assert_eq!(rollout.deadline(&good()), Some(opens));
    assert_eq!(rollout.after(TO_MONDAY - 61, &good()), None);
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
    assert_eq!(rollout.now, opens);
}

#[test]
fn a_gate_opens_when_its_freeze_ends() {
    let mut rollout = at(Phase::Soak).with(frozen);
    let ends = START_US + SECOND_US + (TO_MONDAY + 15 * 3_600) * SECOND_US;
    rollout.after(60, &patient(good()));
    let expected = Wait::Window {
        until_us: Some(ends),
        freeze: Some("black-friday".to_owned()),
    };
    assert_eq!(window_wait(&rollout), Some(expected));
    rollout.now = ends - 2 * SECOND_US;
    // A day has passed as well.
    assert_eq!(rollout.after(1, &good()), Some(Transition::HorizonCut));
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn a_freeze_within_a_window_closes_it_and_the_stage_has_windows_of_its_own() {
    let mut rollout = at(Phase::Gate).with(business_hours).with(|plan| {
        plan.freezes = [("lunch".to_owned(), window("11:00-14:00 UTC"))].into();
        plan.stages[0].windows = vec![window("Tue-Sat 13:00-16:00 UTC")];
    });
    // Tuesday 14:00: within both windows, after lunch.
    let opens = START_US + SECOND_US + (TO_MONDAY + 29 * 3_600) * SECOND_US;
    let expected = Wait::Window {
        until_us: Some(opens),
        freeze: None,
    };
    assert_eq!(window_wait(&rollout), Some(expected));
    rollout.now = opens - 3_601 * SECOND_US;
    rollout.after(0, &good());
    let in_freeze = window_wait(&rollout);
    assert!(matches!(in_freeze, Some(Wait::Window { freeze: Some(name), .. }) if name == "lunch"));
    rollout.now = opens - 2 * SECOND_US;
    assert_eq!(rollout.after(1, &good()), None);
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn nobody_advances_in_a_freeze() {
    let mut rollout = at(Phase::Gate).with(frozen);
    let refused = Refusal::Waits(vec![window_wait(&rollout).unwrap()]);
    assert_eq!(rollout.act(Act::Advance), Err(refused));
}

#[test]
fn no_window_delays_what_stops_a_rollout() {
    let closed = |phase| {
        at(phase)
            .with(frozen)
            .with(|plan| plan.windows = vec![window("2020-01-01 UTC")])
    };
    let rolls = |plan: &mut Plan| plan.stages[0].rollback = vec![criterion("error-rate > 1 %")];
    for phase in [
        Phase::Ramp,
        Phase::Soak,
        Phase::Gate,
        Phase::Held,
        Phase::Paused,
        Phase::Baking,
    ] {
        let by_person = Transition::Aborted(AbortCause::Person);
        assert_eq!(closed(phase).after(1, &latched()), Some(by_person), "{phase:?}");
        let by_evidence = closed(phase).after(1, &harmful(101.0));
        assert!(matches!(by_evidence, Some(Transition::Aborted(_))), "{phase:?}");
        assert!(closed(phase).act(Act::Abort).is_ok() && closed(phase).act(Act::RollBack).is_ok());
        if phase != Phase::Baking {
            let bad = measured("error-rate", [Some(0.02), None, None]);
            let cause = RollbackCause::Criterion { stage: 0, criterion: 0 };
            let rolled_back = closed(phase).with(rolls).after(1, &bad);
            assert_eq!(rolled_back, Some(Transition::RolledBack(cause)), "{phase:?}");
        }
    }
    assert_eq!(closed(Phase::Soak).after(1, &off()), Some(held(HoldReason::FlagOff)));
}

#[test]
fn a_window_that_never_opens_has_no_end() {
    let rollout = at(Phase::Gate).with(|plan| plan.windows = vec![window("2020-01-01 UTC")]);
    let expected = Wait::Window {
        until_us: None,
        freeze: None,
    };
    assert_eq!(window_wait(&rollout), Some(expected));
    assert!(matches!(
        judge(&rollout.plan, &rollout.state, &good(), rollout.now),
        rollout::Verdict::Wait(_)
    ));
}

#[test]
fn a_start_waits_for_its_time_and_its_window() {
    let mut rollout = Rollout::draft(Plan {
        start_at_us: Some(START_US + HOUR_US),
        ..plan()
    })
    .with(business_hours);
    assert_eq!(rollout.act(Act::Start), Ok(Transition::StartAsked));
    let opens = START_US + SECOND_US + TO_MONDAY * SECOND_US;
    let window = Wait::Window {
        until_us: Some(opens),
        freeze: None,
    };
    let both = [Wait::StartTime(START_US + HOUR_US), window.clone()];
    assert_eq!(waits(&rollout.plan, &rollout.state, &good(), rollout.now), both);
    assert_eq!(rollout.after(3_599, &good()), None);
    assert_eq!(rollout.after(1, &good()), None);
    assert_eq!(waits(&rollout.plan, &rollout.state, &good(), rollout.now), [window]);
    rollout.now = opens - 2 * SECOND_US;
    assert_eq!(rollout.after(1, &good()), None);
    assert_eq!(rollout.after(1, &good()), Some(Transition::Started));
}
