//! One event on its way to one webhook, and what has become of all of them.
//!
//! Its name (`webhook-id`) is made of the webhook and of the event's id, which is made of the rollout, the sequence and
//! what happened: however often it is sent, and by whatever process, a receiver knows it again (guard.md 8.5).

use evaluation::Key;
use twox_hash::XxHash3_128;
use uuid::Uuid;

use crate::events::{Event, position::Position};

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Where the event is in the stream; deliveries of a rollout go in this order.
    pub(crate) position: Position,
    /// The environment that it is of.
    pub(crate) environment: Key,
    /// The rollout that it is about.
    pub(crate) rollout: Uuid,
    /// Its id.
    pub(crate) event_id: String,
    /// The event; its text is let go of when the delivery has ended.
    pub(crate) event: Event,
    /// When it began to wait.
    pub(crate) queued_at_us: i64,
    /// How often it was sent.
    pub(crate) attempts: u32,
    /// When it was last sent; 0: never.
    pub(crate) attempted_at_us: i64,
    /// When it is sent next; 0: as soon as it is its turn.
    pub(crate) due_us: i64,
    /// Status of the last answer; 0: there was none.
    pub(crate) status: u16,
    /// What came of the last attempt, in words.
    pub(crate) answer: String,
    /// How it ended; none: it waits.
    pub(crate) ended: Option<Ended>,
}

/// The end of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Which.
    pub(crate) end: End,
    /// When.
    pub(crate) at_us: i64,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The receiver has taken it.
    Delivered,
    /// It was tried for as long as it is tried.
    GivenUp,
    /// Too many waited.
    Dropped,
}

/// What has become of the deliveries of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Delivered.
    pub(crate) delivered: u64,
    /// Given up.
    pub(crate) given_up: u64,
    /// Dropped.
    pub(crate) dropped: u64,
    /// When one was last delivered; 0: never.
    pub(crate) delivered_at_us: i64,
    /// When an attempt last failed; 0: never.
    pub(crate) failed_at_us: i64,
    /// Why.
    pub(crate) failure: String,
}

impl End {
    /// As series and people name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

impl Tally {
    /// How many have ended, whatever way.
    pub(crate) fn ended(&self) -> u64 {
        self.delivered + self.given_up + self.dropped
    }

    /// Counts one that ended.
    pub(crate) fn count(&mut self, ended: Ended) {
        match ended.end {
            End::Delivered => {
                self.delivered += 1;
                self.delivered_at_us = ended.at_us;
            }
            End::GivenUp => self.given_up += 1,
            End::Dropped => self.dropped += 1,
        }
    }
}

/// The header `webhook-id` of an event for a webhook.
pub(crate) fn message_id(webhook: Uuid, event_id: &str) -> String {
    let mut named = webhook.as_bytes().to_vec();
    named.extend_from_slice(event_id.as_bytes());
    format!("msg_{:032x}", XxHash3_128::oneshot(&named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_by_its_webhook_and_its_event_and_by_nothing_else() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = message_id(one, "r.7.rollout_held");
        assert_eq!(id, message_id(one, "r.7.rollout_held"));
        assert_ne!(id, message_id(other, "r.7.rollout_held"));
        assert_ne!(id, message_id(one, "r.8.rollout_held"));
        // The dot separates what is signed.
        assert!(id.starts_with("msg_") && !id.contains('.'), "{id}");
    }

    #[test]
    fn what_has_ended_is_counted_by_its_end() {
        let mut tally = Tally::default();
        for (at_us, end) in [
            (1, End::Delivered),
            (2, End::GivenUp),
            (3, End::Dropped),
            (4, End::Dropped),
        ] {
            tally.count(Ended { end, at_us });
        }
        assert_eq!((tally.delivered, tally.given_up, tally.dropped), (1, 1, 2));
        assert_eq!((tally.ended(), tally.delivered_at_us), (4, 1));
    }
}
