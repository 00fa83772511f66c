//! What people may do when: every act in every phase, and each refusal in the words of its cause.

use rollout::{
    Act, DAY_US, Facts, HoldReason, Phase, Refusal, Wait,
    gate::Outcome,
    plan::{Item, TickedBy},
    state::List,
};

use crate::builders::{at, delivered, good, harmful, latched, off, silent};

const LIVE: [Phase; 6] = [
    Phase::Ramp,
    Phase::Soak,
    Phase::Gate,
    Phase::Held,
    Phase::Paused,
    Phase::Baking,
];
const FINAL: [Phase; 5] = [
    Phase::Completed,
    Phase::RolledBack,
    Phase::Aborted,
    Phase::Superseded,
    Phase::Expired,
];
const BEFORE: [Phase; 3] = [Phase::Draft, Phase::Ready, Phase::AwaitingStart];

fn tick(list: List) -> Act {
    Act::Tick {
        list,
        item: "seen".to_owned(),
        done: true,
    }
}

/// Every act, and the phases in which it is possible at all.
fn possible() -> Vec<(Act, Vec<Phase>)> {
    let live_and = |more: &[Phase]| [&LIVE[..], more].concat();
    let gates = vec![Phase::Soak, Phase::Gate, Phase::Held];
    let stops = live_and(&[Phase::AwaitingStart]);
    let close = Act::CloseIssue {
        number: 1,
        resolution: String::new(),
    };
    vec![
        (Act::Submit, vec![Phase::Draft]),
        (Act::Approve, live_and(&[Phase::Ready, Phase::AwaitingStart])),
        (Act::Start, vec![Phase::Draft, Phase::Ready]),
        (
            Act::Pause,
            LIVE.into_iter().filter(|phase| *phase != Phase::Paused).collect(),
        ),
        (Act::Resume, vec![Phase::Held, Phase::Paused]),
        (Act::Advance, gates.clone()),
        (Act::Hold, LIVE.to_vec()),
        (Act::Fix, gates.clone()),
        (Act::Extend(None), gates),
        (Act::StepBack(0), LIVE.to_vec()),
        (Act::RollBack, stops.clone()),
        (Act::Abort, stops.clone()),
        (Act::Trigger("data-loss".to_owned()), stops.clone()),
        (tick(List::Preflight), BEFORE.to_vec()),
        (tick(List::Stage(0)), LIVE.to_vec()),
        (tick(List::Exit), LIVE.to_vec()),
        (
            Act::AddIssue("it blinks".to_owned()),
            [&BEFORE[..], &LIVE[..], &[Phase::Aborting]].concat(),
        ),
        (close, Phase::ALL.to_vec()),
        (Act::Acknowledge, Phase::ALL.to_vec()),
        (Act::Complete, vec![Phase::Baking]),
        (Act::Supersede, stops),
        (Act::Archive, [&FINAL[..], &[Phase::Draft, Phase::Ready]].concat()),
    ]
}

#[test]
fn an_act_that_a_phase_does_not_know_is_refused_with_the_phase() {
    for (act, phases) in possible() {
        for phase in Phase::ALL {
            let mut rollout = at(phase);
            let before = rollout.state.clone();
            let answer = rollout.act(act.clone());
            let refused = Err(Refusal::Phase { act: act.name(), phase });
            assert_eq!(
                answer == refused,
                !phases.contains(&phase),
                "{act:?} {phase:?}: {answer:?}"
            );
            assert!(answer.is_ok() || rollout.state == before);
        }
    }
}

#[test]
fn each_refusal_says_its_cause() {
    let held_by_person = at(Phase::Soak).having(Act::Hold);
    let issue = |number| Act::CloseIssue {
        number,
        resolution: String::new(),
    };
    let listed = |by| at(Phase::Ready).with(|plan| plan.preflight = vec![Item::new("seen", by)]);
    let title = |bytes| Act::AddIssue("x".repeat(bytes));
    let outcomes = at(Phase::Gate).with(|plan| plan.stages[0].outcomes = vec![Outcome::Fix, Outcome::Extend]);
    let extends_once = at(Phase::Gate).with(|plan| plan.stages[0].max_extensions = 1);
    let not_allowed = |outcome| Refusal::Outcome {
        outcome,
        allowed: vec!["fix", "extend"],
    };
    let approved = at(Phase::Ready).having(Act::Approve);
    let archived = at(Phase::Completed).having(Act::Archive);
    let twice = |text: &str| Refusal::Already(text.to_owned());
    for (mut rollout, act, refusal) in [
        (approved, Act::Approve, twice("ann has approved this already")),
        (held_by_person, Act::Hold, twice("it is held by a person already")),
        (archived, Act::Archive, twice("it is archived already")),
        (
            at(Phase::Held),
            Act::Resume,
            Refusal::HeldFor(vec![HoldReason::FlagOff]),
        ),
        (outcomes.clone(), Act::Advance, not_allowed("proceed")),
        (at(Phase::Gate), Act::Fix, Refusal::NoIssue),
        (
            extends_once.having(Act::Extend(None)),
            Act::Extend(None),
            Refusal::Extensions(1),
        ),
        (at(Phase::Gate), Act::Extend(Some(0)), Refusal::Extension),
        (at(Phase::Gate), Act::Extend(Some(-1)), Refusal::Extension),
        (at(Phase::Gate), Act::Extend(Some(365 * DAY_US + 1)), Refusal::Extension),
        (
            at(Phase::Soak),
            Act::StepBack(0),
            Refusal::NotEarlier { to: 0, current: 0 },
        ),
        (
            at(Phase::Soak),
            Act::StepBack(usize::MAX),
            Refusal::NotEarlier {
                to: usize::MAX,
                current: 0,
            },
        ),
        (
            at(Phase::Soak),
            Act::Trigger("data-lost".to_owned()),
            Refusal::NoTrigger {
                name: "data-lost".to_owned(),
                known: vec!["data-loss".to_owned()],
            },
        ),
        (
            listed(TickedBy::Check),
            tick(List::Preflight),
            Refusal::Checked("seen".to_owned()),
        ),
        (
            at(Phase::Ready),
            tick(List::Preflight),
            Refusal::NoItem {
                item: "seen".to_owned(),
                known: vec![],
            },
        ),
        (
            listed(TickedBy::Person).having(tick(List::Preflight)),
            tick(List::Preflight),
            twice("seen is ticked already"),
        ),
        (at(Phase::Soak), issue(1), Refusal::UnknownIssue(1)),
        (
            at(Phase::Soak).having(title(1)).having(issue(1)),
            issue(1),
            twice("issue 1 is closed already"),
        ),
        (at(Phase::Soak), title(0), Refusal::Title(500)),
        (at(Phase::Soak), title(501), Refusal::Title(500)),
    ] {
        assert_eq!(rollout.act(act.clone()), Err(refusal), "{act:?}");
    }
}

