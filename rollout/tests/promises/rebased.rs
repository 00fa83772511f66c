//! A new version of a live plan: what may change, and what must stay because somebody has got it.

use rollout::{
    Act, DAY_US, Guard, Phase, Plan, Share, Transition, Unit, Violation,
    duration::Dwell,
    gate::{Outcome, Policy},
    rebase,
    state::Planned,
};

use crate::builders::{Rollout, at, criterion, good, share, stage, window};

const NEW_HASH: u128 = 8;

/// In the second of three stages.
fn in_the_middle() -> Rollout {
    let mut rollout = at(Phase::Gate);
    assert_eq!(rollout.after(1, &good()), Some(Transition::Advanced { from: 0, to: 1 }));
    rollout
}

/// What is said against a change of the plan.
fn against(rollout: &Rollout, change: impl FnOnce(&mut Plan)) -> Vec<Violation> {
    let mut after = rollout.plan.clone();
    change(&mut after);
    rebase(&rollout.plan, &after, &rollout.state, NEW_HASH, rollout.now)
        .err()
        .unwrap_or_default()
}

fn fields(found: &[Violation]) -> Vec<&str> {
    found.iter().map(|violation| violation.field.as_str()).collect()
}

#[test]
fn what_was_entered_and_what_evidence_was_weighed_by_must_stay() {
    type Change = fn(&mut Plan);
    let table: [(Change, &str); 18] = [
        (|plan| plan.flag = "other".to_owned(), "flag"),
        (|plan| plan.environment = "other".to_owned(), "environment"),
        (|plan| plan.treatment = "other".to_owned(), "treatment"),
        (|plan| plan.control = "other".to_owned(), "control"),
        (|plan| plan.unit = Unit::Request, "unit"),
        (|plan| plan.unit_by = vec!["account".to_owned()], "unit_by"),
        (|plan| plan.guards = vec![Guard::error_rate_above(2.0)], "guards"),
        (|plan| plan.guards.clear(), "guards"),
        (|plan| plan.alpha = 0.2, "alpha"),
        (|plan| plan.max_control_rate = 0.2, "max_control_rate"),
        (|plan| plan.lost_after_us += 1, "lost_after"),
        (|plan| plan.holdback = share(1.0), "holdback"),
        (|plan| plan.stages[0].name = "other".to_owned(), "stages[0].name"),
        (|plan| plan.stages[1].share = share(50.001), "stages[1].percentage"),
        (|plan| plan.stages[1].share = share(49.999), "stages[1].percentage"),
        (
            |plan| plan.stages[0].audience = vec!["staff".to_owned()],
            "stages[0].audience",
        ),
        (|plan| plan.stages[1].shadow = true, "stages[1].shadow"),
        (|plan| plan.stages.truncate(1), "stages[1]"),
    ];
    let rollout = in_the_middle();
    for (change, field) in table {
        assert_eq!(fields(&against(&rollout, change)), [field]);
    }
}

#[test]
fn everything_else_may_change() {
    let changes: [fn(&mut Plan); 14] = [
        |_| {},
        |plan| plan.description = "why not".to_owned(),
        |plan| plan.stages[1].dwell = Dwell::Permanent,
        |plan| plan.stages[1].policy = Policy::Dwell,
        |plan| plan.stages[1].success = vec![criterion("error-rate < 1 %")],
        |plan| plan.stages[1].rollback = vec![criterion("error-rate > 5 %")],
        |plan| plan.stages[1].outcomes = vec![Outcome::Proceed],
        |plan| plan.stages[1].approvals = 2,
        |plan| plan.stages[2].share = share(75.0),
        |plan| plan.stages.truncate(2),
        |plan| plan.stages.insert(2, stage("most", 75.0)),
        |plan| plan.windows = vec![window("Mon-Fri 09:00-17:00 UTC")],
        |plan| plan.bake_us = 0,
        |plan| plan.people.owner = "eve".to_owned(),
    ];
    let rollout = in_the_middle();
    for (position, change) in changes.into_iter().enumerate() {
        assert_eq!(against(&rollout, change), [], "change {position}");
    }
}

#[test]
fn all_that_must_stay_is_told_at_once() {
    let found = against(&in_the_middle(), |plan| {
        plan.flag = "other".to_owned();
        plan.alpha = 0.2;
        plan.stages[0].share = share(6.0);
        plan.stages[1].audience = vec!["staff".to_owned()];
    });
    assert_eq!(
        fields(&found),
        ["flag", "alpha", "stages[0].percentage", "stages[1].audience"]
    );
}

