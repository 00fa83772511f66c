//! The rollout step: an active rollout, folded into its flag for as long as it runs.
//!
//! The control plane compiles plan and stage down to this, so that agents know nothing of plans. It exists in the
//! snapshot only and never in the flag as written; an abort leaves it out.

use crate::bucket::Salted;
use crate::compiled::VariantIndex;
use crate::percentage::Buckets;

/// What a flag's evaluation must know of the rollout that holds the flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutStep {
    /// The rollout's index in its environment.
    pub rollout: u32,
    /// Keys the positions of units; differs from the salt.
    pub measuring_key: u128,
    /// Draws the buckets of this rollout; 1 to 64 bytes without a colon.
    pub salt: String,
    /// The variant of the treatment arm.
    pub treatment: String,
    /// The variant of the control arm.
    pub control: String,
    /// The current stage; one of those reached.
    pub stage: u8,
    /// Every stage reached so far in the order reached, the current included; 1 to 16.
    pub reached: Vec<ReachedStage>,
}

/// A stage that has been reached: its share keeps counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReachedStage {
    /// The stage, 0 to 15.
    pub stage: u8,
    /// The treatment's share of the buckets.
    pub share: Buckets,
}

/// A rollout step as it is evaluated.
#[derive(Debug)]
pub(crate) struct CompiledStep {
    /// The rollout's index.
    pub(crate) rollout: u32,
    /// The current stage.
    pub(crate) stage: u8,
    /// The reached stage whose share counts.
    pub(crate) stratum: u8,
    /// Buckets below this get the treatment.
    pub(crate) share: u32,
    /// The treatment's variant.
    pub(crate) treatment: VariantIndex,
    /// The control's variant.
    pub(crate) control: VariantIndex,
    /// Draws the bucket.
    pub(crate) salted: Salted,
    /// Keys the position.
    pub(crate) measuring_key: u128,
}

impl RolloutStep {
    /// The reached stage that gives a unit its share: the largest, of equal ones the earliest.
    ///
    /// None only if no stage was reached, which `compile` refuses.
    pub fn largest_reached(&self) -> Option<ReachedStage> {
        self.reached
            .iter()
            .copied()
            .reduce(|largest, next| if next.share > largest.share { next } else { largest })
    }
}
