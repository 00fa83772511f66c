//! What can happen to a rollout. Each is one transaction of the control plane, numbered by the state's sequence.

use crate::{
    HoldReason, Micros,
    state::{Dismissal, List},
};

/// What happened to a rollout.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// It was submitted: it waits for approvals and a start.
    Submitted,
    /// Somebody has approved the start (none) or the gate of a stage.
    Approved(Option<usize>),
    /// Somebody has started it: it waits for its time, its windows, its list.
    StartAsked,
    /// The first stage is wanted.
    Started,
    /// 99 % of the live agents have applied the stage: its clock runs.
    ClockStarted,
    /// The dwell is over, and the gate waits for something.
    GateReached,
    /// The stage lasts longer.
    Extended {
        /// By this much.
        by_us: Micros,
        /// How often it has been extended.
        times: u32,
    },
    /// The gate let the rollout into the next stage.
    Advanced {
        /// Position of the stage that was left.
        from: usize,
        /// Position of the stage that was entered.
        to: usize,
    },
    /// A person has sent it back to an earlier stage.
    SteppedBack {
        /// Position of the stage that was left.
        from: usize,
        /// Position of the stage that was entered anew.
        to: usize,
    },
    /// The rollout waits, for these reasons.
    Held(Vec<HoldReason>),
    /// A person has stopped the clock.
    Paused,
    /// What stopped it is gone.
    Resumed,
    /// A new horizon began within the stage.
    HorizonCut,
    /// The last gate was passed: who has the treatment keeps it for a while before it becomes the default.
    BakeStarted,
    /// Treatment goes to 0 %, without a latch.
    RolledBack(RollbackCause),
    /// Treatment goes to 0 % and stays there.
    Aborted(AbortCause),
    /// Every live agent has the abort on disk.
    AbortDelivered,
    /// Treatment becomes the flag's default.
    Completed,
    /// An edit of the flag takes its place.
    Superseded,
    /// It was not started in time.
    Expired,
    /// An item was ticked.
    Ticked {
        /// On this list.
        list: List,
        /// Its name.
        item: String,
    },
    /// A tick was taken back.
    Unticked {
        /// On this list.
        list: List,
        /// Its name.
        item: String,
    },
    /// Somebody has found something.
    IssueAdded {
        /// Its number.
        number: u32,
        /// What was found.
        title: String,
    },
    /// It is dealt with.
    IssueClosed {
        /// Its number.
        number: u32,
    },
    /// The gate said fix.
    FixAsked,
    /// A person has judged signals to be no harm; at least one.
    Dismissed(Vec<Dismissal>),
    /// Somebody has seen how it stands.
    Acknowledged,
    /// It has a new version of its plan.
    Rebased,
    /// It was put away.
    Archived,
}

/// Why a rollout was rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackCause {
    /// A rollback criterion of the stage holds.
    Criterion {
        /// Position of the stage.
        stage: usize,
        /// Position among its rollback criteria.
        criterion: usize,
    },
    /// A person.
    Person,
}

/// Why a rollout was aborted.
#[derive(Debug, Clone, PartialEq)]
pub enum AbortCause {
    /// The evidence of harm reached 1/alpha.
    Evidence {
        /// Position of the guard in the plan.
        guard: usize,
        /// The horizon whose evidence it was, from 1.
        horizon: usize,
        /// Natural logarithm of the evidence number.
        log_evidence: f64,
    },
    /// A limit was broken that needs no evidence: a cap on events, a level.
    Rule {
        /// Position of the guard in the plan.
        guard: usize,
    },
    /// Both arms have been beyond a limit since a stage change, and have not recovered in five minutes.
    SpillOver {
        /// Position of the guard in the plan.
        guard: usize,
    },
    /// The abort latch was found set: a person, or another replica.
    Person,
    /// A person has fired a trigger of the plan.
    Trigger(String),
}

impl Transition {
    /// In a few words, joined by hyphens.
    pub fn name(&self) -> &'static str {
        match self {
            Transition::Submitted => "submitted",
            Transition::Approved(_) => "approved",
            Transition::StartAsked => "start-asked",
            Transition::Started => "started",
            Transition::ClockStarted => "clock-started",
            Transition::GateReached => "gate-reached",
            Transition::Extended { .. } => "extended",
            Transition::Advanced { .. } => "advanced",
            Transition::SteppedBack { .. } => "stepped-back",
            Transition::Held(_) => "held",
            Transition::Paused => "paused",
            Transition::Resumed => "resumed",
            Transition::HorizonCut => "horizon-cut",
            Transition::BakeStarted => "bake-started",
            Transition::RolledBack(_) => "rolled-back",
            Transition::Aborted(_) => "aborted",
            Transition::AbortDelivered => "abort-delivered",
            Transition::Completed => "completed",
            Transition::Superseded => "superseded",
            Transition::Expired => "expired",
            Transition::Ticked { .. } => "ticked",
            Transition::Unticked { .. } => "unticked",
            Transition::IssueAdded { .. } => "issue-added",
            Transition::IssueClosed { .. } => "issue-closed",
            Transition::FixAsked => "fix-asked",
            Transition::Dismissed(_) => "dismissed",
            Transition::Acknowledged => "acknowledged",
            Transition::Rebased => "rebased",
            Transition::Archived => "archived",
        }
    }
}
