//! A signal: what the data raises against a rollout, and what of it a person has dismissed.
//!
//! A dismissal takes a signal (of one guard, where guards raise it) out of what holds and out of what stands against a
//! gate: until the visit is left, or the signal has doubled. The one rule: whatever ends a rollout is judged by the facts
//! as they are, so no dismissal ever stands between harm and its abort.

use std::{borrow::Cow, fmt};

use crate::{
    EvidenceNumber, Facts, HoldReason, Ladder, Level, Plan, State,
    gate::{self, Policy},
    state::Dismissal,
    verdict,
};

/// What counts as twice as much, in logarithms: a count that has just doubled has, whatever its logarithm was rounded to.
const DOUBLED: f64 = std::f64::consts::LN_2 - 1e-9;

/// Something that stands against a rollout, and that a person may judge to be nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// What it holds for.
    pub reason: HoldReason,
    /// The guard that raises it, by its position; none: it is of no guard.
    pub guard: Option<usize>,
    /// Natural logarithm of its size: of the evidence, or of the events that were counted. None: it has no size.
    pub log_size: Option<f64>,
}

/// Every signal that is raised, the gravest first, dismissed or not.
pub fn raised(plan: &Plan, state: &State, facts: &Facts) -> Vec<Signal> {
    let mut signals: Vec<Signal> = Vec::new();
    for number in numbers(facts).filter(|number| verdict::rung(plan, number) != Ladder::None) {
        let signal = Signal::of(number);
        if !signals.contains(&signal) {
            signals.push(signal);
        }
    }
    signals.extend(&facts.concerns.signals);
    let is_judged_by_estimates = plan
        .stages
        .get(state.stage)
        .is_some_and(|stage| stage.policy != Policy::Certify);
    let is_at_gate = !state.is_baking() && state.is_soaked(plan);
    if is_at_gate
        && is_judged_by_estimates
        && gate::is_inconclusive(plan, state, &standing(plan, state, facts))
        && !verdict::may_extend(plan, state)
    {
        signals.push(Signal {
            reason: HoldReason::Inconclusive,
            guard: None,
            log_size: None,
        });
    }
    signals.sort_by_key(|signal| (signal.reason, signal.guard));
    signals
}

/// Whether a person has dismissed a signal, and it is not twice what it was then.
pub fn is_dismissed(state: &State, signal: &Signal) -> bool {
    is_among(&state.desk.dismissals, signal)
}

fn is_among(dismissals: &[Dismissal], signal: &Signal) -> bool {
    dismissals.iter().any(|dismissal| {
        dismissal.reason == signal.reason
            && dismissal.guard == signal.guard
            && !has_doubled(dismissal.log_size, signal.log_size)
    })
}

/// The facts without what is dismissed: what holds, and what stands against a gate, is asked of these.
pub(crate) fn standing<'f>(plan: &Plan, state: &State, facts: &'f Facts) -> Cow<'f, Facts> {
    if state.desk.dismissals.is_empty() {
        return Cow::Borrowed(facts);
    }
    let stands = |signal: &Signal| !is_dismissed(state, signal);
    let heard = |number: &EvidenceNumber| {
        // What aborts is dismissed by nobody.
        verdict::rung(plan, number) == Ladder::Abort || stands(&Signal::of(number))
    };
    let level = |number: &EvidenceNumber| plan.guards.get(number.guard).map_or(Level::Abort, |guard| guard.level);
    let strongest = |most: Level| {
        let others = facts.concerns.numbers.iter();
        let others = others.filter(|number| level(number) == most && heard(number));
        others.max_by(|a, b| a.log_evidence.total_cmp(&b.log_evidence)).copied()
    };
    let left = |number: Option<EvidenceNumber>, most: Level| number.filter(heard).or_else(|| strongest(most));
    let mut standing = facts.clone();
    standing.evidence = left(facts.evidence, Level::Abort);
    let concerns = &mut standing.concerns;
    concerns.hold = left(facts.concerns.hold, Level::Hold);
    concerns.warn = left(facts.concerns.warn, Level::Warn);
    concerns.numbers.retain(heard);
    concerns.signals.retain(stands);
    let of = |signals: &[Signal], reason| signals.iter().any(|signal| signal.reason == reason);
    let is_left = |reason| !of(&facts.concerns.signals, reason) || of(&concerns.signals, reason);
    concerns.is_early &= is_left(HoldReason::Early);
    concerns.holds.retain(|reason| is_left(*reason));
    Cow::Owned(standing)
}

/// The highest rung of these numbers without those that are dismissed.
pub fn standing_rung(plan: &Plan, dismissals: &[Dismissal], numbers: &[EvidenceNumber]) -> Ladder {
    let heard = numbers.iter().filter_map(|number| {
        let rung = verdict::rung(plan, number);
        (rung == Ladder::Abort || !is_among(dismissals, &Signal::of(number))).then_some(rung)
    });
    heard.max().unwrap_or(Ladder::None)
}

/// Every evidence number that is known, those of single guards included.
fn numbers(facts: &Facts) -> impl Iterator<Item = &EvidenceNumber> {
    let strongest = [&facts.evidence, &facts.concerns.hold, &facts.concerns.warn];
    strongest.into_iter().flatten().chain(&facts.concerns.numbers)
}

fn has_doubled(then: Option<f64>, now: Option<f64>) -> bool {
    match (then, now) {
        // Infinite twice is the same.
        (Some(then), Some(now)) => now > then && now - then >= DOUBLED,
        (None, _) | (_, None) => false,
    }
}

impl Signal {
    /// The evidence of a guard.
    fn of(number: &EvidenceNumber) -> Self {
        Self {
            reason: HoldReason::Evidence,
            guard: Some(number.guard),
            log_size: Some(number.log_evidence),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.guard {
            Some(guard) => write!(out, "{} of guard {}", self.reason.name(), guard + 1),
            None => write!(out, "{}", self.reason.name()),
        }
    }
}
