//! What the metrics were before the rollout, and how much traffic the flag sees.

use std::collections::BTreeMap;

use crate::criterion::Number;

/// What the metrics were before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baseline {
    /// Where the figures come from.
    pub source: BaselineSource,
    /// What the operator knows, by the key of a metric.
    pub values: BTreeMap<String, Number>,
}

/// Where the figures of a baseline come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BaselineSource {
    /// There is none: what is relative is so to the live control.
    #[default]
    None,
    /// The plan's own values.
    Fixed,
    /// Captured before the first stage.
    Captured,
    /// Captured at the same hour of the week.
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

impl BaselineSource {
    /// All of them.
    pub const ALL: [BaselineSource; 4] = [Self::None, Self::Fixed, Self::Captured, Self::SameHour];

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
