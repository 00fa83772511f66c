//! Every transition: from where, on what, and where it leads.

use rollout::{
    AbortCause, Act, Facts, HoldReason, Phase, RollbackCause, Transition,
    plan::{Item, TickedBy},
    state::List,
};

use crate::builders::{
    Rollout, SECOND_US, at, criterion, delivered, evidence, good, harmful, held, latched, measured, off, silent,
};

const DAYS_90: i64 = 90 * 24 * 3_600;

fn by_evidence() -> Transition {
    Transition::Aborted(AbortCause::Evidence {
        guard: 0,
        horizon: 1,
        log_evidence: evidence(200.0).unwrap().log_evidence,
    })
}

fn rolled_back() -> Transition {
    Transition::RolledBack(RollbackCause::Criterion { stage: 0, criterion: 0 })
}

/// Errors of treatment, in percent.
fn errors(percent: f64) -> Facts {
    measured("error-rate", [Some(percent / 100.0), Some(0.005), None])
}

fn rolls_back_above_five(rollout: Rollout) -> Rollout {
    rollout.with(|plan| plan.stages[0].rollback = vec![criterion("error-rate > 5 %")])
}

fn asks_below_one(rollout: Rollout) -> Rollout {
    rollout.with(|plan| plan.stages[0].success = vec![criterion("error-rate < 1 %")])
}

#[test]
fn each_step_leads_where_it_must() {
    let advanced = Transition::Advanced { from: 0, to: 1 };
    let person = Transition::Aborted(AbortCause::Person);
    let extended = Transition::Extended {
        by_us: 10 * SECOND_US,
        times: 1,
    };
    let may_extend = |rollout: Rollout| asks_below_one(rollout).with(|plan| plan.stages[0].max_extensions = 1);
    let needs_approval = |rollout: Rollout| rollout.with(|plan| plan.stages[0].approvals = 1);
    let no_agents = held(HoldReason::NoAgents);
    let flag_off = held(HoldReason::FlagOff);
    let inconclusive = held(HoldReason::Inconclusive);
    let held_in_ramp = at(Phase::Ramp).seeing(&delivered(0, 0));
    let last = |rollout: Rollout| rollout.with(|plan| plan.stages.truncate(1));
    let for_all = |rollout: Rollout| last(rollout).with(|plan| plan.stages[0].share = rollout::Share::ALL);
    let table: Vec<(Rollout, i64, Facts, Transition, Phase)> = vec![
        (at(Phase::Draft), DAYS_90, good(), Transition::Expired, Phase::Expired),
        (at(Phase::Ready), DAYS_90, good(), Transition::Expired, Phase::Expired),
        (
            at(Phase::AwaitingStart),
            DAYS_90,
            off(),
            Transition::Expired,
            Phase::Expired,
        ),
        (at(Phase::AwaitingStart), 1, good(), Transition::Started, Phase::Ramp),
        (at(Phase::AwaitingStart), 1, latched(), person.clone(), Phase::Aborting),
        (at(Phase::Ramp), 1, good(), Transition::ClockStarted, Phase::Soak),
        (at(Phase::Ramp), 1, delivered(0, 0), no_agents, Phase::Held),
        (at(Phase::Ramp), 1, latched(), person.clone(), Phase::Aborting),
        (
            held_in_ramp.clone(),
            1,
            delivered(9, 1),
            Transition::Resumed,
            Phase::Ramp,
        ),
        (held_in_ramp, 1, good(), Transition::ClockStarted, Phase::Soak),
        (at(Phase::Soak).soaked(), 1, good(), advanced.clone(), Phase::Ramp),
        (
            needs_approval(at(Phase::Soak)).soaked(),
            1,
            good(),
            Transition::GateReached,
            Phase::Gate,
        ),
        (
            may_extend(at(Phase::Soak)).soaked(),
            1,
            errors(2.0),
            extended,
            Phase::Soak,
        ),
        (
            asks_below_one(at(Phase::Soak)).soaked(),
            1,
            errors(2.0),
            inconclusive,
            Phase::Held,
        ),
        (
            at(Phase::Soak).soaked(),
            1,
            silent(),
            held(HoldReason::NoTraffic),
            Phase::Held,
        ),
        (at(Phase::Soak), 1, off(), flag_off.clone(), Phase::Held),
        (at(Phase::Soak), 1, harmful(200.0), by_evidence(), Phase::Aborting),
        (at(Phase::Soak), 24 * 3_600, good(), Transition::HorizonCut, Phase::Soak),
        (
            rolls_back_above_five(at(Phase::Soak)),
            1,
            errors(6.0),
            rolled_back(),
            Phase::RolledBack,
        ),
        (
            last(at(Phase::Soak)).soaked(),
            1,
            good(),
            Transition::BakeStarted,
            Phase::Baking,
        ),
        (
            for_all(at(Phase::Soak)).with(|plan| plan.bake_us = 0).soaked(),
            1,
            good(),
            Transition::Completed,
            Phase::Completed,
        ),
        (at(Phase::Gate), 1, good(), advanced, Phase::Ramp),
        (at(Phase::Gate), 1, latched(), person.clone(), Phase::Aborting),
        (at(Phase::Held), 1, good(), Transition::Resumed, Phase::Soak),
        (
            at(Phase::Held),
            1,
            harmful(60.0),
            held(HoldReason::Evidence),
            Phase::Held,
        ),
        (at(Phase::Held), 1, latched(), person.clone(), Phase::Aborting),
        (
            rolls_back_above_five(at(Phase::Held)),
            1,
            errors(6.0),
            rolled_back(),
            Phase::RolledBack,
        ),
        (at(Phase::Paused), 1, harmful(200.0), by_evidence(), Phase::Aborting),
        (
            at(Phase::Paused),
            24 * 3_600,
            off(),
            Transition::HorizonCut,
            Phase::Paused,
        ),
        (
            rolls_back_above_five(at(Phase::Paused)),
            1,
            errors(6.0),
            rolled_back(),
            Phase::RolledBack,
        ),
        (
            at(Phase::Baking).soaked(),
            1,
            good(),
            Transition::Completed,
            Phase::Completed,
        ),
        (at(Phase::Baking), 1, off(), flag_off, Phase::Held),
        (
            at(Phase::Baking).seeing(&off()),
            1,
            good(),
            Transition::Resumed,
            Phase::Baking,
        ),
        (at(Phase::Baking), 1, latched(), person, Phase::Aborting),
        (
            at(Phase::Aborting),
            1,
            good(),
            Transition::AbortDelivered,
            Phase::Aborted,
        ),
    ];
    for (mut rollout, seconds, facts, transition, phase) in table {
        let before = rollout.state.clone();
        assert_eq!(rollout.after(seconds, &facts), Some(transition), "{before:?}");
        assert_eq!(rollout.phase(), phase, "{before:?}");
        assert_eq!(rollout.state.sequence, before.sequence + 1);
    }
}

