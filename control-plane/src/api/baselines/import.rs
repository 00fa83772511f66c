//! What an operator knows, read: every violation at once.
//!
//! A metric of the catalogue has values in its own unit. Any other may be of a plan that is not stored here, so its unit
//! is not checked; one that is nearly a metric of the catalogue is taken for a mistake.

use std::collections::BTreeMap;

use evaluation::{Key, Violation};
use proto::{status::violation, v1};
use rollout::{
    catalogue::{self, MetricKey, Resolver},
    criterion::{Number, check_value},
    measure::CapturedArms,
};

use super::Wanted;
use crate::baseline::{DESCRIPTION_BYTES, VALUES_LIMIT, Value};

/// Reads a request.
pub(super) fn read(request: v1::ImportBaselineRequest) -> Result<Wanted, Vec<Violation>> {
    let mut found = Vec::new();
    let key = Key::parse(&request.key);
    if let Err(error) = &key {
        found.push(violation("key", error.to_string()));
    }
    found.extend(check_description(&request.description));
    if request.values.is_empty() || request.values.len() > VALUES_LIMIT {
        let description = format!("must be 1 to {VALUES_LIMIT} values, not {}", request.values.len());
        found.push(violation("values", description));
    }
    let mut values = BTreeMap::new();
    for (metric, text) in request.values.iter().take(VALUES_LIMIT) {
        let field = format!("values.{}", shown(metric));
        match read_value(metric, text) {
            Ok((metric, number)) => {
                let value = Value { number, outcomes: 0 };
                if values.insert(metric.to_string(), value).is_some() {
                    found.push(violation(
                        field,
                        format!("{metric} stands twice, under two of its names"),
                    ));
                }
            }
            Err(description) => found.push(violation(field, description)),
        }
    }
    match key {
        Ok(key) if found.is_empty() => Ok(Wanted {
            key,
            description: request.description,
            values,
            origin: None,
            arms: CapturedArms::default(),
        }),
        Ok(_) | Err(_) => Err(found),
    }
}

/// What is wrong with a description.
pub(super) fn check_description(description: &str) -> Option<Violation> {
    let length = description.len();
    (length > DESCRIPTION_BYTES).then(|| {
        violation(
            "description",
            format!("must be at most {DESCRIPTION_BYTES} bytes, not {length}"),
        )
    })
}

fn read_value(metric: &str, text: &str) -> Result<(MetricKey, Number), String> {
    let metric = MetricKey::new(metric).map_err(|error| error.to_string())?;
    let number: Number = shown(text).parse().map_err(|problem| format!("{problem}"))?;
    let resolver = Resolver::new(&[]);
    if resolver.resolve(&metric).is_ok() {
        check_value(&metric, number, &resolver).map_err(|problem| problem.to_string())?;
    } else if let Some(near) = catalogue::nearest(metric.as_str()) {
        return Err(format!(
            "{metric} is no metric of the catalogue; did you mean {}?",
            near.key
        ));
    }
    Ok((metric, number))
}

/// The beginning of a text: no value is longer, and a message has its limits.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}
