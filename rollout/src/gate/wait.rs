//! What a rollout waits for, one thing at a time, as people are told it.

use std::fmt;

use crate::{HoldReason, Ladder, Micros, duration, gate::Finding};

/// One thing that a rollout waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// A person has to submit it.
    Submission,
    /// A person has to say so.
    Person,
    /// Its time has not come.
    StartTime(Micros),
    /// Agents have not applied what is wanted.
    Agents {
        /// So many have.
        applied: u32,
        /// Of so many.
        live: u32,
    },
    /// Agents do not have an abort on disk.
    Persisted {
        /// So many have.
        persisted: u32,
        /// Of so many.
        live: u32,
    },
    /// The dwell is not over; none: it never will be.
    Soak {
        /// So much is left.
        left_us: Option<Micros>,
    },
    /// Frames of the agents do not cover the recent past.
    Fresh,
    /// An arm has not been heard enough.
    Data(HoldReason),
    /// There is evidence of harm.
    Evidence(Ladder),
    /// A success criterion does not hold, or nothing is known of it.
    Criterion {
        /// Position among the stage's.
        position: usize,
        /// What was found.
        finding: Finding,
    },
    /// It is not proved that the criteria hold.
    Certificate,
    /// Somebody has to approve.
    Approvals {
        /// So many have.
        have: u32,
        /// So many must.
        need: u32,
    },
    /// Items are not ticked.
    Items(Vec<String>),
    /// Issues are open.
    Issues(usize),
    /// No gate may open now.
    Window {
        /// When one may; none: not within 400 days.
        until_us: Option<Micros>,
        /// The freeze, if it is one.
        freeze: Option<String>,
    },
    /// The flag is killed or disabled.
    FlagOff,
}

impl Wait {
    /// In a few words, joined by hyphens.
    pub fn name(&self) -> &'static str {
        match self {
            Wait::Submission => "submission",
            Wait::Person => "person",
            Wait::StartTime(_) => "start-time",
            Wait::Agents { .. } => "agents",
            Wait::Persisted { .. } => "persisted",
            Wait::Soak { .. } => "soak",
            Wait::Fresh => "fresh-data",
            Wait::Data(_) => "data",
            Wait::Evidence(_) => "evidence",
            Wait::Criterion { .. } => "criterion",
            Wait::Certificate => "certificate",
            Wait::Approvals { .. } => "approvals",
            Wait::Items(_) => "items",
            Wait::Issues(_) => "issues",
            Wait::Window { .. } => "window",
            Wait::FlagOff => "flag-off",
        }
    }

    /// When it will be over at the earliest, if time alone tells.
    pub fn until_us(&self, now: Micros) -> Option<Micros> {
        match self {
            Wait::StartTime(at) => Some(*at),
            Wait::Soak { left_us } => left_us.map(|left| now.saturating_add(left)),
            Wait::Window { until_us, .. } => *until_us,
            Wait::Submission
            | Wait::Person
            | Wait::Agents { .. }
            | Wait::Persisted { .. }
            | Wait::Fresh
            | Wait::Data(_)
            | Wait::Evidence(_)
            | Wait::Criterion { .. }
            | Wait::Certificate
            | Wait::Approvals { .. }
            | Wait::Items(_)
            | Wait::Issues(_)
            | Wait::FlagOff => None,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::Submission => write!(out, "to be submitted"),
            Wait::Person => write!(out, "a person's word"),
            Wait::StartTime(_) => write!(out, "its start time"),
            Wait::Agents { applied, live } => write!(out, "agents: {applied} of {live} have applied it"),
            Wait::Persisted { persisted, live } => write!(out, "agents: {persisted} of {live} have it on disk"),
            Wait::Soak { left_us: Some(left) } => write!(out, "{} of soak", duration::about(*left)),
            Wait::Soak { left_us: None } => write!(out, "nothing: the stage is permanent"),
            Wait::Fresh => write!(out, "fresh data from the agents"),
            Wait::Data(reason) => write!(out, "data: {}", reason.name()),
            Wait::Evidence(ladder) => write!(out, "the evidence of harm to go ({} level)", ladder.name()),
            Wait::Criterion { position, finding } => {
                write!(out, "success criterion {}: {}", position + 1, finding.name())
            }
            Wait::Certificate => write!(out, "proof that the criteria hold"),
            Wait::Approvals { have, need } => write!(out, "approvals: {have} of {need}"),
            Wait::Items(items) => write!(out, "items to be ticked: {}", items.join(", ")),
            Wait::Issues(count) => write!(out, "{count} open issues"),
            Wait::Window { freeze: Some(name), .. } => write!(out, "the freeze {name} to end"),
            Wait::Window { freeze: None, .. } => write!(out, "a window to open"),
            Wait::FlagOff => write!(out, "the flag to be on"),
        }
    }
}
