//! What the budget was planned for when a rollout started (guard.md 5: n; 4b: H), kept from the first edit on.
//!
//! Weights of horizons and batches are frozen at the start, or an edit could move evidence that is already there. As long
//! as a plan is as it started it says all of this by itself; an edit of a live rollout writes down what it said before.

use std::collections::BTreeMap;

use super::State;
use crate::{Micros, Plan, Share};

/// What the budget was planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Horizons of the stages with units in both arms ([`Plan::planned_horizons`]), at least 1.
    pub horizons: usize,
    /// Stages with units in both arms.
    pub compared: usize,
    /// Stages in which everybody has the treatment.
    pub uncompared: usize,
    /// The planned dwells of horizons (by number, from 1) whose stage was given another by an edit.
    pub dwells_us: BTreeMap<u32, Micros>,
}

impl Planned {
    /// What a plan says.
    pub fn of(plan: &Plan) -> Self {
        let count = |is_compared: bool| {
            let shares = (0..plan.stages.len()).map(|stage| plan.wanted(stage));
            shares
                .filter(|share| share.is_compared() == is_compared && *share > Share::NONE)
                .count()
        };
        Self {
            horizons: plan.planned_horizons(),
            compared: count(true),
            uncompared: count(false),
            dwells_us: BTreeMap::new(),
        }
    }
}

impl State {
    /// What the budget was planned for.
    pub fn planned(&self, plan: &Plan) -> Planned {
        self.planned.clone().unwrap_or_else(|| Planned::of(plan))
    }

    /// The dwell that the stage of a horizon (by position) was planned for when the horizon began; 0: there is no such.
    pub fn planned_dwell_us(&self, plan: &Plan, horizon: usize) -> Micros {
        let number = u32::try_from(horizon + 1).unwrap_or(u32::MAX);
        let kept = self.planned.as_ref().and_then(|planned| planned.dwells_us.get(&number));
        kept.copied().unwrap_or_else(|| {
            let stage = self
                .horizons
                .get(horizon)
                .and_then(|horizon| plan.stages.get(horizon.stage));
            stage.map_or(0, |stage| stage.dwell.planned_us())
        })
    }

    /// Keeps what a plan said before another takes its place.
    pub(crate) fn keep_planned(&mut self, before: &Plan, after: &Plan) {
        let mut planned = self.planned(before);
        for (position, horizon) in self.horizons.iter().enumerate() {
            let dwell = |plan: &Plan| plan.stages.get(horizon.stage).map(|stage| stage.dwell.planned_us());
            let number = u32::try_from(position + 1).unwrap_or(u32::MAX);
            if dwell(before) != dwell(after) {
                let dwell_us = self.planned_dwell_us(before, position);
                planned.dwells_us.entry(number).or_insert(dwell_us);
            }
        }
        self.planned = Some(planned);
    }
}
