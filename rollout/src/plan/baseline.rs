//! What the metrics were before the rollout, and how much traffic the flag sees.

use std::{collections::BTreeMap, sync::Arc};

use crate::{criterion::Number, measure::CapturedArms};

/// What the metrics were before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baseline {
    /// Where the figures come from.
    pub source: BaselineSource,
    /// What the operator knows, by the key of a metric; of a rollout also what was taken over from the artifact.
    pub values: BTreeMap<String, Number>,
    /// Key of the stored baseline that a rollout takes over when it is created.
    pub artifact: Option<String>,
    /// Of a rollout: the unit buckets of what was taken over, if it was captured. No part of the plan as a document.
    pub captured: Arc<CapturedArms>,
}

/// Where the figures of a baseline come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BaselineSource {
    /// There is none: what is relative is so to the live control.
    #[default]
    None,
    /// The plan's own values.
    Fixed,
    /// Those of a stored baseline.
    Captured,
    /// Those of a stored baseline that was captured at the hour of the week in which the rollout is created.
    SameHour,
}

/// What the flag sees; zero: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Different units in a day.
    pub units_per_day: u64,
    /// Requests in a day.
    pub requests_per_day: u64,
}

impl Baseline {
    /// Takes over what was captured or imported; it goes before what the plan writes, which stands for the rest.
    pub fn freeze(&mut self, artifact: impl IntoIterator<Item = (String, Number)>, captured: Arc<CapturedArms>) {
        self.values.extend(artifact);
        self.captured = captured;
    }

    /// Whether both are of the same artifact, so that values which one has taken over are the other's.
    pub fn is_of_the_same(&self, other: &Baseline) -> bool {
        self.artifact.is_some() && self.artifact == other.artifact && self.source == other.source
    }
}

impl BaselineSource {
    /// All of them.
    pub const ALL: [BaselineSource; 4] = [Self::None, Self::Fixed, Self::Captured, Self::SameHour];

    /// Whether the figures are those of a stored baseline.
    pub fn is_captured(self) -> bool {
        match self {
            Self::None | Self::Fixed => false,
            Self::Captured | Self::SameHour => true,
        }
    }

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fixed => "fixed",
            Self::Captured => "captured",
            Self::SameHour => "captured-same-hour",
        }
    }
}
