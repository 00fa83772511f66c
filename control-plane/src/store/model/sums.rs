//! The stored form of the sums of one visit of a stage.

use bytes::Bytes;
use prost::Message;
use rollout::{
    evidence::arm::{BUCKETS, Buckets},
    measure::{Arms, Shown, Sums},
};

use super::{ModelError, SCHEMA, decode};

#[derive(Clone, PartialEq, Message)]
struct StoredSums {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<StoredMetric>,
    #[prost(message, optional, tag = "3")]
    treatment: Option<StoredShown>,
    #[prost(message, optional, tag = "4")]
    control: Option<StoredShown>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredMetric {
    #[prost(uint32, tag = "1")]
    metric: u32,
    #[prost(uint32, tag = "2")]
    stratum: u32,
    #[prost(message, optional, tag = "3")]
    treatment: Option<StoredBuckets>,
    #[prost(message, optional, tag = "4")]
    control: Option<StoredBuckets>,
}

/// Unit buckets that have counts: which, their numerators and denominators.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredBuckets {
    #[prost(fixed64, tag = "1")]
    which: u64,
    #[prost(sint64, repeated, tag = "2")]
    pub(super) num: Vec<i64>,
    #[prost(uint64, repeated, tag = "3")]
    pub(super) den: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredShown {
    #[prost(uint32, repeated, tag = "1")]
    duration_buckets: Vec<u32>,
    #[prost(uint64, repeated, tag = "2")]
    duration_counts: Vec<u64>,
    #[prost(btree_map = "string, uint64", tag = "3")]
    classes: std::collections::BTreeMap<String, u64>,
}

/// Writes the sums of a visit.
pub(crate) fn write_sums(sums: &Sums) -> Bytes {
    let metrics = sums.metrics.iter().map(|((metric, stratum), arms)| StoredMetric {
        metric: u32::from(*metric),
        stratum: u32::from(*stratum),
        treatment: Some(write_buckets(&arms.treatment)),
        control: Some(write_buckets(&arms.control)),
    });
    StoredSums {
        schema: SCHEMA,
        metrics: metrics.collect(),
        treatment: Some(write_shown(&sums.treatment)),
        control: Some(write_shown(&sums.control)),
    }
    .encode_to_vec()
    .into()
}

/// Reads the sums of a visit.
pub(crate) fn read_sums(bytes: &[u8]) -> Result<Sums, ModelError> {
    let stored = decode::<StoredSums>(bytes, |stored| stored.schema)?;
    let metrics = stored.metrics.into_iter().map(|stored| {
        let metric = u16::try_from(stored.metric).map_err(|_| ModelError::Field("sums.metric"))?;
        let stratum = u8::try_from(stored.stratum).map_err(|_| ModelError::Field("sums.stratum"))?;
        let arms = Arms {
            treatment: read_buckets(&stored.treatment.unwrap_or_default())?,
            control: read_buckets(&stored.control.unwrap_or_default())?,
        };
        Ok(((metric, stratum), arms))
    });
    Ok(Sums {
        metrics: metrics.collect::<Result<_, ModelError>>()?,
        treatment: read_shown(stored.treatment.unwrap_or_default())?,
        control: read_shown(stored.control.unwrap_or_default())?,
    })
}

/// Writes unit buckets.
pub(super) fn write_buckets(buckets: &Buckets) -> StoredBuckets {
    let mut stored = StoredBuckets::default();
    for (bucket, (num, den)) in buckets.sums().enumerate() {
        if num != 0 || den != 0 {
            stored.which |= 1 << bucket;
            stored
                .num
                .push(i64::try_from(num).unwrap_or(if num < 0 { i64::MIN } else { i64::MAX }));
            stored.den.push(den);
        }
    }
    stored
}

/// Reads unit buckets.
pub(super) fn read_buckets(stored: &StoredBuckets) -> Result<Buckets, ModelError> {
    let count = stored.which.count_ones() as usize;
    if stored.num.len() != count || stored.den.len() != count {
        return Err(ModelError::Field("sums.buckets"));
    }
    let mut buckets = Buckets::new();
    let which = (0..BUCKETS).filter(|bucket| stored.which >> bucket & 1 == 1);
    for ((bucket, num), den) in which.zip(&stored.num).zip(&stored.den) {
        buckets.add(bucket, *num, *den);
    }
    Ok(buckets)
}

fn write_shown(shown: &Shown) -> StoredShown {
    let (buckets, counts) = shown
        .durations
        .iter()
        .map(|(bucket, count)| (u32::from(bucket), count))
        .unzip();
    StoredShown {
        duration_buckets: buckets,
        duration_counts: counts,
        classes: shown.classes.clone(),
    }
}

fn read_shown(stored: StoredShown) -> Result<Shown, ModelError> {
    if stored.duration_buckets.len() != stored.duration_counts.len() {
        return Err(ModelError::Field("sums.durations"));
    }
    let mut shown = Shown {
        classes: stored.classes,
        ..Shown::default()
    };
    for (bucket, count) in stored.duration_buckets.iter().zip(stored.duration_counts) {
        let bucket = u16::try_from(*bucket).map_err(|_| ModelError::Field("sums.durations"))?;
        shown.durations.add(bucket, count);
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn sums_read_back_as_they_were_written() {
        let mut sums = Sums::default();
        let arms = sums.metrics.entry((3, 2)).or_default();
        arms.treatment.add(0, -7, 9);
        arms.treatment.add(63, i64::MAX, 1);
        arms.control.add(5, 0, 4);
        sums.treatment.durations.add(639, 2);
        sums.control.classes.insert("db-timeout".to_owned(), 3);
        assert_eq!(read_sums(&write_sums(&sums)).unwrap(), sums);
        assert_eq!(read_sums(&write_sums(&Sums::default())).unwrap(), Sums::default());
    }
}
