//! Which callers have reported outcomes of a rollout, and so are expected to report the next.
//!
//! A caller that has never reported may not report at all, and its exposures without an outcome mean nothing. One that
//! reports only a sample, or without naming units, is never watched: nobody could tell what is missing. Read with every
//! exposure, so without a lock; at most 64 callers of a rollout are known, the later ones are not watched.

use std::sync::atomic::{AtomicU64, Ordering};

use super::caller::Caller;

/// Callers of one rollout that are known.
const CALLERS: usize = 64;
/// Set in the place of a caller that cannot be watched; callers are below it.
const BLIND: u64 = 1 << 63;

/// The callers that have reported.
#[derive(Debug)]
pub(crate) struct Reporting([AtomicU64; CALLERS]);

impl Default for Reporting {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; CALLERS])
    }
}

impl Reporting {
    /// The caller has reported an outcome; `complete`: of a unit, and not as one of a sample.
    pub(crate) fn reported(&self, caller: Caller, complete: bool) {
        let wanted = caller.get() | if complete { 0 } else { BLIND };
        for place in &self.0 {
            let mut held = place.load(Ordering::Relaxed);
            if held == 0 {
                held = match place.compare_exchange(0, wanted, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return,
                    Err(other) => other,
                };
            }
            if held & !BLIND == caller.get() {
                if wanted & !held != 0 {
                    place.fetch_or(BLIND, Ordering::Relaxed);
                }
                return;
            }
        }
    }

    /// Whether an exposure of this caller will have an outcome unless something went wrong.
    pub(crate) fn expects(&self, caller: Caller) -> bool {
        self.0
            .iter()
            .map(|place| place.load(Ordering::Relaxed))
            .take_while(|held| *held != 0)
            .any(|held| held == caller.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_reported_is_expected_to() {
        let reporting = Reporting::default();
        let [one, other] = [b"one", b"two"].map(|name: &[u8; 3]| Caller::of(Some(name)));
        assert!(!reporting.expects(one));
        reporting.reported(one, true);
        assert!(reporting.expects(one) && !reporting.expects(other) && !reporting.expects(Caller::ANYBODY));
        reporting.reported(Caller::ANYBODY, true);
        assert!(reporting.expects(one) && reporting.expects(Caller::ANYBODY));
    }

    #[test]
    fn who_reports_in_part_is_not_expected_to_report_the_rest() {
        let reporting = Reporting::default();
        for complete in [true, false, true] {
            reporting.reported(Caller::ANYBODY, complete);
        }
        assert!(!reporting.expects(Caller::ANYBODY));
    }

    #[test]
    fn a_caller_too_many_is_not_watched() {
        let reporting = Reporting::default();
        let named = |number: u32| Caller::of(Some(&number.to_be_bytes()));
        for number in 0..=64 {
            reporting.reported(named(number), true);
        }
        assert!((0..64).all(|number| reporting.expects(named(number))));
        assert!(!reporting.expects(named(64)));
    }
}
