//! What a gate asks of people: approvals, checklists, issues found; and the way back.

use rollout::{
    Act, Facts, HoldReason, Phase, Refusal, RollbackCause, Transition, Visit, Wait, criterion::Estimates, guards,
    rebase, state::List, waits,
};

use crate::builders::{Rollout, at, criterion, good, held, measured};

const ADVANCED: Transition = Transition::Advanced { from: 0, to: 1 };

fn waited(rollout: &Rollout) -> Vec<Wait> {
    waits(&rollout.plan, &rollout.state, &good(), rollout.now)
}

fn needs_two() -> Rollout {
    at(Phase::Gate).with(|plan| plan.stages[0].approvals = 2)
}

fn approve(rollout: &mut Rollout, by: &str) -> Result<Transition, Refusal> {
    rollout.act_on(Act::Approve, by, &good())
}

fn errors(percent: f64) -> Facts {
    measured("error-rate", [Some(percent / 100.0), None, None])
}

#[test]
fn a_gate_opens_when_as_many_people_as_asked_have_approved() {
    let mut rollout = needs_two();
    assert_eq!(rollout.after(1, &good()), None);
    assert_eq!(approve(&mut rollout, "ann"), Ok(Transition::Approved(Some(0))));
    assert!(approve(&mut rollout, "ann").is_err());
    assert_eq!(waited(&rollout), [Wait::Approvals { have: 1, need: 2 }]);
    assert_eq!(rollout.after(1, &good()), None);
    assert!(approve(&mut rollout, "bob").is_ok());
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn an_approval_is_for_one_gate() {
    let mut rollout = Rollout::draft(at(Phase::Soak).plan).with(|plan| {
        plan.stages[0].approvals = 1;
        plan.stages[1].approvals = 1;
    });
    assert_eq!(rollout.act(Act::Start), Ok(Transition::StartAsked));
    assert_eq!(rollout.act(Act::Approve), Ok(Transition::Approved(None)));
    rollout.every_second(30, &good());
    assert_eq!((rollout.phase(), rollout.state.stage), (Phase::Gate, 0));
    assert_eq!(rollout.act(Act::Approve), Ok(Transition::Approved(Some(0))));
    rollout.every_second(30, &good());
    assert_eq!((rollout.phase(), rollout.state.stage), (Phase::Gate, 1));
    assert_eq!(waited(&rollout), [Wait::Approvals { have: 0, need: 1 }]);
}

#[test]
fn a_new_plan_makes_approvals_void() {
    let mut rollout = needs_two();
    assert!(approve(&mut rollout, "ann").is_ok());
    assert!(approve(&mut rollout, "bob").is_ok());
    let rebased = rebase(&rollout.plan, &rollout.plan, &rollout.state, 8, rollout.now);
    rollout.state = rebased.unwrap().state;
    assert_eq!(rollout.after(1, &good()), None);
    assert_eq!(waited(&rollout), [Wait::Approvals { have: 0, need: 2 }]);
    assert!(approve(&mut rollout, "ann").is_ok());
    assert!(approve(&mut rollout, "bob").is_ok());
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn only_approvers_approve_where_a_plan_names_them() {
    let mut rollout = needs_two().with(|plan| plan.people.approvers = vec!["bob".to_owned(), "eve".to_owned()]);
    let refused = Refusal::NoApprover {
        by: "ann".to_owned(),
        approvers: vec!["bob".to_owned(), "eve".to_owned()],
    };
    assert_eq!(approve(&mut rollout, "ann"), Err(refused));
    assert!(approve(&mut rollout, "bob").is_ok() && approve(&mut rollout, "eve").is_ok());
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn a_gate_waits_for_its_checklist() {
    let mut rollout = at(Phase::Gate).with(|plan| plan.stages[0].checklist = vec!["logs".into(), "costs".into()]);
    let tick = |item: &str, stage, done| Act::Tick {
        list: List::Stage(stage),
        item: item.to_owned(),
        done,
    };
    let open = |items: &[&str]| [Wait::Items(items.iter().map(|item| (*item).to_owned()).collect())];
    assert_eq!(waited(&rollout), open(&["logs", "costs"]));
    assert!(rollout.act(tick("logs", 0, true)).is_ok());
    assert!(matches!(
        rollout.act(tick("logs", 1, true)),
        Err(Refusal::NoItem { .. })
    ));
    assert!(rollout.act(tick("costs", 0, true)).is_ok());
    assert!(rollout.act(tick("logs", 0, false)).is_ok());
    assert_eq!(waited(&rollout), open(&["logs"]));
    assert_eq!(rollout.after(1, &good()), None);
    assert!(rollout.act(tick("logs", 0, true)).is_ok());
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn fix_holds_until_every_issue_is_closed() {
    let found = |title: &str| Act::AddIssue(title.to_owned());
    let close = |number| Act::CloseIssue {
        number,
        resolution: "mended".to_owned(),
    };
    let mut rollout = at(Phase::Gate)
        .having(found("it blinks"))
        .having(Act::Fix)
        .having(found("it hums"));
    let soaked_us = rollout.state.soaked_us;
    assert_eq!(rollout.every_second(60, &good()), [held(HoldReason::Fix)]);
    assert_eq!(rollout.state.soaked_us, soaked_us);
    assert_eq!(rollout.act(Act::Resume), Err(Refusal::HeldFor(vec![HoldReason::Fix])));
    assert_eq!(rollout.act(Act::Advance), Err(Refusal::HeldFor(vec![HoldReason::Fix])));
    assert!(rollout.act(close(1)).is_ok());
    assert_eq!(rollout.every_second(60, &good()), []);
    assert!(rollout.act(close(2)).is_ok());
    assert_eq!(rollout.every_second(2, &good()), [Transition::Resumed, ADVANCED]);
    let issue = &rollout.state.desk.issues[0];
    assert_eq!(
        (issue.closed_by.as_str(), issue.resolution.as_str(), issue.stage),
        ("ann", "mended", 0)
    );
}

#[test]
fn what_is_found_after_a_fix_holds_nothing_until_somebody_says_so_again() {
    let found = || Act::AddIssue("it blinks".to_owned());
    let close = Act::CloseIssue {
        number: 1,
        resolution: String::new(),
    };
    let mut rollout = at(Phase::Gate)
        .having(found())
        .having(Act::Fix)
        .having(close)
        .having(found());
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn an_issue_alone_holds_nothing() {
    let mut rollout = at(Phase::Gate).having(Act::AddIssue("it blinks".to_owned()));
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
}

#[test]
fn time_under_a_fix_or_a_person_never_soaks() {
    let fixing = at(Phase::Soak)
        .having(Act::AddIssue("it blinks".to_owned()))
        .having(Act::Fix);
    // Extended while a person holds it, it runs no more than before.
    let extended = at(Phase::Soak).having(Act::Hold).having(Act::Extend(None));
    for mut rollout in [fixing, extended] {
        let soaked_us = rollout.state.soaked_us;
        assert!(matches!(rollout.after(4, &good()), Some(Transition::Held(_))));
        assert_eq!(rollout.state.soaked_us, soaked_us);
    }
}

#[test]
fn a_step_back_enters_the_stage_anew() {
    let tick = Act::Tick {
        list: List::Stage(0),
        item: "logs".to_owned(),
        done: true,
    };
    let mut rollout = at(Phase::Gate).with(|plan| {
        plan.stages[0].checklist = vec!["logs".to_owned()];
        plan.stages[0].approvals = 1;
    });
    assert!(rollout.act(tick.clone()).is_ok() && rollout.act(Act::Approve).is_ok());
    assert_eq!(rollout.after(1, &good()), Some(ADVANCED));
    assert_eq!(rollout.after(1, &good()), Some(Transition::ClockStarted));
    assert_eq!(
        rollout.act(Act::StepBack(0)),
        Ok(Transition::SteppedBack { from: 1, to: 0 })
    );
    let again = Visit {
        stage: 0,
        visit: 2,
        entered_at_us: rollout.now,
    };
    assert_eq!(rollout.state.visits.last(), Some(&again));
    assert_eq!(
        rollout.state.horizons.last().map(|horizon| horizon.started_at_us),
        Some(rollout.now)
    );
    assert_eq!((rollout.state.soaked_us, rollout.state.clock_started_at_us), (0, None));
    assert_eq!(rollout.state.highest_visited(), Some(1));
    // What was seen and approved then was about that visit.
    rollout.every_second(30, &good());
    let both = [
        Wait::Approvals { have: 0, need: 1 },
        Wait::Items(vec!["logs".to_owned()]),
    ];
    assert_eq!((rollout.phase(), waited(&rollout)), (Phase::Gate, both.to_vec()));
}

#[test]
fn a_rollback_criterion_is_believed_on_a_hundred_outcomes_and_three_units() {
    let rolls = |plan: &mut rollout::Plan| {
        plan.stages[0].rollback = vec![criterion("p99 > 9 s"), criterion("error-rate > 1.6 %")];
        // A plan's own minimum delays a promotion only.
        plan.stages[0].minimum_outcomes = 1_000_000;
    };
    let few = |outcomes, units| {
        let mut facts = errors(2.0);
        let measure = facts.measures.get_mut("error-rate").unwrap();
        (measure.outcomes, measure.units) = (outcomes, units);
        facts
    };
    let cause = RollbackCause::Criterion { stage: 0, criterion: 1 };
    for phase in [Phase::Ramp, Phase::Soak, Phase::Gate, Phase::Held, Phase::Paused] {
        let mut rollout = at(phase).with(rolls);
        for facts in [few(99, 50), few(1_000, 2), errors(1.6)] {
            let happened = rollout.after(0, &facts);
            assert!(!matches!(happened, Some(Transition::RolledBack(_))), "{phase:?}");
        }
        let happened = rollout.after(0, &few(100, 3));
        assert_eq!(happened, Some(Transition::RolledBack(cause.clone())), "{phase:?}");
        assert!(rollout.state.is_final() && rollout.state.is_withdrawn());
    }
}

#[test]
fn a_rollback_criterion_of_a_level_is_believed_on_three_readings_in_a_row() {
    let reading = |treatment| Estimates {
        treatment,
        ..Estimates::default()
    };
    let read = |recent: &[Option<f64>]| {
        let recent: Vec<_> = recent.iter().map(|value| reading(*value)).collect();
        let now = *recent.last().unwrap();
        let mut facts = measured("cpu", [now.treatment, None, None]);
        facts.levels = [("cpu".to_owned(), guards::Level { now, recent })].into();
        facts
    };
    let mut rollout = at(Phase::Soak).with(|plan| plan.stages[0].rollback = vec![criterion("cpu > 80 %")]);
    let (over, under) = (Some(0.9), Some(0.8));
    for readings in [
        &[over][..],
        &[over, over],
        &[over, under, over],
        &[over, over, under],
        &[over, over, None],
    ] {
        assert_eq!(rollout.after(0, &read(readings)), None, "{readings:?}");
    }
    let happened = rollout.after(0, &read(&[over, over, over]));
    assert!(matches!(happened, Some(Transition::RolledBack(_))), "{happened:?}");
}

#[test]
fn the_rollback_criteria_of_other_stages_say_nothing() {
    let mut rollout = at(Phase::Soak).with(|plan| plan.stages[1].rollback = vec![criterion("error-rate > 1 %")]);
    assert_eq!(rollout.after(1, &errors(2.0)), None);
}

#[test]
fn a_new_leader_rolls_nothing_back_unseen() {
    let mut rollout = at(Phase::Soak).with(|plan| plan.stages[0].rollback = vec![criterion("error-rate > 1 %")]);
    let blind = Facts {
        resumed: true,
        fresh: false,
        ..errors(2.0)
    };
    assert_eq!(rollout.after(1, &blind), None);
    assert!(matches!(
        rollout.after(1, &errors(2.0)),
        Some(Transition::RolledBack(_))
    ));
}
