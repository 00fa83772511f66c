//! The stored form of what a sealed batch writes beside the evidence: its inputs, marks, pages of positions, sampled
//! positions.

use std::collections::BTreeMap;

use bytes::Bytes;
use evaluation::Arm;
use prost::Message;
use rollout::{
    State,
    evidence::{arm::Buckets, request::BatchCounts},
};

use super::{
    ModelError, SCHEMA, decode,
    sums::{StoredBuckets, read_buckets, write_buckets},
};

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
    #[prost(message, repeated, tag = "6")]
    pub(crate) samples: Vec<SealedSamples>,
    /// How many visits of stages there had been.
    #[prost(uint32, tag = "7")]
    pub(crate) visits: u32,
    /// How many horizons there had been.
    #[prost(uint32, tag = "8")]
    pub(crate) horizons: u32,
    /// 1 and the hour of the week of its frames, from Monday 00:00 UTC; 0: nobody noted it.
    #[prost(uint32, tag = "9")]
    pub(crate) hour: u32,
    /// The last moment that its counts may be of; 0: nobody noted it, so it is taken for when it was sealed.
    #[prost(int64, tag = "10")]
    pub(crate) counted_at_us: i64,
}

/// The inputs of one metric and stratum.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SealedCounts {
    #[prost(uint32, tag = "1")]
    pub(crate) metric: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) stratum: u32,
    #[prost(uint64, tag = "7")]
    pub(crate) newly_bad_treatment: u64,
    #[prost(uint64, tag = "8")]
    pub(crate) newly_bad_control: u64,
    /// By visit and arm.
    #[prost(message, repeated, tag = "9")]
    pub(crate) arms: Vec<SealedArm>,
}

/// The unit buckets of one arm in one visit.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SealedArm {
    #[prost(uint32, tag = "1")]
    pub(crate) stage: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) visit: u32,
    #[prost(bool, tag = "3")]
    pub(crate) treatment: bool,
    #[prost(message, optional, tag = "4")]
    buckets: Option<StoredBuckets>,
}

/// Sampled positions of a stratum that were exposed for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct SealedSamples {
    #[prost(uint32, tag = "1")]
    pub(crate) stage: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) visit: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) stratum: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) treatment: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) control: u64,
}

impl SealedArm {
    /// Its denominators, added up.
    pub(crate) fn count(&self) -> u64 {
        let den = self.buckets.iter().flat_map(|buckets| &buckets.den);
        den.fold(0, |sum, den| sum.saturating_add(*den))
    }

    /// Its numerators, added up.
    pub(crate) fn sum(&self) -> i128 {
        let num = self.buckets.iter().flat_map(|buckets| &buckets.num);
        num.map(|num| i128::from(*num)).sum()
    }

    /// The unit buckets.
    pub(crate) fn buckets(&self) -> Result<Buckets, ModelError> {
        self.buckets.as_ref().map_or_else(|| Ok(Buckets::new()), read_buckets)
    }
}

impl SealedCounts {
    /// Without counts.
    pub(crate) fn new(metric: u16, stratum: u8) -> Self {
        Self {
            metric: u32::from(metric),
            stratum: u32::from(stratum),
            ..Self::default()
        }
    }

    /// Adds what one arm had in a visit.
    pub(crate) fn add(&mut self, arm: Arm, (stage, visit): (u8, u32), buckets: &Buckets) {
        self.arms.push(SealedArm {
            stage: u32::from(stage),
            visit,
            treatment: arm == Arm::Treatment,
            buckets: Some(write_buckets(buckets)),
        });
    }

    /// What both arms had, by visit.
    pub(crate) fn arms(&self) -> impl Iterator<Item = &SealedArm> {
        self.arms.iter()
    }

    /// What treatment had, by visit.
    pub(crate) fn treated(&self) -> impl Iterator<Item = &SealedArm> {
        self.arms.iter().filter(|arm| arm.treatment)
    }

    /// Sums over all visits, as the request test reads them.
    pub(crate) fn request(&self) -> BatchCounts {
        let mut counts = BatchCounts {
            n_t: 0,
            k_t: 0,
            n_c: 0,
            k_c: 0,
        };
        for arm in &self.arms {
            let buckets = arm.buckets.clone().unwrap_or_default();
            let bad: i64 = buckets.num.iter().fold(0, |sum, num| sum.saturating_add(*num));
            let all = buckets.den.iter().fold(0_u64, |sum, den| sum.saturating_add(*den));
            let (n, k) = if arm.treatment {
                (&mut counts.n_t, &mut counts.k_t)
            } else {
                (&mut counts.n_c, &mut counts.k_c)
            };
            *n = n.saturating_add(all);
            *k = k.saturating_add(bad.max(0).unsigned_abs());
        }
        counts
    }
}

impl SealedBatch {
    /// Writes a batch.
    pub(crate) fn write(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// Reads a batch.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        decode::<Self>(bytes, |batch| batch.schema)
    }

    /// The last moment that its counts may be of.
    pub(crate) fn happened_at_us(&self) -> i64 {
        match self.counted_at_us {
            0 => self.sealed_at_us,
            at_us => at_us,
        }
    }

    /// A batch of a horizon, sealed at a time at which the rollout was in this state.
    pub(crate) fn new(sealed_at_us: i64, horizon: u32, state: &State) -> Self {
        Self {
            schema: SCHEMA,
            sealed_at_us,
            horizon,
            visits: state.visits.len() as u32,
            horizons: state.horizons.len() as u32,
            ..Self::default()
        }
    }
}
