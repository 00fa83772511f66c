//! The stored form of what is held of a rollout's levels.

use std::collections::BTreeMap;

use prost::Message;
use rollout::criterion::Estimates;

use super::{ModelError, SCHEMA, reading};
use crate::levels::{Held, HeldLevels, Side};

/// What is held, as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredLevels {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(uint64, tag = "2")]
    last: u64,
    #[prost(int64, tag = "3")]
    noted_at_us: i64,
    #[prost(btree_map = "string, message", tag = "4")]
    metrics: BTreeMap<String, StoredHeld>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredHeld {
    #[prost(message, optional, tag = "1")]
    treatment: Option<StoredSide>,
    #[prost(message, optional, tag = "2")]
    control: Option<StoredSide>,
    #[prost(message, repeated, tag = "3")]
    recent: Vec<StoredEstimates>,
    /// As in a reading.
    #[prost(uint32, tag = "4")]
    source: u32,
}

#[derive(Clone, PartialEq, Message)]
struct StoredSide {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(int64, tag = "2")]
    at_us: i64,
    #[prost(int64, tag = "3")]
    until_us: i64,
    #[prost(string, tag = "4")]
    missing: String,
}

/// Readings know of no baseline.
#[derive(Clone, Copy, PartialEq, Message)]
struct StoredEstimates {
    #[prost(double, optional, tag = "1")]
    treatment: Option<f64>,
    #[prost(double, optional, tag = "2")]
    control: Option<f64>,
}

impl From<&HeldLevels> for StoredLevels {
    fn from(held: &HeldLevels) -> Self {
        let metrics = held.metrics.iter();
        Self {
            schema: SCHEMA,
            last: held.last,
            noted_at_us: held.noted_at_us,
            metrics: metrics.map(|(metric, held)| (metric.clone(), held.into())).collect(),
        }
    }
}

impl From<&Held> for StoredHeld {
    fn from(held: &Held) -> Self {
        let recent = held.recent.iter().map(|read| StoredEstimates {
            treatment: read.treatment,
            control: read.control,
        });
        Self {
            treatment: Some((&held.treatment).into()),
            control: Some((&held.control).into()),
            recent: recent.collect(),
            source: reading::source_number(held.source),
        }
    }
}

impl From<&Side> for StoredSide {
    fn from(side: &Side) -> Self {
        Self {
            value: side.value,
            at_us: side.at_us,
            until_us: side.until_us,
            missing: side.missing.clone(),
        }
    }
}

impl StoredLevels {
    /// What is held; `revision`: of its write.
    pub(super) fn read(self, revision: u64) -> Result<HeldLevels, ModelError> {
        let metrics = self.metrics.into_iter();
        let metrics = metrics.map(|(metric, stored)| Ok((metric, stored.read()?)));
        Ok(HeldLevels {
            metrics: metrics.collect::<Result<_, ModelError>>()?,
            last: self.last,
            noted_at_us: self.noted_at_us,
            revision,
        })
    }
}

impl StoredHeld {
    fn read(self) -> Result<Held, ModelError> {
        let recent = self.recent.into_iter().map(|read| Estimates {
            treatment: read.treatment,
            control: read.control,
            baseline: None,
        });
        Ok(Held {
            treatment: self.treatment.unwrap_or_default().read(),
            control: self.control.unwrap_or_default().read(),
            recent: recent.collect(),
            source: reading::source_of(self.source)?,
        })
    }
}

impl StoredSide {
    fn read(self) -> Side {
        Side {
            value: self.value,
            at_us: self.at_us,
            until_us: self.until_us,
            missing: self.missing,
        }
    }
}
