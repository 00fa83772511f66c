//! Whether counts are so bad that their frame is urgent: cut before it is due, and sealed without waiting for the
//! fleet.
//!
//! Frames are due each ten seconds most of the time, and a treatment that fails plainly must not wait for that. It
//! decides nothing but when counts are told and looked at: too many urgent frames cost a little traffic and a batch, at
//! most one a second, and evidence does not depend on when it is told.

use super::slice::Counts;

/// Fewer failures may be anything.
const LEAST_BAD: u64 = 3;
/// Plainly worse is so many times the control's rate.
const TIMES: u128 = 3;

/// How one arm did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Outcomes and the lost.
    settled: u64,
    /// Failures and the lost.
    bad: u64,
}

impl Share {
    /// Adds a cell of the arm.
    pub(crate) fn add(&mut self, counts: &Counts) {
        self.settled += counts.outcomes + counts.lost;
        self.bad += counts.bad;
    }
}

/// Whether the treatment does plainly worse: three times as bad as the control, which is taken to have one failure more
/// than it has, or without outcomes of a control bad in more than half.
pub(crate) fn plainly_worse(treatment: Share, control: Share) -> bool {
    if treatment.bad < LEAST_BAD {
        return false;
    }
    if control.settled == 0 {
        return treatment.bad > treatment.settled / 2;
    }
    let wide = u128::from;
    let (treated, controlled) = (wide(treatment.settled), wide(control.settled));
    wide(treatment.bad) * controlled > TIMES * (wide(control.bad) + 1) * treated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(settled: u64, bad: u64) -> Share {
        Share { settled, bad }
    }

    #[test]
    fn a_treatment_that_fails_where_the_control_works_is_plainly_worse() {
        assert!(plainly_worse(share(50, 50), share(950, 8)));
        assert!(plainly_worse(share(50, 3), share(950, 8)));
        assert!(plainly_worse(share(3, 3), share(100, 0)));
        assert!(plainly_worse(share(u64::MAX, u64::MAX), share(u64::MAX, 1)));
    }

    #[test]
    fn what_may_be_chance_or_is_shared_is_not() {
        for (treatment, control) in [
            (share(2, 2), share(1_000, 0)),
            (share(50, 2), share(950, 8)),
            (share(50, 25), share(950, 475)),
            (share(50, 50), share(950, 950)),
            (share(3, 3), share(3, 0)),
            (share(0, 0), share(0, 0)),
        ] {
            assert!(!plainly_worse(treatment, control), "{treatment:?} {control:?}");
        }
    }

    #[test]
    fn without_a_control_most_must_fail() {
        assert!(plainly_worse(share(100, 51), share(0, 0)));
        assert!(!plainly_worse(share(100, 50), share(0, 0)));
    }
}
