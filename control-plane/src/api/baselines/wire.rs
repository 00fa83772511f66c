//! Baselines as operators see them.

use evaluation::Key;
use proto::v1;

use crate::baseline::{BaselineRecord, Origin, whose_name};

/// A baseline of an environment.
pub(super) fn stored(environment: &Key, record: &BaselineRecord) -> v1::StoredBaseline {
    v1::StoredBaseline {
        environment: environment.to_string(),
        key: record.key.to_string(),
        description: record.description.clone(),
        values: (record.values.iter())
            .map(|(metric, value)| v1::BaselineValue {
                metric: metric.clone(),
                value: value.number.to_string(),
                outcomes: value.outcomes,
                number: value.number.as_f64(),
                buckets: record.arms.effective(metric).unwrap_or_default(),
                hours: record.arms.hours(metric),
            })
            .collect(),
        origin: record.origin.as_ref().map(origin),
        created_at_us: record.created_at_us,
        created_by: record.created_by.clone(),
        reason: record.reason.clone(),
        revision: record.revision,
    }
}

fn origin(origin: &Origin) -> v1::BaselineOrigin {
    v1::BaselineOrigin {
        rollout: origin.name.clone(),
        rollout_id: origin.rollout.to_string(),
        stage: origin.stage.clone(),
        visit: origin.visit,
        arm: whose_name(origin.whose).to_owned(),
        from_us: origin.from_us,
        until_us: origin.until_us,
        soaked_us: origin.soaked_us,
        units: origin.units,
    }
}
