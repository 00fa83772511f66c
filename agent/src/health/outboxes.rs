//! The outboxes of all measured rollouts: when each is cut, and what the next message carries.
//!
//! Follows the snapshot: a rollout that is measured has an outbox, one that is no longer keeps it until its last frame
//! is durable. Frames are cut when they are due, and before that for a rollout whose treatment does plainly worse, at
//! most one in a second, because a frame covers whole ticks. Knows no stream and no clock; `reporter` has both.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use evaluation::{Measurement, Snapshot, SplittingUnit};
use prost::Message as _;
use proto::{tick, v1};

use super::{
    carried::FrameName,
    counters::Counters,
    frame::Outbox,
    hurry::plainly_worse,
    spool::{Kept, Spool, left::ToSend},
};
use crate::{metrics, server_clock::Moment};

/// The most frames of a message.
const FRAMES: usize = 256;
/// The most bytes of frames of a message, the last one excepted.
const FRAMES_BYTES: usize = 1024 * 1024;

/// Which frames are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Those that are due, or urgent, up to the last tick that has ended.
    Due,
    /// All that there is, the present tick included: nothing will be counted any more.
    Rest,
    /// The same, where anything was counted: nobody is told any more, so an empty frame says nothing.
    Counts,
}

/// Outboxes by rollout.
#[derive(Debug)]
pub(crate) struct Outboxes {
    environment: String,
    boxes: BTreeMap<u32, Outbox>,
    spool: Spool,
}

impl Outboxes {
    /// None yet; frames will be of this environment, and kept here until they are durable.
    pub(crate) fn new(environment: &str, spool: Spool) -> Self {
        Self {
            environment: environment.to_owned(),
            boxes: BTreeMap::new(),
            spool,
        }
    }

    /// What a former process left.
    pub(crate) fn of_former(left: Vec<ToSend>) -> Self {
        let boxes = left.into_iter().map(|left| {
            let outbox = Outbox::of_former((left.rollout, left.id), left.frames);
            (left.rollout, outbox)
        });
        Self {
            boxes: boxes.collect(),
            ..Self::new("", Spool::none())
        }
    }

    /// Whether anything is kept on disk.
    pub(crate) fn spools(&self) -> bool {
        self.spool.is_on()
    }

