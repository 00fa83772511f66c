//! The stored form of the evidence of a rollout.

use prost::Message;
use rollout::{
    EvidenceNumber,
    evidence::request::Onset,
    guards::{HorizonCounts, SampledCounts, VisitKey},
    measure::{Events, Minute, Recent, Slot},
};

use super::{ModelError, SCHEMA, batch::SealedSamples};
use crate::evidence::{ArmCounts, Counts, EvidenceRecord, VisitCounts};

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
    #[prost(uint64, tag = "8")]
    sampled_outcomes: u64,
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
    #[prost(message, repeated, tag = "9")]
    sampled: Vec<SealedSamples>,
    #[prost(message, repeated, tag = "10")]
    events: Vec<StoredEvents>,
    #[prost(btree_map = "uint32, int64", tag = "11")]
    worse_since: std::collections::BTreeMap<u32, i64>,
    #[prost(message, optional, tag = "12")]
    number: Option<StoredNumber>,
    #[prost(message, repeated, tag = "13")]
    recent: Vec<StoredSlot>,
    #[prost(uint64, tag = "14")]
    pushed: u64,
    #[prost(message, optional, tag = "15")]
    minute: Option<StoredMinute>,
}

/// The last minute of both arms in one visit.
#[derive(Clone, PartialEq, Message)]
struct StoredMinute {
    #[prost(uint32, tag = "1")]
    stage: u32,
    #[prost(uint32, tag = "2")]
    visit: u32,
    #[prost(message, repeated, tag = "3")]
    treatment: Vec<StoredSlot>,
    #[prost(message, repeated, tag = "4")]
    control: Vec<StoredSlot>,
}

/// What came of one counting in one slot of ten seconds.
#[derive(Clone, Copy, PartialEq, Message)]
struct StoredSlot {
    #[prost(uint32, tag = "1")]
    metric: u32,
    #[prost(int64, tag = "2")]
    at: i64,
    #[prost(sint64, tag = "3")]
    num: i64,
    #[prost(uint64, tag = "4")]
    den: u64,
    #[prost(fixed64, tag = "5")]
    units: u64,
    #[prost(int64, tag = "6")]
    first_us: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredNumber {
    #[prost(uint32, tag = "1")]
    guard: u32,
    #[prost(uint32, tag = "2")]
    horizon: u32,
    #[prost(double, tag = "3")]
    log_evidence: f64,
}

/// Events of one metric in one minute.
#[derive(Clone, Copy, PartialEq, Message)]
struct StoredEvents {
    #[prost(uint32, tag = "1")]
    metric: u32,
    #[prost(int64, tag = "2")]
    minute: i64,
    /// In millionths.
    #[prost(sint64, tag = "3")]
    count: i64,
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
    #[prost(message, repeated, tag = "5")]
    onsets: Vec<StoredOnset>,
}

/// A request test.
#[derive(Clone, PartialEq, Message)]
struct StoredOnset {
    #[prost(uint32, tag = "1")]
    metric: u32,
    /// The ratio that is allowed, in millionths.
    #[prost(int64, tag = "2")]
    ratio: i64,
    /// ln S_r, one for each ratio of the grid.
    #[prost(double, repeated, tag = "3")]
    log_s: Vec<f64>,
    #[prost(uint64, tag = "4")]
    batches: u64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredStratum {
    #[prost(uint32, tag = "1")]
    stratum: u32,
    #[prost(uint64, tag = "2")]
    bad_treatment: u64,
    #[prost(uint64, tag = "3")]
    bad_control: u64,
    #[prost(uint32, tag = "4")]
    metric: u32,
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
            sampled_outcomes: arm.sampled_outcomes,
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
                sampled_outcomes: arm.sampled_outcomes,
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
            pushed: record.pushed,
            sampled: record.sampled.iter().map(write_sampled).collect(),
            events: record
                .events
                .iter()
                .map(|(metric, minute, count)| StoredEvents {
                    metric: u32::from(metric),
                    minute,
                    count,
                })
                .collect(),
            worse_since: record.worse_since.clone(),
            recent: record.recent.iter().map(write_slot).collect(),
            minute: Some(write_minute(&record.minute)),
            number: record.number.map(|number| StoredNumber {
                guard: number.guard as u32,
                horizon: number.horizon as u32,
                log_evidence: number.log_evidence,
            }),
        }
    }
}

fn write_sampled((((stage, visit), stratum), counts): (&(VisitKey, u8), &SampledCounts)) -> SealedSamples {
    SealedSamples {
        stage: u32::from(*stage),
        visit: *visit,
        stratum: u32::from(*stratum),
        treatment: counts.treatment,
        control: counts.control,
    }
}

