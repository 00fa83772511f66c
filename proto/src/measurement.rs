//! Measurement and environment entries between the wire and `evaluation`.

use evaluation::{
    Buckets, Counting, Environment, EnvironmentKind, Key, KeyError, Measurement, MetricSpec, Per, SplittingUnit,
    StageVisit,
};

use crate::{METRIC_NUMBERS, revision, v1};

/// Why an entry could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasurementError {
    /// A field of fixed length was not.
    #[error(transparent)]
    Length(#[from] revision::LengthError),
    /// A key was malformed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A field is out of its range, or of a kind that is not known here.
    #[error("{0} is out of range or not known")]
    Range(&'static str),
}

impl From<&Measurement> for v1::MeasurementEntry {
    fn from(measurement: &Measurement) -> Self {
        Self {
            rollout: measurement.rollout,
            id: revision::write_u128(measurement.id),
            flag: measurement.flag.to_string(),
            measuring_key: revision::write_u128(measurement.measuring_key),
            start_tick: measurement.start_tick,
            unit: v1::SplittingUnit::from(measurement.unit).into(),
            visits: measurement
                .stages
                .iter()
                .map(|visit| v1::StageVisit {
                    stage: u32::from(visit.stage),
                    visit: visit.visit,
                    buckets: visit.share.get(),
                    entered_tick: visit.entered_tick,
                })
                .collect(),
            horizon_starts: measurement.horizon_starts.clone(),
            lost_after_us: measurement.lost_after_us,
            metrics: measurement.metrics.iter().map(v1::MetricSpec::from).collect(),
            ended: measurement.ended,
        }
    }
}

impl TryFrom<v1::MeasurementEntry> for Measurement {
    type Error = MeasurementError;

    fn try_from(entry: v1::MeasurementEntry) -> Result<Self, MeasurementError> {
        let unit = match v1::SplittingUnit::try_from(entry.unit) {
            Ok(v1::SplittingUnit::Unspecified | v1::SplittingUnit::Unit) => SplittingUnit::Unit,
            Ok(v1::SplittingUnit::Request) => SplittingUnit::Request,
            Err(_) => return Err(MeasurementError::Range("unit")),
        };
        Ok(Self {
            rollout: entry.rollout,
            id: revision::read_u128("id", &entry.id)?,
            flag: Key::parse(&entry.flag)?,
            measuring_key: revision::read_u128("measuring_key", &entry.measuring_key)?,
            start_tick: entry.start_tick,
            unit,
            stages: entry.visits.into_iter().map(visit).collect::<Result<_, _>>()?,
            horizon_starts: entry.horizon_starts,
            lost_after_us: entry.lost_after_us,
            metrics: entry.metrics.into_iter().map(metric).collect::<Result<_, _>>()?,
            ended: entry.ended,
        })
    }
}

fn visit(visit: v1::StageVisit) -> Result<StageVisit, MeasurementError> {
    Ok(StageVisit {
        stage: u8::try_from(visit.stage)
            .ok()
            .filter(|stage| *stage < 16)
            .ok_or(MeasurementError::Range("visits.stage"))?,
        visit: visit.visit,
        share: Buckets::new(visit.buckets).ok_or(MeasurementError::Range("visits.buckets"))?,
        entered_tick: visit.entered_tick,
    })
}

impl From<&MetricSpec> for v1::MetricSpec {
    fn from(metric: &MetricSpec) -> Self {
        let bare = Self {
            number: u32::from(metric.number),
            key: metric.key.clone(),
            lost_is_bad: metric.lost_is_bad,
            ..Self::default()
        };
        let of = |kind: v1::MetricKind| Self {
            kind: kind.into(),
            ..bare.clone()
        };
        match &metric.counting {
            Counting::Errors { expected } => Self {
                expected_classes: expected.clone(),
                ..of(v1::MetricKind::ErrorRate)
            },
            Counting::Timeouts => of(v1::MetricKind::TimeoutRate),
            Counting::Status { from, to } => Self {
                status_from: u32::from(*from),
                status_to: u32::from(*to),
                ..of(v1::MetricKind::Status)
            },
            Counting::Slower { bound_us } => Self {
                bound: *bound_us,
                ..of(v1::MetricKind::Slower)
            },
            Counting::Above { value, bound } => Self {
                value: value.clone(),
                bound: *bound,
                ..of(v1::MetricKind::Above)
            },
            Counting::Sum {
                value,
                minimum,
                maximum,
                per,
            } => Self {
                value: value.clone(),
                minimum: *minimum,
                maximum: *maximum,
                per_exposure: *per == Per::Exposure,
                ..of(v1::MetricKind::Sum)
            },
            Counting::Hits { value, per } => Self {
                value: value.clone(),
                per_exposure: *per == Per::Exposure,
                ..of(v1::MetricKind::Hits)
            },
            Counting::Lost => of(v1::MetricKind::Lost),
        }
    }
}

fn metric(metric: v1::MetricSpec) -> Result<MetricSpec, MeasurementError> {
    let status = |status| u16::try_from(status).map_err(|_| MeasurementError::Range("metrics.status"));
    let per = if metric.per_exposure { Per::Exposure } else { Per::Value };
    let counting = match metric.kind() {
        v1::MetricKind::ErrorRate => Counting::Errors {
            expected: metric.expected_classes,
        },
        v1::MetricKind::TimeoutRate => Counting::Timeouts,
        v1::MetricKind::Status => Counting::Status {
            from: status(metric.status_from)?,
            to: status(metric.status_to)?,
        },
        v1::MetricKind::Slower => Counting::Slower { bound_us: metric.bound },
        v1::MetricKind::Above => Counting::Above {
            value: metric.value,
            bound: metric.bound,
        },
        v1::MetricKind::Sum if metric.minimum > metric.maximum => {
            return Err(MeasurementError::Range("metrics.minimum"));
        }
        v1::MetricKind::Sum => Counting::Sum {
            value: metric.value,
            minimum: metric.minimum,
            maximum: metric.maximum,
            per,
        },
        v1::MetricKind::Hits => Counting::Hits {
            value: metric.value,
            per,
        },
        v1::MetricKind::Lost => Counting::Lost,
        v1::MetricKind::Unspecified => return Err(MeasurementError::Range("metrics.kind")),
    };
    Ok(MetricSpec {
        number: u16::try_from(metric.number)
            .ok()
            .filter(|number| *number < METRIC_NUMBERS)
            .ok_or(MeasurementError::Range("metrics.number"))?,
        key: metric.key,
        counting,
        lost_is_bad: metric.lost_is_bad,
    })
}

impl From<SplittingUnit> for v1::SplittingUnit {
    fn from(unit: SplittingUnit) -> Self {
        match unit {
            SplittingUnit::Unit => Self::Unit,
            SplittingUnit::Request => Self::Request,
        }
    }
}

impl From<EnvironmentKind> for v1::EnvironmentKind {
    fn from(kind: EnvironmentKind) -> Self {
        match kind {
            EnvironmentKind::Development => Self::Development,
            EnvironmentKind::Staging => Self::Staging,
            EnvironmentKind::Production => Self::Production,
        }
    }
}

impl From<&Environment> for v1::EnvironmentEntry {
    fn from(environment: &Environment) -> Self {
        Self {
            key: environment.key.to_string(),
            kind: v1::EnvironmentKind::from(environment.kind).into(),
            order: environment.order,
            token_key: revision::write_u128(environment.token_key),
        }
    }
}

impl TryFrom<v1::EnvironmentEntry> for Environment {
    type Error = MeasurementError;

    fn try_from(entry: v1::EnvironmentEntry) -> Result<Self, MeasurementError> {
        let kind = match entry.kind() {
            v1::EnvironmentKind::Development => EnvironmentKind::Development,
            v1::EnvironmentKind::Staging => EnvironmentKind::Staging,
            v1::EnvironmentKind::Production => EnvironmentKind::Production,
            v1::EnvironmentKind::Unspecified => return Err(MeasurementError::Range("kind")),
        };
        Ok(Self {
            key: Key::parse(&entry.key)?,
            kind,
            order: entry.order,
            token_key: revision::read_u128("token_key", &entry.token_key)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entry(number: u32) -> v1::MeasurementEntry {
        let metric = v1::MetricSpec {
            number,
            key: "errors".to_owned(),
            kind: v1::MetricKind::ErrorRate.into(),
            ..v1::MetricSpec::default()
        };
        v1::MeasurementEntry {
            rollout: 1,
            id: revision::write_u128(7),
            flag: "checkout".to_owned(),
            measuring_key: revision::write_u128(5),
            metrics: vec![metric],
            ..v1::MeasurementEntry::default()
        }
    }

    #[test]
    fn a_metric_has_a_number_below_1024_because_whoever_counts_has_a_place_for_each() {
        let last = Measurement::try_from(entry(1_023)).unwrap();
        assert_eq!(last.metrics[0].number, 1_023);
        for number in [1_024, 65_535, 65_536, u32::MAX] {
            let refused = Measurement::try_from(entry(number));
            assert_eq!(refused, Err(MeasurementError::Range("metrics.number")), "{number}");
        }
    }
}