#[test]
fn without_a_reason_nothing_moves() {
    for (mut rollout, facts) in [
        (at(Phase::Draft), good()),
        (at(Phase::Ready), good()),
        (at(Phase::AwaitingStart), off()),
        (at(Phase::Ramp), delivered(200, 197)),
        (at(Phase::Soak), good()),
        (at(Phase::Held), off()),
        (at(Phase::Paused).soaked(), good()),
        (at(Phase::Paused).soaked(), silent()),
        (at(Phase::Baking), good()),
        (at(Phase::Aborting), delivered(10, 10)),
    ] {
        let phase = rollout.phase();
        assert_eq!(rollout.after(1, &facts), None, "{phase:?}");
        assert_eq!(rollout.phase(), phase);
    }
}

#[test]
fn what_is_final_is_moved_by_nothing() {
    for phase in Phase::ALL.into_iter().filter(|phase| phase.is_final()) {
        for facts in [good(), silent(), off(), latched(), harmful(200.0), delivered(0, 0)] {
            let mut rollout = at(phase);
            let before = rollout.state.clone();
            assert_eq!(rollout.after(DAYS_90, &facts), None);
            assert_eq!(rollout.state, before);
        }
    }
}

#[test]
fn each_act_leads_where_it_must() {
    let aborted = |cause| Transition::Aborted(cause);
    let title = || "it blinks".to_owned();
    let added = || Transition::IssueAdded {
        number: 1,
        title: title(),
    };
    let with_issue = |phase| at(phase).having(Act::AddIssue(title()));
    let closed = Act::CloseIssue {
        number: 1,
        resolution: "it does not".to_owned(),
    };
    let tick = |done| Act::Tick {
        list: List::Preflight,
        item: "tests".to_owned(),
        done,
    };
    let listed = |phase| at(phase).with(|plan| plan.preflight = vec![Item::new("tests", TickedBy::Automation)]);
    let ticked = || (List::Preflight, "tests".to_owned());
    let advanced = || Transition::Advanced { from: 0, to: 1 };
    let back = Transition::SteppedBack { from: 2, to: 0 };
    let extended = |by_us| Transition::Extended { by_us, times: 1 };
    let person = RollbackCause::Person;
    let table: Vec<(Rollout, Act, Transition, Phase)> = vec![
        (at(Phase::Draft), Act::Submit, Transition::Submitted, Phase::Ready),
        (
            at(Phase::Draft),
            Act::Start,
            Transition::StartAsked,
            Phase::AwaitingStart,
        ),
        (
            at(Phase::Ready),
            Act::Start,
            Transition::StartAsked,
            Phase::AwaitingStart,
        ),
        (at(Phase::Ready), Act::Approve, Transition::Approved(None), Phase::Ready),
        (
            at(Phase::AwaitingStart),
            Act::Approve,
            Transition::Approved(None),
            Phase::AwaitingStart,
        ),
        (
            at(Phase::Gate),
            Act::Approve,
            Transition::Approved(Some(0)),
            Phase::Gate,
        ),
        (at(Phase::Soak), Act::Pause, Transition::Paused, Phase::Paused),
        (at(Phase::Held), Act::Pause, Transition::Paused, Phase::Paused),
        (at(Phase::Baking), Act::Pause, Transition::Paused, Phase::Paused),
        (at(Phase::Paused), Act::Resume, Transition::Resumed, Phase::Soak),
        (
            at(Phase::Ramp).having(Act::Pause),
            Act::Resume,
            Transition::Resumed,
            Phase::Ramp,
        ),
        (
            at(Phase::Baking).having(Act::Pause),
            Act::Resume,
            Transition::Resumed,
            Phase::Baking,
        ),
        (
            at(Phase::Soak).having(Act::Hold),
            Act::Resume,
            Transition::Resumed,
            Phase::Soak,
        ),
        (at(Phase::Soak), Act::Advance, advanced(), Phase::Ramp),
        (at(Phase::Gate), Act::Advance, advanced(), Phase::Ramp),
        (at(Phase::Soak), Act::Hold, held(HoldReason::Person), Phase::Held),
        (at(Phase::Paused), Act::Hold, held(HoldReason::Person), Phase::Held),
        (with_issue(Phase::Gate), Act::Fix, Transition::FixAsked, Phase::Gate),
        (
            at(Phase::Gate),
            Act::Extend(None),
            extended(10 * SECOND_US),
            Phase::Soak,
        ),
        (at(Phase::Soak), Act::Extend(Some(5)), extended(5), Phase::Soak),
        (at(Phase::Baking), Act::StepBack(0), back, Phase::Ramp),
        (
            at(Phase::Soak),
            Act::RollBack,
            Transition::RolledBack(person),
            Phase::RolledBack,
        ),
        (
            at(Phase::Paused),
            Act::Abort,
            aborted(AbortCause::Person),
            Phase::Aborting,
        ),
        (
            at(Phase::Soak),
            Act::Trigger("data-loss".to_owned()),
            aborted(AbortCause::Trigger("data-loss".to_owned())),
            Phase::Aborting,
        ),
        (
            listed(Phase::Ready),
            tick(true),
            Transition::Ticked {
                list: ticked().0,
                item: ticked().1,
            },
            Phase::Ready,
        ),
        (
            listed(Phase::Ready).having(tick(true)),
            tick(false),
            Transition::Unticked {
                list: ticked().0,
                item: ticked().1,
            },
            Phase::Ready,
        ),
        (at(Phase::Soak), Act::AddIssue(title()), added(), Phase::Soak),
        (
            with_issue(Phase::Soak),
            closed,
            Transition::IssueClosed { number: 1 },
            Phase::Soak,
        ),
        (
            at(Phase::Aborted),
            Act::Acknowledge,
            Transition::Acknowledged,
            Phase::Aborted,
        ),
        (
            at(Phase::Baking),
            Act::Complete,
            Transition::Completed,
            Phase::Completed,
        ),
        (
            at(Phase::Soak),
            Act::Supersede,
            Transition::Superseded,
            Phase::Superseded,
        ),
        (at(Phase::Draft), Act::Archive, Transition::Archived, Phase::Expired),
        (
            at(Phase::Completed),
            Act::Archive,
            Transition::Archived,
            Phase::Completed,
        ),
    ];
    for (mut rollout, act, transition, phase) in table {
        let before = rollout.state.clone();
        assert_eq!(rollout.act(act.clone()), Ok(transition), "{act:?} {before:?}");
        assert_eq!(rollout.phase(), phase, "{act:?}");
        assert_eq!(rollout.state.sequence, before.sequence + 1);
    }
}
