//! A rollout plan: its stages, its guards and the numbers that are frozen when it starts.
//!
//! A plan is plain data and may hold anything that a document can say; [`Plan::violations`] lists what is wrong with
//! it, all at once, and only a plan without violations may be started. Everything else in this crate takes such a
//! plan for granted, and errs on the side of not promoting where it cannot.

use crate::{Guard, Micros, Stage};

/// A day: the longest a horizon lasts when units are compared, in microseconds.
pub const DAY_US: Micros = 24 * 60 * 60 * 1_000_000;

/// The ordered stages of a rollout and the rules that move it through them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Unique within the environment.
    pub key: String,
    /// The flag whose treatment is rolled out.
    pub flag: String,
    /// What this rollout is for, in the operator's words; may be empty.
    pub description: String,
    /// The variant under test.
    pub treatment: String,
    /// The variant everyone else gets, and everyone after an abort.
    pub control: String,
    /// What is assigned to an arm, and so which test judges error rates.
    pub unit: Unit,
    /// In the order in which they are reached.
    pub stages: Vec<Stage>,
    /// What is watched, and what happens when a limit is broken.
    pub guards: Vec<Guard>,
    /// The chance of a false abort over the whole rollout; 0.01 by default.
    pub alpha: f64,
    /// The highest error rate of control that the request test allows for, a fraction; 0.10 by default.
    pub max_control_rate: f64,
    /// An exposure without an outcome for this long is lost; 30 s by default.
    pub lost_after_us: Micros,
}

/// What is assigned to an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A user, an account, a device: it keeps its arm, so bad *units* are counted (guard.md 4a).
    Unit,
    /// Each request by itself: bad requests are counted (guard.md 4b).
    Request,
}

impl Plan {
    /// The chance of a false abort unless a plan says otherwise.
    pub const DEFAULT_ALPHA: f64 = 0.01;
    /// The highest error rate of control unless a plan says otherwise.
    pub const DEFAULT_MAX_CONTROL_RATE: f64 = 0.10;
    /// When an exposure counts as lost unless a plan says otherwise.
    pub const DEFAULT_LOST_AFTER_US: Micros = 30_000_000;

    /// How many horizons the budget expects, at least 1 (guard.md 5: n).
    ///
    /// Only compared stages (some units in each arm) count: under a unit split one for each begun day of dwell, under a
    /// request split one for the visit.
    pub fn planned_horizons(&self) -> usize {
        let horizons: usize = self
            .stages
            .iter()
            .filter(|stage| stage.share.is_compared())
            .map(|stage| match self.unit {
                Unit::Unit => begun_days(stage.dwell_us),
                Unit::Request => 1,
            })
            .sum();
        horizons.max(1)
    }
}

impl Unit {
    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Unit => "unit",
            Unit::Request => "request",
        }
    }
}

/// Days begun by a dwell, at least 1.
fn begun_days(dwell_us: Micros) -> usize {
    let days = (dwell_us.max(1) - 1) / DAY_US + 1;
    usize::try_from(days).unwrap_or(usize::MAX)
}
