//! The service of environments.
//!
//! An environment that is used cannot be deleted: whatever is in it, and every agent that lives by it, is named. Its
//! token key is drawn here once and leaves the control plane for agents only.

mod wire;

use std::sync::Arc;

use evaluation::{Environment, Key};
use proto::{
    status::{invalid, violation},
    v1::{self, environments_server::Environments},
};
use tonic::{Request, Response, Status};

use super::{race::Race, refusal};
use crate::{
    change,
    edit::{Precondition, Refusal},
    identity::Actor,
    record::EnvironmentRecord,
    state::State,
    store::Txn,
    sync::fleet::Fleet,
    truth::Truth,
};

/// Environments that there are at most.
const LIMIT: usize = 100;
/// Agents that a refusal names.
const NAMED: usize = 5;

/// The service `tidegate.v1.Environments`.
#[derive(Debug)]
pub(crate) struct EnvironmentsApi {
    truth: Truth,
    fleet: Arc<Fleet>,
}

impl EnvironmentsApi {
    /// The service over the truth and those who live by it.
    pub(crate) fn new(truth: Truth, fleet: Arc<Fleet>) -> Self {
        Self { truth, fleet }
    }

    /// Commits what is made of the state, until it meets no other write; the record that goes with it, at the revision of
    /// the write if there was one to make.
    async fn commit(
        &self,
        make: impl Fn(&State) -> Result<(Option<Txn>, EnvironmentRecord), Status>,
    ) -> Result<EnvironmentRecord, Status> {
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let (txn, record) = make(&state)?;
            let Some(txn) = txn else {
                return Ok(record);
            };
            if let Some((revision, _)) = race.commit(&state, txn).await? {
                return Ok(EnvironmentRecord { revision, ..record });
            }
        }
    }
}

#[tonic::async_trait]
impl Environments for EnvironmentsApi {
    async fn list_environments(
        &self,
        _: Request<v1::ListEnvironmentsRequest>,
    ) -> Result<Response<v1::ListEnvironmentsResponse>, Status> {
        let state = self.truth.state();
        let environments = state.environments.values().map(|record| wire::environment(record));
        let mut environments = environments.collect::<Vec<_>>();
        environments.sort_by_key(|environment| environment.order);
        Ok(Response::new(v1::ListEnvironmentsResponse { environments }))
    }

    async fn get_environment(
        &self,
        request: Request<v1::GetEnvironmentRequest>,
    ) -> Result<Response<v1::GetEnvironmentResponse>, Status> {
        let state = self.truth.state();
        let record = find(&state, &request.into_inner().key)?;
        let environment = Some(wire::environment(record));
        Ok(Response::new(v1::GetEnvironmentResponse { environment }))
    }

