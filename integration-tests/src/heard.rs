//! How much of a rollout's treatment has been heard: enough for a verdict, or nothing yet.

use proto::v1;

use crate::operator::Operator;

/// Outcomes of treatment over all stages.
pub fn treated(rollout: &v1::Rollout) -> u64 {
    let counts = rollout.total_counts.as_ref();
    let treatment = counts.and_then(|counts| counts.treatment.as_ref());
    treatment.map_or(0, |treatment| treatment.outcomes)
}

impl Operator {
    /// Waits until a rollout has heard this many outcomes of treatment, or has ended, and gives it.
    pub async fn heard(&self, name: &str, outcomes: u64) -> v1::Rollout {
        self.rollout_until("heard", name, |rollout| {
            treated(rollout) >= outcomes || rollout.end.is_some()
        })
        .await
    }
}