#[test]
fn a_stage_that_was_left_by_a_step_back_was_entered_all_the_same() {
    let rollout = in_the_middle().having(Act::StepBack(0));
    let found = against(&rollout, |plan| plan.stages[1].share = share(20.0));
    assert_eq!(fields(&found), ["stages[1].percentage"]);
}

#[test]
fn before_the_start_all_but_the_flag_may_change() {
    for phase in [Phase::Draft, Phase::Ready, Phase::AwaitingStart] {
        let rollout = at(phase);
        let other = |plan: &mut Plan| {
            plan.stages = vec![stage("all", 100.0)];
            plan.treatment = "other".to_owned();
            plan.unit = Unit::Request;
            plan.guards.clear();
        };
        assert_eq!(against(&rollout, other), [], "{phase:?}");
        let found = against(&rollout, |plan| plan.flag = "other".to_owned());
        assert_eq!(fields(&found), ["flag"]);
    }
}

#[test]
fn what_has_ended_or_is_ending_keeps_its_plan() {
    let ended = Phase::ALL
        .into_iter()
        .filter(|phase| phase.is_final() || *phase == Phase::Aborting);
    for phase in ended {
        let found = against(&at(phase), |_| {});
        // What expired was never started, and says so like all the others.
        assert_eq!(fields(&found), ["plan"], "{phase:?}");
    }
}

#[test]
fn a_bake_ends_where_it_began() {
    let rollout = at(Phase::Baking);
    let added = against(&rollout, |plan| plan.stages.push(stage("more", 100.0)));
    assert_eq!(fields(&added), ["stages"]);
    let mut in_part = Rollout::start(at(Phase::Draft).plan).with(|plan| plan.stages.truncate(2));
    in_part.every_second(60, &good());
    assert_eq!(in_part.phase(), Phase::Baking);
    // Or the completion would take everybody from half to all without a gate.
    let raised = against(&in_part, |plan| plan.stages.push(stage("all", 100.0)));
    assert_eq!(fields(&raised), ["stages"]);
}

#[test]
fn a_rebase_is_a_transition_that_moves_nothing() {
    let rollout = in_the_middle();
    let rebased = rebase(&rollout.plan, &rollout.plan, &rollout.state, NEW_HASH, rollout.now).unwrap();
    assert_eq!(rebased.transition, Transition::Rebased);
    let mut expected = rollout.state.clone();
    expected.sequence += 1;
    expected.desk.plan_hash = NEW_HASH;
    expected.planned = Some(Planned::of(&rollout.plan));
    assert_eq!(rebased.state, expected);
    assert_eq!(rollout.plan.wanted(rebased.state.stage), Share::new(50_000).unwrap());
}

#[test]
fn an_edit_moves_no_weight_of_the_budget() {
    let mut rollout = in_the_middle();
    let (before, dwell_us) = (rollout.plan.clone(), rollout.state.planned_dwell_us(&rollout.plan, 1));
    let longer: fn(&mut Plan) = |plan| {
        plan.stages[1].dwell = Dwell::For(30 * DAY_US);
        plan.stages.insert(2, stage("most", 75.0));
    };
    for change in [longer, |plan| plan.stages[1].dwell = Dwell::For(1)] {
        let mut after = rollout.plan.clone();
        change(&mut after);
        let rebased = rebase(&rollout.plan, &after, &rollout.state, NEW_HASH, rollout.now).unwrap();
        (rollout.plan, rollout.state) = (after, rebased.state);
        let planned = rollout.state.planned(&rollout.plan);
        assert_eq!(planned.horizons, before.planned_horizons());
        assert_eq!(planned.compared, Planned::of(&before).compared);
        assert_eq!(
            rollout.state.planned_dwell_us(&rollout.plan, 1),
            dwell_us,
            "it had begun"
        );
    }
    assert_ne!(
        rollout.plan.planned_horizons(),
        before.planned_horizons(),
        "the plan says otherwise by now"
    );
    let state = rollout.state.clone();
    rollout.plan.stages[1].dwell = Dwell::For(7);
    assert_eq!(
        state.planned_dwell_us(&rollout.plan, 0),
        before.stages[0].dwell.planned_us()
    );
}

#[test]
fn before_the_start_a_new_version_is_planned_anew() {
    let rollout = at(Phase::Ready);
    let mut after = rollout.plan.clone();
    after.stages[0].dwell = Dwell::For(9 * DAY_US);
    let rebased = rebase(&rollout.plan, &after, &rollout.state, NEW_HASH, rollout.now).unwrap();
    assert_eq!(rebased.state.planned(&after).horizons, after.planned_horizons());
}
