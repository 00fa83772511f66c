//! The stored form of what a sealed batch writes beside the evidence: its inputs, marks, pages of positions, sampled
//! positions.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::{ModelError, SCHEMA, decode};

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
