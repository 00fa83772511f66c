//! Whether a rollout is stuck: it has been in one stage for longer than its plan allows, and what to ask then.
//!
//! Pure. It is a question to people and decides nothing; it is told once for each visit of a stage (`Stuck::visit`).

use rollout::{Phase, Share, duration, status::FlagState};

use crate::{record::RolloutRecord, state::BAKING};

/// A rollout that has stood still for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stuck {
    /// Since when it stands.
    pub(crate) since_us: i64,
    /// Which visit: how many there had been, and more in the bake.
    pub(crate) visit: u32,
    stands: Stands,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Before,
    At(FlagState),
    Baking(FlagState),
}

impl Stuck {
    /// Whether a rollout is stuck.
    pub(crate) fn of(record: &RolloutRecord, now_us: i64) -> Option<Self> {
        let (plan, state) = (&record.plan, &record.state);
        let share = crate::events::deployed(plan, state.stage);
        let word = match share {
            _ if plan.deployed(state.stage) == Share::ALL => FlagState::Prod100,
            Share::NONE => FlagState::StagingOnly,
            share => FlagState::Canary(share),
        };
        let stands = match state.phase {
            Phase::AwaitingStart => Stands::Before,
            // What everybody has waits for nobody.
            _ if word == FlagState::Prod100 => return None,
            Phase::Ramp | Phase::Soak | Phase::Gate | Phase::Held | Phase::Paused | Phase::Baking => {
                if state.is_baking() {
                    Stands::Baking(word)
                } else {
                    Stands::At(word)
                }
            }
            Phase::Draft
            | Phase::Ready
            | Phase::Completed
            | Phase::RolledBack
            | Phase::Aborting
            | Phase::Aborted
            | Phase::Superseded
            | Phase::Expired => return None,
        };
        // The bake has a length of its own.
        let (since_us, allowed_us) = match state.baking_since_us {
            Some(since_us) => (since_us, plan.bake_us.saturating_add(plan.stuck_after_us)),
            None => (state.entered_at_us, plan.stuck_after_us),
        };
        (now_us.saturating_sub(since_us) >= allowed_us).then_some(Self {
            since_us,
            visit: visit(state),
            stands,
        })
    }

    /// What to ask: "canary-10% for 18 days: advance or roll back?"
    pub(crate) fn question(self, now_us: i64) -> String {
        let time = duration::about(now_us.saturating_sub(self.since_us));
        match self.stands {
            Stands::Before => format!("not started for {time}: start it or roll it back?"),
            Stands::At(word) => format!("{word} for {time}: advance or roll back?"),
            Stands::Baking(word) => format!("{word} for {time}: complete it or roll it back?"),
        }
    }
}

/// The visit that a rollout is in: how many there were, and more in the bake.
pub(crate) fn visit(state: &rollout::State) -> u32 {
    state.visits.len() as u32 + u32::from(state.is_baking()) * BAKING
}

#[cfg(test)]
mod tests;
