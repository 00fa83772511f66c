//! What can happen to a rollout. Each is one transaction of the control plane, numbered by the state's sequence.

use crate::HoldReason;

/// What happened to a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transition {
    /// 99 % of the live agents have applied the stage: its clock runs.
    ClockStarted,
    /// The gate let the rollout into the next stage.
    Advanced {
        /// Position of the stage that was left.
        from: usize,
        /// Position of the stage that was entered.
        to: usize,
    },
    /// The rollout waits, for this reason.
    Held(HoldReason),
    /// The reason to wait is gone.
    Resumed,
    /// A new horizon began within the stage.
    HorizonCut,
    /// Treatment goes to 0 % and stays there.
    Aborted(AbortCause),
    /// Every live agent has the abort on disk.
    AbortDelivered,
    /// The last stage was passed.
    Completed,
}

/// Why a rollout was aborted.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// The abort latch was found set.
    Person,
}

impl Transition {
    /// In a few words, joined by hyphens.
    pub fn name(&self) -> &'static str {
        match self {
            Transition::ClockStarted => "clock-started",
            Transition::Advanced { .. } => "advanced",
            Transition::Held(_) => "held",
            Transition::Resumed => "resumed",
            Transition::HorizonCut => "horizon-cut",
            Transition::Aborted(_) => "aborted",
            Transition::AbortDelivered => "abort-delivered",
            Transition::Completed => "completed",
        }
    }
}
