//! A rollout judged again from its log and its sealed batches: the same batches and the same plan give the same evidence
//! to the last bit (guard.md 8.12), other limits tell what they would have done.
//!
//! Levels that are read from outside are read again too (`readings.rs`): the readings that were kept, between the
//! batches in the order of time, and at the decision exactly those that it rested on.
//!
//! Pure, and one batch at a time, so that a rollout of any length needs no more memory than its evidence. What a batch
//! was judged by is in the batch: its inputs, and how many visits and horizons there had been. What follows from it for
//! the log is `moves.rs`'s and `decision.rs`'s to say, which limits may be put in the place of the plan's `limits.rs`'s.

mod decision;
pub(crate) mod limits;
mod look;
mod moves;
mod readings;

use std::sync::Arc;

use rollout::{
    EvidenceNumber, Horizon, Ladder, Plan, Visit,
    guards::{Broken, Examination},
};

use self::{
    decision::Decided,
    look::Exposed,
    moves::{Known, Moves},
    readings::Readings,
};
pub(crate) use self::{decision::Decision, look::Look, moves::Move};
use crate::{
    evidence::{EvidenceRecord, Examined},
    health::fold::fold,
    levels::{Kept, Log},
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
    /// The transitions that the guards had a say in.
    pub(crate) moves: Vec<Move>,
    /// Whether the rollout ended, or goes on, as the replay says.
    pub(crate) decision: Option<Decision>,
    /// The first batch after which the guards abort, whatever levels say.
    aborts_at: Option<u64>,
    /// After so many batches a level was beyond its limit, and stood so until the engine must have seen it.
    overdue_at: Option<u64>,
}

impl Replayer {
    /// Begins with a rollout as its log has it, to be judged by this plan: its own, or one with other limits.
    pub(crate) fn new(
        record: &RolloutRecord,
        plan: Arc<Plan>,
        log: &[TransitionRecord],
        log_of_levels: Arc<Log>,
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
            readings: Readings::new(log_of_levels),
            replay: Replay::default(),
        }
    }

    /// Judges the next batch.
    pub(crate) fn add(&mut self, batch: &SealedBatch) {
        self.decide();
        self.judge_moves(batch.sealed_at_us);
        self.read_until(batch.sealed_at_us);
        self.stood_until(batch.sealed_at_us);
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
        let alone = Look::of(number, batch.sealed_at_us, &found, &self.rollout.plan, &self.exposed);
        if alone.rung() == Ladder::Abort {
            self.replay.aborts_at.get_or_insert(number);
        }
        // With the levels that were held.
        let found = match self.readings.held().last {
            0 => found,
            _ => self.examine(batch.sealed_at_us),
        };
        let look = Look::of(number, batch.sealed_at_us, &found, &self.rollout.plan, &self.exposed);
        self.replay.note(&look);
        self.moves.pass(Known::of(found));
        self.decide();
    }

    /// Judges the transitions that were made before a time, by what was known of old and at their moment.
    fn judge_moves(&mut self, until_us: i64) {
        while let Some(at_us) = self.moves.next_before(until_us) {
            self.read_until(at_us);
            let is_known = self.replay.batches > 0 || self.readings.held().last > 0;
            let then = is_known.then(|| Known::of(self.examine_at(at_us)));
            self.moves.judge(then);
        }
    }

    /// What was found at a moment, in the visits that had been entered before it.
    fn examine_at(&mut self, at_us: i64) -> Examination {
        let state = &mut self.rollout.state;
        let (visits, horizons) = (state.visits.len(), state.horizons.len());
        let entered = self.visits.iter().filter(|visit| visit.entered_at_us < at_us).count();
        let begun = self
            .horizons
            .iter()
            .filter(|horizon| horizon.started_at_us < at_us)
            .count();
        catch_up(&mut state.visits, &self.visits, entered);
        catch_up(&mut state.horizons, &self.horizons, begun);
        let found = self.examine(at_us);
        let state = &mut self.rollout.state;
        state.visits.truncate(visits);
        state.horizons.truncate(horizons);
        found
    }

    /// What the guards say at a moment, with the levels that are held.
    fn examine(&self, now_us: i64) -> Examination {
        let examined = Examined {
            rollout: &self.rollout,
            evidence: &self.evidence,
        };
        examined.examine(&self.readings.held().at(now_us), now_us)
    }

    /// The number of the last readings that may be taken in: before the decision is judged, none that came after it.
    fn last(&self) -> u64 {
        match &self.rollout.end {
            Some(end) if self.decided.is_none() => end.readings,
            Some(_) | None => u64::MAX,
        }
    }

    /// Takes in the readings that were taken in by then.
    fn read_until(&mut self, until_us: i64) {
        let is_due = |next: &Kept| next.noted_at_us <= until_us;
        while self.readings.next(self.last()).is_some_and(is_due) {
            self.read();
        }
    }

    /// Takes the next readings in, and looks at what they say while the rollout was under way.
    fn read(&mut self) {
        let Some((noted_at_us, was_away)) = self
            .readings
            .next(u64::MAX)
            .map(|next| (next.noted_at_us, next.is_first))
        else {
            return;
        };
        let stood = !was_away && self.stood_until(noted_at_us);
        self.readings.take();
        let entered_us = self.visits.first().map_or(i64::MAX, |visit| visit.entered_at_us);
        let batches = self.replay.batches;
        let is_under_way = noted_at_us >= entered_us && noted_at_us < self.ended_us();
        let found = self.examine(noted_at_us);
        let look = Look::of(batches, noted_at_us, &found, &self.rollout.plan, &self.exposed);
        self.readings.note(is_under_way && found.rule.is_some(), stood, batches);
        if is_under_way && look.rule.is_some() {
            self.replay.note(&look);
        }
    }

    /// Whether a guard aborts by what was held before a moment at which the process was there; if it did so for long,
    /// the engine must have seen it.
    fn stood_until(&mut self, now_us: i64) -> bool {
        if !self.readings.is_beyond() {
            return false;
        }
        let now_us = now_us.min(self.ended_us());
        let stands = self.examine(now_us).rule.is_some();
        if let Some(batches) = self.readings.seen_by(now_us).filter(|_| stands) {
            self.replay.overdue_at.get_or_insert(batches);
        }
        stands
    }

    fn ended_us(&self) -> i64 {
        self.rollout.end.as_ref().map_or(i64::MAX, |end| end.decided_at_us)
    }

    /// Notes what was known when the recorded end was decided, once all that it rested on is known.
    fn decide(&mut self) {
        let Some(end) = self.rollout.end.as_ref().filter(|_| self.decided.is_none()) else {
            return;
        };
        if end.batches != self.replay.batches {
            return;
        }
        let (decided_at_us, readings) = (end.decided_at_us, end.readings);
        while self.readings.next(readings).is_some() {
            self.read();
        }
        self.stood_until(decided_at_us);
        let found = self.examine(decided_at_us);
        self.decided = Some(Decided {
            number: found.standing.abort,
            rule: found.rule.map(Broken::guard),
            are_all_read: self.readings.held().last == readings,
        });
    }

    /// What came out of all batches.
    pub(crate) fn finish(mut self) -> Replay {
        self.decide();
        self.judge_moves(i64::MAX);
        self.read_until(i64::MAX);
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
