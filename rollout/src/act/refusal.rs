//! Why an act was refused, in words that say what to do.

use thiserror::Error;

use super::Undismissed;
use crate::{HoldReason, Phase, gate::Wait};

/// Why an act was refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not in this phase.
    #[error("{act} is not possible: the rollout is {}", phase.name())]
    Phase {
        /// What was tried.
        act: &'static str,
        /// Where the rollout stands.
        phase: Phase,
    },
    /// The stage does not allow it.
    #[error("the stage does not allow {outcome}; it allows {}", allowed.join(", "))]
    Outcome {
        /// What was tried.
        outcome: &'static str,
        /// What is allowed.
        allowed: Vec<&'static str>,
    },
    /// It still waits for something that nobody can pass over.
    #[error("it waits for {}", .0.iter().map(Wait::to_string).collect::<Vec<_>>().join("; "))]
    Waits(Vec<Wait>),
    /// It is held for reasons that must go first.
    #[error("it is held for {}", held_for(.0))]
    HeldFor(Vec<HoldReason>),
    /// It cannot be dismissed; all that stands against it.
    #[error("{}", .0.iter().map(Undismissed::to_string).collect::<Vec<_>>().join("; "))]
    Dismissal(Vec<Undismissed>),
    /// Done before.
    #[error("{0}")]
    Already(String),
    /// Not one of the approvers.
    #[error("{by} is not an approver of this plan; these are: {}", approvers.join(", "))]
    NoApprover {
        /// Who tried.
        by: String,
        /// Who may.
        approvers: Vec<String>,
    },
    /// Nothing to fix.
    #[error("no issue is open; add the issue that is to be fixed first")]
    NoIssue,
    /// No such issue.
    #[error("there is no issue {0}")]
    UnknownIssue(u32),
    /// A title that is empty or too long.
    #[error("an issue needs a title of 1 to {0} bytes")]
    Title(usize),
    /// No extension left.
    #[error("the stage may be extended {0} times, and was")]
    Extensions(u32),
    /// An extension out of range.
    #[error("an extension is 1 us to 365 days long")]
    Extension,
    /// Not an earlier stage.
    #[error("stage {} is not before the current one, {}", to + 1, current + 1)]
    NotEarlier {
        /// Position of the wanted stage.
        to: usize,
        /// Position of the current stage.
        current: usize,
    },
    /// No such trigger.
    #[error("the plan has no manual trigger {name:?}; it has: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NoTrigger {
        /// What was fired.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No such item.
    #[error("the list has no item {item:?}; it has: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NoItem {
        /// What was ticked.
        item: String,
        /// What there is.
        known: Vec<String>,
    },
    /// An item that a check ticks.
    #[error("{0} is ticked by a check, as soon as it is so")]
    Checked(String),
    /// Too many of something.
    #[error("a rollout keeps no more {0}")]
    TooMany(&'static str),
}

/// The reasons, and which of them a person may dismiss.
fn held_for(reasons: &[HoldReason]) -> String {
    let names = |reasons: &[HoldReason]| {
        reasons
            .iter()
            .map(|reason| reason.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let signals: Vec<HoldReason> = reasons
        .iter()
        .copied()
        .filter(|reason| reason.is_dismissible())
        .collect();
    let held = format!("{}, which must go first", names(reasons));
    if signals.is_empty() {
        held
    } else {
        format!("{held}; if it is no harm, dismiss {}", names(&signals))
    }
}
