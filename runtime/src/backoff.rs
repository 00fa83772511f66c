//! How long to wait before trying again.
//!
//! Full jitter: a wait is drawn evenly from zero to a ceiling that doubles with each failure up to a cap, so that a
//! fleet that lost its control plane at one moment does not come back at one moment. Formula: M. Brooker, "Exponential
//! Backoff And Jitter", AWS Architecture Blog, 2015. Rule: this only draws durations; the caller sleeps, and selects on
//! draining while it does.

use std::time::Duration;

use rand::Rng;

/// The waits of one retried action.
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// The first wait is at most `base`, no wait is longer than `cap`.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// The wait after one more failure.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless iterator would make every caller unwrap an Option"
    )]
    pub fn next(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        rand::rng().random_range(Duration::ZERO..=ceiling)
    }

    /// The action succeeded: start again at `base`.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// base * 2^failures, at most the cap.
    fn ceiling(&self) -> Duration {
        2_u32
            .checked_pow(self.failures)
            .and_then(|factor| self.base.checked_mul(factor))
            .map_or(self.cap, |wait| wait.min(self.cap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ceiling_doubles_up_to_the_cap_and_starts_again_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(700));
        let mut ceilings = Vec::new();
        for _ in 0..5 {
            ceilings.push(backoff.ceiling().as_millis());
            backoff.next();
        }
        assert_eq!(ceilings, [100, 200, 400, 700, 700]);
        backoff.reset();
        assert_eq!(backoff.ceiling(), Duration::from_millis(100));
    }

    proptest! {
        #[test]
        fn no_wait_is_ever_longer_than_the_cap(base_us in 0..u64::MAX, cap_us in 0..u64::MAX, failures in 0..u32::MAX) {
            let (base, cap) = (Duration::from_micros(base_us), Duration::from_micros(cap_us));
            let mut backoff = Backoff { base, cap, failures };
            prop_assert!(backoff.next() <= cap);
        }
    }

    #[test]
    fn waits_are_spread_over_the_whole_range() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1));
        let waits: Vec<Duration> = (0..400).map(|_| backoff.next()).collect();
        // Each half is missed with probability 2^-400.
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(500)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(500)));
    }
}
