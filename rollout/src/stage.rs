//! A stage: a share of an audience, held for a dwell time, and the gate at its end.
//!
//! The share is kept per 100,000, as buckets are, so that "1.25 %" is exact and no float ever decides who is exposed.

use std::fmt;

use crate::{Micros, calendar::Window, criterion::Criterion, duration::Dwell, gate::Outcome, gate::Policy};

/// A share of units, 0..=100,000 per 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Share(u32);

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Unique within the plan; a key.
    pub name: String,
    /// Segments, any of which a unit must be in; empty: everybody.
    pub audience: Vec<String>,
    /// The share of the audience that gets the treatment in this stage.
    pub share: Share,
    /// Units are assigned and reported, and get the control all the same.
    pub shadow: bool,
    /// How long the treatment must soak before the gate is asked.
    pub dwell: Dwell,
    /// All must hold to proceed.
    pub success: Vec<Criterion>,
    /// Any of them rolls back.
    pub rollback: Vec<Criterion>,
    /// What decides that the stage may be left.
    pub policy: Policy,
    /// What may come of the gate; empty: anything.
    pub outcomes: Vec<Outcome>,
    /// How often the gate may extend the dwell by itself.
    pub max_extensions: u32,
    /// By how much; none: by the dwell.
    pub extension_us: Option<Micros>,
    /// Approvals that the gate needs.
    pub approvals: u32,
    /// Items that must be ticked before the gate opens, by name.
    pub checklist: Vec<String>,
    /// Whether somebody must be on call.
    pub on_call_required: bool,
    /// When its gate may open, within the plan's windows; empty: whenever they allow.
    pub windows: Vec<Window>,
    /// Outcomes that the gate needs in each arm of this visit; 100 by default. Zero is read as one: silence never promotes.
    pub minimum_outcomes: u64,
    /// Units that the gate needs in each arm of this visit; 3 by default. Zero is read as one.
    pub minimum_units: u64,
}

impl Share {
    /// Nobody.
    pub const NONE: Share = Share(0);
    /// Everybody.
    pub const ALL: Share = Share(100_000);

    /// A share of `per_100_000`; `None` above 100,000.
    pub fn new(per_100_000: u32) -> Option<Share> {
        (per_100_000 <= Share::ALL.0).then_some(Share(per_100_000))
    }

    /// Per 100,000.
    pub fn get(self) -> u32 {
        self.0
    }

    /// As a fraction, 0..=1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Share::ALL.0)
    }

    /// Whether both arms have units, so that treatment can be compared with a live control.
    pub fn is_compared(self) -> bool {
        self > Share::NONE && self < Share::ALL
    }

    /// What is left without another share; nobody at least.
    pub fn less(self, other: Share) -> Share {
        Share(self.0.saturating_sub(other.0))
    }
}

/// In percent, without a sign: `0.5`, `10`, `33.333`.
impl fmt::Display for Share {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, thousandths) = (self.0 / 1_000, self.0 % 1_000);
        if thousandths == 0 {
            return write!(out, "{whole}");
        }
        let digits = format!("{thousandths:03}");
        write!(out, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Stage {
    /// Outcomes a gate needs in each arm unless a plan says otherwise.
    pub const DEFAULT_MINIMUM_OUTCOMES: u64 = 100;
    /// Units a gate needs in each arm unless a plan says otherwise.
    pub const DEFAULT_MINIMUM_UNITS: u64 = 3;

    /// A stage for everybody with every default.
    pub fn new(name: impl Into<String>, share: Share, dwell: Dwell) -> Self {
        Self {
            name: name.into(),
            audience: Vec::new(),
            share,
            shadow: false,
            dwell,
            success: Vec::new(),
            rollback: Vec::new(),
            policy: Policy::NoHarm,
            outcomes: Vec::new(),
            max_extensions: 0,
            extension_us: None,
            approvals: 0,
            checklist: Vec::new(),
            on_call_required: false,
            windows: Vec::new(),
            minimum_outcomes: Self::DEFAULT_MINIMUM_OUTCOMES,
            minimum_units: Self::DEFAULT_MINIMUM_UNITS,
        }
    }

    /// Whether an outcome may come of its gate.
    pub fn allows(&self, outcome: Outcome) -> bool {
        self.outcomes.is_empty() || self.outcomes.contains(&outcome)
    }

    /// By how much an extension lengthens the dwell.
    pub fn extension(&self) -> Micros {
        self.extension_us.unwrap_or_else(|| self.dwell.planned_us().max(1))
    }

    /// Whether it can only be left on what was heard from its units.
    pub fn needs_data(&self) -> bool {
        self.policy != Policy::Dwell
            && (self.share.is_compared() || (self.share == Share::ALL && self.dwell.planned_us() > 0))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_share_never_exceeds_everybody() {
        assert_eq!(Share::new(100_000), Some(Share::ALL));
        assert_eq!(Share::new(100_001), None);
    }

    #[test]
    fn only_a_share_with_units_in_both_arms_is_compared() {
        assert!(!Share::NONE.is_compared());
        assert!(Share::new(1).unwrap().is_compared());
        assert!(Share::new(99_999).unwrap().is_compared());
        assert!(!Share::ALL.is_compared());
        assert_eq!(Share::new(5_000).unwrap().fraction(), 0.05);
    }

    #[test]
    fn a_share_reads_in_percent() {
        for (per_100_000, expected) in [
            (0, "0"),
            (500, "0.5"),
            (1_250, "1.25"),
            (33_333, "33.333"),
            (100_000, "100"),
        ] {
            assert_eq!(Share::new(per_100_000).unwrap().to_string(), expected);
        }
    }
}
