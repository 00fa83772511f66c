//! What an evaluation answers: a value, and why.
//!
//! A decision borrows from the compiled flag and costs no allocation; text for the wire is made at the doors.

use std::fmt;

use crate::exposure::Exposure;
use crate::value::Value;

/// Why a decision came out as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The flag serves everybody the same, and nothing in it could decide otherwise: clients may cache it.
    Static,
    /// Nothing above the default decided.
    Default,
    /// A prerequisite, a list or a rule decided.
    TargetingMatch,
    /// The unit's bucket decided.
    Split,
    /// The flag is disabled or killed.
    Disabled,
    /// The snapshot is stale, and the flag is served as it says for that case.
    Stale,
    /// The flag could not decide; the caller's default is served.
    Error,
}

/// Why a flag could not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EvaluationError {
    /// A split needs a unit and the context names none.
    #[error("the context has no targeting key or other attribute that the flag splits by")]
    TargetingKeyMissing,
}

/// The answer to one evaluation of one flag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision<'s> {
    /// The value; none: the default that the caller passed.
    pub value: Option<&'s Value>,
    /// The name of the variant that has it.
    pub variant: Option<&'s str>,
    /// Why.
    pub reason: Reason,
    /// The rule that decided.
    pub rule: Option<&'s str>,
    /// The flag that does not serve what this one waits for, if that decided.
    pub prerequisite: Option<&'s str>,
    /// What a rollout must know, if one decided.
    pub exposure: Option<Exposure>,
    /// The rollout only assigns: whatever the arm of the exposure, the control's variant is served.
    pub shadow: bool,
    /// The unit's bucket, if it decided; 0 to 99,999.
    pub bucket: Option<u32>,
    /// Why the flag could not decide; only with reason `Error`.
    pub error: Option<EvaluationError>,
}

impl Reason {
    /// OpenFeature's name of the reason.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Static => "STATIC",
            Reason::Default => "DEFAULT",
            Reason::TargetingMatch => "TARGETING_MATCH",
            Reason::Split => "SPLIT",
            Reason::Disabled => "DISABLED",
            Reason::Stale => "STALE",
            Reason::Error => "ERROR",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}
