//! A signal: what the data raises against a rollout, and what of it a person has dismissed.
//!
//! A dismissal takes a signal (of one guard, where guards raise it) out of what holds and out of what stands against a
//! gate: until the visit is left, or there is twice as much of it. Evidence multiplies with the data and its logarithm
//! adds up, so twice as much evidence is twice the logarithm: as much again as there was. The one rule: whatever ends a rollout is judged by the facts
//! as they are, so no dismissal ever stands between harm and its abort.

use std::{borrow::Cow, fmt};

use crate::{
    EvidenceNumber, Facts, HoldReason, Ladder, Level, Plan, State, evidence::budget::Standing, gate, state::Dismissal,
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
    /// The success criterion of the present stage that does not hold, by its position; none: it is of no criterion.
    pub criterion: Option<usize>,
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
    let facts = standing(plan, state, facts);
    if verdict::is_at_gate(plan, state, &facts)
        && !gate::asks_for_proof(plan, state)
        && !verdict::may_extend(plan, state)
    {
        signals.extend(gate::failing(plan, state, &facts).map(|position| Signal {
            criterion: Some(position),
            ..Signal::bare(HoldReason::Inconclusive)
        }));
    }
    signals.sort_by_key(|signal| (signal.reason, signal.guard, signal.criterion));
    signals
}

/// Whether a person has dismissed a signal, and it is neither twice what it was then nor on a higher rung.
pub fn is_dismissed(plan: &Plan, state: &State, signal: &Signal) -> bool {
    is_among(plan, &state.desk.dismissals, signal)
}

fn is_among(plan: &Plan, dismissals: &[Dismissal], signal: &Signal) -> bool {
    dismissals.iter().any(|dismissal| {
        dismissal.reason == signal.reason
            && dismissal.guard == signal.guard
            && dismissal.criterion == signal.criterion
            && !has_lapsed(plan, dismissal, signal)
    })
}

/// The facts without what is dismissed: what holds, and what stands against a gate, is asked of these.
pub(crate) fn standing<'f>(plan: &Plan, state: &State, facts: &'f Facts) -> Cow<'f, Facts> {
    undismissed(plan, &state.desk.dismissals, facts)
}

/// The facts without what was dismissed by these.
pub fn undismissed<'f>(plan: &Plan, dismissals: &[Dismissal], facts: &'f Facts) -> Cow<'f, Facts> {
    if dismissals.is_empty() {
        return Cow::Borrowed(facts);
    }
    let stands = |signal: &Signal| !is_among(plan, dismissals, signal);
    let heard = |number: &EvidenceNumber| {
        // What aborts is dismissed by nobody.
        verdict::rung(plan, number) == Ladder::Abort || stands(&Signal::of(number))
    };
    let level = |number: &EvidenceNumber| {
        let level = plan.guards.get(number.guard).map_or(Level::Abort, |guard| guard.level);
        if number.is_doubted {
            level.min(Level::Hold)
        } else {
            level
        }
    };
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

/// The strongest evidence of each level that nobody has dismissed.
pub fn heard(plan: &Plan, state: &State, facts: &Facts) -> Standing {
    let left = standing(plan, state, facts);
    Standing {
        abort: left.evidence,
        hold: left.concerns.hold,
        warn: left.concerns.warn,
    }
}

/// The highest rung of these numbers without those that are dismissed.
pub fn standing_rung(plan: &Plan, dismissals: &[Dismissal], numbers: &[EvidenceNumber]) -> Ladder {
    let heard = numbers.iter().filter_map(|number| {
        let rung = verdict::rung(plan, number);
        (rung == Ladder::Abort || !is_among(plan, dismissals, &Signal::of(number))).then_some(rung)
    });
    heard.max().unwrap_or(Ladder::None)
}

/// Every evidence number that is known, those of single guards included.
fn numbers(facts: &Facts) -> impl Iterator<Item = &EvidenceNumber> {
    let strongest = [&facts.evidence, &facts.concerns.hold, &facts.concerns.warn];
    strongest.into_iter().flatten().chain(&facts.concerns.numbers)
}

fn has_lapsed(plan: &Plan, dismissal: &Dismissal, signal: &Signal) -> bool {
    let (Some(then), Some(now)) = (dismissal.log_size, signal.log_size) else {
        return false;
    };
    if signal.reason == HoldReason::Rule {
        // Infinite twice is the same.
        return now > then && now - then >= DOUBLED;
    }
    let rung = |log_size| signal.guard.map(|guard| verdict::rung_of(plan, guard, log_size));
    rung(now) > rung(then) || (now > then && now >= 2.0 * then)
}

impl Signal {
    /// Of no guard, no criterion and no size.
    pub fn bare(reason: HoldReason) -> Self {
        Self {
            reason,
            guard: None,
            criterion: None,
            log_size: None,
        }
    }

    /// The evidence of a guard.
    fn of(number: &EvidenceNumber) -> Self {
        Self {
            guard: Some(number.guard),
            log_size: Some(number.log_evidence),
            ..Self::bare(HoldReason::Evidence)
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.reason.name();
        match (self.guard, self.criterion) {
            (Some(guard), _) => write!(out, "{name} of guard {}", guard + 1),
            (None, Some(criterion)) => write!(out, "{name} of criterion {}", criterion + 1),
            (None, None) => out.write_str(name),
        }
    }
}
