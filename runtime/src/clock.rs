//! The wall clock, read in one place and never going backwards.
//!
//! Dwell times, horizons and ticks are computed from this clock, so a step backwards (someone sets the time, NTP
//! corrects it) must neither move them back nor freeze them. Rule: the answer is the monotonic clock plus the largest
//! distance to the wall clock that this process has seen. A step forward is followed at once; after a step backwards
//! time goes on at its normal pace, ahead of the wall clock, until the process restarts. Clamping to the last answer
//! was tempting and would have frozen every dwell for as long as the step was large.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The largest distance seen between the wall clock and the time since [`START`], in microseconds.
static OFFSET_US: AtomicI64 = AtomicI64::new(i64::MIN);

/// The monotonic zero of this process: the first time anyone asked.
static START: OnceLock<Instant> = OnceLock::new();

/// Microseconds since 1970 UTC; never smaller than an earlier answer within this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now_us() -> i64 {
    let start = *START.get_or_init(Instant::now);
    // The wall clock first: being descheduled between the two reads then makes the distance smaller, which the
    // maximum forgets, and never larger, which it would keep.
    let wall_us = wall_us(SystemTime::now());
    let elapsed_us = i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX);
    advance(&OFFSET_US, wall_us, elapsed_us)
}

/// The rule of this file as a function of its inputs; both times in microseconds.
fn advance(offset: &AtomicI64, wall_us: i64, elapsed_us: i64) -> i64 {
    let seen = wall_us.saturating_sub(elapsed_us);
    // Nearly always there is nothing to write, and what all threads write they wait for.
    let largest = match offset.load(Ordering::Acquire) {
        largest if largest >= seen => largest,
        _ => offset.fetch_max(seen, Ordering::AcqRel).max(seen),
    };
    largest.saturating_add(elapsed_us)
}

/// Microseconds since 1970 UTC, negative before it.
fn wall_us(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn a_step_backwards_neither_moves_time_back_nor_freezes_it() {
        let offset = AtomicI64::new(i64::MIN);
        assert_eq!(advance(&offset, 1_000_000, 0), 1_000_000);
        assert_eq!(advance(&offset, 400_000, 100), 1_000_100);
        assert_eq!(advance(&offset, 400_050, 150), 1_000_150);
    }

    #[test]
    fn a_step_forward_is_followed_at_once() {
        let offset = AtomicI64::new(i64::MIN);
        assert_eq!(advance(&offset, 1_000_000, 0), 1_000_000);
        assert_eq!(advance(&offset, 9_000_000, 10), 9_000_000);
    }

    #[test]
    fn times_before_1970_are_negative() {
        assert_eq!(wall_us(UNIX_EPOCH - Duration::from_micros(7)), -7);
        assert_eq!(wall_us(UNIX_EPOCH + Duration::from_micros(7)), 7);
    }

    #[test]
    fn the_real_clock_never_goes_backwards() {
        let mut last = now_us();
        for _ in 0..10_000 {
            let now = now_us();
            assert!(now >= last);
            last = now;
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_steps_makes_time_go_backwards(walls in prop::collection::vec(-1_000_000_i64..1_000_000, 1..50)) {
            let offset = AtomicI64::new(i64::MIN);
            let answers: Vec<i64> =
                walls.iter().zip(0..).map(|(wall, elapsed)| advance(&offset, *wall, elapsed)).collect();
            prop_assert!(answers.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
