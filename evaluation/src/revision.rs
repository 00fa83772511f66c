//! Which state of which store: a lineage and a number.
//!
//! Numbers grow within a lineage and say nothing across two of them: a restored store begins a new lineage and may count
//! from anywhere. So revisions have no order of their own; `newer_than` has three answers.

use std::fmt;

/// The life of one store, drawn when it is created or restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lineage(pub u128);

/// One state of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Revision {
    /// The store's life.
    pub lineage: Lineage,
    /// Grows with every write, not always by one.
    pub number: u64,
}

impl Revision {
    /// Whether this revision is later than `other`; none if they are of different lineages.
    pub fn newer_than(self, other: Revision) -> Option<bool> {
        (self.lineage == other.lineage).then_some(self.number > other.number)
    }
}

impl fmt::Display for Lineage {
    /// As 32 hexadecimal digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl fmt::Display for Revision {
    /// The number alone: people compare revisions of one store.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.number, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_of_two_lineages_cannot_be_compared() {
        let revision = |lineage, number| Revision {
            lineage: Lineage(lineage),
            number,
        };
        assert_eq!(revision(1, 5).newer_than(revision(1, 4)), Some(true));
        assert_eq!(revision(1, 5).newer_than(revision(1, 5)), Some(false));
        assert_eq!(revision(2, 5).newer_than(revision(1, 4)), None);
    }
}
