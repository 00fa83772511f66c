//! The stored form of evidence: the record, and what a sealed batch writes beside it (inputs, marks, pages of
//! positions, sampled positions).

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use rollout::evidence::request::Onset;

use super::{ModelError, SCHEMA, decode};
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

/// How far the frames of up to 4,096 agents have been counted.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MarkPage {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(message, repeated, tag = "2")]
    marks: Vec<StoredMark>,
}

/// How far the frames of one agent have been counted.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StoredMark {
    /// The agent's id.
    #[prost(string, tag = "1")]
    pub(crate) agent: String,
    /// Its epoch.
    #[prost(fixed64, tag = "2")]
    pub(crate) epoch: u64,
    /// All sequences up to this one are counted.
    #[prost(uint64, tag = "3")]
    pub(crate) contiguous: u64,
    /// Which of the 64 sequences after it are counted.
    #[prost(fixed64, tag = "4")]
    pub(crate) window: u64,
    /// When a frame was last counted.
    #[prost(int64, tag = "5")]
    pub(crate) seen_at_us: i64,
}

impl MarkPage {
    /// Writes a page.
    pub(crate) fn write(marks: Vec<StoredMark>) -> Bytes {
        Self { schema: SCHEMA, marks }.encode_to_vec().into()
    }

    /// Reads a page.
    pub(crate) fn read(bytes: &[u8]) -> Result<Vec<StoredMark>, ModelError> {
        decode::<Self>(bytes, |page| page.schema).map(|page| page.marks)
    }
}

/// A page of positions of one horizon: one bitmap for each (metric, stratum).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PositionPage {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(message, repeated, tag = "2")]
    bitmaps: Vec<StoredBitmap>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredBitmap {
    #[prost(uint32, tag = "1")]
    metric: u32,
    #[prost(uint32, tag = "2")]
    stratum: u32,
    #[prost(bytes = "vec", tag = "3")]
    bits: Vec<u8>,
}

impl PositionPage {
    /// Writes a page.
    pub(crate) fn write(bitmaps: BTreeMap<(u16, u8), Vec<u8>>) -> Bytes {
        let bitmaps = bitmaps
            .into_iter()
            .map(|((metric, stratum), bits)| StoredBitmap {
                metric: metric.into(),
                stratum: stratum.into(),
                bits,
            })
            .collect();
        Self {
            schema: SCHEMA,
            bitmaps,
        }
        .encode_to_vec()
        .into()
    }

    /// Reads a page.
    pub(crate) fn read(bytes: &[u8]) -> Result<BTreeMap<(u16, u8), Vec<u8>>, ModelError> {
        let page = decode::<Self>(bytes, |page| page.schema)?;
        let bitmaps = page.bitmaps.into_iter().map(|bitmap| {
            let metric = u16::try_from(bitmap.metric).map_err(|_| ModelError::Field("metric"))?;
            let stratum = u8::try_from(bitmap.stratum).map_err(|_| ModelError::Field("stratum"))?;
            Ok(((metric, stratum), bitmap.bits))
        });
        bitmaps.collect()
    }
}

/// Sampled positions that were exposed in one visit, with the arm that was seen first.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SampleSet {
    #[prost(uint32, tag = "1")]
    schema: u32,
    /// position * 32 + stratum * 2 + arm.
    #[prost(uint32, repeated, tag = "2")]
    samples: Vec<u32>,
}

impl SampleSet {
    /// Writes a set: (position, stratum) -> whether it is treatment's.
    pub(crate) fn write(samples: &BTreeMap<(u32, u8), bool>) -> Bytes {
        let samples = samples
            .iter()
            .map(|((position, stratum), treated)| position << 5 | u32::from(*stratum & 15) << 1 | u32::from(*treated))
            .collect();
        Self {
            schema: SCHEMA,
            samples,
        }
        .encode_to_vec()
        .into()
    }

    /// Reads a set.
    pub(crate) fn read(bytes: &[u8]) -> Result<BTreeMap<(u32, u8), bool>, ModelError> {
        let set = decode::<Self>(bytes, |set| set.schema)?;
        Ok(set
            .samples
            .into_iter()
            .map(|sample| ((sample >> 5, (sample >> 1 & 15) as u8), sample & 1 == 1))
            .collect())
    }
}

/// The inputs of one sealed batch: what a replay needs.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SealedBatch {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(int64, tag = "2")]
    pub(crate) sealed_at_us: i64,
    #[prost(uint32, tag = "3")]
    pub(crate) horizon: u32,
    #[prost(message, repeated, tag = "4")]
    pub(crate) counts: Vec<SealedCounts>,
    /// ln of the evidence number after it.
    #[prost(double, optional, tag = "5")]
    pub(crate) log_evidence: Option<f64>,
}

/// The inputs of one metric and stratum.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct SealedCounts {
    #[prost(uint32, tag = "1")]
    pub(crate) metric: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) stratum: u32,
    #[prost(uint64, tag = "3")]
    pub(crate) outcomes_treatment: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) bad_treatment: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) outcomes_control: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) bad_control: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) newly_bad_treatment: u64,
    #[prost(uint64, tag = "8")]
    pub(crate) newly_bad_control: u64,
}

impl SealedBatch {
    /// Writes a batch.
    pub(crate) fn write(
        sealed_at_us: i64,
        horizon: u32,
        counts: Vec<SealedCounts>,
        log_evidence: Option<f64>,
    ) -> Bytes {
        Self {
            schema: SCHEMA,
            sealed_at_us,
            horizon,
            counts,
            log_evidence,
        }
        .encode_to_vec()
        .into()
    }
}
