//! A rollout judged again from its log and its sealed batches: the same batches and the same plan give the same evidence
//! to the last bit (guard.md 8.12), other limits tell what they would have done.
//!
//! Pure, and one batch at a time, so that a rollout of any length needs no more memory than its evidence. What a batch
//! was judged by is in the batch: its inputs, and how many visits and horizons there had been. What follows from it for
//! the log is `moves.rs`'s and `decision.rs`'s to say, which limits may be put in the place of the plan's `limits.rs`'s.

mod decision;
pub(crate) mod limits;
mod look;
mod moves;

use std::{collections::BTreeMap, sync::Arc};

use rollout::{EvidenceNumber, Horizon, Ladder, Plan, Visit};

use self::{decision::Decided, look::Exposed, moves::Moves};
pub(crate) use self::{decision::Decision, look::Look, moves::Move};
use crate::{
    evidence::{EvidenceRecord, Examined},
    health::fold::fold,
    record::{EndCause, RolloutRecord, TransitionRecord},
    store::model::SealedBatch,
};

/// A rollout that is being judged again.
#[derive(Debug)]
pub(crate) struct Replayer {
    /// As it was at the last batch.
    rollout: RolloutRecord,
    visits: Vec<Visit>,
    horizons: Vec<Horizon>,
    evidence: EvidenceRecord,
    exposed: Exposed,
    moves: Moves,
    decided: Option<Decided>,
    replay: Replay,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Replay {
    /// Batches that were judged, from the first on.
    pub(crate) batches: u64,
    /// The first batch, from 1, whose evidence is not the recorded one; none: all agree to the last bit.
    pub(crate) differs_at: Option<u64>,
    /// What was known when each rung was first reached: warn, hold, abort.
    pub(crate) reached: [Option<Look>; 3],
    /// When the evidence of the guards that may abort was strongest.
    pub(crate) peak: Option<Look>,
    /// The transitions that the evidence had a say in.
    pub(crate) moves: Vec<Move>,
    /// Whether the rollout ended, or goes on, as the replay says.
    pub(crate) decision: Option<Decision>,
}

impl Replayer {
    /// Begins with a rollout as its log has it, to be judged by this plan: its own, or one with other limits.
    pub(crate) fn new(record: &RolloutRecord, plan: Arc<Plan>, log: &[TransitionRecord]) -> Self {
        let mut rollout = record.clone();
        let moves = Moves::of(&plan, log);
        rollout.plan = plan;
        Self {
            visits: std::mem::take(&mut rollout.state.visits),
            horizons: std::mem::take(&mut rollout.state.horizons),
            rollout,
            evidence: EvidenceRecord::default(),
            exposed: Exposed::default(),
            moves,
            decided: None,
            replay: Replay::default(),
        }
    }

    /// Judges the next batch.
    pub(crate) fn add(&mut self, batch: &SealedBatch) {
        let state = &mut self.rollout.state;
        catch_up(&mut state.visits, &self.visits, batch.visits as usize);
        catch_up(&mut state.horizons, &self.horizons, batch.horizons as usize);
        let found = fold(&mut self.evidence, batch, &self.rollout);
        self.exposed.add(batch);
        let number = self.replay.batches + 1;
        self.replay.batches = number;
        let is_same = bits(self.evidence.number) == batch.log_evidence.map(f64::to_bits);
        if !is_same && self.replay.differs_at.is_none() {
            self.replay.differs_at = Some(number);
        }
        let look = Look::of(number, batch.sealed_at_us, &found, &self.rollout.plan, &self.exposed);
        self.replay.note(&look);
        self.moves.pass(&look);
        self.decide();
    }

    /// Notes what was known when the recorded end was decided.
    fn decide(&mut self) {
        let end = self.rollout.end.as_ref();
        if let Some(end) = end.filter(|end| end.batches == self.replay.batches) {
            let examined = Examined {
                rollout: &self.rollout,
                evidence: &self.evidence,
            };
            let found = examined.examine(&BTreeMap::new(), end.decided_at_us);
            self.decided = Some(Decided {
                number: found.standing.abort,
                rule: found.rule,
            });
        }
    }

    /// What came out of all batches.
    pub(crate) fn finish(mut self) -> Replay {
        self.replay.decision = Some(decision::decision(&self.rollout, &self.replay, self.decided.as_ref()));
        self.replay.moves = self.moves.finish();
        self.replay
    }
}

impl Replay {
    fn note(&mut self, look: &Look) {
        for (rung, reached) in [Ladder::Warn, Ladder::Hold, Ladder::Abort]
            .into_iter()
            .zip(&mut self.reached)
        {
            if reached.is_none() && look.rung() >= rung {
                *reached = Some(*look);
            }
        }
        let strength = |look: &Look| look.number.map(|number| number.log_evidence);
        if strength(look) > self.peak.as_ref().and_then(strength) {
            self.peak = Some(*look);
        }
    }

    /// The first batch after which the guards abort.
    pub(crate) fn aborts_at(&self) -> Option<u64> {
        let [_, _, abort] = &self.reached;
        abort.as_ref().map(|look| look.batch)
    }
}

/// Takes over what there had been of a list that only grows.
fn catch_up<T: Copy>(known: &mut Vec<T>, all: &[T], length: usize) {
    let missing = all.iter().take(length).skip(known.len());
    known.extend(missing.copied().collect::<Vec<_>>());
}

fn bits(number: Option<EvidenceNumber>) -> Option<u64> {
    number.map(|number| number.log_evidence.to_bits())
}

/// Whether an end was decided by what was sealed, and not by a person, a criterion or time.
fn is_of_evidence(cause: EndCause) -> bool {
    match cause {
        EndCause::Evidence | EndCause::Rule => true,
        EndCause::Person
        | EndCause::Trigger
        | EndCause::Criterion
        | EndCause::Withdrawn
        | EndCause::Edit
        | EndCause::Time
        | EndCause::Completed => false,
    }
}

#[cfg(test)]
mod tests;
