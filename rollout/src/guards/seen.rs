//! What the guards are asked about: all that was sealed of one rollout.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{
    Micros,
    evidence::request::Onset,
    measure::{Arms, Counted, Events, Minute, Sums},
};

/// A visit of a stage: (stage, visit).
pub type VisitKey = (u8, u32);
/// A request test: (number of the metric, ratio in millionths).
pub type OnsetKey = (u16, i64);

/// What was sealed of one rollout.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What is counted; a counting's place is its number.
    pub counted: &'a [Counted],
    /// The sums of each visit.
    pub visits: &'a BTreeMap<VisitKey, Arc<Sums>>,
    /// The sums of each visit by hour of the week, the strata added; of rollouts that need them ([`needs_hours`]).
    ///
    /// [`needs_hours`]: crate::measure::needs_hours
    pub hours: &'a BTreeMap<(VisitKey, u8), Arc<Sums>>,
    /// By number of the horizon, from 1.
    pub horizons: &'a BTreeMap<u32, HorizonCounts>,
    /// Sampled units of each visit, by stratum.
    pub sampled: &'a BTreeMap<(VisitKey, u8), SampledCounts>,
    /// Events of the recent past.
    pub events: &'a Events,
    /// The last minute of both arms.
    pub minute: &'a Minute,
    /// Since when both arms are beyond the limit of a guard, by its position.
    pub worse_since: &'a BTreeMap<u32, Micros>,
}

impl Seen<'_> {
    /// Both arms of a counting in a visit, the strata added.
    pub(super) fn total(&self, key: VisitKey, metric: u16) -> Arms {
        self.visits.get(&key).map(|sums| sums.total(metric)).unwrap_or_default()
    }

    /// The hours of the week in which a visit had data of a counting.
    pub fn hours_of(&self, key: VisitKey, metric: u16) -> impl Iterator<Item = u8> {
        let seen = self.hours.range((key, 0)..=(key, u8::MAX));
        let counted = seen.filter(move |(_, sums)| sums.total(metric) != Arms::default());
        counted.map(|((_, hour), _)| *hour)
    }
}

/// What the tests know of one horizon.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HorizonCounts {
    /// Newly bad units by (metric, stratum): (treatment, control). For plans that split units.
    pub strata: BTreeMap<(u16, u8), (u64, u64)>,
    /// The request tests. For plans that split requests.
    pub onsets: BTreeMap<OnsetKey, Onset>,
}

/// Sampled positions of a stratum that were exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampledCounts {
    /// To treatment first.
    pub treatment: u64,
    /// To control first.
    pub control: u64,
}
