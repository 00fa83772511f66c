//! Cuts counts into frames and keeps each until it is durable.
//!
//! A frame covers whole ticks of one horizon, is named by its sequence, and never changes: after a break the same bytes
//! are sent again. It is due each interval even without counts, because the silence of an agent must mean something. At
//! most 64 frames wait; while they do, counts coalesce in the counters and the next frame covers more ticks.

use std::{collections::VecDeque, time::Duration};

use evaluation::Measurement;
use proto::v1;

use super::{
    counters::Drained,
    slice::Slice,
    tally::{STEP_TICKS, USEFUL_TICKS},
    wire,
};

/// Frames that may wait for their ack, per rollout.
const WAITING_LIMIT: usize = 64;
/// Bounds of the interval that the control plane may name, in ticks.
const INTERVAL_BOUNDS: (u32, u32) = (1, 600);

/// The frames of one rollout.
#[derive(Debug)]
pub(crate) struct Outbox {
    rollout: u32,
    /// The rollout's id: an index means another rollout after a store was replaced.
    id: u128,
    environment: String,
    sequence: u64,
    /// The first tick that no frame covers.
    next_tick: u32,
    interval_ticks: u32,
    waiting: VecDeque<v1::Frame>,
    /// How many of the waiting were sent on this stream.
    sent: usize,
}

impl Outbox {
    /// Of a rollout that is measured from this tick on.
    pub(crate) fn new((rollout, id): (u32, u128), environment: &str, tick: u32) -> Self {
        Self {
            rollout,
            id,
            environment: environment.to_owned(),
            sequence: 0,
            next_tick: tick,
            interval_ticks: 1,
            waiting: VecDeque::new(),
            sent: 0,
        }
    }

    /// Frames that a former process left, in ascending order; nothing is cut here any more.
    pub(crate) fn of_former((rollout, id): (u32, u128), frames: Vec<v1::Frame>) -> Self {
        Self {
            sequence: frames.last().map_or(0, |frame| frame.sequence),
            waiting: frames.into(),
            ..Self::new((rollout, id), "", 0)
        }
    }

    /// The rollout's id.
    pub(crate) fn id(&self) -> u128 {
        self.id
    }

    /// The sequence of the last frame that was cut; 0: none.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The waiting frames after this one.
    pub(crate) fn since(&self, sequence: u64) -> impl Iterator<Item = &v1::Frame> {
        self.waiting.iter().filter(move |frame| frame.sequence > sequence)
    }

    /// Whether it holds frames of this rollout, and not of another that had its index.
    pub(crate) fn is_of(&self, id: u128) -> bool {
        self.id == id
    }

    /// Whether a frame up to this tick is due and has room.
    pub(crate) fn due(&self, through: u32) -> bool {
        let covered = u64::from(through) + 1;
        let interval_over = covered >= u64::from(self.next_tick) + u64::from(self.interval_ticks);
        (interval_over || self.stepped_back(through)) && self.waiting.len() < WAITING_LIMIT
    }

    /// Whether a frame up to this tick could be cut before it is due.
    pub(crate) fn may_hurry(&self, through: u32) -> bool {
        self.next_tick <= through && self.waiting.len() < WAITING_LIMIT
    }

    /// Whether any tick up to this one is in no frame.
    pub(crate) fn behind(&self, through: u32) -> bool {
        self.next_tick <= through || self.stepped_back(through)
    }

    /// Whether the clock was corrected to well before what is covered.
    fn stepped_back(&self, through: u32) -> bool {
        through.saturating_add(STEP_TICKS) < self.next_tick
    }

