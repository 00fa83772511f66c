//! What a person can do to a rollout: each act is one transition, or a refusal that says why and in which state.
//!
//! A person passes over a gate's judgement (dwell, data, criteria), never over harm, over agents that have not applied
//! the stage, over approvals, open items or a freeze. What is live may always be stopped: pause, hold, roll back, abort.

mod desk;
mod dismiss;
mod moves;
mod refusal;

use self::{
    desk::{add_issue, approve, close_issue, tick},
    dismiss::{Asked, dismiss},
    moves::{advance, complete, extend, fix, hold, resume, step_back, trigger},
};
pub use self::{dismiss::Undismissed, refusal::Refusal};
use crate::{AbortCause, Facts, HoldReason, Micros, Phase, Plan, RollbackCause, State, Transition, made, state::List};

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It may be approved and started.
    Submit,
    /// The start, or the gate of the present stage, may open.
    Approve,
    /// It may enter its first stage as soon as its conditions hold.
    Start,
    /// The clock stops.
    Pause,
    /// The clock runs again; a person's hold ends.
    Resume,
    /// Out of the stage (into the next, the bake, or the end) without waiting for dwell, data and criteria.
    Advance,
    /// The stage is held until somebody resumes it.
    Hold,
    /// The gate waits until every issue is closed.
    Fix,
    /// The stage lasts longer, by its extension unless told.
    Extend(Option<Micros>),
    /// Back to an earlier stage, by position.
    StepBack(usize),
    /// Treatment to 0 %, without a latch.
    RollBack,
    /// Treatment to 0 %, for good.
    Abort,
    /// The same, for a reason that the plan names.
    Trigger(String),
    /// An item is done (or, `false`, is not).
    Tick {
        /// On this list.
        list: List,
        /// Its name.
        item: String,
        /// Done or not.
        done: bool,
    },
    /// Something was found.
    AddIssue(String),
    /// It is dealt with.
    CloseIssue {
        /// Its number.
        number: u32,
        /// How.
        resolution: String,
    },
    /// What the data raises is no harm: it holds no longer, in this visit and until there is twice as much of it.
    Dismiss {
        /// What it holds for.
        reason: HoldReason,
        /// The guard, by its position; none: each that holds for it now.
        guard: Option<usize>,
        /// Why.
        why: String,
    },
    /// Somebody has seen how it stands.
    Acknowledge,
    /// The bake is over.
    Complete,
    /// An edit of the flag takes its place.
    Supersede,
    /// It is put away.
    Archive,
}

/// What an act gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// The next state.
    pub state: State,
    /// What happened.
    pub transition: Transition,
}

/// Carries out what somebody (`by`) does, or says why not.
///
/// The state is one that was stepped to `now`, so that its soak is the present one.
pub fn act(plan: &Plan, state: &State, facts: &Facts, act: &Act, by: &str, now: Micros) -> Result<Acted, Refusal> {
    let mut next = state.clone();
    let transition = decide(plan, &mut next, facts, act, by, now)?;
    made::apply(&mut next, &transition, now);
    Ok(Acted {
        state: next,
        transition,
    })
}

impl Act {
    /// In a few words, joined by hyphens.
    pub fn name(&self) -> &'static str {
        match self {
            Act::Submit => "submit",
            Act::Approve => "approve",
            Act::Start => "start",
            Act::Pause => "pause",
            Act::Resume => "resume",
            Act::Advance => "advance",
            Act::Hold => "hold",
            Act::Fix => "fix",
            Act::Extend(_) => "extend",
            Act::StepBack(_) => "step-back",
            Act::RollBack => "roll-back",
            Act::Abort => "abort",
            Act::Trigger(_) => "trigger",
            Act::Tick { .. } => "tick",
            Act::AddIssue(_) => "add-issue",
            Act::CloseIssue { .. } => "close-issue",
            Act::Dismiss { .. } => "dismiss",
            Act::Acknowledge => "acknowledge",
            Act::Complete => "complete",
            Act::Supersede => "supersede",
            Act::Archive => "archive",
        }
    }

    /// Whether it is possible in a phase at all.
    fn is_possible_in(&self, phase: Phase) -> bool {
        match self {
            Act::Submit => phase == Phase::Draft,
            Act::Approve => phase.is_live() || matches!(phase, Phase::Ready | Phase::AwaitingStart),
            Act::Start => matches!(phase, Phase::Draft | Phase::Ready),
            Act::Resume => matches!(phase, Phase::Paused | Phase::Held),
            Act::Advance | Act::Extend(_) => matches!(phase, Phase::Soak | Phase::Gate | Phase::Held),
            Act::Fix => matches!(phase, Phase::Soak | Phase::Gate | Phase::Held),
            Act::Pause => phase.is_live() && phase != Phase::Paused,
            Act::Hold | Act::StepBack(_) => phase.is_live(),
            Act::RollBack | Act::Abort | Act::Trigger(_) | Act::Supersede => {
                phase.is_live() || phase == Phase::AwaitingStart
            }
            Act::Tick { list, .. } => match list {
                List::Preflight => phase.is_before_start(),
                List::Stage(_) | List::Exit => phase.is_live(),
            },
            Act::AddIssue(_) => !phase.is_final(),
            // What is over is refused with what to do instead.
            Act::Dismiss { .. } | Act::CloseIssue { .. } | Act::Acknowledge => true,
            Act::Complete => matches!(phase, Phase::Baking | Phase::Held),
            Act::Archive => phase.is_final() || matches!(phase, Phase::Draft | Phase::Ready),
        }
    }
}

fn decide(
    plan: &Plan,
    state: &mut State,
    facts: &Facts,
    act: &Act,
    by: &str,
    now: Micros,
) -> Result<Transition, Refusal> {
    if !act.is_possible_in(state.phase) {
        return Err(Refusal::Phase {
            act: act.name(),
            phase: state.phase,
        });
    }
    Ok(match act {
        Act::Submit => Transition::Submitted,
        Act::Approve => approve(plan, state, by, now)?,
        Act::Start => Transition::StartAsked,
        Act::Pause => Transition::Paused,
        Act::Resume => resume(state)?,
        Act::Advance => advance(plan, state, facts, now)?,
        Act::Hold => hold(plan, state, facts, now)?,
        Act::Fix => fix(plan, state)?,
        Act::Extend(by_us) => extend(plan, state, *by_us)?,
        Act::StepBack(to) => step_back(state, *to)?,
        Act::RollBack => Transition::RolledBack(RollbackCause::Person),
        Act::Abort => Transition::Aborted(AbortCause::Person),
        Act::Trigger(name) => trigger(plan, name)?,
        Act::Tick { list, item, done } => tick(plan, state, *list, item, *done, by, now)?,
        Act::AddIssue(title) => add_issue(state, title, by, now)?,
        Act::CloseIssue { number, resolution } => close_issue(state, *number, resolution, by, now)?,
        Act::Dismiss { reason, guard, why } => {
            let asked = Asked {
                reason: *reason,
                guard: *guard,
                why,
            };
            dismiss(plan, state, facts, asked, by, now)?
        }
        Act::Acknowledge => Transition::Acknowledged,
        Act::Complete => complete(plan, state, facts)?,
        Act::Supersede => Transition::Superseded,
        Act::Archive => archive(state)?,
    })
}

fn archive(state: &State) -> Result<Transition, Refusal> {
    if state.desk.archived {
        return Err(Refusal::Already("it is archived already".to_owned()));
    }
    Ok(Transition::Archived)
}
