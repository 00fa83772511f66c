//! How far a rollout came: everything that must survive a restart, and nothing that can be read elsewhere.
//!
//! Time is kept as points and sums (when the stage was entered, how much has soaked), never as a running timer, so a
//! state that was stored can be stepped by any replica. `sequence` counts the transitions: a write is guarded by it.

use crate::{Micros, Plan, Unit, plan::DAY_US, step::STALE_AFTER_US};

/// How far a rollout came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What the rollout is doing.
    pub phase: Phase,
    /// Transitions made so far.
    pub sequence: u64,
    /// Position in the plan's stages.
    pub stage: usize,
    /// Every entry into a stage, oldest first; the last is the current one.
    pub visits: Vec<Visit>,
    /// Every horizon, oldest first; the last is the current one.
    pub horizons: Vec<Horizon>,
    /// Soak gathered in this visit.
    pub soaked_us: Micros,
    /// When the state was last stepped.
    pub observed_at_us: Micros,
    /// When data was last seen to be fresh, or when its grace began.
    pub fresh_at_us: Micros,
    /// When this visit began.
    pub entered_at_us: Micros,
    /// When 99 % of the live agents had applied this visit's share; none while it is being delivered.
    pub clock_started_at_us: Option<Micros>,
    /// Since when an aborting rollout has seen no live agent at all.
    pub alone_since_us: Option<Micros>,
    /// When it was aborted or completed.
    pub ended_at_us: Option<Micros>,
}

/// What a rollout is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The stage is wanted, and not yet applied by 99 % of the live agents.
    Delivering,
    /// The stage is applied and its clock runs whenever data is fresh.
    Soaking,
    /// The stage stays as it is until the reason is gone.
    Held(HoldReason),
    /// Aborted; not every live agent has it on disk yet.
    Aborting,
    /// Aborted, and every live agent has it on disk. Final.
    Aborted,
    /// The last stage was passed. Final.
    Completed,
}

/// Why a rollout is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldReason {
    /// No live agent holds the flag.
    NoAgents,
    /// The dwell is over and neither arm had any traffic.
    NoTraffic,
    /// The dwell is over, control had traffic and treatment had none.
    NoTreatmentTraffic,
    /// The dwell is over and an arm has fewer outcomes than the stage asks for.
    TooFewOutcomes,
    /// The dwell is over and an arm has fewer units than the stage asks for.
    TooFewUnits,
    /// Agents have not reported for ten seconds.
    Stale,
    /// The evidence of harm is at the hold level.
    Evidence,
    /// The flag is killed or disabled.
    FlagOff,
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
    /// Whether nothing will ever change it again.
    pub fn is_final(&self) -> bool {
        match self.phase {
            Phase::Aborted | Phase::Completed => true,
            Phase::Delivering | Phase::Soaking | Phase::Held(_) | Phase::Aborting => false,
        }
    }

    /// Whether the abort has been decided, so that nobody is to get the treatment.
    pub fn is_aborted(&self) -> bool {
        match self.phase {
            Phase::Aborting | Phase::Aborted => true,
            Phase::Delivering | Phase::Soaking | Phase::Held(_) | Phase::Completed => false,
        }
    }

    /// The positions in `horizons` whose stage has units in both arms, oldest first.
    ///
    /// The budget numbers only these (h = 1, 2, ..), as its n counts only these; any other has nothing to compare.
    pub fn compared_horizons(&self, plan: &Plan) -> Vec<usize> {
        let is_compared = |horizon: &Horizon| {
            plan.stages
                .get(horizon.stage)
                .is_some_and(|stage| stage.share.is_compared())
        };
        (0..self.horizons.len())
            .filter(|&position| is_compared(&self.horizons[position]))
            .collect()
    }

    /// The next point in time at which this state may change though nothing else does; none for a state that waits for
    /// agents or people only. Never before `now`.
    pub fn next_deadline(&self, plan: &Plan, now: Micros) -> Option<Micros> {
        let mut deadlines = [None, None, None];
        match self.phase {
            Phase::Aborting | Phase::Aborted | Phase::Completed => return None,
            Phase::Delivering | Phase::Held(_) => {}
            Phase::Soaking => {
                deadlines[0] = plan.stages.get(self.stage).map(|stage| {
                    self.observed_at_us
                        .saturating_add(stage.dwell_us.saturating_sub(self.soaked_us).max(0))
                });
                deadlines[1] = Some(self.fresh_at_us.saturating_add(STALE_AFTER_US));
            }
        }
        if plan.unit == Unit::Unit {
            deadlines[2] = self
                .horizons
                .last()
                .map(|horizon| horizon.started_at_us.saturating_add(DAY_US));
        }
        deadlines.into_iter().flatten().min().map(|deadline| deadline.max(now))
    }
}

impl Phase {
    /// In one word, without the reason of a hold.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Delivering => "delivering",
            Phase::Soaking => "soaking",
            Phase::Held(_) => "held",
            Phase::Aborting => "aborting",
            Phase::Aborted => "aborted",
            Phase::Completed => "completed",
        }
    }
}

impl HoldReason {
    /// In a few words, joined by hyphens.
    pub fn name(self) -> &'static str {
        match self {
            HoldReason::NoAgents => "no-agents",
            HoldReason::NoTraffic => "no-traffic",
            HoldReason::NoTreatmentTraffic => "no-treatment-traffic",
            HoldReason::TooFewOutcomes => "too-few-outcomes",
            HoldReason::TooFewUnits => "too-few-units",
            HoldReason::Stale => "stale",
            HoldReason::Evidence => "evidence",
            HoldReason::FlagOff => "flag-off",
        }
    }
}
