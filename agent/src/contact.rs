//! When the control plane was last heard of: what makes an answer stale.
//!
//! Owns one time. An agent that has heard nothing yet counts from its start, because it cannot know how old the copy on
//! its disk is; a snapshot never stops being served for its age, it only says so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use runtime::clock::now_us;

/// A shared handle to the last sign of life of the control plane.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    heard_us: Arc<AtomicI64>,
}

impl Contact {
    /// Counts from now.
    pub(crate) fn new() -> Self {
        Self {
            heard_us: Arc::new(AtomicI64::new(now_us())),
        }
    }

    /// The control plane has just been heard.
    pub(crate) fn heard(&self) {
        self.heard_us.store(now_us(), Ordering::Relaxed);
    }

    /// As if it had last been heard so much earlier.
    #[cfg(test)]
    pub(crate) fn forget(&self, earlier: Duration) {
        let earlier_us = i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX);
        self.heard_us.fetch_sub(earlier_us, Ordering::Relaxed);
    }

    /// For how long it has been silent.
    pub(crate) fn silence(&self) -> Duration {
        let silent_us = now_us().saturating_sub(self.heard_us.load(Ordering::Relaxed));
        Duration::from_micros(u64::try_from(silent_us).unwrap_or(0))
    }

    /// For how long it has been silent, if that is longer than `limit`.
    pub(crate) fn silence_beyond(&self, limit: Duration) -> Option<Duration> {
        Some(self.silence()).filter(|silence| *silence > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_beyond_the_limit_counts() {
        let contact = Contact::new();
        contact.heard();
        assert_eq!(contact.silence_beyond(Duration::from_secs(3_600)), None);
        contact.forget(Duration::from_secs(7_200));
        assert!(contact.silence_beyond(Duration::from_secs(3_600)).is_some());
        contact.heard();
        assert_eq!(contact.silence_beyond(Duration::from_secs(3_600)), None);
    }
}
