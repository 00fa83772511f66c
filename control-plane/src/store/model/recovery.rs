//! The stored form of a recovery.

use prost::Message;
use rollout::{
    evidence::limit::Side,
    recovery::{Bar, Outcome, Reading},
};

use super::ModelError;
use crate::record::Recovery;

/// A recovery as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredRecovery {
    #[prost(string, tag = "1")]
    harm: String,
    #[prost(uint32, tag = "2")]
    metric: u32,
    #[prost(bool, tag = "3")]
    complement: bool,
    /// Whether less is harm.
    #[prost(bool, tag = "4")]
    below: bool,
    #[prost(double, tag = "5")]
    bar: f64,
    #[prost(double, tag = "6")]
    harmed: f64,
    #[prost(double, optional, tag = "7")]
    value: Option<f64>,
    #[prost(uint64, tag = "8")]
    outcomes: u64,
    #[prost(uint64, tag = "9")]
    units: u64,
    /// 0 it is watched, 1 recovered, 2 not recovered, 3 no data, 4 superseded.
    #[prost(uint32, tag = "10")]
    outcome: u32,
    #[prost(int64, tag = "11")]
    at_us: i64,
}

impl From<&Recovery> for StoredRecovery {
    fn from(recovery: &Recovery) -> Self {
        let outcome = recovery.outcome.map_or(0, |(outcome, _)| match outcome {
            Outcome::Recovered => 1,
            Outcome::NotRecovered => 2,
            Outcome::NoData => 3,
            Outcome::Superseded => 4,
        });
        Self {
            harm: recovery.harm.clone(),
            metric: u32::from(recovery.bar.metric),
            complement: recovery.bar.is_complement,
            below: recovery.bar.side == Side::Below,
            bar: recovery.bar.value,
            harmed: recovery.bar.harmed,
            value: recovery.reading.map(|reading| reading.value),
            outcomes: recovery.reading.map_or(0, |reading| reading.outcomes),
            units: recovery.reading.map_or(0, |reading| reading.units),
            outcome,
            at_us: recovery.outcome.map_or(0, |(_, at_us)| at_us),
        }
    }
}

impl StoredRecovery {
    /// The recovery.
    pub(super) fn read(self) -> Result<Recovery, ModelError> {
        let outcome = match self.outcome {
            0 => None,
            1 => Some(Outcome::Recovered),
            2 => Some(Outcome::NotRecovered),
            3 => Some(Outcome::NoData),
            4 => Some(Outcome::Superseded),
            _ => return Err(ModelError::Field("recovery.outcome")),
        };
        let (outcomes, units) = (self.outcomes, self.units);
        Ok(Recovery {
            harm: self.harm,
            bar: Bar {
                metric: u16::try_from(self.metric).map_err(|_| ModelError::Field("recovery.metric"))?,
                is_complement: self.complement,
                side: if self.below { Side::Below } else { Side::Above },
                value: self.bar,
                harmed: self.harmed,
            },
            reading: self.value.map(|value| Reading { value, outcomes, units }),
            outcome: outcome.map(|outcome| (outcome, self.at_us)),
        })
    }
}
