//! What the truth consists of: the records that the store holds and the state keeps in memory.
//!
//! Plain values in domain types. Their stored form is `store/model`, their wire form is made at the doors.

use std::sync::Arc;

use evaluation::{Environment, Flag, Key, Segment};
use rollout::{
    EvidenceNumber, Measure, Plan, State,
    measure::{CapturedArms, Counted},
    recovery,
    state::Dismissal,
};
use uuid::Uuid;

use crate::{
    evidence::Counts,
    members::{ChunkId, Members},
};

/// Transitions that moved no exposure and are kept with their rollout.
const RESTING_KEPT: usize = 100;

/// A flag with what the store knows of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FlagRecord {
    /// The document.
    pub(crate) flag: Flag,
    /// How often it was written.
    pub(crate) version: u32,
    /// When it was created.
    pub(crate) created_at_us: i64,
    /// When it was last written.
    pub(crate) updated_at_us: i64,
    /// When it was archived; none: it is in use.
    pub(crate) archived_at_us: Option<i64>,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

/// A segment with what the store knows of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SegmentRecord {
    /// The document without its members.
    pub(crate) segment: Segment,
    /// Units that are in.
    pub(crate) included: Members,
    /// Units that are out.
    pub(crate) excluded: Members,
    /// How often it was written.
    pub(crate) version: u32,
    /// When it was created.
    pub(crate) created_at_us: i64,
    /// When it was last written.
    pub(crate) updated_at_us: i64,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

/// An environment with what only people and the store need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvironmentRecord {
    /// As agents need it.
    pub(crate) environment: Environment,
    /// For people.
    pub(crate) description: String,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

/// One execution of a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RolloutRecord {
    /// A UUIDv7.
    pub(crate) id: Uuid,
    /// Its environment.
    pub(crate) environment: Key,
    /// Its index in the environment: names it in tokens.
    pub(crate) index: u32,
    /// Counts the rollouts of its flag, from 1.
    pub(crate) number: u32,
    /// The plan: as it was at the start, or as it was rebased to.
    pub(crate) plan: Arc<Plan>,
    /// Versions of the plan that this rollout has had, from 1.
    pub(crate) plan_version: u32,
    /// What agents count for it; a counting's place is its number. Only ever longer.
    pub(crate) counted: Arc<[Counted]>,
    /// Where it stands.
    pub(crate) state: State,
    /// Keys the positions of units.
    pub(crate) measuring_key: u128,
    /// Draws the buckets.
    pub(crate) salt: String,
    /// Who created it.
    pub(crate) started_by: String,
    /// When it was created.
    pub(crate) started_at_us: i64,
    /// What happened to it, in order: all that moved its exposure, and the latest of the rest.
    pub(crate) transitions: Vec<TransitionRecord>,
    /// The largest share of all units whose exposure was acknowledged, in buckets.
    pub(crate) acked_buckets: u32,
    /// The rollout that this is a retry of.
    pub(crate) retry_of: Option<Uuid>,
    /// Whether it draws buckets of its own.
    pub(crate) reshuffled: bool,
    /// Whether it is no rollout but the watch of a standing kill switch, or of a recovery (`standing.rs`).
    pub(crate) standing: bool,
    /// The aborted rollout whose recovery such a watch is for.
    pub(crate) recovery_of: Option<Uuid>,
    /// How it ended, once it has.
    pub(crate) end: Option<End>,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

/// One move of the state machine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TransitionRecord {
    /// From 1; 0 is the creation.
    pub(crate) sequence: u64,
    /// When.
    pub(crate) at_us: i64,
    /// What, in a word.
    pub(crate) kind: String,
    /// The stage after it.
    pub(crate) stage: u32,
    /// In words.
    pub(crate) detail: String,
    /// Who.
    pub(crate) actor: String,
    /// The signals that it dismissed; empty but of a dismissal.
    pub(crate) dismissals: Vec<Dismissal>,
}

/// How a rollout ended, and the proof of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    /// When it was decided.
    pub(crate) decided_at_us: i64,
    /// What was decided.
    pub(crate) cause: EndCause,
    /// Who decided.
    pub(crate) actor: String,
    /// Why, in words.
    pub(crate) reason: String,
    /// Evidence at the decision.
    pub(crate) evidence: Option<EvidenceNumber>,
    /// Of an abort by a rule: the guard whose rule it was, by its position. None: not of one, or of before this was
    /// kept.
    pub(crate) rule: Option<usize>,
    /// Counts at the decision.
    pub(crate) counts: Counts,
    /// When the decision was durable and published.
    pub(crate) published_at_us: Option<i64>,
    /// When the last live agent had applied it.
    pub(crate) applied_at_us: Option<i64>,
    /// When the last live agent had persisted it.
    pub(crate) persisted_at_us: Option<i64>,
    /// The last treatment exposure that any agent reported.
    pub(crate) last_treatment_exposure_us: Option<i64>,
    /// From the decision until treatment was seen to be gone.
    pub(crate) time_to_zero_us: Option<i64>,
    /// Batches that the decision rested on.
    pub(crate) batches: u64,
    /// The number of the last readings of levels that it rested on; 0: none.
    pub(crate) readings: u64,
    /// Whether frames of the live agents covered the recent past at the decision.
    pub(crate) fresh: bool,
    /// The agents that were live at the decision: those that do not come back are named.
    pub(crate) awaited: Vec<String>,
    /// Of an abort by evidence: whether what harmed is well again.
    pub(crate) recovery: Option<Recovery>,
}

