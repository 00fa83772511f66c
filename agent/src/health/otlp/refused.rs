//! What of a message was refused, as its sender is told.

use super::dropped::{Dropped, Tally};

/// What of a message was refused, and why; the rest was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// How many spans, records or points.
    pub(crate) count: i64,
    /// Why; empty if none was.
    pub(crate) why: String,
}

/// Counts the spans or records of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    limit: usize,
    read: usize,
    surplus: u64,
    malformed: u64,
}

impl Counted {
    /// So many may be read.
    pub(super) fn up_to(limit: usize) -> Self {
        Self {
            limit,
            read: 0,
            surplus: 0,
            malformed: 0,
        }
    }

    /// Whether one more may be read.
    pub(super) fn one_more(&mut self) -> bool {
        let may = self.read < self.limit;
        self.read += usize::from(may);
        self.surplus += u64::from(!may);
        may
    }

    /// One could not be read.
    pub(super) fn malformed(&mut self) {
        self.malformed += 1;
    }

    /// What is told; `what` in the plural.
    pub(super) fn refused(self, what: &str, tally: &mut Tally) -> Refused {
        tally.drop(Dropped::TooMany, self.surplus);
        tally.drop(Dropped::Malformed, self.malformed);
        let surplus = || format!("more than {} {what} in one message", self.limit);
        let malformed = || {
            format!(
                "{} {what} without a trace id of 16 and a span id of 8 bytes",
                self.malformed
            )
        };
        let why = match (self.surplus > 0, self.malformed > 0) {
            (false, false) => String::new(),
            (true, false) => surplus(),
            (false, true) => malformed(),
            (true, true) => format!("{}, and {}", surplus(), malformed()),
        };
        Refused {
            count: i64::try_from(self.surplus + self.malformed).unwrap_or(i64::MAX),
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_and_what_is_malformed_is_told_apart() {
        let mut counted = Counted::up_to(2);
        assert_eq!(counted.refused("spans", &mut Tally::default()), Refused::default());
        assert_eq!([(); 5].map(|()| counted.one_more()), [true, true, false, false, false]);
        counted.malformed();
        let mut tally = Tally::default();
        let refused = counted.refused("spans", &mut tally);
        assert_eq!(refused.count, 4);
        assert!(refused.why.contains("more than 2 spans") && refused.why.contains("1 spans without"));
        assert_eq!(tally.dropped, [(Dropped::TooMany, 3), (Dropped::Malformed, 1)].into());
    }
}
