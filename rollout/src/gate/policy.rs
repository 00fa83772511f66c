//! How a gate decides, and what may come of it.

/// What decides that a stage may be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Policy {
    /// Time alone.
    Dwell,
    /// Each criterion's point estimate is within its limit, on the minimum of units.
    Observed,
    /// No evidence of harm at the warn level, on the minimum of units.
    #[default]
    NoHarm,
    /// The criteria are proved to hold (guard.md 6).
    Certify,
}

/// What may come of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Into the next stage.
    Proceed,
    /// Held until every issue that was found is closed.
    Fix,
    /// Held until a person says otherwise.
    Hold,
    /// The stage lasts longer.
    Extend,
    /// Treatment to 0 %.
    RollBack,
}

impl Policy {
    /// All of them.
    pub const ALL: [Policy; 4] = [Self::Dwell, Self::Observed, Self::NoHarm, Self::Certify];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dwell => "dwell",
            Self::Observed => "observed",
            Self::NoHarm => "no-harm",
            Self::Certify => "certify",
        }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 5] = [Self::Proceed, Self::Fix, Self::Hold, Self::Extend, Self::RollBack];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proceed => "proceed",
            Self::Fix => "fix",
            Self::Hold => "hold",
            Self::Extend => "extend",
            Self::RollBack => "roll-back",
        }
    }
}
