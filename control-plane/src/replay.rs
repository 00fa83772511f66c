//! A rollout judged again from its log and its sealed batches: the same batches and the same plan give the same evidence
//! to the last bit (guard.md 8.12), other limits tell what they would have done.
//!
//! Levels that are read from outside are read again too: the readings that were kept, between the batches in the order of
//! time, and at the decision exactly those that it rested on.
//!
//! Pure, and one batch at a time, so that a rollout of any length needs no more memory than its evidence. What a batch
//! was judged by is in the batch: its inputs, and how many visits and horizons there had been. What follows from it for
//! the log is `moves.rs`'s and `decision.rs`'s to say, which limits may be put in the place of the plan's `limits.rs`'s.

mod decision;
pub(crate) mod limits;
mod look;
mod moves;

use std::{collections::BTreeMap, sync::Arc};

use rollout::{EvidenceNumber, Horizon, Ladder, Plan, Visit, guards::Examination};

use self::{decision::Decided, look::Exposed, moves::Moves};
pub(crate) use self::{decision::Decision, look::Look, moves::Move};
use crate::{
    evidence::{EvidenceRecord, Examined},
    health::fold::fold,
    levels::{HeldLevels, Kept},
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
    readings: Readings,
    replay: Replay,
}

/// The readings that were kept, and what is held of those that were taken in.
#[derive(Debug)]
struct Readings {
    /// From number 1 on.
    kept: Arc<[Kept]>,
    /// How many of them were taken in.
    taken: usize,
    held: HeldLevels,
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
    pub(crate) fn new(
        record: &RolloutRecord,
        plan: Arc<Plan>,
        log: &[TransitionRecord],
        readings: Arc<[Kept]>,
    ) -> Self {
        let mut rollout = record.clone();
        let moves = Moves::of(plan.clone(), log);
        rollout.plan = plan;
        Self {
            visits: std::mem::take(&mut rollout.state.visits),
            horizons: std::mem::take(&mut rollout.state.horizons),
            rollout,
            evidence: EvidenceRecord::default(),
            exposed: Exposed::default(),
            moves,
            decided: None,
            readings: Readings {
                kept: readings,
                taken: 0,
                held: HeldLevels::default(),
            },
            replay: Replay::default(),
        }
    }

    /// Judges the next batch.
    pub(crate) fn add(&mut self, batch: &SealedBatch) {
        self.decide();
        self.read_until(batch.sealed_at_us);
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
        let rule = self.rule(&found, batch.sealed_at_us);
        let look = Look::of(number, batch.sealed_at_us, &found, &self.rollout.plan, &self.exposed);
        let look = Look { rule, ..look };
        self.replay.note(&look);
        self.moves.pass(&look, found.numbers);
        self.decide();
    }

    /// What was found after a batch, with the levels that were held: the first guard that aborts without evidence.
    fn rule(&self, found: &Examination, now_us: i64) -> Option<usize> {
        if self.readings.taken == 0 {
            return found.rule;
        }
        self.examine(now_us).rule
    }

    fn examine(&self, now_us: i64) -> Examination {
        let examined = Examined {
            rollout: &self.rollout,
            evidence: &self.evidence,
        };
        examined.examine(&self.readings.held.at(now_us), now_us)
    }

    /// Takes in the readings that were taken in by then; not those that came after the decision, before it is judged.
    fn read_until(&mut self, until_us: i64) {
        let last = match &self.rollout.end {
            Some(end) if self.decided.is_none() && end.readings > 0 => index(end.readings),
            Some(_) | None => usize::MAX,
        };
        while self.readings.taken < last && self.readings.next().is_some_and(|next| next.noted_at_us <= until_us) {
            self.read();
        }
    }

    /// Takes the next reading in, and looks at what it says while the rollout was under way.
    fn read(&mut self) {
        let Some(noted_at_us) = self.readings.take() else {
            return;
        };
        let entered_us = self.visits.first().map_or(i64::MAX, |visit| visit.entered_at_us);
        let ended_us = self.rollout.end.as_ref().map_or(i64::MAX, |end| end.decided_at_us);
        if noted_at_us < entered_us || noted_at_us >= ended_us {
            return;
        }
        let found = self.examine(noted_at_us);
        if found.rule.is_some() {
            let batch = self.replay.batches;
            let look = Look::of(batch, noted_at_us, &found, &self.rollout.plan, &self.exposed);
            self.replay.note(&look);
        }
    }

    /// Notes what was known when the recorded end was decided, once all that it rested on is known.
    fn decide(&mut self) {
        let Some(end) = self.rollout.end.as_ref().filter(|_| self.decided.is_none()) else {
            return;
        };
        if end.batches != self.replay.batches {
            return;
        }
        let (decided_at_us, readings) = (end.decided_at_us, index(end.readings));
        while self.readings.taken < readings.min(self.readings.kept.len()) {
            self.read();
        }
        let found = if readings == 0 {
            // The process knew of no reading then, whatever was read before it began.
            let examined = Examined {
                rollout: &self.rollout,
                evidence: &self.evidence,
            };
            examined.examine(&BTreeMap::new(), decided_at_us)
        } else {
            self.examine(decided_at_us)
        };
        self.decided = Some(Decided {
            number: found.standing.abort,
            rule: found.rule,
            are_all_read: readings <= self.readings.kept.len(),
        });
    }

    /// What came out of all batches.
    pub(crate) fn finish(mut self) -> Replay {
        self.decide();
        self.read_until(i64::MAX);
        self.replay.decision = Some(decision::decision(&self.rollout, &self.replay, self.decided.as_ref()));
        self.replay.moves = self.moves.finish();
        self.replay
    }
}

impl Readings {
    fn next(&self) -> Option<&Kept> {
        self.kept.get(self.taken)
    }

    /// Takes the next one in; when that was.
    fn take(&mut self) -> Option<i64> {
        let next = self.kept.get(self.taken)?;
        if next.is_first {
            self.held = HeldLevels::default();
        }
        self.taken += 1;
        let number = u64::try_from(self.taken).unwrap_or(u64::MAX);
        self.held.note(number, &next.metric, next.arm, next.reading.clone());
        Some(next.noted_at_us)
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

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
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
