//! A new version of a rollout's plan.

use std::sync::Arc;

use proto::v1;
use rollout::{Guard, Micros, Plan, Transition};
use tonic::Status;

use super::{
    RolloutsApi, TRIES, check_sequence, not_committed,
    planned::{frozen_plan, refused},
    refuse_plan, wanted_plan,
};
use crate::{
    change::{guard_references, rollout as change},
    engine::transit,
    identity::Actor,
    levels::Levels,
    plan_wire, prometheus,
    record::RolloutRecord,
    state::State,
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
            let plan = edited_plan(
                (&state, &self.view.sources.levels),
                &record,
                request.plan.clone(),
                since_us,
            )?;
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

/// The new version of a rollout's plan. Once it has started it keeps what it took over from the baseline that it names.
fn edited_plan(
    (state, levels): (&State, &Levels),
    record: &RolloutRecord,
    plan: Option<v1::Plan>,
    since_us: Micros,
) -> Result<Arc<Plan>, Status> {
    if record.state.phase.is_before_start() {
        return frozen_plan((state, levels), &record.environment, plan, "", since_us);
    }
    let mut plan = wanted_plan(state, &record.environment, plan, "", since_us)?;
    refuse_plan(prometheus::lacking(&plan, levels))?;
    if plan.baseline.is_of_the_same(&record.plan.baseline) {
        Arc::make_mut(&mut plan).baseline = record.plan.baseline.clone();
    }
    // What it was given beside its own guards when it was created.
    if record.plan.guards.contains(&Guard::slower_than_control()) {
        Arc::make_mut(&mut plan).add_built_in_guards();
    }
    Ok(plan)
}
