//! A decision as the native protocol says it: nothing is left out.
//!
//! A stale answer says STALE here, whatever decided; only what would be the same in any snapshot keeps its reason: a
//! disabled flag, and an error.

use evaluation::{CompiledFlag, Decision, Reason};
use proto::v1;

use crate::evaluate::Named;

/// The result of a flag that decided. An exposure that could not be named is not told.
pub(super) fn result(
    flag: &CompiledFlag,
    decision: &Decision<'_>,
    named: Option<Named>,
    stale_s: Option<u64>,
) -> v1::Result {
    let shadow = decision.shadow && named.is_some();
    let (token, stage, arm) = match named {
        Some(named) => {
            let arm = named.arm().to_owned();
            (named.token, Some(u32::from(named.stage)), arm)
        }
        None => (String::new(), None, String::new()),
    };
    v1::Result {
        reason: reason(decision.reason, stale_s.is_some()).into(),
        token,
        stage,
        arm,
        shadow,
        stale_s,
        ..proto::result::result(flag, decision)
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
        Reason::Disabled | Reason::Error => reason.into(),
        Reason::Static | Reason::Default | Reason::TargetingMatch | Reason::Split | Reason::Stale if stale => {
            v1::Reason::Stale
        }
        Reason::Static | Reason::Default | Reason::TargetingMatch | Reason::Split | Reason::Stale => reason.into(),
    }
}
