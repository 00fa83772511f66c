//! What a flag serves and why: the result, the steps in the order of deciding, every rule and why it did not match.

use proto::v1;
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    flag_document::type_name,
    json,
    print::{self, Paint, Tone, plain},
};

/// What a flag serves, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ResultView {
    flag: String,
    #[serde(rename = "type")]
    flag_type: &'static str,
    value: Json,
    #[serde(skip_serializing_if = "String::is_empty")]
    variant: String,
    reason: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    prerequisite: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    arm: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shadow: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    error_message: String,
}

impl ResultView {
    /// Of a result that the control plane sent.
    pub(crate) fn of(result: &v1::Result) -> Self {
        Self {
            flag: result.flag_key.clone(),
            flag_type: type_name(result.r#type),
            value: json::of_value(result.value.as_ref()),
            variant: result.variant.clone(),
            reason: reason(result.reason()),
            rule: result.rule.clone(),
            prerequisite: result.prerequisite.clone(),
            bucket: result.bucket,
            stage: result.stage,
            arm: result.arm.clone(),
            shadow: result.shadow,
            error_code: error_code(result.error_code()),
            error_message: result.error_message.clone(),
        }
    }
}

/// Why a flag serves what it serves, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ExplanationView {
    #[serde(flatten)]
    result: ResultView,
    steps: Vec<StepView>,
    rules: Vec<RuleView>,
}

#[derive(Debug, Serialize)]
struct StepView {
    step: &'static str,
    decided: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<u32>,
}

#[derive(Debug, Serialize)]
struct RuleView {
    name: String,
    matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<FailedView>,
}

/// The first condition that did not hold.
#[derive(Debug, Serialize)]
struct FailedView {
    condition: u32,
    test: String,
    attribute: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    why: String,
}

impl ExplanationView {
    /// Of an explanation that the control plane sent.
    pub(crate) fn of(result: &v1::Result, explanation: &v1::Explanation) -> Self {
        let step = |one: &v1::ExplainedStep| StepView {
            step: step(one.kind()),
            decided: one.decided,
            detail: one.detail.clone(),
            bucket: one.bucket,
        };
        let failed = |rule: &v1::ExplainedRule| FailedView {
            condition: rule.failed_condition,
            test: rule.condition.clone(),
            attribute: rule.attribute.clone(),
            value: json::of_text(&rule.value),
            why: rule.failure.clone(),
        };
        let rule = |rule: &v1::ExplainedRule| RuleView {
            name: rule.name.clone(),
            matched: rule.matched,
            bucket: rule.bucket,
            failed: (!rule.matched).then(|| failed(rule)),
        };
        Self {
            result: ResultView::of(result),
            steps: explanation.steps.iter().map(step).collect(),
            rules: explanation.rules.iter().map(rule).collect(),
        }
    }
}

/// What is served, in one line: `checkout-v2: on = true (SPLIT, bucket 12,345)`.
pub(crate) fn line(result: &v1::Result) -> String {
    let served = match (&result.value, result.variant.as_str()) {
        (None, _) => "the caller's default".to_owned(),
        (Some(value), "") => json::of_value(Some(value)).to_string(),
        (Some(value), variant) => format!("{variant} = {}", json::of_value(Some(value))),
    };
    let mut why = vec![reason(result.reason()).to_owned()];
    for (name, value) in [("rule", &result.rule), ("prerequisite", &result.prerequisite)] {
        if !value.is_empty() {
            why.push(format!("{name} {value}"));
        }
    }
    why.extend(
        result
            .bucket
            .map(|bucket| format!("bucket {}", print::count(bucket.into()))),
    );
    if !result.arm.is_empty() {
        let stage = result
            .stage
            .map(|stage| format!(" of stage {stage}"))
            .unwrap_or_default();
        let shadow = if result.shadow { ", in shadow" } else { "" };
        why.push(format!("{}{stage}{shadow}", result.arm));
    }
    why.extend(error_code(result.error_code()).map(str::to_owned));
    if !result.error_message.is_empty() {
        why.push(result.error_message.clone());
    }
    plain(&format!("{}: {served} ({})", result.flag_key, why.join(", ")))
}

/// The line, the steps and the rules.
pub(crate) fn page(result: &v1::Result, explanation: &v1::Explanation, paint: Paint) -> String {
    let mut lines = vec![paint.tone(Tone::Strong, &line(result)), String::new()];
    for one in &explanation.steps {
        lines.push(step_line(one, paint));
    }
    if !explanation.rules.is_empty() {
        lines.push(String::new());
        lines.push("rules:".to_owned());
        lines.extend(explanation.rules.iter().map(|rule| rule_line(rule, paint)));
    }
    lines.join("\n")
}

fn step_line(one: &v1::ExplainedStep, paint: Paint) -> String {
    let (sign, tone) = if one.decided {
        ("=>", Tone::Good)
    } else {
        ("  ", Tone::Faint)
    };
    let bucket = one
        .bucket
        .map(|bucket| format!(" [bucket {}]", print::count(bucket.into())));
    let line = format!(
        "{sign} {:<14} {}{}",
        step(one.kind()),
        plain(&one.detail),
        bucket.unwrap_or_default()
    );
    paint.tone(tone, line.trim_end())
}

fn rule_line(rule: &v1::ExplainedRule, paint: Paint) -> String {
    let bucket = rule
        .bucket
        .map(|bucket| format!(" [bucket {}]", print::count(bucket.into())));
    let name = plain(&rule.name);
    if rule.matched {
        return paint.tone(Tone::Good, &format!("+ {name}: matches{}", bucket.unwrap_or_default()));
    }
    let value = match json::of_text(&rule.value) {
        Some(value) if !rule.attribute.is_empty() => format!("; {} is {value}", rule.attribute),
        Some(_) | None => String::new(),
    };
    let line = format!(
        "- {name}: condition {} does not hold: {}: {}{value}{}",
        u64::from(rule.failed_condition) + 1,
        rule.condition,
        rule.failure,
        bucket.unwrap_or_default()
    );
    paint.tone(Tone::Bad, &plain(&line))
}

/// OpenFeature's name.
fn reason(reason: v1::Reason) -> &'static str {
    match reason {
        v1::Reason::Unspecified => "UNKNOWN",
        v1::Reason::Static => "STATIC",
        v1::Reason::Default => "DEFAULT",
        v1::Reason::TargetingMatch => "TARGETING_MATCH",
        v1::Reason::Split => "SPLIT",
        v1::Reason::Disabled => "DISABLED",
        v1::Reason::Stale => "STALE",
        v1::Reason::Error => "ERROR",
    }
}

/// OpenFeature's name; none without an error.
fn error_code(code: v1::ErrorCode) -> Option<&'static str> {
    match code {
        v1::ErrorCode::Unspecified => None,
        v1::ErrorCode::FlagNotFound => Some("FLAG_NOT_FOUND"),
        v1::ErrorCode::TypeMismatch => Some("TYPE_MISMATCH"),
        v1::ErrorCode::TargetingKeyMissing => Some("TARGETING_KEY_MISSING"),
        v1::ErrorCode::InvalidContext => Some("INVALID_CONTEXT"),
        v1::ErrorCode::General => Some("GENERAL"),
    }
}

fn step(kind: v1::StepKind) -> &'static str {
    match kind {
        v1::StepKind::Unspecified => "unknown",
        v1::StepKind::Off => "off",
        v1::StepKind::Prerequisites => "prerequisites",
        v1::StepKind::Lists => "lists",
        v1::StepKind::Rules => "rules",
        v1::StepKind::Rollout => "rollout",
        v1::StepKind::Default => "default",
    }
}
