//! Whether a rollout ended, or goes on, as its replay says.
//!
//! An abort by evidence must have its very number after the batch that it rested on, an abort by a rule the rule of
//! that guard, fired at its moment. Any other end, and none, must have had no abort before it: the engine sees a batch
//! before the next is sealed, so only the last one may have come too late, and a level that stands for several looks.

use rollout::{
    EvidenceNumber, Ladder,
    evidence::budget,
    guards::{Test, Tests, tests_of},
};

use super::{Replay, bits, is_of_evidence};
use crate::record::{End, EndCause, RolloutRecord};

/// Whether the recorded decision is the replay's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is.
    Same,
    /// It is not; in words.
    Differs(String),
    /// The replay cannot say; in words.
    NotReplayed(String),
}

/// What the guards said of the batches that an end rested on, at its moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decided {
    /// The evidence number of those that may abort.
    pub(super) number: Option<EvidenceNumber>,
    /// The first that aborts without evidence, by its position.
    pub(super) rule: Option<usize>,
    /// Whether every reading of a level that it rested on was kept.
    pub(super) are_all_read: bool,
}

/// Holds a replay against the record.
pub(super) fn decision(record: &RolloutRecord, replay: &Replay, decided: Option<&Decided>) -> Decision {
    match &record.end {
        Some(end) if is_of_evidence(end.cause) => match decided {
            None => Decision::NotReplayed(format!(
                "it rests on batch {}, and {} were judged",
                end.batches, replay.batches
            )),
            Some(decided) => aborted(record, end, decided),
        },
        Some(end) => not_aborted(replay, end.batches, end.cause.outcome()),
        None => not_aborted(replay, replay.batches, record.state.phase.name()),
    }
}

fn aborted(record: &RolloutRecord, end: &End, decided: &Decided) -> Decision {
    let alpha = record.plan.alpha;
    let is_same = match end.cause {
        // Whose rule it was is not known of an end that an earlier version recorded.
        EndCause::Rule => decided.rule.is_some() && (end.rule.is_none() || decided.rule == end.rule),
        _ => {
            let is_reached = |number: EvidenceNumber| budget::level(number.log_evidence, alpha) == Ladder::Abort;
            let guard = |number: Option<EvidenceNumber>| number.map(|number| number.guard);
            bits(decided.number) == bits(end.evidence)
                && guard(decided.number) == guard(end.evidence)
                && decided.number.is_some_and(is_reached)
        }
    };
    let rests_on_levels = end.cause == EndCause::Rule && reads_levels(record);
    if rests_on_levels && !decided.are_all_read {
        Decision::NotReplayed("a reading of a level that it may have rested on was not kept".to_owned())
    } else if is_same {
        Decision::Same
    } else {
        let whose = end
            .rule
            .map(|guard| format!(" of guard {}", guard + 1))
            .unwrap_or_default();
        let there = match decided.rule.filter(|_| end.cause == EndCause::Rule) {
            Some(other) => format!("aborts by that of guard {} there", other + 1),
            None => "does not abort there".to_owned(),
        };
        Decision::Differs(format!(
            "it was aborted by {}{whose} after batch {}, and the replay {there}",
            end.cause.name(),
            end.batches
        ))
    }
}

/// `known` batches had been sealed when it was decided.
fn not_aborted(replay: &Replay, known: u64, stands: &str) -> Decision {
    let aborts_at = replay.aborts_at.filter(|batch| *batch < known);
    match aborts_at.or(replay.overdue_at) {
        Some(batch) => Decision::Differs(format!(
            "the replay aborts after batch {batch} of {known}, and the rollout is {stands}"
        )),
        None => Decision::Same,
    }
}

/// Whether a guard asks for a level that is read from outside.
fn reads_levels(record: &RolloutRecord) -> bool {
    record.plan.guards.iter().any(|guard| {
        let tests = tests_of(&record.plan, &record.counted, guard);
        matches!(
            tests,
            Ok(Tests {
                fixed: Some(Test::Level),
                ..
            })
        )
    })
}
