//! What is known about a rollout at one moment: the only thing, beside plan, state and time, that a decision reads.
//!
//! All facts belong to the state that they are given with: counts of the current visit, acks of the share that this
//! state wants. Facts gathered for an earlier state are superseded and must not be used.

use std::collections::BTreeMap;

use crate::{
    EvidenceNumber, HoldReason, Micros, Signal,
    criterion::Estimates,
    guards::{Broken, Examination, Levels},
};

/// The longest time between two looks that counts as seen, while somebody looks every second.
pub const LONGEST_GAP_US: Micros = 5_000_000;

/// What is known at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The abort latch exists: a person, or another replica, has aborted this rollout.
    pub latched: bool,
    /// The flag is killed or disabled: nobody gets the treatment, whatever the stage says.
    pub off: bool,
    /// How far the wanted content has reached the fleet of the flag.
    pub delivery: Delivery,
    /// What the arms have seen in the current visit.
    pub arms: ArmTotals,
    /// The evidence of harm over the whole rollout; none as long as there is none.
    pub evidence: Option<EvidenceNumber>,
    /// What else the guards say.
    pub concerns: Concerns,
    /// Frames of the live agents cover the recent past.
    pub fresh: bool,
    /// A quarter of a position set is used in the current horizon.
    pub positions_full: bool,
    /// This is the first evaluation of a new leader: what lies between it and the last one was seen by nobody. Of an abort:
    /// agents that had the treatment may not all be back.
    pub resumed: bool,
    /// What comparisons read in the current visit, by [`crate::measure::subject`]. What is not here has no data.
    pub measures: BTreeMap<String, Measure>,
    /// What the conditions of the kill switch read of the last minutes, by [`crate::measure::subject`].
    pub recent: BTreeMap<String, Measure>,
    /// Levels that were read from outside, with their last readings.
    pub levels: Levels,
    /// Whether the stage's criteria are proved to hold (guard.md 6); none: nothing is known yet.
    pub certified: Option<bool>,
    /// The names of the items that checks have found done.
    pub checked: Vec<String>,
    /// The longest gap since the last look that counts as seen: [`LONGEST_GAP_US`] unless time is virtual.
    pub longest_gap_us: Micros,
}

/// What the guards say beside the evidence of those that may abort.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Concerns {
    /// The evidence of guards that may warn.
    pub warn: Option<EvidenceNumber>,
    /// The evidence of guards that may hold.
    pub hold: Option<EvidenceNumber>,
    /// The first guard that aborts without evidence.
    pub rule: Option<Broken>,
    /// Reasons to hold, the gravest first.
    pub holds: Vec<HoldReason>,
    /// A guard's estimate is beyond its limit, on too little data to believe it.
    pub is_early: bool,
    /// The evidence number of each guard by itself, from the warn level on.
    pub numbers: Vec<EvidenceNumber>,
    /// Who raises what holds without evidence, and who is early: what a person may dismiss, one by one.
    pub signals: Vec<Signal>,
}

impl From<Examination> for Concerns {
    fn from(found: Examination) -> Self {
        Self {
            warn: found.standing.warn,
            hold: found.standing.hold,
            rule: found.rule,
            holds: found.holds,
            is_early: found.is_early,
            numbers: found.numbers,
            signals: found.signals,
        }
    }
}

/// What is known of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measure {
    /// By arm, and before.
    pub estimates: Estimates,
    /// Outcomes of treatment that the estimate rests on.
    pub outcomes: u64,
    /// Units of treatment that it rests on.
    pub units: u64,
}

/// Nothing is known: no agent, no data, no evidence.
impl Default for Facts {
    fn default() -> Self {
        Self {
            latched: false,
            off: false,
            delivery: Delivery::default(),
            arms: ArmTotals::default(),
            evidence: None,
            concerns: Concerns::default(),
            fresh: false,
            positions_full: false,
            resumed: false,
            measures: BTreeMap::new(),
            recent: BTreeMap::new(),
            levels: Levels::new(),
            certified: None,
            checked: Vec::new(),
            longest_gap_us: LONGEST_GAP_US,
        }
    }
}

/// How far the wanted content has reached the fleet of the flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Live agents that hold the flag.
    pub live: u32,
    /// Of these, how many serve the wanted content.
    pub applied: u32,
    /// Of these, how many also have it on disk.
    pub persisted: u32,
}

/// What the two arms have seen in the current visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArmTotals {
    /// The arm under test.
    pub treatment: Totals,
    /// The arm it is compared with.
    pub control: Totals,
}

/// What one arm has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Units got the arm this often.
    pub exposures: u64,
    /// Exposures whose outcome is known.
    pub outcomes: u64,
    /// Different units (or unit buckets, a lower bound) among the outcomes.
    pub units: u64,
    /// Bad outcomes.
    pub bad: u64,
}

impl Delivery {
    /// Whether 99 % of the live agents, rounded up, have applied the wanted content. Never true without a live agent.
    pub fn is_applied(&self) -> bool {
        self.live > 0 && self.applied >= self.live - self.live / 100
    }

    /// Whether every live agent has the wanted content on disk. Never true without a live agent.
    pub fn is_persisted(&self) -> bool {
        self.live > 0 && self.persisted >= self.live
    }
}

impl Totals {
    /// Whether nothing at all was seen.
    pub fn is_silent(&self) -> bool {
        self.exposures == 0 && self.outcomes == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_applied_at_99_percent_rounded_up() {
        for (live, applied, expected) in [
            (0, 0, false),
            (1, 0, false),
            (1, 1, true),
            (50, 49, false),
            (100, 99, true),
            (101, 99, false),
            (101, 100, true),
            (1_000, 989, false),
            (1_000, 990, true),
        ] {
            assert_eq!(
                Delivery {
                    live,
                    applied,
                    persisted: 0
                }
                .is_applied(),
                expected,
                "{applied} of {live}"
            );
        }
    }

    #[test]
    fn an_abort_is_persisted_by_all_or_not_at_all() {
        assert!(
            !Delivery {
                live: 100,
                applied: 100,
                persisted: 99
            }
            .is_persisted()
        );
        assert!(
            Delivery {
                live: 100,
                applied: 100,
                persisted: 100
            }
            .is_persisted()
        );
        assert!(!Delivery::default().is_persisted());
    }
}
