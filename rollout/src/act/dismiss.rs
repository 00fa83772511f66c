//! Dismissing a signal: a person judges that what the data raises is no harm, and says why.
//!
//! Only what is raised at this moment can be dismissed, so that nobody dismisses what is yet to come. Everything else
//! that holds a rollout is refused with what ends it.

use thiserror::Error;

use super::Refusal;
use crate::{
    Facts, HoldReason, Ladder, Micros, Phase, Plan, State, Transition, gate,
    signal::{self, Signal},
    state::Dismissal,
    verdict,
};

/// The most dismissals in one visit of a stage.
const MOST: usize = 20;
/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// What a person wants to be dismissed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) reason: HoldReason,
    pub(super) guard: Option<usize>,
    pub(super) why: &'a str,
}

/// Why a signal cannot be dismissed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Undismissed {
    /// There is nothing that could be.
    #[error("{}", over(*.0))]
    Over(Phase),
    /// A dismissal without a reason.
    #[error("say why: a dismissal is kept with its reason")]
    NoReason,
    /// It is not what a person may dismiss.
    #[error("{} cannot be dismissed: {}", .0.name(), .0.ended_by())]
    NoSignal(HoldReason),
    /// The gate asks for proof.
    #[error("the gate asks for proof, which nobody can dismiss: extend the stage, or advance past its judgement")]
    Proof,
    /// A guard was named of what none raises.
    #[error("{} is of no guard: leave the guard out", .0.name())]
    OfNoGuard(HoldReason),
    /// The plan has no such guard.
    #[error("there is no guard {}; the plan has {}", .0 + 1, .1)]
    UnknownGuard(usize, usize),
    /// It is not raised.
    #[error("{} is not raised; raised are: {}", asked(*.reason, *.guard), named(.raised))]
    NotRaised {
        /// What was asked for.
        reason: HoldReason,
        /// Of this guard.
        guard: Option<usize>,
        /// What is raised.
        raised: Vec<String>,
    },
    /// Often enough.
    #[error("no more than {0} dismissals in a visit of a stage: hold it, roll it back, or abort it")]
    TooMany(usize),
}

/// Notes the dismissal.
pub(super) fn dismiss(
    plan: &Plan,
    state: &mut State,
    facts: &Facts,
    asked: Asked<'_>,
    by: &str,
    now: Micros,
) -> Result<Transition, Refusal> {
    if !state.is_live() {
        return Err(Refusal::Dismissal(vec![Undismissed::Over(state.phase)]));
    }
    // What is harm aborts at the next step.
    if verdict::harm(plan, facts).is_some() {
        return Err(Refusal::Dismissal(vec![Undismissed::Over(Phase::Aborting)]));
    }
    let mut found = Vec::new();
    if asked.why.trim().is_empty() {
        found.push(Undismissed::NoReason);
    }
    let signals = match signals(plan, state, facts, asked) {
        Ok(signals) => signals,
        Err(why) => {
            found.push(why);
            Vec::new()
        }
    };
    if state.desk.dismissals.len() + signals.len().max(1) > MOST {
        found.push(Undismissed::TooMany(MOST));
    }
    if !found.is_empty() {
        return Err(Refusal::Dismissal(found));
    }
    let dismissals = signals.into_iter().map(|signal| Dismissal {
        reason: signal.reason,
        guard: signal.guard,
        criterion: signal.criterion,
        log_size: signal.log_size,
        by: by.to_owned(),
        at_us: now,
        why: asked.why.chars().take(LONGEST_REASON).collect(),
    });
    let dismissals: Vec<Dismissal> = dismissals.collect();
    state.desk.dismissals.extend(dismissals.iter().cloned());
    Ok(Transition::Dismissed(dismissals))
}

/// The signals that are meant: of the guard that was named, or else those that hold the rollout now.
fn signals(plan: &Plan, state: &State, facts: &Facts, asked: Asked<'_>) -> Result<Vec<Signal>, Undismissed> {
    let Asked { reason, guard, .. } = asked;
    if !reason.is_dismissible() {
        return Err(Undismissed::NoSignal(reason));
    }
    if reason == HoldReason::Inconclusive && gate::asks_for_proof(plan, state) {
        return Err(Undismissed::Proof);
    }
    match guard {
        Some(_) if !reason.is_of_a_guard() => return Err(Undismissed::OfNoGuard(reason)),
        Some(guard) if guard >= plan.guards.len() => return Err(Undismissed::UnknownGuard(guard, plan.guards.len())),
        Some(_) | None => {}
    }
    let raised = signal::raised(plan, state, facts);
    let is_meant = |signal: &&Signal| signal.reason == reason && (guard.is_none() || signal.guard == guard);
    let mut meant: Vec<Signal> = raised.iter().filter(is_meant).copied().collect();
    if meant.is_empty() {
        let raised = raised.iter().map(ToString::to_string).collect();
        return Err(Undismissed::NotRaised { reason, guard, raised });
    }
    // What is dismissed already is meant only where it is all that there is, and a warning only where nothing holds.
    keep_if_any(&mut meant, |signal| !signal::is_dismissed(plan, state, signal));
    keep_if_any(&mut meant, |signal| holds(plan, signal));
    Ok(meant)
}

fn keep_if_any(signals: &mut Vec<Signal>, is_kept: impl Fn(&Signal) -> bool) {
    if signals.iter().any(&is_kept) {
        signals.retain(is_kept);
    }
}

/// Whether evidence is at the hold level; what is no evidence holds as it is.
fn holds(plan: &Plan, signal: &Signal) -> bool {
    match (signal.reason, signal.guard, signal.log_size) {
        (HoldReason::Evidence, Some(guard), Some(log_evidence)) => {
            verdict::rung_of(plan, guard, log_evidence) >= Ladder::Hold
        }
        _ => true,
    }
}

fn over(phase: Phase) -> String {
    let name = phase.name();
    match phase {
        Phase::Aborting | Phase::Aborted => {
            "an abort is for good, and no dismissal ends it: retry starts a new run with fresh evidence".to_owned()
        }
        phase if phase.is_before_start() => format!("the rollout is {name}: nothing is raised before its first stage"),
        _ => format!("the rollout is {name}: nothing holds it any more"),
    }
}

fn asked(reason: HoldReason, guard: Option<usize>) -> String {
    Signal {
        guard,
        ..Signal::bare(reason)
    }
    .to_string()
}

fn named(raised: &[String]) -> String {
    if raised.is_empty() {
        "none".to_owned()
    } else {
        raised.join(", ")
    }
}
