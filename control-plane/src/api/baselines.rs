//! The service of baselines: captured from a visit of a stage, or imported; listed, shown, deleted.
//!
//! What a visit was like is `baseline/capture.rs`'s to say. A baseline is written once: there is no update, and whoever
//! wants another writes another.

mod import;
mod wire;

use std::sync::Arc;

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1::{self, baselines_server::Baselines},
};
use rollout::{catalogue, measure::CapturedArms};
use runtime::clock::now_us;
use tonic::{Request, Response, Status};

use super::{
    page::{self, Asked, Page},
    race::Race,
    refusal,
    rollouts::found_rollout,
    view::View,
};
use crate::{
    baseline::{
        self, BaselineRecord, Origin, Value,
        capture::{Capture, Visited, capture},
    },
    change::{self, flag::Act},
    identity::Actor,
    record::RolloutRecord,
    state::State,
    store::{self, keys, model},
};

/// The service `tidegate.v1.Baselines`.
#[derive(Debug)]
pub(crate) struct BaselinesApi {
    view: View,
    /// How long a visit must have soaked to be captured.
    shortest_capture_us: i64,
}

/// What a baseline is to hold.
#[derive(Debug)]
struct Wanted {
    key: Key,
    description: String,
    values: std::collections::BTreeMap<String, Value>,
    origin: Option<Origin>,
    arms: CapturedArms,
}

impl BaselinesApi {
    /// The service over a view.
    pub(crate) fn new(view: View, shortest_capture_us: i64) -> Self {
        Self {
            view,
            shortest_capture_us,
        }
    }

    /// Stores a baseline whose key is free.
    async fn create(&self, environment: &Key, wanted: Wanted, actor: &Actor) -> Result<BaselineRecord, Status> {
        let record = BaselineRecord {
            key: wanted.key,
            description: wanted.description,
            values: wanted.values,
            origin: wanted.origin,
            arms: Arc::new(wanted.arms),
            created_at_us: actor.at_us,
            created_by: actor.name.clone(),
            reason: actor.reason.clone(),
            revision: 0,
        };
        let action = if record.origin.is_some() {
            "baseline.capture"
        } else {
            "baseline.import"
        };
        let mut race = Race::new(&self.view.truth);
        loop {
            let state = self.view.truth.state();
            free(&state, environment, &record.key)?;
            let txn = change::baseline::create(&state, Act::alone(environment, action, actor), &record);
            if let Some((revision, _)) = race.commit(&state, txn).await? {
                return Ok(BaselineRecord { revision, ..record });
            }
        }
    }

    /// The latest visit of a stage, and how it went.
    async fn visited(&self, state: &State, record: &RolloutRecord, stage: &str) -> Result<Visited, Status> {
        let position = record.plan.stages.iter().position(|known| known.name == stage);
        let position = match (position, stage) {
            (Some(position), _) => position,
            (None, "") => 0,
            (None, _) => {
                let names = record.plan.stages.iter().map(|stage| stage.name.as_str());
                let names = names.collect::<Vec<_>>().join(", ");
                let stage = stage.chars().take(100).collect::<String>();
                let description = format!("there is no stage {stage:?}; there are: {names}");
                return Err(invalid(&[violation("stage", description)]));
            }
        };
        let visit = record.state.visits.iter().rfind(|visit| visit.stage == position);
        let visit = *visit.ok_or_else(|| {
            let stage = record.plan.stages.get(position).map_or("", |stage| stage.name.as_str());
            let description = format!("rollout {} has not been in stage {stage}", record.name());
            refusal::precondition("STAGE", &record.name(), description)
        })?;
        let items = store::all(self.view.truth.store(), &keys::exits(&record.environment, record.id)).await?;
        let exits = items.iter().map(|item| model::read_exit(&item.value));
        let exits = exits.collect::<Result<Vec<_>, _>>();
        let exits = exits.map_err(|error| Status::data_loss(format!("the record of {}: {error}", record.name())))?;
        // In the order of transitions: the first is the end of the visit, another that of the bake.
        let exit = exits
            .iter()
            .find(|exit| exit.stage as usize == visit.stage && exit.visit == visit.visit);
        let present_us = || self.view.sources.progress(state, record).soaked_us;
        Ok(Visited {
            visit,
            left_at_us: exit.map(|exit| exit.left_at_us),
            soaked_us: exit.map_or_else(present_us, |exit| exit.soaked_us),
        })
    }
}

