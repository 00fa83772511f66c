//! The stored form of a reading of a level.

use evaluation::Arm;
use prost::Message;

use super::{ModelError, SCHEMA};
use crate::levels::{Kept, Reading, Source};

/// A reading as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredReading {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(string, tag = "2")]
    metric: String,
    /// Of treatment, or else of control.
    #[prost(bool, tag = "3")]
    treatment: bool,
    #[prost(double, optional, tag = "4")]
    value: Option<f64>,
    /// Why there is no value.
    #[prost(string, tag = "5")]
    missing: String,
    #[prost(int64, tag = "6")]
    at_us: i64,
    #[prost(int64, tag = "7")]
    until_us: i64,
    /// 1 pushed, 2 prometheus.
    #[prost(uint32, tag = "8")]
    source: u32,
    #[prost(int64, tag = "9")]
    noted_at_us: i64,
    #[prost(bool, tag = "10")]
    is_first: bool,
}

impl From<&Kept> for StoredReading {
    fn from(kept: &Kept) -> Self {
        let reading = &kept.reading;
        Self {
            schema: SCHEMA,
            metric: kept.metric.clone(),
            treatment: kept.arm == Arm::Treatment,
            value: reading.value.as_ref().ok().copied(),
            missing: reading.value.as_ref().err().cloned().unwrap_or_default(),
            at_us: reading.at_us,
            until_us: reading.until_us,
            source: match reading.source {
                Source::Pushed => 1,
                Source::Prometheus => 2,
            },
            noted_at_us: kept.noted_at_us,
            is_first: kept.is_first,
        }
    }
}

impl StoredReading {
    /// The reading.
    pub(super) fn read(self) -> Result<Kept, ModelError> {
        Ok(Kept {
            metric: self.metric,
            arm: if self.treatment { Arm::Treatment } else { Arm::Control },
            reading: Reading {
                value: self.value.ok_or(self.missing),
                at_us: self.at_us,
                until_us: self.until_us,
                source: match self.source {
                    1 => Source::Pushed,
                    2 => Source::Prometheus,
                    _ => return Err(ModelError::Field("reading.source")),
                },
            },
            noted_at_us: self.noted_at_us,
            is_first: self.is_first,
        })
    }
}
