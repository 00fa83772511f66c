//! When a delivery that failed is tried again, and when it is given up.
//!
//! The waits are those that Standard Webhooks proposes, from five seconds to a day, each drawn within a fifth of it so
//! that what failed together does not come back together. An event is tried for 76 hours after it began to wait, the last
//! time at their end, and at least once: one that waited for its turn for days is sent when it has come.

use std::time::Duration;

use jiff::fmt::rfc2822;

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;
const HOUR_US: i64 = 60 * MINUTE_US;
/// How far a wait may be from its middle.
const JITTER: f64 = 0.2;

/// How patient deliveries are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long an answer may take.
    pub(crate) answer: Duration,
    /// The waits after the first failure, the second, and so on; the last one is repeated. Microseconds.
    pub(crate) waits_us: &'static [i64],
    /// For how long an event is tried. Microseconds.
    pub(crate) kept_us: i64,
    /// The longest rest that a receiver may ask for. Microseconds.
    pub(crate) rest_us: i64,
    /// Events that may be under way to one webhook at once, each of another rollout.
    pub(crate) in_flight: usize,
    /// Events that may wait for one webhook.
    pub(crate) waiting: usize,
}

impl Patience {
    /// What is served.
    pub(crate) const STANDARD: Self = Self {
        answer: Duration::from_secs(15),
        waits_us: &[
            5 * SECOND_US,
            5 * MINUTE_US,
            30 * MINUTE_US,
            2 * HOUR_US,
            5 * HOUR_US,
            10 * HOUR_US,
            14 * HOUR_US,
            20 * HOUR_US,
            24 * HOUR_US,
        ],
        kept_us: 76 * HOUR_US,
        rest_us: HOUR_US,
        in_flight: 4,
        waiting: 10_000,
    };

    /// When an event is tried again that has failed so often and waits since then; none: it is given up. `drawn` is a
    /// number from 0 to 1.
    pub(crate) fn next(&self, failures: u32, queued_at_us: i64, now_us: i64, drawn: f64) -> Option<i64> {
        let until_us = queued_at_us.saturating_add(self.kept_us);
        if now_us >= until_us {
            return None;
        }
        let step = (failures.max(1) as usize - 1).min(self.waits_us.len().saturating_sub(1));
        let wait_us = self.waits_us.get(step).copied().unwrap_or(0);
        let factor = 1.0 - JITTER + 2.0 * JITTER * drawn.clamp(0.0, 1.0);
        let wait_us = (wait_us as f64 * factor) as i64;
        Some(now_us.saturating_add(wait_us).min(until_us))
    }

    /// Whether an event has waited for as long as one is kept.
    pub(crate) fn is_over(&self, queued_at_us: i64, now_us: i64) -> bool {
        now_us >= queued_at_us.saturating_add(self.kept_us)
    }

    /// Until when a receiver rests that has said `Retry-After`, in seconds or as a date; none: it said nothing of use.
    pub(crate) fn rest(&self, said: &str, now_us: i64) -> Option<i64> {
        let said = said.trim();
        let until_us = match said.parse::<u32>() {
            Ok(seconds) => now_us.saturating_add(i64::from(seconds) * SECOND_US),
            Err(_) => rfc2822::parse(said).ok()?.timestamp().as_microsecond(),
        };
        (until_us > now_us).then(|| until_us.min(now_us.saturating_add(self.rest_us)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience::STANDARD;

    #[test]
    fn a_delivery_is_tried_for_about_three_days_and_the_last_time_at_their_end() {
        let (mut now_us, mut failures, mut times) = (0, 1, Vec::new());
        while let Some(next_us) = PATIENCE.next(failures, 0, now_us, 0.5) {
            assert!(next_us > now_us);
            times.push(next_us);
            (now_us, failures) = (next_us, failures + 1);
        }
        assert_eq!(times[..3], [5 * SECOND_US, 305 * SECOND_US, 2_105 * SECOND_US]);
        assert_eq!(times.last(), Some(&PATIENCE.kept_us));
        assert_eq!(times.len(), 10);
    }

    #[test]
    fn one_that_waited_for_its_turn_for_too_long_is_tried_once() {
        let late_us = PATIENCE.kept_us + 1;
        assert!(PATIENCE.is_over(0, late_us));
        assert_eq!(PATIENCE.next(1, 0, late_us, 0.5), None);
        assert!(!PATIENCE.is_over(0, PATIENCE.kept_us - 1));
    }

    #[test]
    fn a_receiver_may_ask_for_a_rest_of_an_hour_at_most() {
        let now_us = 784_111_777 * SECOND_US;
        let rest = |said: &str| {
            PATIENCE
                .rest(said, now_us)
                .map(|until_us| (until_us - now_us) / SECOND_US)
        };
        assert_eq!(rest("120"), Some(120));
        assert_eq!(rest(" 120 "), Some(120));
        assert_eq!(rest("4294967295"), Some(3_600));
        assert_eq!(rest("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(rest("Sat, 06 Nov 2094 08:51:37 GMT"), Some(3_600));
        for nothing in [
            "",
            "0",
            "-5",
            "soon",
            "1.5",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "99999999999999999999",
        ] {
            assert_eq!(rest(nothing), None, "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn any_wait_is_near_its_middle_and_never_beyond_the_end(
            failures in 1_u32..40, queued_us in 0_i64..1_000_000_000_000, later_us in 0_i64..200_000_000_000, drawn in 0.0..=1.0_f64,
        ) {
            let now_us = queued_us + later_us;
            let until_us = queued_us + PATIENCE.kept_us;
            let middle_us = PATIENCE.waits_us[(failures as usize - 1).min(PATIENCE.waits_us.len() - 1)];
            let next_us = PATIENCE.next(failures, queued_us, now_us, drawn).unwrap();
            prop_assert!(next_us <= until_us);
            prop_assert!(next_us - now_us <= middle_us * 12 / 10 + 1);
            prop_assert!(next_us == until_us || next_us - now_us >= middle_us * 8 / 10 - 1);
        }
    }
}
