//! The stored form of what was known when a stage was left.

use prost::Message;
use rollout::{EvidenceNumber, Measure};

use super::{ModelError, SCHEMA, evidence::StoredCounts};
use crate::record::{Exit, Reading};

/// An exit as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredExit {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(uint32, tag = "2")]
    stage: u32,
    #[prost(uint32, tag = "3")]
    visit: u32,
    #[prost(int64, tag = "4")]
    entered_at_us: i64,
    #[prost(int64, tag = "5")]
    left_at_us: i64,
    #[prost(int64, tag = "6")]
    soaked_us: i64,
    #[prost(uint64, tag = "7")]
    sequence: u64,
    #[prost(message, optional, tag = "8")]
    counts: Option<StoredCounts>,
    #[prost(uint32, tag = "9")]
    guard: u32,
    #[prost(uint32, tag = "10")]
    horizon: u32,
    #[prost(double, optional, tag = "11")]
    log_evidence: Option<f64>,
    #[prost(message, repeated, tag = "12")]
    criteria: Vec<StoredFinding>,
    #[prost(message, repeated, tag = "13")]
    metrics: Vec<StoredReading>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredFinding {
    #[prost(string, tag = "1")]
    criterion: String,
    #[prost(string, tag = "2")]
    finding: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredReading {
    #[prost(string, tag = "1")]
    metric: String,
    #[prost(double, optional, tag = "2")]
    treatment: Option<f64>,
    #[prost(double, optional, tag = "3")]
    control: Option<f64>,
    #[prost(double, optional, tag = "4")]
    baseline: Option<f64>,
    #[prost(uint64, tag = "5")]
    outcomes: u64,
    #[prost(uint64, tag = "6")]
    units: u64,
}

impl From<&Exit> for StoredExit {
    fn from(exit: &Exit) -> Self {
        Self {
            schema: SCHEMA,
            stage: exit.stage,
            visit: exit.visit,
            entered_at_us: exit.entered_at_us,
            left_at_us: exit.left_at_us,
            soaked_us: exit.soaked_us,
            sequence: exit.sequence,
            counts: Some(StoredCounts::from(&exit.counts)),
            guard: exit.evidence.map_or(0, |evidence| evidence.guard as u32),
            horizon: exit.evidence.map_or(0, |evidence| evidence.horizon as u32),
            log_evidence: exit.evidence.map(|evidence| evidence.log_evidence),
            criteria: (exit.criteria.iter())
                .map(|(criterion, finding)| StoredFinding {
                    criterion: criterion.clone(),
                    finding: finding.clone(),
                })
                .collect(),
            metrics: exit.metrics.iter().map(write_reading).collect(),
        }
    }
}

fn write_reading(reading: &Reading) -> StoredReading {
    let Measure {
        estimates,
        outcomes,
        units,
    } = reading.measure;
    StoredReading {
        metric: reading.metric.clone(),
        treatment: estimates.treatment,
        control: estimates.control,
        baseline: estimates.baseline,
        outcomes,
        units,
    }
}

impl StoredExit {
    /// The exit.
    pub(super) fn read(self) -> Result<Exit, ModelError> {
        Ok(Exit {
            stage: self.stage,
            visit: self.visit,
            entered_at_us: self.entered_at_us,
            left_at_us: self.left_at_us,
            soaked_us: self.soaked_us,
            sequence: self.sequence,
            counts: self.counts.unwrap_or_default().read(),
            evidence: self.log_evidence.map(|log_evidence| EvidenceNumber {
                guard: self.guard as usize,
                horizon: self.horizon as usize,
                log_evidence,
                is_doubted: false,
            }),
            criteria: (self.criteria.into_iter())
                .map(|found| (found.criterion, found.finding))
                .collect(),
            metrics: self.metrics.into_iter().map(read_reading).collect(),
        })
    }
}

fn read_reading(reading: StoredReading) -> Reading {
    let mut measure = Measure {
        outcomes: reading.outcomes,
        units: reading.units,
        ..Measure::default()
    };
    measure.estimates.treatment = reading.treatment;
    measure.estimates.control = reading.control;
    measure.estimates.baseline = reading.baseline;
    Reading {
        metric: reading.metric,
        measure,
    }
}
