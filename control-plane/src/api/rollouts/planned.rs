//! The plan that a request brings or names, held against what is there (`surroundings.rs`); refused with all that is
//! wrong with it.

use std::sync::Arc;

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1,
};
use rollout::{Micros, Plan, Violation};
use tonic::Status;

use crate::{api::refusal, baseline::frozen::frozen, levels::Levels, prometheus, state::State, surroundings};

/// The plan of a request: its own, or a stored one by its key. It would start at `now`.
pub(in crate::api) fn wanted_plan(
    state: &State,
    environment: &Key,
    plan: Option<v1::Plan>,
    plan_key: &str,
    now: Micros,
) -> Result<Arc<Plan>, Status> {
    let (plan, found) = named_plan(state, environment, plan, plan_key, now)?;
    refuse_start(found)?;
    Ok(plan)
}

/// The plan of a request as a rollout has it that is created at `now`: with the values of the baseline that it names, and
/// with whoever is to be asked for its levels.
pub(super) fn frozen_plan(
    (state, levels): (&State, &Levels),
    environment: &Key,
    plan: Option<v1::Plan>,
    plan_key: &str,
    now: Micros,
) -> Result<Arc<Plan>, Status> {
    let (plan, mut found) = named_plan(state, environment, plan, plan_key, now)?;
    let (plan, lacking) = frozen(state, environment, &plan, now);
    found.extend(lacking);
    found.extend(prometheus::lacking(&plan, levels));
    refuse_start(found)?;
    Ok(Arc::new(plan))
}

/// The plan of a request, and all that is wrong with it.
fn named_plan(
    state: &State,
    environment: &Key,
    plan: Option<v1::Plan>,
    plan_key: &str,
    now: Micros,
) -> Result<(Arc<Plan>, Vec<Violation>), Status> {
    match (plan, plan_key) {
        (Some(_), key) if !key.is_empty() => {
            let description = "must not be given beside plan: one or the other";
            Err(invalid(&[violation("plan_key", description)]))
        }
        (plan, "") => {
            let (plan, report) = surroundings::read(state, environment, plan.unwrap_or_default(), now);
            Ok((Arc::new(plan), report.violations))
        }
        (_, key) => {
            let plan = stored_plan(state, environment, key)?;
            let report = surroundings::lint(state, environment, &plan, now);
            Ok((plan, report.violations))
        }
    }
}

/// A stored plan by its key, as a request names it.
pub(in crate::api) fn stored_plan(state: &State, environment: &Key, plan_key: &str) -> Result<Arc<Plan>, Status> {
    let key = refusal::key("plan_key", plan_key)?;
    let record = state.plan(environment, &key).ok_or_else(|| {
        Status::not_found(format!(
            "plan {key} does not exist in environment {environment}; create it first"
        ))
    })?;
    Ok(record.plan.clone())
}

/// Refuses a plan that cannot work, whatever it was when it was written.
pub(super) fn startable_plan(
    (state, levels): (&State, &Levels),
    environment: &Key,
    plan: &Plan,
    now: Micros,
) -> Result<(), Status> {
    let mut found = surroundings::lint(state, environment, plan, now).violations;
    found.extend(prometheus::lacking(plan, levels));
    refuse_start(found)
}

/// Refuses to run a plan of which anything was found; a flag that is not there is NOT_FOUND if nothing else is wrong.
fn refuse_start(found: Vec<Violation>) -> Result<(), Status> {
    match found.as_slice() {
        [one] if one.field == "flag" => Err(Status::not_found(one.description.clone())),
        _ => refuse(found),
    }
}

/// Refuses a plan of which anything was found.
pub(in crate::api) fn refuse(found: Vec<Violation>) -> Result<(), Status> {
    if found.is_empty() { Ok(()) } else { Err(refused(found)) }
}

/// INVALID_ARGUMENT with what was found, as fields of the plan within the request.
pub(super) fn refused(found: Vec<Violation>) -> Status {
    let found = found
        .into_iter()
        .map(|found| violation(format!("plan.{}", found.field), found.description));
    invalid(&found.collect::<Vec<_>>())
}
