//! A decision as a result of the protocol: nothing is left out.
//!
//! What only an agent knows (the token that names an exposure, how stale its snapshot is) is not in a decision; whoever
//! answers adds it.

use evaluation::{Arm, CompiledFlag, Decision, EvaluationError, Reason};

use crate::v1;

/// What a flag serves, by the decision that it made.
pub fn result(flag: &CompiledFlag, decision: &Decision<'_>) -> v1::Result {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let error_code = decision.error.map_or(v1::ErrorCode::Unspecified, v1::ErrorCode::from);
    v1::Result {
        flag_key: flag.key().to_string(),
        value: decision.value.map(v1::Value::from),
        variant: text(decision.variant),
        reason: v1::Reason::from(decision.reason).into(),
        rule: text(decision.rule),
        bucket: decision.bucket,
        error_code: error_code.into(),
        error_message: decision.error.map(|error| error.to_string()).unwrap_or_default(),
        prerequisite: text(decision.prerequisite),
        token: String::new(),
        stage: decision.exposure.map(|exposure| u32::from(exposure.stage)),
        arm: decision
            .exposure
            .map(|exposure| arm(exposure.arm).to_owned())
            .unwrap_or_default(),
        shadow: decision.shadow,
        stale_s: None,
        r#type: v1::FlagType::from(flag.flag_type()).into(),
    }
}

/// An arm as it is written.
pub fn arm(arm: Arm) -> &'static str {
    match arm {
        Arm::Control => "control",
        Arm::Treatment => "treatment",
    }
}

impl From<Reason> for v1::Reason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Static => Self::Static,
            Reason::Default => Self::Default,
            Reason::TargetingMatch => Self::TargetingMatch,
            Reason::Split => Self::Split,
            Reason::Disabled => Self::Disabled,
            Reason::Stale => Self::Stale,
            Reason::Error => Self::Error,
        }
    }
}

impl From<EvaluationError> for v1::ErrorCode {
    fn from(error: EvaluationError) -> Self {
        match error {
            EvaluationError::TargetingKeyMissing => Self::TargetingKeyMissing,
        }
    }
}
