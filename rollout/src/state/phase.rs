//! The words for what a rollout is doing, and for why it is held.

/// What a rollout is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Created; may still be edited at will.
    Draft,
    /// Submitted; waits for approvals and for somebody to start it.
    Ready,
    /// Somebody has started it; it waits for its time, its windows, its pre-flight list.
    AwaitingStart,
    /// The stage is wanted, and not yet applied by 99 % of the live agents.
    Ramp,
    /// The stage is applied and its clock runs whenever data is fresh.
    Soak,
    /// The dwell is over; the gate waits for something.
    Gate,
    /// The stage stays as it is until every reason is gone.
    Held,
    /// A person has stopped the clock.
    Paused,
    /// The last gate was passed; the last stage stays as it is, and the flag's default is still the control.
    Baking,
    /// Treatment is the flag's default. Final.
    Completed,
    /// Treatment is at 0 %, without a latch. Final.
    RolledBack,
    /// Aborted; not every live agent has it on disk yet.
    Aborting,
    /// Aborted, and every live agent has it on disk. Final.
    Aborted,
    /// An edit of the flag took its place. Final.
    Superseded,
    /// It was never started in time. Final.
    Expired,
}

/// Why a rollout is held, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldReason {
    /// The flag is killed or disabled.
    FlagOff,
    /// A person holds it.
    Person,
    /// The gate said fix, and an issue is open.
    Fix,
    /// The evidence of harm is at the hold level.
    Evidence,
    /// A limit of a guard that may hold is broken, which needs no evidence: a cap on events, a level.
    Rule,
    /// Both arms are worse than the limit, and treatment is not worse than control: somebody else's incident.
    Incident,
    /// Both arms became worse right after a stage change: it may spill over. Aborts unless it recovers in five minutes.
    SpillOver,
    /// The arms are not as large as their shares: bucketing or reporting is broken.
    SampleRatio,
    /// Too many outcomes are dropped or sampled to go by the rest.
    Telemetry,
    /// No live agent holds the flag.
    NoAgents,
    /// Agents have not reported for ten seconds.
    Stale,
    /// The dwell is over and neither arm had any traffic.
    NoTraffic,
    /// The dwell is over, control had traffic and treatment had none.
    NoTreatmentTraffic,
    /// The dwell is over and an arm has fewer outcomes than the stage asks for.
    TooFewOutcomes,
    /// The dwell is over and an arm has fewer units than the stage asks for.
    TooFewUnits,
    /// The dwell is over, and a guard's estimate is beyond its limit on too little data to believe it.
    Early,
    /// The gate is neither passed nor failed, and may not extend any more.
    Inconclusive,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 15] = [
        Phase::Draft,
        Phase::Ready,
        Phase::AwaitingStart,
        Phase::Ramp,
        Phase::Soak,
        Phase::Gate,
        Phase::Held,
        Phase::Paused,
        Phase::Baking,
        Phase::Completed,
        Phase::RolledBack,
        Phase::Aborting,
        Phase::Aborted,
        Phase::Superseded,
        Phase::Expired,
    ];

    /// In a few words, joined by hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Draft => "draft",
            Phase::Ready => "ready",
            Phase::AwaitingStart => "awaiting-start",
            Phase::Ramp => "ramp",
            Phase::Soak => "soak",
            Phase::Gate => "gate",
            Phase::Held => "held",
            Phase::Paused => "paused",
            Phase::Baking => "baking",
            Phase::Completed => "completed",
            Phase::RolledBack => "rolled-back",
            Phase::Aborting => "aborting",
            Phase::Aborted => "aborted",
            Phase::Superseded => "superseded",
            Phase::Expired => "expired",
        }
    }

    /// Whether nothing will ever change the exposure again.
    pub fn is_final(self) -> bool {
        match self {
            Phase::Completed | Phase::RolledBack | Phase::Aborted | Phase::Superseded | Phase::Expired => true,
            Phase::Draft
            | Phase::Ready
            | Phase::AwaitingStart
            | Phase::Ramp
            | Phase::Soak
            | Phase::Gate
            | Phase::Held
            | Phase::Paused
            | Phase::Baking
            | Phase::Aborting => false,
        }
    }

    /// Whether the rollout is before its first stage.
    pub fn is_before_start(self) -> bool {
        matches!(self, Phase::Draft | Phase::Ready | Phase::AwaitingStart)
    }

    /// Whether a stage has been entered, and the rollout has not ended.
    pub fn is_live(self) -> bool {
        matches!(
            self,
            Phase::Ramp | Phase::Soak | Phase::Gate | Phase::Held | Phase::Paused | Phase::Baking
        )
    }
}