    /// How often frames are due.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval_ticks))
    }

    /// How often frames are due, as the control plane wants it.
    pub(crate) fn set_interval(&mut self, interval_us: i64) {
        let ticks = u32::try_from(interval_us.max(0) / 1_000_000).unwrap_or(u32::MAX);
        self.interval_ticks = ticks.clamp(INTERVAL_BOUNDS.0, INTERVAL_BOUNDS.1);
    }

    /// Makes frames of what was drained up to a tick, one per horizon (more if it is large), the last of them up to
    /// that tick. `is_urgent`: they cannot wait for the frames of other agents.
    pub(crate) fn cut(&mut self, measurement: &Measurement, drained: Drained, through: u32, is_urgent: bool) {
        let mut frames = self.frames(measurement, drained, through, usize::MAX);
        for frame in &mut frames {
            frame.urgent = is_urgent;
        }
        self.sequence += frames.len() as u64;
        self.waiting.extend(frames);
        self.next_tick = through.saturating_add(1);
    }

    /// The frames that would be cut, the first of each horizon: whatever is cut later, no frame of one name then holds
    /// what another name has here.
    pub(crate) fn uncut(&self, measurement: &Measurement, counted: Drained, through: u32) -> Vec<v1::Frame> {
        self.frames(measurement, counted, through, 1)
    }

    fn frames(&self, measurement: &Measurement, drained: Drained, through: u32, most: usize) -> Vec<v1::Frame> {
        let first = self.next_tick.max(through.saturating_sub(USEFUL_TICKS)).min(through);
        let mut dropped = drained.unsaid.dropped;
        let mut frames = Vec::new();
        for mut part in parts(measurement, drained.slices, first, through) {
            let cells = std::mem::take(&mut part.cells);
            for cells in wire::frames(cells, &drained.classes).into_iter().take(most) {
                let sequence = self.sequence + 1 + frames.len() as u64;
                frames.push(self.frame(sequence, &part, cells, std::mem::take(&mut dropped)));
            }
        }
        frames
    }

    fn frame(&self, sequence: u64, slice: &Slice, cells: Vec<v1::Cell>, dropped: u64) -> v1::Frame {
        v1::Frame {
            rollout: self.rollout,
            sequence,
            first_tick: slice.first_tick,
            last_tick: slice.last_tick,
            horizon: slice.horizon,
            cells,
            dropped,
            environment: self.environment.clone(),
            urgent: false,
        }
    }

    /// The waiting frames that this stream has not carried, oldest first.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = &v1::Frame> {
        self.waiting.iter().skip(self.sent)
    }

    /// This many more were sent.
    pub(crate) fn mark_sent(&mut self, frames: usize) {
        self.sent = (self.sent + frames).min(self.waiting.len());
    }

    /// Gives up what was sent and not acknowledged; gives its sequences.
    pub(crate) fn abandon_sent(&mut self) -> Vec<u64> {
        let sent = self.waiting.drain(..std::mem::take(&mut self.sent));
        sent.map(|frame| frame.sequence).collect()
    }

    /// A new stream: everything that waits is sent again.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Frames up to this sequence need not be kept.
    pub(crate) fn acked(&mut self, sequence: u64) {
        while self.waiting.front().is_some_and(|frame| frame.sequence <= sequence) {
            self.waiting.pop_front();
            self.sent = self.sent.saturating_sub(1);
        }
    }

    /// Whether the frame of this sequence waits for its ack.
    pub(crate) fn waits_for(&self, sequence: u64) -> bool {
        self.waiting.front().is_some_and(|frame| frame.sequence <= sequence) && sequence <= self.sequence
    }

    /// How many frames wait for their ack.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// What the frames over the ticks `first..=through` hold: the counts of each horizon within its own ticks, and the last
/// one up to `through` even if empty. Counts of a horizon that, as it was learned late, has no such ticks keep theirs;
/// one tick may then be in frames of two horizons.
fn parts(measurement: &Measurement, slices: Vec<Slice>, first: u32, through: u32) -> Vec<Slice> {
    let current = slices
        .last()
        .map_or(1, |slice| slice.horizon)
        .max(measurement.horizon_at(through));
    let mut parts = slices;
    if parts.last().is_none_or(|slice| slice.horizon != current) {
        parts.push(Slice::new(current, through));
    }
    let mut from = first;
    for index in 0..parts.len() {
        let is_last = index + 1 == parts.len();
        let part = &mut parts[index];
        // Horizon h + 1 begins at index h.
        let next_begins = measurement
            .horizon_starts
            .get(part.horizon as usize)
            .copied()
            .unwrap_or(u32::MAX);
        let until = if is_last {
            through
        } else {
            next_begins.saturating_sub(1).max(part.last_tick).min(through)
        };
        part.first_tick = part
            .first_tick
            .min(from.max(begins(measurement, part.horizon)).min(until));
        part.last_tick = until.max(part.first_tick);
        from = part.last_tick.saturating_add(1);
    }
    parts
}

/// The tick at which a horizon began; 0 for the first.
fn begins(measurement: &Measurement, horizon: u32) -> u32 {
    match horizon {
        0 | 1 => 0,
        later => measurement.horizon_starts.get(later as usize - 1).copied().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
