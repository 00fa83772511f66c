//! What is found of one guard.

use super::{Missing, Tests};
use crate::{
    Level,
    evidence::{budget::GuardEvidence, estimate::Estimate},
};

/// What is found of one guard.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How it is judged, or why it cannot be.
    pub tests: Result<Tests, Missing>,
    /// ln of the e-value by horizon of its own, as it enters the budget; minus infinity where nothing speaks.
    pub log_e: Vec<f64>,
    /// By the same horizons, whether the split is in doubt on which it rests: such evidence holds at most.
    pub doubted: Vec<bool>,
    /// How many horizons are planned for it.
    pub planned: usize,
    /// Its share of the budget of its level.
    pub weight: f64,
    /// How it stands in the current visit.
    pub beyond: Beyond,
    /// What was estimated in the current visit, for the robust test.
    pub estimate: Option<Estimate>,
}

/// How a guard stands in the current visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Beyond {
    /// Nothing is measured.
    #[default]
    Unknown,
    /// As far as anybody can tell, within its limit; or the evidence says how it stands.
    Within,
    /// The estimate is beyond the limit, on too little data to believe it.
    Early,
    /// Treatment is beyond the limit, and control as well, in the visit and in its last minute.
    Both,
    /// A limit that needs no evidence is broken.
    Fired,
}

/// What aborts without evidence: a guard by its position, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Its cap or its level is broken.
    Limit(usize),
    /// Both arms have been beyond its limit since a stage change, and have not recovered in five minutes.
    SpillOver(usize),
}

impl Broken {
    /// The position of the guard.
    pub fn guard(self) -> usize {
        match self {
            Broken::Limit(guard) | Broken::SpillOver(guard) => guard,
        }
    }
}

impl Beyond {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Beyond::Unknown => "unknown",
            Beyond::Within => "within",
            Beyond::Early => "early",
            Beyond::Both => "both",
            Beyond::Fired => "fired",
        }
    }
}

impl Finding {
    /// As the budget reads it.
    pub(super) fn evidence(&self, level: Level) -> GuardEvidence {
        GuardEvidence {
            level,
            weight: self.weight,
            planned: self.planned,
            log_e: self.log_e.clone(),
            doubted: self.doubted.clone(),
        }
    }

    /// A guard that cannot be judged.
    pub(super) fn missing(why: Missing) -> Self {
        Self {
            tests: Err(why),
            log_e: Vec::new(),
            doubted: Vec::new(),
            planned: 1,
            weight: 0.0,
            beyond: Beyond::Unknown,
            estimate: None,
        }
    }
}
