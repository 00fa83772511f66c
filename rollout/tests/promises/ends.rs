//! The two ends of a rollout: what a start waits for, and how the last stage becomes the default.

use rollout::{
    Act, DAY_US, Facts, HoldReason, Phase, Plan, Refusal, Share, Transition, Wait,
    duration::Dwell,
    plan::{Item, TickedBy},
    state::List,
    waits,
};

use crate::builders::{
    Rollout, SECOND_US, START_US, at, baking_plan, good, harmful, held, of_stages, off, share, silent, stage,
};

fn waited(rollout: &Rollout, facts: &Facts) -> Vec<Wait> {
    waits(&rollout.plan, &rollout.state, facts, rollout.now)
}

fn items(names: &[&str]) -> Wait {
    Wait::Items(names.iter().map(|name| (*name).to_owned()).collect())
}

fn tick(list: List, item: &str) -> Act {
    Act::Tick {
        list,
        item: item.to_owned(),
        done: true,
    }
}

#[test]
fn a_start_waits_for_every_item_of_its_list() {
    let mut rollout = at(Phase::AwaitingStart).with(|plan| plan.preflight = Item::usual_preflight());
    let unchecked = Facts {
        checked: vec![Item::FLAG_CONFIGURED.to_owned()],
        ..good()
    };
    let open = [
        "tests-passing",
        Item::MONITORING,
        Item::ROLLBACK_PLAN,
        "rollback-rehearsed",
        "stakeholders-notified",
    ];
    assert_eq!(waited(&rollout, &unchecked), [items(&open)]);
    let checked = Refusal::Checked(Item::MONITORING.to_owned());
    assert_eq!(rollout.act(tick(List::Preflight, Item::MONITORING)), Err(checked));
    for name in ["tests-passing", "rollback-rehearsed", "stakeholders-notified"] {
        assert_eq!(rollout.after(1, &good()), None);
        assert!(rollout.act(tick(List::Preflight, name)).is_ok());
    }
    assert_eq!(rollout.after(1, &unchecked), None);
    assert_eq!(rollout.after(1, &good()), Some(Transition::Started));
}

#[test]
fn a_start_waits_for_its_approvals_and_for_a_flag_that_is_on() {
    let mut rollout = at(Phase::AwaitingStart).with(|plan| plan.approvals = 1);
    assert_eq!(
        waited(&rollout, &off()),
        [Wait::Approvals { have: 0, need: 1 }, Wait::FlagOff]
    );
    assert_eq!(rollout.after(1, &good()), None);
    assert!(rollout.act(Act::Approve).is_ok());
    assert_eq!(rollout.after(1, &off()), None);
    assert_eq!(rollout.after(1, &good()), Some(Transition::Started));
}

#[test]
fn what_nobody_starts_within_ninety_days_expires() {
    for phase in [Phase::Draft, Phase::Ready, Phase::AwaitingStart] {
        let mut rollout = at(phase).with(|plan| plan.approvals = 1);
        assert_eq!(rollout.deadline(&good()), Some(START_US + 90 * DAY_US), "{phase:?}");
        rollout.now = START_US + 90 * DAY_US - 2 * SECOND_US;
        assert_eq!(rollout.after(1, &good()), None);
        assert_eq!(rollout.after(1, &good()), Some(Transition::Expired));
        assert!(rollout.state.is_final() && rollout.state.is_withdrawn());
    }
}

#[test]
fn a_submission_begins_the_ninety_days_anew() {
    let mut rollout = at(Phase::Draft);
    rollout.now += 80 * DAY_US;
    assert!(rollout.act(Act::Submit).is_ok());
    assert_eq!(rollout.after(80 * 24 * 3_600, &good()), None);
    assert_eq!(rollout.after(10 * 24 * 3_600, &good()), Some(Transition::Expired));
}

#[test]
fn a_permanent_stage_is_never_left_by_itself() {
    let mut rollout = at(Phase::Soak).with(|plan| plan.stages[0].dwell = Dwell::Permanent);
    let patient = Facts {
        longest_gap_us: i64::MAX,
        ..good()
    };
    for _ in 0..1_000 {
        assert_eq!(rollout.after(24 * 3_600, &patient), Some(Transition::HorizonCut));
    }
    assert_eq!(waited(&rollout, &good()), [Wait::Soak { left_us: None }]);
    assert_eq!(rollout.act(Act::Advance), Ok(Transition::Advanced { from: 0, to: 1 }));
}

#[test]
fn a_holdback_caps_every_stage() {
    let plan = Plan {
        holdback: share(10.0),
        ..of_stages(vec![stage("canary", 5.0), stage("most", 95.0), stage("all", 100.0)])
    };
    let wanted: Vec<Share> = (0..4).map(|stage| plan.wanted(stage)).collect();
    assert_eq!(wanted, [share(5.0), share(90.0), share(90.0), Share::NONE]);
    assert!(plan.reaches_everybody());
    assert_eq!(plan.violations(), []);
    // What is held back is a control to be compared with.
    let mut rollout = Rollout::soaking_in(plan).with(|plan| plan.stages.swap(0, 2)).soaked();
    let mut one_armed = good();
    one_armed.arms.control = silent().arms.control;
    assert_eq!(rollout.after(1, &one_armed), Some(held(HoldReason::TooFewOutcomes)));
}

