//! A guard: a metric, a limit, and what to do when the evidence says that the limit is broken.
//!
//! The level caps what a guard may do; how strong the evidence must be for each level is the ladder's business
//! ([`crate::evidence::budget`]).

use crate::{Ladder, Metric};

/// A metric with a limit and what to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// What is watched.
    pub metric: Metric,
    /// The highest allowed ratio of treatment to control; 1.0 means "no worse than control".
    pub limit: f64,
    /// The most that this guard may do.
    pub level: Level,
}

/// What a guard may do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Say so, and let no gate pass.
    Warn,
    /// Also stop the stage's clock.
    Hold,
    /// Also abort.
    Abort,
}

impl Guard {
    /// The limit unless a plan says otherwise: no worse than control.
    pub const DEFAULT_LIMIT: f64 = 1.0;
}

impl Level {
    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Warn => "warn",
            Level::Hold => "hold",
            Level::Abort => "abort",
        }
    }

    /// The rung of the ladder that this level may reach.
    pub fn cap(self) -> Ladder {
        match self {
            Level::Warn => Ladder::Warn,
            Level::Hold => Ladder::Hold,
            Level::Abort => Ladder::Abort,
        }
    }
}