/// Whether what harmed is well again since treatment is gone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recovery {
    /// The guard that was broken, as written.
    pub(crate) harm: String,
    /// What must be reached.
    pub(crate) bar: recovery::Bar,
    /// What was read last.
    pub(crate) reading: Option<recovery::Reading>,
    /// What came of it, and when; none: it is watched.
    pub(crate) outcome: Option<(recovery::Outcome, i64)>,
}

/// Why a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// The evidence of harm.
    Evidence,
    /// A limit was broken that needs no evidence.
    Rule,
    /// A person.
    Person,
    /// A person, for a reason that the plan names.
    Trigger,
    /// A rollback criterion of a stage.
    Criterion,
    /// A person, without a latch.
    Withdrawn,
    /// An edit of the flag.
    Edit,
    /// It was not started in time, or put away before it was.
    Time,
    /// Its last gate opened.
    Completed,
}

/// The abort latch of a rollout. Nothing clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latch {
    /// When it was set.
    pub(crate) at_us: i64,
    /// Who set it.
    pub(crate) actor: String,
    /// Why, in words.
    pub(crate) reason: String,
}

/// What a rollout wants exposed. Written only when that changes, so that its revision is the one to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The stage that wants it.
    pub(crate) stage: u32,
    /// Treatment's buckets; 0 after an abort.
    pub(crate) buckets: u32,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

/// The rollout that holds a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Active {
    /// Its id.
    pub(crate) rollout: Uuid,
    /// The store revision of the hold.
    pub(crate) revision: u64,
}

/// How much the present visit of a stage has soaked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Soak {
    /// Which visit: how many there had been.
    pub(crate) visits: u32,
    /// The soak.
    pub(crate) soaked_us: i64,
}

/// A plan as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanRecord {
    /// The document.
    pub(crate) plan: Arc<Plan>,
    /// How often it was written.
    pub(crate) version: u32,
    /// When it was created.
    pub(crate) created_at_us: i64,
    /// When it was last written.
    pub(crate) updated_at_us: i64,
    /// Who wrote it last.
    pub(crate) updated_by: String,
    /// Why.
    pub(crate) reason: String,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

/// What was known when a stage was left.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exit {
    /// Number of the stage.
    pub(crate) stage: u32,
    /// Which visit of it, from 1.
    pub(crate) visit: u32,
    /// When it was entered.
    pub(crate) entered_at_us: i64,
    /// When it was left.
    pub(crate) left_at_us: i64,
    /// How long it soaked.
    pub(crate) soaked_us: i64,
    /// The transition that left it.
    pub(crate) sequence: u64,
    /// Counts of the visit.
    pub(crate) counts: Counts,
    /// The evidence of the whole rollout.
    pub(crate) evidence: Option<EvidenceNumber>,
    /// The success criteria as written, and what was found of them.
    pub(crate) criteria: Vec<(String, String)>,
    /// The metrics that were measured, by key.
    pub(crate) metrics: Vec<Reading>,
}

/// A metric at a moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Its key.
    pub(crate) metric: String,
    /// By arm, and before.
    pub(crate) measure: Measure,
}

impl SegmentRecord {
    /// The names of the chunks of both lists.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkId> {
        self.included.chunks().chain(self.excluded.chunks())
    }
}

impl TransitionRecord {
    /// Whether it is kept with the rollout for good, because it moved the exposure.
    fn moves_exposure(&self) -> bool {
        [
            "started",
            "advanced",
            "stepped-back",
            "bake-started",
            "rolled-back",
            "aborted",
            "superseded",
            "completed",
        ]
        .contains(&self.kind.as_str())
    }
}

impl RolloutRecord {
    /// Joins the unit buckets that its plan took over from a captured baseline, which are stored under a key of their
    /// own.
    pub(crate) fn took_over(&mut self, captured: Arc<CapturedArms>) {
        if self.plan.baseline.captured != captured {
            Arc::make_mut(&mut self.plan).baseline.captured = captured;
        }
    }

    /// Adds what happened. A rollout that is held and resumed for weeks must not outgrow its record: every transition
    /// has a key of its own besides, and the record keeps the latest of those that moved nothing.
    pub(crate) fn push(&mut self, made: TransitionRecord) {
        self.transitions.push(made);
        let mut resting = self.transitions.iter().filter(|made| !made.moves_exposure());
        if let Some(oldest) = resting.next().map(|made| made.sequence)
            && resting.count() >= RESTING_KEPT
        {
            self.transitions.retain(|made| made.sequence != oldest);
        }
    }

    /// The display name.
    pub(crate) fn name(&self) -> String {
        if self.standing {
            format!("{}#standing", self.plan.flag)
        } else {
            format!("{}#{}", self.plan.flag, self.number)
        }
    }
}

impl EndCause {
    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Rule => "rule",
            Self::Person | Self::Withdrawn => "person",
            Self::Trigger => "trigger",
            Self::Criterion => "criterion",
            Self::Edit => "edit",
            Self::Time => "time",
            Self::Completed => "completed",
        }
    }

    /// What the rollout came to.
    pub(crate) fn outcome(self) -> &'static str {
        match self {
            Self::Evidence | Self::Rule | Self::Person | Self::Trigger => "aborted",
            Self::Criterion | Self::Withdrawn => "rolled-back",
            Self::Edit => "superseded",
            Self::Time => "expired",
            Self::Completed => "completed",
        }
    }
}

#[cfg(test)]
mod tests;
