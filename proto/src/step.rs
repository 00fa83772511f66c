//! A rollout's step between the wire and `evaluation`.

use evaluation::{Buckets, ReachedStage, RolloutStep};

use crate::{revision, v1};

/// Why a step could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// A field of fixed length was not.
    #[error(transparent)]
    Length(#[from] revision::LengthError),
    /// A stage's number or share is out of range.
    #[error("stage {stage} with {buckets} buckets is out of range")]
    Stage {
        /// As read.
        stage: u32,
        /// As read.
        buckets: u32,
    },
}

impl From<&RolloutStep> for v1::RolloutStep {
    fn from(step: &RolloutStep) -> Self {
        Self {
            rollout: step.rollout,
            measuring_key: revision::write_u128(step.measuring_key),
            salt: step.salt.clone(),
            treatment: step.treatment.clone(),
            control: step.control.clone(),
            stage: u32::from(step.stage),
            reached: step
                .reached
                .iter()
                .map(|reached| v1::ReachedStage {
                    stage: u32::from(reached.stage),
                    buckets: reached.share.get(),
                })
                .collect(),
        }
    }
}

impl TryFrom<v1::RolloutStep> for RolloutStep {
    type Error = StepError;

    fn try_from(step: v1::RolloutStep) -> Result<Self, StepError> {
        let small = |stage: u32, buckets: u32| {
            u8::try_from(stage)
                .ok()
                .filter(|stage| *stage < 16)
                .ok_or(StepError::Stage { stage, buckets })
        };
        let reached = step
            .reached
            .iter()
            .map(|reached| {
                let (stage, buckets) = (reached.stage, reached.buckets);
                let share = Buckets::new(buckets).ok_or(StepError::Stage { stage, buckets })?;
                Ok(ReachedStage {
                    stage: small(stage, buckets)?,
                    share,
                })
            })
            .collect::<Result<_, StepError>>()?;
        Ok(Self {
            rollout: step.rollout,
            measuring_key: revision::read_u128("measuring_key", &step.measuring_key)?,
            salt: step.salt,
            treatment: step.treatment,
            control: step.control,
            stage: small(step.stage, 0)?,
            reached,
        })
    }
}
