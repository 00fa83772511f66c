//! Baselines: as values for programs, as a page, as rows of a list.

use proto::v1;
use serde::Serialize;

use crate::{
    duration,
    print::{self, count},
};

/// A baseline as it is stored, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct BaselineView {
    key: String,
    environment: String,
    description: String,
    values: Vec<ValueView>,
    captured: Option<OriginView>,
    created_at: Option<String>,
    created_by: String,
    reason: String,
    revision: u64,
}

/// `number`: a fraction, microseconds, whole units of money, bytes. `buckets`: how many of the 64 buckets of units really
/// speak, where they are kept. `hours`: in how many hours of the week it has data of its own.
#[derive(Debug, Serialize)]
struct ValueView {
    metric: String,
    value: String,
    number: f64,
    outcomes: u64,
    buckets: Option<f64>,
    hours: u32,
}

#[derive(Debug, Serialize)]
struct OriginView {
    rollout: String,
    rollout_id: String,
    stage: String,
    visit: u32,
    arm: String,
    from: Option<String>,
    until: Option<String>,
    soaked: String,
    units: u64,
}

impl BaselineView {
    /// Of a baseline that the control plane sent.
    pub(crate) fn of(stored: &v1::StoredBaseline) -> Self {
        let value = |value: &v1::BaselineValue| ValueView {
            metric: value.metric.clone(),
            value: value.value.clone(),
            number: value.number,
            outcomes: value.outcomes,
            buckets: buckets(value),
            hours: value.hours,
        };
        Self {
            key: stored.key.clone(),
            environment: stored.environment.clone(),
            description: stored.description.clone(),
            values: stored.values.iter().map(value).collect(),
            captured: stored.origin.as_ref().map(OriginView::of),
            created_at: print::timestamp(stored.created_at_us),
            created_by: stored.created_by.clone(),
            reason: stored.reason.clone(),
            revision: stored.revision,
        }
    }
}

impl OriginView {
    fn of(origin: &v1::BaselineOrigin) -> Self {
        Self {
            rollout: origin.rollout.clone(),
            rollout_id: origin.rollout_id.clone(),
            stage: origin.stage.clone(),
            visit: origin.visit,
            arm: origin.arm.clone(),
            from: print::timestamp(origin.from_us),
            until: print::timestamp(origin.until_us),
            soaked: duration::exact(origin.soaked_us),
            units: origin.units,
        }
    }
}

/// How many buckets of units really speak of a value, if they are kept.
fn buckets(value: &v1::BaselineValue) -> Option<f64> {
    Some(value.buckets).filter(|buckets| *buckets > 0.0)
}

/// Where its values come from, in words.
fn source(stored: &v1::StoredBaseline) -> String {
    match &stored.origin {
        None => "imported".into(),
        Some(origin) => {
            let whose = match origin.arm.as_str() {
                "control" => "control",
                _ => "everybody",
            };
            format!("{whose} in stage {} of {}", origin.stage, origin.rollout)
        }
    }
}

/// One line: the key, how many values, and where they come from.
pub(crate) fn line(stored: &v1::StoredBaseline) -> String {
    let values = stored.values.len();
    print::plain(&format!("{}: {values} values, {}", stored.key, source(stored)))
}

/// Everything about one baseline.
pub(crate) fn page(stored: &v1::StoredBaseline) -> String {
    let origin = stored.origin.clone().unwrap_or_default();
    let span = match &stored.origin {
        None => String::new(),
        Some(origin) => format!(
            "{} to {}, {} of complete data",
            print::moment(origin.from_us),
            print::moment(origin.until_us),
            duration::exact(origin.soaked_us)
        ),
    };
    let head = print::pairs([
        ("key", stored.key.clone()),
        ("environment", stored.environment.clone()),
        ("description", stored.description.clone()),
        ("values of", source(stored)),
        ("captured", span),
        (
            "units",
            Some(origin.units)
                .filter(|units| *units > 0)
                .map(count)
                .unwrap_or_default(),
        ),
        ("created", print::moment(stored.created_at_us)),
        ("by", stored.created_by.clone()),
        ("reason", stored.reason.clone()),
    ]);
    let rows = stored.values.iter().map(|value| {
        let outcomes = Some(value.outcomes).filter(|outcomes| *outcomes > 0);
        [
            value.metric.clone(),
            value.value.clone(),
            outcomes.map(count).unwrap_or_default(),
            buckets(value)
                .map(|buckets| format!("{buckets:.0}"))
                .unwrap_or_default(),
            Some(value.hours)
                .filter(|hours| *hours > 0)
                .map(|hours| format!("{hours} of 168"))
                .unwrap_or_default(),
        ]
    });
    format!(
        "{head}\n\n{}",
        print::table(["METRIC", "VALUE", "OUTCOMES", "BUCKETS", "HOURS"], rows)
    )
}

/// A table, one baseline a row.
pub(crate) fn list(baselines: &[v1::StoredBaseline]) -> String {
    let rows = baselines.iter().map(|stored| {
        let values = stored.values.iter();
        let values: Vec<String> = values
            .map(|value| format!("{} {}", value.metric, value.value))
            .collect();
        [
            stored.key.clone(),
            source(stored),
            values.join(", "),
            stored.created_by.clone(),
            print::moment(stored.created_at_us),
        ]
    });
    print::table(["BASELINE", "FROM", "VALUES", "BY", "CREATED"], rows)
}