#[tonic::async_trait]
impl Baselines for BaselinesApi {
    async fn capture_baseline(
        &self,
        request: Request<v1::CaptureBaselineRequest>,
    ) -> Result<Response<v1::CaptureBaselineResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let state = self.view.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let rollout = found_rollout(&state, &environment, &request.rollout)?;
        let visited = self.visited(&state, &rollout, &request.stage).await?;
        let evidence = state.evidence_of(rollout.id);
        let captured = capture(&rollout, &evidence, &visited, self.shortest_capture_us);
        let Capture {
            origin,
            values,
            arms,
            left_out,
        } = captured.map_err(|error| refusal::precondition("BASELINE", &rollout.name(), error.to_string()))?;
        let key = if request.key.is_empty() {
            format!("{}-{}-{}", rollout.plan.flag, rollout.number, origin.stage)
        } else {
            request.key
        };
        let wanted = Wanted {
            key: refusal::key("key", &key)?,
            description: described(request.description)?,
            values,
            origin: Some(origin),
            arms,
        };
        let record = self.create(&environment, wanted, &actor).await?;
        Ok(Response::new(v1::CaptureBaselineResponse {
            baseline: Some(wire::stored(&environment, &record)),
            left_out,
        }))
    }

    async fn import_baseline(
        &self,
        request: Request<v1::ImportBaselineRequest>,
    ) -> Result<Response<v1::ImportBaselineResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let environment = refusal::environment(&self.view.truth.state(), &request.environment)?;
        let wanted = import::read(request).map_err(|violations| invalid(&violations))?;
        let record = self.create(&environment, wanted, &actor).await?;
        let baseline = Some(wire::stored(&environment, &record));
        Ok(Response::new(v1::ImportBaselineResponse { baseline }))
    }

    async fn get_baseline(
        &self,
        request: Request<v1::GetBaselineRequest>,
    ) -> Result<Response<v1::GetBaselineResponse>, Status> {
        let request = request.into_inner();
        let state = self.view.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let record = find(&state, &environment, &request.key)?;
        let baseline = Some(wire::stored(&environment, record));
        Ok(Response::new(v1::GetBaselineResponse { baseline }))
    }

    async fn list_baselines(
        &self,
        request: Request<v1::ListBaselinesRequest>,
    ) -> Result<Response<v1::ListBaselinesResponse>, Status> {
        let request = request.into_inner();
        let state = self.view.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let mut page = Page::new(page::size(request.page_size, 50, 500)?);
        let asked = Asked::of(&v1::ListBaselinesRequest {
            environment: request.environment,
            ..v1::ListBaselinesRequest::default()
        });
        let after = asked.after(&request.page_token)?;
        let mut next_page_token = String::new();
        let mut last = None;
        for record in state.baselines_of(&environment, after.as_ref()) {
            if let (true, Some(last)) = (page.is_full(), last) {
                next_page_token = asked.token(last);
                break;
            }
            page.push(wire::stored(&environment, record));
            last = Some(&record.key);
        }
        Ok(Response::new(v1::ListBaselinesResponse {
            baselines: page.items,
            next_page_token,
        }))
    }

    async fn delete_baseline(
        &self,
        request: Request<v1::DeleteBaselineRequest>,
    ) -> Result<Response<v1::DeleteBaselineResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let environment = refusal::environment(&self.view.truth.state(), &request.environment)?;
        let mut race = Race::new(&self.view.truth);
        loop {
            let state = self.view.truth.state();
            let record = find(&state, &environment, &request.key)?.clone();
            if ![0, record.revision].contains(&request.expected_revision) {
                return Err(refusal::stale(&record.key, request.expected_revision, record.revision));
            }
            let act = Act::alone(&environment, "baseline.delete", &actor);
            let txn = change::baseline::delete(&state, act, &record);
            if race.commit(&state, txn).await?.is_some() {
                return Ok(Response::new(v1::DeleteBaselineResponse {}));
            }
        }
    }
}

/// The baseline, if it is there.
fn find<'s>(state: &'s State, environment: &Key, key: &str) -> Result<&'s Arc<BaselineRecord>, Status> {
    let key = refusal::key("key", key)?;
    let found = state.baseline(environment, &key);
    found.ok_or_else(|| {
        let keys = state.baselines_of(environment, None).map(|record| record.key.as_str());
        let near = catalogue::nearest_name(key.as_str(), keys);
        let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        Status::not_found(format!(
            "baseline {key} does not exist in environment {environment}{near}"
        ))
    })
}

/// Refuses a key that is taken, and one baseline too many.
fn free(state: &State, environment: &Key, key: &Key) -> Result<(), Status> {
    if state.baseline(environment, key).is_some() {
        return Err(Status::already_exists(format!(
            "baseline {key} exists already, and is never changed; choose another key, or delete it first"
        )));
    }
    if state.baselines_of(environment, None).count() >= baseline::LIMIT {
        return Err(Status::resource_exhausted(format!(
            "environment {environment} has {} baselines already; delete some that are not needed",
            baseline::LIMIT
        )));
    }
    Ok(())
}

fn described(description: String) -> Result<String, Status> {
    match import::check_description(&description) {
        None => Ok(description),
        Some(found) => Err(invalid(&[found])),
    }
}

#[cfg(test)]
mod tests;
