//! The stored form of the unit buckets of a captured baseline: with the baseline, and under a key of their own with each
//! rollout that took them over.

use bytes::Bytes;
use prost::Message;
use rollout::{
    evidence::arm::Buckets,
    measure::{CapturedArm, CapturedArms, HOURS_OF_WEEK},
};

use super::{
    ModelError, SCHEMA,
    counted::StoredCounted,
    decode,
    sums::{StoredBuckets, read_buckets, write_buckets},
};

#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredArms {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(uint64, tag = "2")]
    units: u64,
    #[prost(message, repeated, tag = "3")]
    arms: Vec<StoredArm>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredArm {
    #[prost(message, optional, tag = "1")]
    counted: Option<StoredCounted>,
    #[prost(message, optional, tag = "2")]
    buckets: Option<StoredBuckets>,
    #[prost(message, repeated, tag = "3")]
    hours: Vec<StoredHour>,
}

/// An hour of the week, from Monday 00:00 UTC.
#[derive(Clone, PartialEq, Message)]
struct StoredHour {
    #[prost(uint32, tag = "1")]
    hour: u32,
    #[prost(message, optional, tag = "2")]
    buckets: Option<StoredBuckets>,
}

impl From<&CapturedArms> for StoredArms {
    fn from(captured: &CapturedArms) -> Self {
        let arms = captured.arms.iter().map(|arm| StoredArm {
            counted: Some(StoredCounted::from(&arm.counted)),
            buckets: Some(write_buckets(&arm.buckets)),
            hours: arm.hours.iter().map(write_hour).collect(),
        });
        Self {
            schema: SCHEMA,
            units: captured.units,
            arms: arms.collect(),
        }
    }
}

impl StoredArms {
    /// The arms.
    pub(super) fn read(self) -> Result<CapturedArms, ModelError> {
        let arms = self.arms.into_iter().map(|arm| {
            Ok(CapturedArm {
                counted: arm.counted.unwrap_or_default().read()?,
                buckets: read_buckets(&arm.buckets.unwrap_or_default())?,
                hours: arm.hours.into_iter().map(read_hour).collect::<Result<_, _>>()?,
            })
        });
        Ok(CapturedArms {
            units: self.units,
            arms: arms.collect::<Result<_, ModelError>>()?,
        })
    }
}

fn write_hour((hour, buckets): (&u8, &Buckets)) -> StoredHour {
    StoredHour {
        hour: u32::from(*hour),
        buckets: Some(write_buckets(buckets)),
    }
}

fn read_hour(stored: StoredHour) -> Result<(u8, Buckets), ModelError> {
    let hour = u8::try_from(stored.hour).ok().filter(|hour| *hour < HOURS_OF_WEEK);
    let hour = hour.ok_or(ModelError::Field("captured.hour"))?;
    Ok((hour, read_buckets(&stored.buckets.unwrap_or_default())?))
}

/// Writes what a rollout took over.
pub(crate) fn write_captured(captured: &CapturedArms) -> Bytes {
    StoredArms::from(captured).encode_to_vec().into()
}

/// Reads what a rollout took over.
pub(crate) fn read_captured(bytes: &[u8]) -> Result<CapturedArms, ModelError> {
    decode::<StoredArms>(bytes, |stored| stored.schema)?.read()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use super::*;
    use crate::builders;

    #[test]
    fn captured_arms_read_back_as_they_were_written() {
        let captured = builders::captured(12_345);
        assert_eq!(Arc::new(read_captured(&write_captured(&captured)).unwrap()), captured);
    }

    #[test]
    fn an_arm_takes_less_than_half_a_kilobyte() {
        // A bad outcome in a hundred of 800,000.
        let captured = builders::captured(12_500);
        let bytes = write_captured(&captured).len();
        assert!((200..512).contains(&bytes), "{bytes} bytes");
        // As many of each as there may be, of a rollout that nobody has seen the like of.
        let arm = builders::captured(1 << 60).arms[0].clone();
        let largest = CapturedArms {
            units: u64::MAX,
            arms: vec![arm; rollout::measure::MOST_COUNTED],
        };
        let bytes = write_captured(&largest).len();
        assert!(bytes < 128 * 1_024, "{bytes} bytes");
    }

    #[test]
    fn a_week_by_the_hour_fits_into_a_value() {
        // Each hour has as much as the whole above: 800,000 outcomes of each counting.
        let mut captured = CapturedArms::clone(&builders::captured(12_500));
        let arm = &mut captured.arms[0];
        arm.hours = (0..HOURS_OF_WEEK).map(|hour| (hour, arm.buckets.clone())).collect();
        captured.arms = vec![captured.arms[0].clone(); rollout::measure::MOST_BY_HOUR];
        let written = write_captured(&captured);
        assert!(written.len() < crate::store::VALUE_LIMIT / 2, "{} bytes", written.len());
        assert_eq!(read_captured(&written).unwrap(), captured);
    }
}
