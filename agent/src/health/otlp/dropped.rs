//! What became of what telemetry told, by result.

use std::collections::BTreeMap;

use evaluation::{Attributed, Unattributed};

/// Why something that was told is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dropped {
    /// A span or record without valid ids, or an evaluation that names no flag.
    Malformed,
    /// More than is read of one message.
    TooMany,
    /// More evaluations or values than are kept for one request.
    Crowded,
    /// A span that came before.
    Repeated,
    /// A token that was not minted in this environment, or is none.
    Token,
    /// An evaluation without a variant.
    NoVariant,
    /// A judgement without a name, or without a number.
    Judgement,
    /// Tokens, or a time to the first of them, that are no number or less than nothing.
    Amount,
    /// An evaluation before this agent held a snapshot.
    NoSnapshot,
    /// A flag that this agent does not hold.
    UnknownFlag,
    /// A flag that no rollout holds.
    NoRollout,
    /// The rollout did not decide.
    NotExposed,
    /// What is told does not tell the arm.
    Ambiguous,
    /// The unit is of the other arm by now.
    OtherArm,
    /// Served from a version of another rollout.
    StaleVersion,
    /// Served before the current stage began, and no version is told.
    StaleStage,
    /// The span, or one on the way to the request, did not come in time.
    NoSpan,
    /// The span is of another process.
    OtherProcess,
    /// The span lies too deep below its request.
    TooDeep,
    /// Too much waits for its span.
    Full,
    /// The request was cancelled.
    Cancelled,
}

/// How often what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Evaluations joined to a request.
    pub(crate) joined: u64,
    /// What was dropped, by reason.
    pub(crate) dropped: BTreeMap<Dropped, u64>,
    /// The rollouts of exposures that were dropped though they had an outcome.
    pub(crate) of_rollouts: Vec<u32>,
    /// Exposures whose request was told of, and that count nowhere by themselves: they are awaited no more.
    pub(crate) told: Vec<Attributed>,
}

impl Tally {
    /// Counts something that is not used.
    pub(crate) fn drop(&mut self, reason: Dropped, times: u64) {
        if times > 0 {
            *self.dropped.entry(reason).or_default() += times;
        }
    }

    /// Counts an exposure whose request was not found, or has no room for it.
    pub(crate) fn drop_served(&mut self, reason: Dropped, attributed: &Attributed) {
        self.drop(reason, 1);
        self.of_rollouts.push(attributed.place.rollout);
        self.told.push(*attributed);
    }

    /// Each result with how often it came, as a label.
    pub(crate) fn results(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let joined = (self.joined > 0).then_some(("joined", self.joined));
        let dropped = self.dropped.iter().map(|(reason, times)| (reason.label(), *times));
        joined.into_iter().chain(dropped)
    }
}

impl Dropped {
    /// As a label.
    fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooMany => "too_many",
            Self::Crowded => "crowded",
            Self::Repeated => "repeated",
            Self::Token => "token",
            Self::NoVariant => "no_variant",
            Self::Judgement => "judgement",
            Self::Amount => "amount",
            Self::NoSnapshot => "no_snapshot",
            Self::UnknownFlag => "unknown_flag",
            Self::NoRollout => "no_rollout",
            Self::NotExposed => "not_exposed",
            Self::Ambiguous => "ambiguous",
            Self::OtherArm => "other_arm",
            Self::StaleVersion => "stale_version",
            Self::StaleStage => "stale_stage",
            Self::NoSpan => "no_span",
            Self::OtherProcess => "other_process",
            Self::TooDeep => "too_deep",
            Self::Full => "full",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Unattributed> for Dropped {
    fn from(reason: Unattributed) -> Self {
        match reason {
            Unattributed::NoRollout => Self::NoRollout,
            Unattributed::AnotherRollout => Self::StaleVersion,
            Unattributed::NotExposed => Self::NotExposed,
            Unattributed::Ambiguous => Self::Ambiguous,
            Unattributed::OtherArm(_) => Self::OtherArm,
        }
    }
}
