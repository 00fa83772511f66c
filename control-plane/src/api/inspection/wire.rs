//! Explanations as operators see them.

use evaluation::{ExplainedRule, Explanation, Json, StepKind};
use proto::v1;
use serde_json::json;

/// The longest value of an attribute that is told, in bytes of JSON.
const VALUE: usize = 4 * 1024;

/// Why; without the values of attributes if they are to be left out.
pub(super) fn explanation(explanation: Explanation<'_>, redact: bool) -> v1::Explanation {
    let steps = explanation.steps.into_iter().map(|step| v1::ExplainedStep {
        kind: kind(step.kind).into(),
        decided: step.decided,
        detail: step.detail,
        bucket: step.bucket,
    });
    let rules = explanation.rules.into_iter().map(|rule| explained_rule(rule, redact));
    v1::Explanation {
        steps: steps.collect(),
        rules: rules.collect(),
    }
}

fn explained_rule(rule: ExplainedRule, redact: bool) -> v1::ExplainedRule {
    let value = rule.value.filter(|_| !redact).map(|value| text(&value));
    v1::ExplainedRule {
        name: rule.name,
        matched: rule.matched,
        // At most fifty conditions.
        failed_condition: rule.failed_condition.unwrap_or(0) as u32,
        condition: rule.condition,
        attribute: rule.attribute,
        value: value.unwrap_or_default(),
        failure: rule.failure,
        bucket: rule.bucket,
    }
}

fn kind(kind: StepKind) -> v1::StepKind {
    match kind {
        StepKind::Off => v1::StepKind::Off,
        StepKind::Prerequisites => v1::StepKind::Prerequisites,
        StepKind::Lists => v1::StepKind::Lists,
        StepKind::Rules => v1::StepKind::Rules,
        StepKind::Rollout => v1::StepKind::Rollout,
        StepKind::Default => v1::StepKind::Default,
    }
}

/// A value as JSON text; of one that is too long only how long it is.
fn text(value: &Json) -> String {
    let text = json(value).to_string();
    if text.len() > VALUE {
        json!({ "omitted_bytes": text.len() }).to_string()
    } else {
        text
    }
}

fn json(value: &Json) -> serde_json::Value {
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Boolean(value) => (*value).into(),
        Json::Number(value) => number(*value),
        Json::Text(value) => value.as_str().into(),
        Json::List(values) => values.iter().map(json).collect(),
        Json::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), json(value))).collect(),
    }
}

/// A number as people write it: 5, not 5.0.
fn number(value: f64) -> serde_json::Value {
    // Whole numbers up to 2^53 are exact in both.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        (value as i64).into()
    } else {
        value.into()
    }
}
