#![allow(clippy::unwrap_used)]

use rollout::Unit;

use super::*;
use crate::builders::{START_US, plan_of, started};

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

fn at(phase: Phase) -> RolloutRecord {
    let mut record = started(plan_of("checkout", Unit::Unit, &[10, 100], 0), 1);
    record.state.phase = phase;
    record
}

#[test]
fn a_stage_is_stuck_when_it_lasts_longer_than_the_plan_allows_and_the_question_says_which() {
    let advance = Some("canary-10% for 18 days: advance or roll back?");
    for (phase, expected) in [
        (Phase::Draft, None),
        (Phase::Ready, None),
        (
            Phase::AwaitingStart,
            Some("not started for 18 days: start it or roll it back?"),
        ),
        (Phase::Ramp, advance),
        (Phase::Soak, advance),
        (Phase::Gate, advance),
        (Phase::Held, advance),
        (Phase::Paused, advance),
        (Phase::Completed, None),
        (Phase::RolledBack, None),
        (Phase::Aborting, None),
        (Phase::Aborted, None),
        (Phase::Superseded, None),
        (Phase::Expired, None),
    ] {
        let record = at(phase);
        assert_eq!(Stuck::of(&record, START_US + 14 * DAY_US - 1), None, "{phase:?}");
        let now_us = START_US + 18 * DAY_US;
        let question = Stuck::of(&record, now_us).map(|stuck| stuck.question(now_us));
        assert_eq!(question.as_deref(), expected, "{phase:?}");
    }
}

#[test]
fn a_bake_may_last_as_long_as_it_is_and_is_a_visit_of_its_own() {
    let mut record = at(Phase::Gate);
    let last = started(
        rollout::Plan {
            bake_us: 14 * DAY_US,
            ..plan_of("checkout", Unit::Unit, &[50], 0)
        },
        1,
    );
    record.plan = last.plan;
    let before = Stuck::of(&record, START_US + 20 * DAY_US).unwrap();
    record.state.baking_since_us = Some(START_US + 20 * DAY_US);
    for phase in [Phase::Baking, Phase::Held, Phase::Paused] {
        record.state.phase = phase;
        assert_eq!(Stuck::of(&record, START_US + 48 * DAY_US - 1), None, "{phase:?}");
        let now_us = START_US + 50 * DAY_US;
        let stuck = Stuck::of(&record, now_us).unwrap();
        assert_eq!(
            stuck.question(now_us),
            "canary-50% for 30 days: complete it or roll it back?"
        );
        assert_ne!(stuck.visit, before.visit);
    }
}

#[test]
fn what_everybody_has_is_never_stuck() {
    let mut record = at(Phase::Soak);
    record.state.stage = 1;
    let much_later_us = START_US + 400 * DAY_US;
    assert_eq!(Stuck::of(&record, much_later_us), None);
    record.state.baking_since_us = Some(START_US);
    record.state.phase = Phase::Baking;
    assert_eq!(Stuck::of(&record, much_later_us), None);
}

#[test]
fn a_start_for_everybody_at_once_can_be_stuck_before_it_begins() {
    let mut record = started(plan_of("checkout", Unit::Unit, &[100], 0), 1);
    record.state.phase = Phase::AwaitingStart;
    let now_us = START_US + 18 * DAY_US;
    let question = Stuck::of(&record, now_us).unwrap().question(now_us);
    assert_eq!(question, "not started for 18 days: start it or roll it back?");
    record.state.phase = Phase::Soak;
    assert_eq!(Stuck::of(&record, now_us), None);
}
