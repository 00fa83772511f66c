//! The stored form of readings of levels that were taken in together.

use evaluation::Arm;
use prost::Message;

use super::{ModelError, SCHEMA, levels::StoredLevels};
use crate::levels::{Kept, Read, Reading, Source};

/// Readings as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredKept {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(message, repeated, tag = "2")]
    readings: Vec<StoredReading>,
    #[prost(int64, tag = "3")]
    noted_at_us: i64,
    #[prost(bool, tag = "4")]
    is_first: bool,
    #[prost(message, optional, tag = "5")]
    before: Option<StoredLevels>,
}

/// One of them as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredReading {
    #[prost(string, tag = "1")]
    metric: String,
    /// Of treatment, or else of control.
    #[prost(bool, tag = "2")]
    treatment: bool,
    #[prost(double, optional, tag = "3")]
    value: Option<f64>,
    /// Why there is no value.
    #[prost(string, tag = "4")]
    missing: String,
    #[prost(int64, tag = "5")]
    at_us: i64,
    #[prost(int64, tag = "6")]
    until_us: i64,
    /// 1 pushed, 2 prometheus.
    #[prost(uint32, tag = "7")]
    source: u32,
}

/// The number of a source.
pub(super) fn source_number(source: Source) -> u32 {
    match source {
        Source::Pushed => 1,
        Source::Prometheus => 2,
    }
}

/// The source with a number.
pub(super) fn source_of(number: u32) -> Result<Source, ModelError> {
    match number {
        1 => Ok(Source::Pushed),
        2 => Ok(Source::Prometheus),
        _ => Err(ModelError::Field("reading.source")),
    }
}

impl From<&Kept> for StoredKept {
    fn from(kept: &Kept) -> Self {
        Self {
            schema: SCHEMA,
            readings: kept.readings.iter().map(StoredReading::from).collect(),
            noted_at_us: kept.noted_at_us,
            is_first: kept.is_first,
            before: kept.before.as_ref().map(StoredLevels::from),
        }
    }
}

impl From<&Read> for StoredReading {
    fn from((metric, arm, reading): &Read) -> Self {
        Self {
            metric: metric.clone(),
            treatment: *arm == Arm::Treatment,
            value: reading.value.as_ref().ok().copied(),
            missing: reading.value.as_ref().err().cloned().unwrap_or_default(),
            at_us: reading.at_us,
            until_us: reading.until_us,
            source: source_number(reading.source),
        }
    }
}

impl StoredKept {
    /// The readings.
    pub(super) fn read(self) -> Result<Kept, ModelError> {
        let readings = self.readings.into_iter().map(StoredReading::read);
        Ok(Kept {
            readings: readings.collect::<Result<_, _>>()?,
            noted_at_us: self.noted_at_us,
            is_first: self.is_first,
            before: self.before.map(|before| before.read(0)).transpose()?,
        })
    }
}

impl StoredReading {
    fn read(self) -> Result<Read, ModelError> {
        let reading = Reading {
            value: self.value.ok_or(self.missing),
            at_us: self.at_us,
            until_us: self.until_us,
            source: source_of(self.source)?,
        };
        let arm = if self.treatment { Arm::Treatment } else { Arm::Control };
        Ok((self.metric, arm, reading))
    }
}
