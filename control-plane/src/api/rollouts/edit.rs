//! A new version of a rollout's plan.

use std::sync::Arc;

use proto::v1;
use rollout::Transition;
use tonic::Status;

use super::{RolloutsApi, TRIES, check_sequence, not_committed, planned::refused, wanted_plan};
use crate::{
    change::{guard_references, rollout as change},
    engine::transit,
    identity::Actor,
    plan_wire,
    truth::CommitError,
};

impl RolloutsApi {
    pub(super) async fn edit(&self, request: v1::EditRolloutRequest, actor: &Actor) -> Result<v1::Rollout, Status> {
        for _ in 0..TRIES {
            let state = self.view.truth.state();
            let record = self.found(&state, &request.environment, &request.rollout)?;
            check_sequence(&record, request.expected_sequence)?;
            // As from its own beginning: what is over by now was open then.
            let since_us = record.started_at_us;
            let plan = wanted_plan(&state, &record.environment, request.plan.clone(), "", since_us)?;
            let hash = plan_wire::hash(&plan);
            let progress = self.view.sources.progress(&state, &record);
            let rebased = rollout::rebase(&record.plan, &plan, &progress, hash, actor.at_us).map_err(refused)?;
            let detail = format!("version {} of the plan: {}", record.plan_version + 1, actor.reason);
            let mut after = transit::moved(&record, &rebased.state, &Transition::Rebased, detail, actor);
            after.plan = Arc::clone(&plan);
            after.plan_version += 1;
            let txn = change::act(&record, &after, "rollout.edit", actor);
            let txn = guard_references(txn, &state, &record.environment);
            match self.view.truth.commit(txn).await {
                Ok(state) => return self.shown(&state, &record.environment, record.id),
                Err(error) => not_committed(error)?,
            }
            self.view.truth.newer(state.revision).await;
        }
        Err(CommitError::Conflict.into())
    }
}