#[test]
fn a_person_passes_over_the_judgement_and_nothing_else() {
    let failing =
        || at(Phase::Soak).with(|plan| plan.stages[0].success = vec![crate::builders::criterion("p99 < 1 s")]);
    let mut hasty = failing();
    assert!(hasty.act_on(Act::Advance, "ann", &silent()).is_ok());

    let undelivered = Refusal::Waits(vec![Wait::Agents { applied: 9, live: 10 }]);
    let evidence = Refusal::HeldFor(vec![HoldReason::Evidence]);
    let approvals = Refusal::Waits(vec![Wait::Approvals { have: 0, need: 1 }]);
    let items = Refusal::Waits(vec![Wait::Items(vec!["seen".to_owned()])]);
    for (mut rollout, facts, refusal) in [
        (failing(), delivered(10, 9), undelivered),
        (failing(), harmful(50.1), evidence.clone()),
        (failing(), harmful(200.0), evidence),
        (failing(), off(), Refusal::HeldFor(vec![HoldReason::FlagOff])),
        (
            failing().having(Act::Hold),
            good(),
            Refusal::HeldFor(vec![HoldReason::Person]),
        ),
        (failing().with(|plan| plan.stages[0].approvals = 1), good(), approvals),
        (
            failing().with(|plan| plan.stages[0].checklist = vec!["seen".to_owned()]),
            good(),
            items,
        ),
    ] {
        assert_eq!(rollout.act_on(Act::Advance, "ann", &facts), Err(refusal));
    }
}

#[test]
fn stopping_is_possible_whatever_is_known() {
    for facts in [good(), silent(), off(), latched(), harmful(99.0), Facts::default()] {
        for phase in LIVE {
            for act in [Act::RollBack, Act::Abort, Act::Hold, Act::Supersede] {
                assert!(
                    at(phase).act_on(act.clone(), "ann", &facts).is_ok(),
                    "{act:?} {phase:?}"
                );
            }
        }
    }
}

#[test]
fn a_bake_that_is_held_for_harm_is_not_completed() {
    let mut rollout = at(Phase::Baking).seeing(&harmful(60.0));
    let refused = Refusal::HeldFor(vec![HoldReason::Evidence]);
    assert_eq!(rollout.act_on(Act::Complete, "ann", &harmful(60.0)), Err(refused));
    let advance = Refusal::Phase {
        act: "advance",
        phase: Phase::Baking,
    };
    assert_eq!(rollout.act(Act::Advance), Err(advance));
}

#[test]
fn nothing_goes_up_under_a_latch_that_the_state_does_not_know_yet() {
    for (phase, act) in [
        (Phase::Soak, Act::Advance),
        (Phase::Gate, Act::Advance),
        (Phase::Baking, Act::Complete),
    ] {
        let refused = Refusal::Phase {
            act: act.name(),
            phase: Phase::Aborting,
        };
        assert_eq!(at(phase).act_on(act, "ann", &latched()), Err(refused));
    }
}

#[test]
fn what_people_leave_behind_is_bounded() {
    let mut rollout = at(Phase::Soak);
    for number in 1..=200 {
        assert!(rollout.act(Act::AddIssue(format!("issue {number}"))).is_ok());
    }
    assert_eq!(
        rollout.act(Act::AddIssue("more".to_owned())),
        Err(Refusal::TooMany("issues"))
    );
    for number in 1..=200 {
        assert!(
            rollout
                .act_on(Act::Approve, &format!("person {number}"), &good())
                .is_ok()
        );
    }
    assert_eq!(rollout.act(Act::Approve), Err(Refusal::TooMany("approvals")));
}