    /// Opens outboxes of rollouts that are measured now, and closes those of rollouts that are no longer. Says whether
    /// an index means another rollout than before: an ack on an open stream would be of the other's frames.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot, tick: u32) -> bool {
        let measured: HashMap<u32, u128> = snapshot
            .measurements()
            .map(|measurement| (measurement.rollout, measurement.id))
            .collect();
        let mut replaced = false;
        self.boxes.retain(|rollout, outbox| {
            let stays = match measured.get(rollout) {
                Some(id) => {
                    replaced |= !outbox.is_of(*id);
                    outbox.is_of(*id)
                }
                None => outbox.waiting() > 0,
            };
            if !stays {
                self.spool.forget(*rollout, u64::MAX);
            }
            stays
        });
        for rollout in measured {
            self.boxes
                .entry(rollout.0)
                .or_insert_with(|| Outbox::new(rollout, &self.environment, tick));
        }
        replaced
    }

    /// Cuts frames of what was counted until now.
    pub(crate) fn cut(&mut self, snapshot: &Snapshot, counters: &Counters, now: Moment, which: Cut) {
        let through = match which {
            Cut::Due => now.tick().saturating_sub(1),
            Cut::Rest | Cut::Counts => now.tick(),
        };
        for (rollout, outbox) in &mut self.boxes {
            let Some(measurement) = snapshot.measurement(*rollout).filter(|found| outbox.is_of(found.id)) else {
                continue;
            };
            // What is found lost now belongs to the last tick that is told.
            let found = Moment {
                time_us: tick::begins_us(through),
                ..now
            };
            counters.find_lost(measurement, found);
            let is_urgent = which == Cut::Due && outbox.may_hurry(through) && is_urgent(measurement, counters, through);
            let is_time = match which {
                Cut::Due => outbox.due(through),
                Cut::Rest => outbox.behind(through),
                Cut::Counts => !counters.peek(measurement).is_empty(),
            };
            if !is_time && !is_urgent {
                continue;
            }
            if !is_time {
                metrics::frame_hurried();
            }
            let drained = counters.drain(measurement, through);
            show_unwatched(measurement, drained.unsaid.unwatched);
            let before = outbox.sequence();
            outbox.cut(measurement, drained, through, is_urgent);
            for frame in outbox.since(before) {
                self.spool.cut(outbox.id(), frame);
            }
        }
    }

    /// Keeps on disk what would be cut at this tick, and leaves it where it is.
    pub(crate) fn keep(&self, snapshot: &Snapshot, counters: &Counters, tick: u32) {
        let mut open = Vec::new();
        for (rollout, outbox) in &self.boxes {
            let Some(measurement) = snapshot.measurement(*rollout).filter(|found| outbox.is_of(found.id)) else {
                continue;
            };
            let counted = counters.peek(measurement);
            if counted.is_empty() {
                continue;
            }
            // Nothing is claimed of ticks without counts, so that what does not change is written once.
            let through = counted.slices.iter().map(|slice| slice.last_tick).max().unwrap_or(tick);
            let frames = outbox.uncut(measurement, counted, through);
            open.extend(frames.into_iter().map(|frame| Kept { id: outbox.id(), frame }));
        }
        self.spool.open(open);
    }

    /// The frames of the next message, which count as sent from now on; none if there is nothing to send.
    pub(crate) fn take_unsent(&mut self) -> Vec<v1::Frame> {
        let mut frames = Vec::new();
        let mut bytes = 0;
        for outbox in self.boxes.values_mut() {
            let before = frames.len();
            for frame in outbox.unsent() {
                if frames.len() == FRAMES || bytes > FRAMES_BYTES {
                    break;
                }
                bytes += frame.encoded_len();
                frames.push(frame.clone());
            }
            outbox.mark_sent(frames.len() - before);
        }
        frames
    }

    /// A new stream: everything that waits is sent again.
    pub(crate) fn rewind(&mut self) {
        for outbox in self.boxes.values_mut() {
            outbox.rewind();
        }
    }

    /// Gives up what was sent and not acknowledged of these rollouts; of all if none is named. Says how many frames.
    pub(crate) fn abandon(&mut self, suspects: &BTreeSet<u32>) -> usize {
        let mut frames = 0;
        for (rollout, outbox) in &mut self.boxes {
            if !suspects.is_empty() && !suspects.contains(rollout) {
                continue;
            }
            let abandoned = outbox.abandon_sent();
            frames += abandoned.len();
            if let Some(last) = abandoned.last() {
                self.spool.forget(*rollout, *last);
            }
        }
        frames
    }

    /// Takes what the control plane says. `snapshot` is the one in use: frames of a rollout that it does not measure
    /// are of one that ended, and nobody misses them.
    pub(crate) fn hear(&mut self, response: v1::ReportResponse, snapshot: &Snapshot) {
        for ack in response.acks {
            if !ack.refused.is_empty() {
                show_refused(&ack, snapshot);
            }
            if let Some(outbox) = self.boxes.get_mut(&ack.rollout) {
                outbox.acked(ack.sequence);
                self.spool.forget(ack.rollout, ack.sequence);
            }
        }
        for interval in response.intervals {
            if let Some(outbox) = self.boxes.get_mut(&interval.rollout) {
                outbox.set_interval(interval.interval_us);
            }
        }
    }

    /// Whether a frame waits for its ack.
    pub(crate) fn waits(&self, (rollout, sequence): FrameName) -> bool {
        self.boxes
            .get(&rollout)
            .is_some_and(|outbox| outbox.waits_for(sequence))
    }

    /// How many frames wait for their ack.
    pub(crate) fn waiting(&self) -> usize {
        self.boxes.values().map(Outbox::waiting).sum()
    }

    /// Whether there is no rollout to report of.
    pub(crate) fn is_empty(&self) -> bool {
        self.boxes.is_empty()
    }

    /// The longest interval of any rollout.
    pub(crate) fn interval(&self) -> Duration {
        self.boxes.values().map(Outbox::interval).max().unwrap_or_default()
    }
}

/// Whether what is counted cannot wait. Where requests are split it always can: the test of a batch of requests holds
/// for batches that end at their time, and not for such as end when they look bad (ADR 31).
fn is_urgent(measurement: &Measurement, counters: &Counters, through: u32) -> bool {
    if measurement.unit == SplittingUnit::Request {
        return false;
    }
    let (treatment, control) = counters.undrained(measurement, through);
    plainly_worse(treatment, control)
}

fn show_refused(ack: &v1::FrameAck, snapshot: &Snapshot) {
    let v1::FrameAck {
        rollout,
        sequence,
        refused: reason,
    } = ack;
    if snapshot.measurement(*rollout).is_none() {
        tracing::info!(
            rollout,
            sequence,
            reason,
            "frames of a rollout that ended are not wanted"
        );
        return;
    }
    tracing::warn!(rollout, sequence, reason, "frames refused for good");
    metrics::frames_refused(1);
}

fn show_unwatched(measurement: &Measurement, exposures: u64) {
    if exposures > 0 {
        metrics::unwatched(exposures);
        tracing::warn!(
            rollout = measurement.rollout,
            flag = %measurement.flag,
            exposures,
            "too many outcomes are awaited; these exposures will not be found lost"
        );
    }
}

#[cfg(test)]
mod tests;