#[test]
fn the_bake_soaks_anew_and_then_completes() {
    let mut rollout = at(Phase::Baking);
    assert_eq!(rollout.state.baking_since_us, Some(rollout.now));
    assert_eq!(rollout.state.soaked_us, 0);
    assert_eq!(rollout.every_second(9, &good()), []);
    assert_eq!(
        waited(&rollout, &good()),
        [Wait::Soak {
            left_us: Some(SECOND_US)
        }]
    );
    assert_eq!(rollout.every_second(5, &off()), [held(HoldReason::FlagOff)]);
    assert_eq!(rollout.after(0, &good()), Some(Transition::Resumed));
    assert_eq!(rollout.after(1, &good()), Some(Transition::Completed));
    assert_eq!(rollout.state.ended_at_us, Some(rollout.now));
    assert!(!rollout.state.is_withdrawn());
    assert_eq!(Plan::new("key", "flag").bake_us, 14 * DAY_US);
}

#[test]
fn a_warned_bake_does_not_complete() {
    let mut rollout = at(Phase::Baking).soaked();
    assert_eq!(rollout.every_second(60, &harmful(20.1)), []);
    assert_eq!(rollout.every_second(60, &harmful(50.1)), [held(HoldReason::Evidence)]);
    assert!(matches!(
        rollout.after(1, &harmful(100.1)),
        Some(Transition::Aborted(_))
    ));
}

#[test]
fn a_plan_that_reaches_only_some_bakes_until_a_person_completes_it() {
    let only_some = |change: fn(&mut Plan)| {
        let plan = Plan {
            bake_us: 0,
            ..baking_plan()
        };
        let mut rollout = Rollout::start(plan).with(change);
        rollout.every_second(60, &good());
        rollout
    };
    let in_part: fn(&mut Plan) = |plan| plan.stages.truncate(2);
    let of_segment: fn(&mut Plan) = |plan| plan.stages[2].audience = vec!["staff".to_owned()];
    for change in [in_part, of_segment] {
        let mut rollout = only_some(change);
        assert_eq!(rollout.phase(), Phase::Baking);
        assert_eq!(waited(&rollout, &good()), [Wait::Person]);
        rollout.every_second(3_600, &good());
        assert_eq!(rollout.phase(), Phase::Baking);
        assert_eq!(rollout.act(Act::Complete), Ok(Transition::Completed));
    }
    assert_eq!(only_some(|_| {}).phase(), Phase::Completed);
}

#[test]
fn the_exit_list_is_asked_for_even_of_a_person() {
    let mut rollout = at(Phase::Baking).with(|plan| plan.exit = Item::usual_exit());
    let mine = items(&["documentation-updated", "clean-up-scheduled"]);
    let with_bake = items(&["bake-over", "documentation-updated", "clean-up-scheduled"]);
    let soak = Wait::Soak {
        left_us: Some(10 * SECOND_US),
    };
    assert_eq!(waited(&rollout, &good()), [soak, with_bake]);
    assert_eq!(rollout.act(Act::Complete), Err(Refusal::Waits(vec![mine.clone()])));
    rollout.every_second(20, &good());
    assert_eq!(waited(&rollout, &good()), [mine]);
    assert!(rollout.act(tick(List::Exit, "documentation-updated")).is_ok());
    assert_eq!(rollout.after(1, &good()), None);
    assert!(rollout.act(tick(List::Exit, "clean-up-scheduled")).is_ok());
    assert_eq!(rollout.after(1, &good()), Some(Transition::Completed));
}

#[test]
fn a_person_may_end_a_bake_early_when_the_list_is_done() {
    let done = |plan: &mut Plan| plan.exit = vec![Item::new(Item::BAKE_OVER, TickedBy::Check)];
    assert_eq!(
        at(Phase::Baking).with(done).act(Act::Complete),
        Ok(Transition::Completed)
    );
}

#[test]
fn everybody_reached_means_all_but_the_holdback() {
    let check = |plan: &mut Plan| plan.exit = vec![Item::new(Item::ALL_REACHED, TickedBy::Check)];
    let held_back = at(Phase::Baking)
        .with(check)
        .with(|plan| plan.holdback = share(10.0))
        .soaked();
    assert_eq!(waited(&held_back, &good()), []);
    let in_part = at(Phase::Baking)
        .with(check)
        .with(|plan| plan.stages[2].share = share(90.0))
        .soaked();
    assert_eq!(waited(&in_part, &good()), [items(&[Item::ALL_REACHED]), Wait::Person]);
}

#[test]
fn an_exit_list_is_asked_for_without_a_bake_too() {
    let mut rollout = Rollout::soaking_in(of_stages(vec![stage("all", 100.0)])).soaked();
    rollout.plan.exit = vec![Item::new("documents", TickedBy::Person)];
    assert_eq!(rollout.every_second(60, &good()), [Transition::BakeStarted]);
    assert!(rollout.act(tick(List::Exit, "documents")).is_ok());
    assert_eq!(rollout.after(1, &good()), Some(Transition::Completed));
}

#[test]
fn a_step_back_ends_the_bake() {
    let mut rollout = at(Phase::Baking);
    assert_eq!(
        rollout.act(Act::StepBack(1)),
        Ok(Transition::SteppedBack { from: 2, to: 1 })
    );
    assert!(!rollout.state.is_baking());
    assert_eq!(rollout.after(1, &good()), Some(Transition::ClockStarted));
    assert_eq!(rollout.phase(), Phase::Soak);
    let advanced = Transition::Advanced { from: 1, to: 2 };
    assert_eq!(rollout.every_second(10, &good()), [advanced]);
}