    async fn create_environment(
        &self,
        request: Request<v1::CreateEnvironmentRequest>,
    ) -> Result<Response<v1::CreateEnvironmentResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let wanted = wire::create(request.into_inner().environment.unwrap_or_default())?;
        let token_key = rand::random();
        let key = wanted.key.clone();
        let make = |state: &State| {
            if state.environments.contains_key(&key) {
                return Err(Status::already_exists(format!("environment {key} exists already")));
            }
            if state.environments.len() >= LIMIT {
                let refused = format!("there are {LIMIT} environments already; delete one that is not needed");
                return Err(Status::resource_exhausted(refused));
            }
            let last = state.environments.values().map(|record| record.environment.order).max();
            let order = match wanted.order {
                0 => last.unwrap_or(0).saturating_add(1),
                order => order,
            };
            free(state, &key, order)?;
            let record = EnvironmentRecord {
                environment: Environment {
                    key: key.clone(),
                    kind: wanted.kind,
                    order,
                    token_key,
                },
                description: wanted.description.clone(),
                revision: 0,
            };
            Ok((Some(change::environment::create(state, &record, &actor)), record))
        };
        let environment = Some(wire::environment(&self.commit(make).await?));
        Ok(Response::new(v1::CreateEnvironmentResponse { environment }))
    }

    async fn update_environment(
        &self,
        request: Request<v1::UpdateEnvironmentRequest>,
    ) -> Result<Response<v1::UpdateEnvironmentResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let update = wire::Update::read(request.environment.unwrap_or_default(), request.update_mask)?;
        let make = |state: &State| {
            let before = find(state, update.key())?;
            current(before, request.expected_revision)?;
            let after = update.of(before);
            if after == **before {
                return Ok((None, after));
            }
            free(state, &after.environment.key, after.environment.order)?;
            let txn = change::environment::update(state, before, &after, &actor);
            Ok((Some(txn), after))
        };
        let environment = Some(wire::environment(&self.commit(make).await?));
        Ok(Response::new(v1::UpdateEnvironmentResponse { environment }))
    }

    async fn delete_environment(
        &self,
        request: Request<v1::DeleteEnvironmentRequest>,
    ) -> Result<Response<v1::DeleteEnvironmentResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let make = |state: &State| {
            let before = find(state, &request.key)?;
            current(before, request.expected_revision)?;
            let uses = uses(state, &self.fleet, &before.environment.key, actor.at_us);
            if uses.is_empty() {
                let txn = change::environment::delete(state, before, &actor);
                Ok((Some(txn), EnvironmentRecord::clone(before)))
            } else {
                let used = |description| Precondition {
                    kind: "ENVIRONMENT",
                    subject: request.key.clone(),
                    description,
                };
                Err(refusal::refused(Refusal {
                    violations: Vec::new(),
                    preconditions: uses.into_iter().map(used).collect(),
                }))
            }
        };
        self.commit(make).await?;
        Ok(Response::new(v1::DeleteEnvironmentResponse {}))
    }
}

/// Why an environment is still needed, in words.
fn uses(state: &State, fleet: &Fleet, environment: &Key, now_us: i64) -> Vec<String> {
    let flags = state.flags_of(environment, None).count();
    let archived = state
        .flags_of(environment, None)
        .filter(|record| record.archived_at_us.is_some());
    let archived = archived.count();
    let segments = state.segments_of(environment, None).count();
    let plans = state.plans_of(environment, None).count();
    let baselines = state.baselines_of(environment, None).count();
    let pending = state
        .schedules_of(environment)
        .filter(|record| record.is_pending())
        .count();
    let held = state.active.keys().filter(|(owner, _)| owner == environment).count();
    let live = fleet
        .of(environment, now_us)
        .into_iter()
        .filter(|agent| agent.is_live(now_us));
    let live = live
        .map(|agent| agent.introduction.agent.to_string())
        .collect::<Vec<_>>();
    let named = live
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let counted = [
        (
            flags,
            format!("has {flags} flags, {archived} of them archived; delete them first"),
        ),
        (segments, format!("has {segments} segments; delete them first")),
        (plans, format!("has {plans} plans; delete them first")),
        (baselines, format!("has {baselines} baselines; delete them first")),
        (held, format!("has {held} rollouts under way; abort them first")),
        (pending, format!("has {pending} pending schedules; cancel them first")),
        (
            live.len(),
            format!("has {} live agents ({named}); stop them first", live.len()),
        ),
    ];
    let counted = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, use_)| use_);
    let last = (state.environments.len() == 1).then(|| "is the last environment; create another first".to_owned());
    counted
        .chain(last)
        .map(|use_| format!("{environment} {use_}"))
        .collect()
}

fn find<'s>(state: &'s State, key: &str) -> Result<&'s Arc<EnvironmentRecord>, Status> {
    let key = refusal::environment(state, key)?;
    let found = state.environments.get(&key);
    found.ok_or_else(|| Status::not_found(format!("environment {key} does not exist")))
}

/// Refuses a decision that was based on another revision.
fn current(before: &EnvironmentRecord, expected: u64) -> Result<(), Status> {
    if expected == 0 || expected == before.revision {
        Ok(())
    } else {
        Err(refusal::stale(&before.environment.key, expected, before.revision))
    }
}

/// Refuses a place in the order that another environment has.
fn free(state: &State, key: &Key, order: u32) -> Result<(), Status> {
    let mut others = state.environments.values().map(|record| &record.environment);
    match others.find(|other| other.order == order && other.key != *key) {
        Some(other) => {
            let description = format!("{order} is the place of {}; each has its own", other.key);
            Err(invalid(&[violation("environment.order", description)]))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
