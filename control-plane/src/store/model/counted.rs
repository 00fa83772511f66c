//! The stored form of what agents count for a rollout.

use prost::Message;
use rollout::measure::{Counted, Counting, Per};

use super::ModelError;

/// A counting as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredCounted {
    #[prost(string, tag = "1")]
    metric: String,
    /// 1 errors, 2 timeouts, 3 status, 4 slower, 5 above, 6 sum, 7 hits, 8 lost.
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(string, repeated, tag = "3")]
    expected: Vec<String>,
    #[prost(string, tag = "4")]
    value: String,
    /// Of `slower` and `above` the bound, of `status` the lowest, of `sum` the least.
    #[prost(sint64, tag = "5")]
    first: i64,
    /// Of `status` the highest, of `sum` the greatest.
    #[prost(sint64, tag = "6")]
    second: i64,
    #[prost(bool, tag = "7")]
    per_exposure: bool,
}

impl From<&Counted> for StoredCounted {
    fn from(counted: &Counted) -> Self {
        let of = |kind: u32| Self {
            metric: counted.metric.clone(),
            kind,
            ..Self::default()
        };
        match &counted.counting {
            Counting::Errors { expected } => Self {
                expected: expected.clone(),
                ..of(1)
            },
            Counting::Timeouts => of(2),
            Counting::Status { from, to } => Self {
                first: i64::from(*from),
                second: i64::from(*to),
                ..of(3)
            },
            Counting::Slower { bound_us } => Self {
                first: *bound_us,
                ..of(4)
            },
            Counting::Above { value, bound } => Self {
                value: value.clone(),
                first: *bound,
                ..of(5)
            },
            Counting::Sum {
                value,
                minimum,
                maximum,
                per,
            } => Self {
                value: value.clone(),
                first: *minimum,
                second: *maximum,
                per_exposure: *per == Per::Exposure,
                ..of(6)
            },
            Counting::Hits { value, per } => Self {
                value: value.clone(),
                per_exposure: *per == Per::Exposure,
                ..of(7)
            },
            Counting::Lost => of(8),
        }
    }
}

impl StoredCounted {
    /// The counting.
    pub(super) fn read(self) -> Result<Counted, ModelError> {
        let per = if self.per_exposure { Per::Exposure } else { Per::Value };
        let status = |number: i64| u16::try_from(number).map_err(|_| ModelError::Field("counted.status"));
        let counting = match self.kind {
            1 => Counting::Errors {
                expected: self.expected,
            },
            2 => Counting::Timeouts,
            3 => Counting::Status {
                from: status(self.first)?,
                to: status(self.second)?,
            },
            4 => Counting::Slower { bound_us: self.first },
            5 => Counting::Above {
                value: self.value,
                bound: self.first,
            },
            6 => Counting::Sum {
                value: self.value,
                minimum: self.first,
                maximum: self.second,
                per,
            },
            7 => Counting::Hits { value: self.value, per },
            8 => Counting::Lost,
            _ => return Err(ModelError::Field("counted.kind")),
        };
        Ok(Counted {
            metric: self.metric,
            counting,
        })
    }
}
