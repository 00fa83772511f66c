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
                    audience: reached.audience.clone(),
                })
                .collect(),
            bucket_by: step.bucket_by.clone(),
            shadow: step.shadow,
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
            .into_iter()
            .map(|reached| {
                let (stage, buckets) = (reached.stage, reached.buckets);
                let share = Buckets::new(buckets).ok_or(StepError::Stage { stage, buckets })?;
                Ok(ReachedStage {
                    stage: small(stage, buckets)?,
                    share,
                    audience: reached.audience,
                })
            })
            .collect::<Result<_, StepError>>()?;
        Ok(Self {
            rollout: step.rollout,
            measuring_key: revision::read_u128("measuring_key", &step.measuring_key)?,
            salt: step.salt,
            bucket_by: step.bucket_by,
            treatment: step.treatment,
            control: step.control,
            shadow: step.shadow,
            stage: small(step.stage, 0)?,
            reached,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn any_reached() -> impl Strategy<Value = ReachedStage> {
        (0..16_u8, 0..=100_000_u32, vec("[a-z]{1,9}", 0..4)).prop_map(|(stage, buckets, audience)| ReachedStage {
            stage,
            share: Buckets::new(buckets).unwrap(),
            audience,
        })
    }

    fn any_step() -> impl Strategy<Value = RolloutStep> {
        let numbers = (any::<u32>(), any::<u128>(), 0..16_u8, any::<bool>());
        let names = vec(".{0,9}", 3);
        (numbers, names, vec(".{0,9}", 0..4), vec(any_reached(), 0..5)).prop_map(
            |((rollout, measuring_key, stage, shadow), names, bucket_by, reached)| RolloutStep {
                rollout,
                measuring_key,
                salt: names[0].clone(),
                bucket_by,
                treatment: names[1].clone(),
                control: names[2].clone(),
                shadow,
                stage,
                reached,
            },
        )
    }

    proptest! {
        #[test]
        fn a_step_travels_whole(step in any_step()) {
            prop_assert_eq!(RolloutStep::try_from(v1::RolloutStep::from(&step)), Ok(step));
        }
    }

    #[test]
    fn stages_and_shares_out_of_range_are_refused() {
        let read = |current, stage, buckets| {
            let reached = v1::ReachedStage {
                stage,
                buckets,
                audience: Vec::new(),
            };
            RolloutStep::try_from(v1::RolloutStep {
                measuring_key: vec![0; 16].into(),
                stage: current,
                reached: vec![reached],
                ..v1::RolloutStep::default()
            })
        };
        assert!(read(15, 15, 100_000).is_ok());
        for (current, stage, buckets) in [(0, 16, 1), (0, 256, 1), (0, 0, 100_001)] {
            assert_eq!(read(current, stage, buckets), Err(StepError::Stage { stage, buckets }));
        }
        assert_eq!(read(16, 0, 1), Err(StepError::Stage { stage: 16, buckets: 0 }));
    }
}