fn write_slot((metric, at, slot): (u16, i64, Slot)) -> StoredSlot {
    StoredSlot {
        metric: u32::from(metric),
        at,
        num: slot.num,
        den: slot.den,
        units: slot.units,
        first_us: slot.first_us,
    }
}

fn write_minute(minute: &Minute) -> StoredMinute {
    let (stage, visit) = minute.visit();
    let arm = |treatment| minute.iter(treatment).map(write_slot).collect();
    StoredMinute {
        stage: u32::from(stage),
        visit,
        treatment: arm(true),
        control: arm(false),
    }
}

fn read_minute(stored: &StoredMinute) -> Result<Minute, ModelError> {
    let stage = u8::try_from(stored.stage).map_err(|_| ModelError::Field("minute.stage"))?;
    let arm = |slots: &[StoredSlot], treatment| {
        let slots = slots.iter().map(read_slot);
        slots
            .map(move |(metric, at, slot)| ((metric, treatment), at, slot))
            .collect::<Vec<_>>()
    };
    let slots = [arm(&stored.treatment, true), arm(&stored.control, false)];
    Ok(Minute::from_stored((stage, stored.visit), slots.concat()))
}

fn read_slot(stored: &StoredSlot) -> (u16, i64, Slot) {
    let slot = Slot {
        num: stored.num,
        den: stored.den,
        units: stored.units,
        first_us: stored.first_us,
    };
    (u16::try_from(stored.metric).unwrap_or(u16::MAX), stored.at, slot)
}

fn write_horizon(number: u32, horizon: &HorizonCounts) -> StoredHorizon {
    let strata = horizon.strata.iter();
    let strata = strata.map(|((metric, stratum), (bad_treatment, bad_control))| StoredStratum {
        stratum: u32::from(*stratum),
        bad_treatment: *bad_treatment,
        bad_control: *bad_control,
        metric: u32::from(*metric),
    });
    let onsets = horizon.onsets.iter().map(|((metric, ratio), onset)| StoredOnset {
        metric: u32::from(*metric),
        ratio: *ratio,
        log_s: onset.log_s.to_vec(),
        batches: onset.batches,
    });
    StoredHorizon {
        number,
        strata: strata.collect(),
        onsets: onsets.collect(),
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
            pushed: self.pushed,
            sums: std::collections::BTreeMap::new(),
            hours: std::collections::BTreeMap::new(),
            sampled: self.sampled.iter().map(read_sampled).collect::<Result<_, _>>()?,
            events: Events::from_stored(self.events.iter().map(|events| {
                let metric = u16::try_from(events.metric).unwrap_or(u16::MAX);
                (metric, events.minute, events.count)
            })),
            worse_since: self.worse_since,
            recent: Recent::from_stored(self.recent.iter().map(read_slot)),
            minute: self.minute.as_ref().map(read_minute).transpose()?.unwrap_or_default(),
            number: self.number.map(|number| EvidenceNumber {
                guard: number.guard as usize,
                horizon: number.horizon as usize,
                log_evidence: number.log_evidence,
                is_doubted: false,
            }),
            revision,
        })
    }
}

fn read_sampled(stored: &SealedSamples) -> Result<((VisitKey, u8), SampledCounts), ModelError> {
    let number = |number: u32| u8::try_from(number).map_err(|_| ModelError::Field("sampled"));
    let key = ((number(stored.stage)?, stored.visit), number(stored.stratum)?);
    let counts = SampledCounts {
        treatment: stored.treatment,
        control: stored.control,
    };
    Ok((key, counts))
}

fn read_horizon(horizon: StoredHorizon) -> Result<HorizonCounts, ModelError> {
    let metric = |number: u32| u16::try_from(number).map_err(|_| ModelError::Field("horizons.metric"));
    let strata = horizon.strata.iter().map(|stratum| {
        let number = u8::try_from(stratum.stratum).map_err(|_| ModelError::Field("horizons.stratum"))?;
        let key = (metric(stratum.metric)?, number);
        Ok((key, (stratum.bad_treatment, stratum.bad_control)))
    });
    let onsets = horizon.onsets.iter().map(|stored| {
        let log_s = stored.log_s.as_slice();
        let onset = Onset {
            log_s: log_s.try_into().map_err(|_| ModelError::Field("horizons.log_s"))?,
            batches: stored.batches,
        };
        Ok(((metric(stored.metric)?, stored.ratio), onset))
    });
    Ok(HorizonCounts {
        strata: strata.collect::<Result<_, _>>()?,
        onsets: onsets.collect::<Result<_, _>>()?,
    })
}
