//! A decision as the native protocol says it: nothing is left out.
//!
//! A stale answer says STALE here, whatever decided; only what would be the same in any snapshot keeps its reason: a
//! disabled flag, and an error.

use evaluation::{CompiledFlag, Decision, EvaluationError, Reason};
use proto::v1;

use crate::evaluate::Named;

/// The result of a flag that decided.
pub(super) fn result(
    flag: &CompiledFlag,
    decision: &Decision<'_>,
    named: Option<Named>,
    stale_s: Option<u64>,
) -> v1::Result {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let error_code = decision.error.map_or(v1::ErrorCode::Unspecified, error_code);
    let (stage, arm) = match &named {
        Some(named) => (Some(u32::from(named.stage)), named.arm().to_owned()),
        None => (None, String::new()),
    };
    v1::Result {
        flag_key: flag.key().to_string(),
        value: decision.value.map(v1::Value::from),
        variant: text(decision.variant),
        reason: reason(decision.reason, stale_s.is_some()).into(),
        rule: text(decision.rule),
        bucket: decision.bucket,
        error_code: error_code.into(),
        error_message: decision.error.map(|error| error.to_string()).unwrap_or_default(),
        prerequisite: text(decision.prerequisite),
        token: named.map(|named| named.token).unwrap_or_default(),
        stage,
        arm,
        stale_s,
        r#type: v1::FlagType::from(flag.flag_type()).into(),
    }
}

/// The result of a flag that could not be asked.
pub(super) fn failed(key: &str, code: v1::ErrorCode, message: String) -> v1::Result {
    v1::Result {
        flag_key: key.to_owned(),
        reason: v1::Reason::Error.into(),
        error_code: code.into(),
        error_message: message,
        ..v1::Result::default()
    }
}

fn reason(reason: Reason, stale: bool) -> v1::Reason {
    match reason {
        Reason::Disabled => v1::Reason::Disabled,
        Reason::Error => v1::Reason::Error,
        Reason::Static | Reason::Default | Reason::TargetingMatch | Reason::Split if stale => v1::Reason::Stale,
        Reason::Static => v1::Reason::Static,
        Reason::Default => v1::Reason::Default,
        Reason::TargetingMatch => v1::Reason::TargetingMatch,
        Reason::Split => v1::Reason::Split,
        Reason::Stale => v1::Reason::Stale,
    }
}

fn error_code(error: EvaluationError) -> v1::ErrorCode {
    match error {
        EvaluationError::TargetingKeyMissing => v1::ErrorCode::TargetingKeyMissing,
    }
}