impl HoldReason {
    /// All of them, the gravest first.
    pub const ALL: [HoldReason; 17] = [
        HoldReason::FlagOff,
        HoldReason::Person,
        HoldReason::Fix,
        HoldReason::Evidence,
        HoldReason::Rule,
        HoldReason::Incident,
        HoldReason::SpillOver,
        HoldReason::SampleRatio,
        HoldReason::Telemetry,
        HoldReason::NoAgents,
        HoldReason::Stale,
        HoldReason::NoTraffic,
        HoldReason::NoTreatmentTraffic,
        HoldReason::TooFewOutcomes,
        HoldReason::TooFewUnits,
        HoldReason::Early,
        HoldReason::Inconclusive,
    ];

    /// In a few words, joined by hyphens.
    pub fn name(self) -> &'static str {
        match self {
            HoldReason::FlagOff => "flag-off",
            HoldReason::Person => "person",
            HoldReason::Fix => "fix",
            HoldReason::Evidence => "evidence",
            HoldReason::Rule => "rule",
            HoldReason::Incident => "incident",
            HoldReason::SpillOver => "spill-over",
            HoldReason::SampleRatio => "sample-ratio",
            HoldReason::Telemetry => "telemetry",
            HoldReason::NoAgents => "no-agents",
            HoldReason::Stale => "stale",
            HoldReason::NoTraffic => "no-traffic",
            HoldReason::NoTreatmentTraffic => "no-treatment-traffic",
            HoldReason::TooFewOutcomes => "too-few-outcomes",
            HoldReason::TooFewUnits => "too-few-units",
            HoldReason::Early => "early",
            HoldReason::Inconclusive => "inconclusive",
        }
    }

    /// Whether a person may dismiss it: something that the data raises, and that can be judged otherwise.
    pub fn is_dismissible(self) -> bool {
        match self {
            HoldReason::Evidence
            | HoldReason::Rule
            | HoldReason::Incident
            | HoldReason::SampleRatio
            | HoldReason::Early
            | HoldReason::Inconclusive => true,
            HoldReason::FlagOff
            | HoldReason::Person
            | HoldReason::Fix
            | HoldReason::SpillOver
            | HoldReason::Telemetry
            | HoldReason::NoAgents
            | HoldReason::Stale
            | HoldReason::NoTraffic
            | HoldReason::NoTreatmentTraffic
            | HoldReason::TooFewOutcomes
            | HoldReason::TooFewUnits => false,
        }
    }

    /// Whether guards raise it, each by itself.
    pub fn is_of_a_guard(self) -> bool {
        matches!(
            self,
            HoldReason::Evidence | HoldReason::Rule | HoldReason::Incident | HoldReason::Early
        )
    }

    /// What ends it, in words that say what to do.
    pub fn ended_by(self) -> &'static str {
        match self {
            HoldReason::FlagOff => "turn the flag on again, or revive it",
            HoldReason::Person => "resume ends it",
            HoldReason::Fix => "close the open issues",
            HoldReason::SpillOver => "it recovers or aborts within five minutes by itself",
            HoldReason::Telemetry => "see why agents drop outcomes; it ends when enough of them are counted",
            HoldReason::NoAgents => "an agent that holds the flag must be live",
            HoldReason::Stale => "the agents must report again",
            HoldReason::NoTraffic | HoldReason::NoTreatmentTraffic => "traffic must come, or a person advances",
            HoldReason::TooFewOutcomes | HoldReason::TooFewUnits => "more data must come, or a person advances",
            HoldReason::Evidence
            | HoldReason::Rule
            | HoldReason::Incident
            | HoldReason::SampleRatio
            | HoldReason::Early
            | HoldReason::Inconclusive => "it ends when the data says otherwise, or a person dismisses it",
        }
    }

    /// The reason of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Whether the stage's clock runs on while the rollout is held for it: what is waited for comes with time.
    pub fn soaks(self) -> bool {
        match self {
            HoldReason::NoTraffic
            | HoldReason::NoTreatmentTraffic
            | HoldReason::TooFewOutcomes
            | HoldReason::TooFewUnits
            | HoldReason::Early
            | HoldReason::Inconclusive => true,
            HoldReason::FlagOff
            | HoldReason::Person
            | HoldReason::Fix
            | HoldReason::Evidence
            | HoldReason::Rule
            | HoldReason::Incident
            | HoldReason::SpillOver
            | HoldReason::SampleRatio
            | HoldReason::Telemetry
            | HoldReason::NoAgents
            | HoldReason::Stale => false,
        }
    }
}
