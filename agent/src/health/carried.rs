//! Which frames the messages of one stream carried, so that a refusal can be traced to its rollouts.
//!
//! The control plane names a malformed frame by its place in a message, and does not say in which message. Those of
//! which any frame still waits for its ack are remembered; the refused one is among them, so the rollouts that stand at
//! that place in any of them are the suspects. Mostly that is one: messages hold the same rollouts in the same order.

use std::collections::{BTreeSet, VecDeque};

use proto::v1;
use tonic::Status;
use tonic_types::StatusExt as _;

/// A frame by its rollout and sequence.
pub(crate) type FrameName = (u32, u64);

/// The messages of a stream, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Carried(VecDeque<Vec<FrameName>>);

impl Carried {
    /// A new stream has carried nothing.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// One more message; forgets the oldest while none of their frames waits.
    pub(crate) fn add(&mut self, frames: &[v1::Frame], waits: impl Fn(FrameName) -> bool) {
        while self
            .0
            .front()
            .is_some_and(|oldest| !oldest.iter().any(|frame| waits(*frame)))
        {
            self.0.pop_front();
        }
        self.0
            .push_back(frames.iter().map(|frame| (frame.rollout, frame.sequence)).collect());
    }

    /// The rollouts whose waiting frames a refusal may mean; none if it names no frame.
    pub(crate) fn suspects(&self, refusal: &Status, waits: impl Fn(FrameName) -> bool) -> BTreeSet<u32> {
        let violations = refusal
            .get_details_bad_request()
            .map(|details| details.field_violations)
            .unwrap_or_default();
        let places: BTreeSet<usize> = violations
            .iter()
            .filter_map(|violation| place(&violation.field))
            .collect();
        self.0
            .iter()
            .flat_map(|message| places.iter().filter_map(|place| message.get(*place)))
            .filter(|frame| waits(**frame))
            .map(|(rollout, _)| *rollout)
            .collect()
    }
}

/// The place that `frames[3].cells[0]` speaks of.
fn place(field: &str) -> Option<usize> {
    let (place, _) = field.strip_prefix("frames[")?.split_once(']')?;
    place.parse().ok()
}

#[cfg(test)]
mod tests {
    use proto::status::{invalid, violation};

    use super::*;

    fn frame((rollout, sequence): FrameName) -> v1::Frame {
        v1::Frame {
            rollout,
            sequence,
            ..v1::Frame::default()
        }
    }

    fn carried(messages: &[&[FrameName]]) -> Carried {
        let mut carried = Carried::default();
        for message in messages {
            let frames: Vec<_> = message.iter().copied().map(frame).collect();
            carried.add(&frames, |_| true);
        }
        carried
    }

    #[test]
    fn the_place_of_a_frame_leads_to_its_rollout() {
        let carried = carried(&[&[(1, 1), (2, 1), (3, 1)], &[(1, 2), (2, 2), (4, 1)]]);
        let refusal = invalid(&[
            violation("frames[1].horizon", "a"),
            violation("frames[2].cells[0]", "b"),
        ]);
        assert_eq!(carried.suspects(&refusal, |_| true), [2, 3, 4].into());
        assert_eq!(carried.suspects(&refusal, |frame| frame != (3, 1)), [2, 4].into());
    }

    #[test]
    fn a_refusal_that_names_no_frame_accuses_nobody() {
        let carried = carried(&[&[(1, 1)]]);
        for field in ["agent", "frames[1].horizon", "frames[x]", "frames[0", "frames[-1]"] {
            assert!(
                carried
                    .suspects(&invalid(&[violation(field, "wrong")]), |_| true)
                    .is_empty(),
                "{field}"
            );
        }
        let bare = Status::invalid_argument("frames[0]: wrong");
        assert!(carried.suspects(&bare, |_| true).is_empty());
    }

    #[test]
    fn messages_are_forgotten_when_all_their_frames_are_acknowledged() {
        let mut carried = carried(&[&[(1, 1), (2, 1)], &[(1, 2)]]);
        carried.add(&[frame((1, 3))], |waiting| waiting != (1, 1));
        assert_eq!(carried.0.len(), 3);
        carried.add(&[frame((1, 4))], |(_, sequence)| sequence > 2);
        assert_eq!(carried.0.len(), 2);
    }
}
