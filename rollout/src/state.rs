//! How far a rollout came: everything that must survive a restart, and nothing that can be read elsewhere.
//!
//! Time is kept as points and sums (when the stage was entered, how much has soaked), never as a running timer, so a
//! state that was stored can be stepped by any replica. `sequence` counts the transitions: a write is guarded by it.

mod desk;
mod phase;
mod planned;

pub use self::{
    desk::{Approval, Desk, Dismissal, Issue, List, Tick},
    phase::{HoldReason, Phase},
    planned::Planned,
};
use crate::{Micros, Plan};

/// How far a rollout came.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What the rollout is doing.
    pub phase: Phase,
    /// Why it is held, the gravest first; empty unless it is.
    pub holds: Vec<HoldReason>,
    /// Transitions made so far.
    pub sequence: u64,
    /// Position in the plan's stages.
    pub stage: usize,
    /// Every entry into a stage, oldest first; the last is the current one. Empty before the start.
    pub visits: Vec<Visit>,
    /// Every horizon, oldest first; the last is the current one.
    pub horizons: Vec<Horizon>,
    /// Soak gathered in this visit.
    pub soaked_us: Micros,
    /// How often this visit was extended.
    pub extensions: u32,
    /// By how much in all.
    pub extended_us: Micros,
    /// When the state was last stepped.
    pub observed_at_us: Micros,
    /// When data was last seen to be fresh, or when its grace began.
    pub fresh_at_us: Micros,
    /// When this visit (before the start: this phase) began.
    pub entered_at_us: Micros,
    /// When 99 % of the live agents had applied this visit's share; none while it is being delivered.
    pub clock_started_at_us: Option<Micros>,
    /// When the last gate was passed and the bake began.
    pub baking_since_us: Option<Micros>,
    /// Since when an aborting rollout has seen no live agent at all.
    pub alone_since_us: Option<Micros>,
    /// When it ended, or its end was decided.
    pub ended_at_us: Option<Micros>,
    /// What people have decided and done.
    pub desk: Desk,
    /// What the budget was planned for, if the plan was edited since the start ([`State::planned`]).
    pub planned: Option<Planned>,
}

/// One entry into a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Visit {
    /// Position in the plan's stages.
    pub stage: usize,
    /// 1 for the first entry into this stage.
    pub visit: u32,
    /// When it began.
    pub entered_at_us: Micros,
}

/// A stage visit or a part of one, within which a unit counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Horizon {
    /// Position in the plan's stages.
    pub stage: usize,
    /// When it began.
    pub started_at_us: Micros,
}

impl State {
    /// A rollout that was created and not submitted yet.
    pub fn draft(plan_hash: u128, now: Micros) -> Self {
        Self {
            phase: Phase::Draft,
            holds: Vec::new(),
            sequence: 0,
            stage: 0,
            visits: Vec::new(),
            horizons: Vec::new(),
            soaked_us: 0,
            extensions: 0,
            extended_us: 0,
            observed_at_us: now,
            fresh_at_us: now,
            entered_at_us: now,
            clock_started_at_us: None,
            baking_since_us: None,
            alone_since_us: None,
            ended_at_us: None,
            desk: Desk {
                plan_hash,
                ..Desk::default()
            },
            planned: None,
        }
    }

    /// Whether nothing will ever change its exposure again.
    pub fn is_final(&self) -> bool {
        self.phase.is_final()
    }

    /// Whether nobody is to get the treatment by it any more: it was aborted, rolled back or superseded.
    pub fn is_withdrawn(&self) -> bool {
        match self.phase {
            Phase::Aborting | Phase::Aborted | Phase::RolledBack | Phase::Superseded | Phase::Expired => true,
            Phase::Draft
            | Phase::Ready
            | Phase::AwaitingStart
            | Phase::Ramp
            | Phase::Soak
            | Phase::Gate
            | Phase::Held
            | Phase::Paused
            | Phase::Baking
            | Phase::Completed => false,
        }
    }

    /// Whether a stage has been entered, and the rollout has not ended.
    pub fn is_live(&self) -> bool {
        self.phase.is_live()
    }

    /// Whether the last gate was passed.
    pub fn is_baking(&self) -> bool {
        self.baking_since_us.is_some()
    }

    /// How long the stage must soak, extensions included; none: for ever.
    pub fn dwell_us(&self, plan: &Plan) -> Option<Micros> {
        let dwell = plan.stages.get(self.stage)?.dwell.finite_us()?;
        Some(dwell.saturating_add(self.extended_us))
    }

    /// Whether the stage has soaked for its dwell.
    pub fn is_soaked(&self, plan: &Plan) -> bool {
        self.clock_started_at_us.is_some() && self.dwell_us(plan).is_some_and(|dwell| self.soaked_us >= dwell)
    }

    /// The highest stage that was ever entered; none before the start.
    pub fn highest_visited(&self) -> Option<usize> {
        self.visits.iter().map(|visit| visit.stage).max()
    }

    /// The positions in `horizons` whose stage has units in both arms, oldest first.
    ///
    /// The budget numbers only these (h = 1, 2, ..), as its n counts only these; any other has nothing to compare.
    pub fn compared_horizons(&self, plan: &Plan) -> Vec<usize> {
        let is_compared = |horizon: &Horizon| plan.wanted(horizon.stage).is_compared();
        (0..self.horizons.len())
            .filter(|&position| is_compared(&self.horizons[position]))
            .collect()
    }
}
