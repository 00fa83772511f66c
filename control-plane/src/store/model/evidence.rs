//! The stored form of the evidence of a rollout.

use prost::Message;
use rollout::evidence::request::Onset;

use super::{ModelError, SCHEMA};
use crate::evidence::{ArmCounts, Counts, EvidenceRecord, HorizonEvidence, VisitCounts};

/// Counts of both arms as stored.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredCounts {
    #[prost(message, optional, tag = "1")]
    treatment: Option<StoredArm>,
    #[prost(message, optional, tag = "2")]
    control: Option<StoredArm>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredArm {
    #[prost(uint64, tag = "1")]
    exposures: u64,
    #[prost(uint64, tag = "2")]
    outcomes: u64,
    #[prost(uint64, tag = "3")]
    bad: u64,
    #[prost(uint64, tag = "4")]
    lost: u64,
    #[prost(uint64, tag = "5")]
    bad_units: u64,
    #[prost(uint64, tag = "6")]
    sampled_units: u64,
    #[prost(fixed64, tag = "7")]
    unit_buckets: u64,
}

/// Evidence as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredEvidence {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(uint64, tag = "2")]
    batches: u64,
    #[prost(int64, tag = "3")]
    sealed_at_us: i64,
    #[prost(message, repeated, tag = "4")]
    visits: Vec<StoredVisitCounts>,
    #[prost(message, repeated, tag = "5")]
    horizons: Vec<StoredHorizon>,
    #[prost(uint32, tag = "6")]
    full_horizon: u32,
    #[prost(int64, tag = "7")]
    last_treatment_exposure_us: i64,
    #[prost(uint64, tag = "8")]
    dropped: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredVisitCounts {
    #[prost(uint32, tag = "1")]
    stage: u32,
    #[prost(uint32, tag = "2")]
    visit: u32,
    #[prost(message, optional, tag = "3")]
    counts: Option<StoredCounts>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredHorizon {
    #[prost(uint32, tag = "1")]
    number: u32,
    #[prost(message, repeated, tag = "2")]
    strata: Vec<StoredStratum>,
    /// ln S_r of the request test, one for each ratio; empty: none.
    #[prost(double, repeated, tag = "3")]
    log_s: Vec<f64>,
    #[prost(uint64, tag = "4")]
    onset_batches: u64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredStratum {
    #[prost(uint32, tag = "1")]
    stratum: u32,
    #[prost(uint64, tag = "2")]
    bad_treatment: u64,
    #[prost(uint64, tag = "3")]
    bad_control: u64,
}

impl From<&Counts> for StoredCounts {
    fn from(counts: &Counts) -> Self {
        let arm = |arm: &ArmCounts| StoredArm {
            exposures: arm.exposures,
            outcomes: arm.outcomes,
            bad: arm.bad,
            lost: arm.lost,
            bad_units: arm.bad_units,
            sampled_units: arm.sampled_units,
            unit_buckets: arm.unit_buckets,
        };
        Self {
            treatment: Some(arm(&counts.treatment)),
            control: Some(arm(&counts.control)),
        }
    }
}

impl StoredCounts {
    /// The counts; an arm that is missing saw nothing.
    pub(super) fn read(self) -> Counts {
        let arm = |arm: Option<StoredArm>| {
            let arm = arm.unwrap_or_default();
            ArmCounts {
                exposures: arm.exposures,
                outcomes: arm.outcomes,
                bad: arm.bad,
                lost: arm.lost,
                bad_units: arm.bad_units,
                sampled_units: arm.sampled_units,
                unit_buckets: arm.unit_buckets,
            }
        };
        Counts {
            treatment: arm(self.treatment),
            control: arm(self.control),
        }
    }
}

impl From<&EvidenceRecord> for StoredEvidence {
    fn from(record: &EvidenceRecord) -> Self {
        Self {
            schema: SCHEMA,
            batches: record.batches,
            sealed_at_us: record.sealed_at_us,
            visits: record
                .visits
                .iter()
                .map(|visit| StoredVisitCounts {
                    stage: u32::from(visit.stage),
                    visit: visit.visit,
                    counts: Some(StoredCounts::from(&visit.counts)),
                })
                .collect(),
            horizons: record
                .horizons
                .iter()
                .map(|(number, horizon)| write_horizon(*number, horizon))
                .collect(),
            full_horizon: record.full_horizon,
            last_treatment_exposure_us: record.last_treatment_exposure_us,
            dropped: record.dropped,
        }
    }
}

fn write_horizon(number: u32, horizon: &HorizonEvidence) -> StoredHorizon {
    let strata = horizon
        .strata
        .iter()
        .map(|(stratum, (bad_treatment, bad_control))| StoredStratum {
            stratum: u32::from(*stratum),
            bad_treatment: *bad_treatment,
            bad_control: *bad_control,
        })
        .collect();
    let onset = horizon.onset.as_ref();
    StoredHorizon {
        number,
        strata,
        log_s: onset.map(|onset| onset.log_s.to_vec()).unwrap_or_default(),
        onset_batches: onset.map_or(0, |onset| onset.batches),
    }
}

impl StoredEvidence {
    /// The record.
    pub(super) fn read(self, revision: u64) -> Result<EvidenceRecord, ModelError> {
        let visits = self.visits.into_iter().map(|visit| {
            let stage = u8::try_from(visit.stage).map_err(|_| ModelError::Field("visits.stage"))?;
            Ok(VisitCounts {
                stage,
                visit: visit.visit,
                counts: visit.counts.unwrap_or_default().read(),
            })
        });
        let horizons = self
            .horizons
            .into_iter()
            .map(|horizon| Ok((horizon.number, read_horizon(horizon)?)));
        Ok(EvidenceRecord {
            batches: self.batches,
            sealed_at_us: self.sealed_at_us,
            visits: visits.collect::<Result<_, _>>()?,
            horizons: horizons.collect::<Result<_, _>>()?,
            full_horizon: self.full_horizon,
            last_treatment_exposure_us: self.last_treatment_exposure_us,
            dropped: self.dropped,
            revision,
        })
    }
}

fn read_horizon(horizon: StoredHorizon) -> Result<HorizonEvidence, ModelError> {
    let strata = horizon.strata.iter().map(|stratum| {
        let number = u8::try_from(stratum.stratum).map_err(|_| ModelError::Field("horizons.stratum"))?;
        Ok((number, (stratum.bad_treatment, stratum.bad_control)))
    });
    let onset = match horizon.log_s.as_slice() {
        [] => None,
        log_s => {
            let log_s = log_s.try_into().map_err(|_| ModelError::Field("horizons.log_s"))?;
            Some(Onset {
                log_s,
                batches: horizon.onset_batches,
            })
        }
    };
    Ok(HorizonEvidence {
        strata: strata.collect::<Result<_, _>>()?,
        onset,
    })
}
