//! What flagd's protocols and OFREP say alike: which flags a selector admits, and the metadata of an answer.
//!
//! One place for both, so that a flag is described the same whichever way it was asked for. What is said travels as
//! borrowed pieces; a door writes them in its own form.

use evaluation::{Decision, EvaluationError, Reason};
use proto::{METADATA_ARM, METADATA_PREREQUISITE, METADATA_SHADOW, METADATA_STAGE, METADATA_STALE, METADATA_TOKEN};

use crate::evaluate::{Named, Selection};

/// The header with which a client restricts itself to a flag set.
pub(crate) const SELECTOR: &str = "flagd-selector";
/// Metadata key of the flag set that a client restricted itself to.
pub(crate) const METADATA_SET: &str = "flagSetId";
/// Metadata key of what OpenFeature's hooks for OpenTelemetry tell as `feature_flag.version`.
pub(crate) const METADATA_VERSION: &str = "version";
/// Metadata key that says why the caller's default is served.
pub(crate) const METADATA_ERROR: &str = "tidegate.error";

/// Why a selector selects nothing that could be found.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectorError {
    /// It is not text.
    #[error("not ASCII text")]
    Text,
    /// It selects by something unknown.
    #[error("invalid selector key \"{0}\", valid keys: \"flagSetId\", \"source\"")]
    Key(String),
}

/// All that is to be said of an answer beside its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described<'s> {
    /// The decision.
    pub(crate) decision: &'s Decision<'s>,
    /// What the client restricted itself to.
    pub(crate) selection: &'s Selection,
    /// The exposure, if a rollout decided.
    pub(crate) named: Option<&'s Named>,
    /// The control plane's silence, if it makes the answer stale.
    pub(crate) stale_s: Option<u64>,
}

/// The value of a piece of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meta<'s> {
    /// Text.
    Text(&'s str),
    /// A number.
    Number(u64),
    /// Yes or no.
    Boolean(bool),
}

impl Described<'_> {
    /// Gives each piece of metadata in turn.
    pub(crate) fn metadata(&self, mut put: impl FnMut(&'static str, Meta<'_>)) {
        if let Selection::Set(set) = self.selection {
            put(METADATA_SET, Meta::Text(set));
        }
        if let Some(named) = self.named {
            put(METADATA_TOKEN, Meta::Text(&named.token));
            put(METADATA_VERSION, Meta::Text(&named.version));
            put(METADATA_STAGE, Meta::Number(u64::from(named.stage)));
            put(METADATA_ARM, Meta::Text(named.arm()));
            if self.decision.shadow {
                put(METADATA_SHADOW, Meta::Boolean(true));
            }
        }
        if let Some(prerequisite) = self.decision.prerequisite {
            put(METADATA_PREREQUISITE, Meta::Text(prerequisite));
        }
        if let Some(error) = self.decision.error {
            put(METADATA_ERROR, Meta::Text(error_code(error)));
        }
        if let Some(seconds) = self.stale_s {
            put(METADATA_STALE, Meta::Number(seconds));
        }
    }
}

/// OpenFeature's code of an error.
pub(crate) fn error_code(error: EvaluationError) -> &'static str {
    match error {
        EvaluationError::TargetingKeyMissing => "TARGETING_KEY_MISSING",
    }
}

/// The reason that is said. Without a value it is DEFAULT or DISABLED, because clients take an unset value for the
/// caller's default with these two only. What a flag serves from a stale snapshot instead of its own decision is
/// DEFAULT too: nothing about the caller decided, clients do not cache it, and none of them knows STALE from a server.
/// `split` is the protocol's word for a unit's bucket.
pub(crate) fn reason(decision: &Decision<'_>, split: Reason) -> &'static str {
    let reason = match decision.reason {
        Reason::Split => split,
        Reason::Error | Reason::Stale => Reason::Default,
        Reason::Static | Reason::Default | Reason::TargetingMatch | Reason::Disabled => decision.reason,
    };
    if decision.value.is_none() && reason != Reason::Disabled {
        return Reason::Default.as_str();
    }
    reason.as_str()
}

/// Reads a selector: nothing, `flagSetId=...`, `source=...`, or a source alone.
pub(crate) fn selection(header: Option<&[u8]>) -> Result<Selection, SelectorError> {
    let Some(header) = header else {
        return Ok(Selection::All);
    };
    let text = std::str::from_utf8(header)
        .ok()
        .filter(|text| text.is_ascii())
        .ok_or(SelectorError::Text)?;
    match text.split_once('=') {
        None if text.is_empty() => Ok(Selection::All),
        None | Some(("source", _)) => Ok(Selection::Nothing),
        Some(("flagSetId", set)) => Ok(Selection::Set(set.to_owned())),
        Some((key, _)) => Err(SelectorError::Key(key.to_owned())),
    }
}
