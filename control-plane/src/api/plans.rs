//! The service of plans: documents that rollouts are started from, and what lint says of them.
//!
//! A plan that lint refuses is not stored. Nothing here touches a rollout: each has a copy of the plan that it was
//! started with.

mod lint;
mod metrics;
mod wire;

use std::sync::Arc;

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1::{self, plans_server::Plans},
};
use rollout::{Micros, Plan, lint::Report};
use runtime::clock::now_us;
use tonic::{Request, Response, Status};

pub(super) use self::wire::stored;
use super::{
    page::{self, Asked, Page},
    race::Race,
    refusal,
    rollouts::{refuse_plan, stored_plan},
};
use crate::{
    change::{self, flag::Act},
    history,
    identity::Actor,
    levels::Levels,
    prometheus,
    record::PlanRecord,
    state::State,
    store::{Txn, model::Document},
    surroundings,
    truth::Truth,
};

/// Versions read at once: each holds its document whole.
const SCAN: usize = 16;

/// The service `tidegate.v1.Plans`.
#[derive(Debug)]
pub(crate) struct PlansApi {
    truth: Truth,
    levels: Levels,
}

/// Which plan, as a request names it.
#[derive(Debug, Clone)]
struct Named {
    environment: Key,
    key: Key,
}

impl PlansApi {
    /// The service over the truth, and over who is asked for levels.
    pub(crate) fn new(truth: Truth, levels: Levels) -> Self {
        Self { truth, levels }
    }

    /// A plan as a request has it, and all that is to be said about it. Whoever is to be asked for its levels may be there
    /// before it is started, so that is a warning.
    fn read(&self, state: &State, environment: &Key, plan: v1::Plan, now: Micros) -> (Plan, Report) {
        let (plan, mut report) = surroundings::read(state, environment, plan, now);
        report.warnings.extend(prometheus::lacking(&plan, &self.levels));
        (plan, report)
    }

    fn named(&self, environment: &str, field: &str, key: &str) -> Result<Named, Status> {
        Ok(Named {
            environment: refusal::environment(&self.truth.state(), environment)?,
            key: refusal::key(field, key)?,
        })
    }

    /// The plan of a document: one without a key has that of its flag.
    fn named_by(&self, environment: &str, plan: &v1::Plan) -> Result<Named, Status> {
        let key = if plan.key.is_empty() { &plan.flag } else { &plan.key };
        self.named(environment, "plan.key", key)
    }

    /// One version of a plan, also of a deleted one.
    async fn version(&self, named: &Named, version: u32) -> Result<PlanRecord, Status> {
        let Named { environment, key } = named;
        let kept = history::version(self.truth.store(), environment, "plan", key, version).await?;
        let absent = |what: &str| Status::not_found(format!("{what} of plan {key} of environment {environment}"));
        let kept = kept.ok_or_else(|| absent(&format!("there is no version {version}")))?;
        match kept.record.document {
            Some(Document::Plan(record)) => Ok(record),
            Some(Document::Flag(_) | Document::Segment(_)) | None => Err(absent(&format!(
                "there is no document: version {version} is the deletion"
            ))),
        }
    }
}

#[tonic::async_trait]
impl Plans for PlansApi {
    async fn create_plan(
        &self,
        request: Request<v1::CreatePlanRequest>,
    ) -> Result<Response<v1::CreatePlanResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let wanted = request.plan.unwrap_or_default();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let (plan, report) = self.read(&state, &environment, wanted.clone(), actor.at_us);
            let key = Key::parse(&plan.key);
            if let Ok(key) = &key
                && state.plan(&environment, key).is_some()
            {
                let description = format!("plan {key} exists already; change it with an update");
                return Err(Status::already_exists(description));
            }
            refuse_plan(report.violations)?;
            let key = key.map_err(|error| invalid(&[violation("plan.key", error.to_string())]))?;
            let newest = history::newest_version(self.truth.store(), &environment, "plan", &key).await?;
            let record = written(plan.into(), newest + 1, actor.at_us, &actor);
            let act = Act::alone(&environment, "plan.create", &actor);
            let txn = change::plan::put(Txn::default(), act, &key, None, &record);
            let txn = change::populate(txn, &state, &environment);
            let txn = change::guard_references(txn, &state, &environment);
            if let Some((revision, _)) = race.commit(&state, txn).await? {
                return Ok(Response::new(v1::CreatePlanResponse {
                    plan: Some(stored(&environment, &PlanRecord { revision, ..record })),
                    notes: wire::notes(report.warnings),
                }));
            }
        }
    }

    async fn get_plan(&self, request: Request<v1::GetPlanRequest>) -> Result<Response<v1::GetPlanResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key)?;
        let plan = match request.version {
            0 => stored(&named.environment, find(&self.truth.state(), &named)?),
            version => stored(&named.environment, &self.version(&named, version).await?),
        };
        Ok(Response::new(v1::GetPlanResponse { plan: Some(plan) }))
    }

    async fn list_plans(
        &self,
        request: Request<v1::ListPlansRequest>,
    ) -> Result<Response<v1::ListPlansResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let mut page = Page::new(page::size(request.page_size, 50, 500)?);
        let asked = Asked::of(&v1::ListPlansRequest {
            environment: request.environment,
            ..v1::ListPlansRequest::default()
        });
        let after = asked.after(&request.page_token)?;
        let mut next_page_token = String::new();
        let mut last = None;
        for record in state.plans_of(&environment, after.as_ref()) {
            if let (true, Some(last)) = (page.is_full(), last) {
                next_page_token = asked.token(last);
                break;
            }
            page.push(stored(&environment, record));
            last = Some(&record.plan.key);
        }
        Ok(Response::new(v1::ListPlansResponse {
            plans: page.items,
            next_page_token,
        }))
    }

    async fn update_plan(
        &self,
        request: Request<v1::UpdatePlanRequest>,
    ) -> Result<Response<v1::UpdatePlanResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let wanted = request.plan.unwrap_or_default();
        let named = self.named_by(&request.environment, &wanted)?;
        let environment = &named.environment;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = find(&state, &named)?.clone();
            current(&named, request.expected_revision, &before)?;
            let (plan, report) = self.read(&state, environment, wanted.clone(), actor.at_us);
            refuse_plan(report.violations)?;
            let notes = wire::notes(report.warnings);
            if *before.plan == plan {
                let plan = Some(stored(environment, &before));
                return Ok(Response::new(v1::UpdatePlanResponse { plan, notes }));
            }
            let record = written(plan.into(), before.version + 1, before.created_at_us, &actor);
            let act = Act::alone(environment, "plan.update", &actor);
            let txn = change::plan::put(Txn::default(), act, &named.key, Some(&before), &record);
            let txn = change::guard_references(txn, &state, environment);
            if let Some((revision, _)) = race.commit(&state, txn).await? {
                let plan = Some(stored(environment, &PlanRecord { revision, ..record }));
                return Ok(Response::new(v1::UpdatePlanResponse { plan, notes }));
            }
        }
    }

    async fn delete_plan(
        &self,
        request: Request<v1::DeletePlanRequest>,
    ) -> Result<Response<v1::DeletePlanResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key)?;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = find(&state, &named)?.clone();
            current(&named, request.expected_revision, &before)?;
            let act = Act::alone(&named.environment, "plan.delete", &actor);
            let txn = change::plan::delete(Txn::default(), act, &named.key, &before);
            if race.commit(&state, txn).await?.is_some() {
                return Ok(Response::new(v1::DeletePlanResponse {}));
            }
        }
    }

    async fn lint_plan(&self, request: Request<v1::LintPlanRequest>) -> Result<Response<v1::LintPlanResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let start_us = match request.start_at_us {
            0 => now_us(),
            start_us if start_us > 0 => start_us,
            _ => {
                let description = "must be microseconds since 1970 UTC, or 0";
                return Err(invalid(&[violation("start_at_us", description)]));
            }
        };
        let (plan, report) = match (request.plan, request.plan_key.as_str()) {
            (Some(_), key) if !key.is_empty() => {
                let description = "must not be given beside plan: one or the other";
                return Err(invalid(&[violation("plan_key", description)]));
            }
            (None, key) if !key.is_empty() => {
                let plan = stored_plan(&state, &environment, key)?;
                let mut report = surroundings::lint(&state, &environment, &plan, start_us);
                report.warnings.extend(prometheus::lacking(&plan, &self.levels));
                (plan, report)
            }
            (plan, _) => {
                let plan = plan.unwrap_or_default();
                let (plan, report) = self.read(&state, &environment, plan, start_us);
                (Arc::new(plan), report)
            }
        };
        Ok(Response::new(lint::response(&plan, report, start_us)))
    }

    async fn list_plan_versions(
        &self,
        request: Request<v1::ListPlanVersionsRequest>,
    ) -> Result<Response<v1::ListPlanVersionsResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key)?;
        let mut page = Page::new(page::size(request.page_size, 50, 500)?);
        let mut before = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse::<u32>().map_err(|_| page::wrong_token())?),
        };
        let is_first = before.is_none();
        let mut next_page_token = String::new();
        loop {
            let store = self.truth.store();
            let found = history::page(store, &named.environment, "plan", &named.key, before, SCAN).await?;
            let is_last = found.len() < SCAN;
            for kept in found {
                if page.is_full() {
                    next_page_token = before.map(|version| version.to_string()).unwrap_or_default();
                    break;
                }
                before = Some(kept.record.version);
                page.push(wire::version(&named.environment, kept));
            }
            if is_last || !next_page_token.is_empty() {
                break;
            }
        }
        if is_first && page.items.is_empty() {
            return Err(Status::not_found(format!(
                "plan {} never existed in environment {}",
                named.key, named.environment
            )));
        }
        Ok(Response::new(v1::ListPlanVersionsResponse {
            plans: page.items,
            next_page_token,
        }))
    }

    async fn list_metrics(
        &self,
        _: Request<v1::ListMetricsRequest>,
    ) -> Result<Response<v1::ListMetricsResponse>, Status> {
        let metrics = metrics::all();
        Ok(Response::new(v1::ListMetricsResponse { metrics }))
    }
}

/// The plan, if it is there.
fn find<'s>(state: &'s State, named: &Named) -> Result<&'s Arc<PlanRecord>, Status> {
    let found = state.plan(&named.environment, &named.key);
    found.ok_or_else(|| {
        Status::not_found(format!(
            "plan {} does not exist in environment {}",
            named.key, named.environment
        ))
    })
}

/// Refuses a decision that was based on another revision.
fn current(named: &Named, expected: u64, before: &PlanRecord) -> Result<(), Status> {
    if expected == 0 || expected == before.revision {
        Ok(())
    } else {
        Err(refusal::stale(&named.key, expected, before.revision))
    }
}

/// A plan as somebody writes it; its revision is not known yet.
fn written(plan: Arc<rollout::Plan>, version: u32, created_at_us: i64, actor: &Actor) -> PlanRecord {
    PlanRecord {
        plan,
        version,
        created_at_us,
        updated_at_us: actor.at_us,
        updated_by: actor.name.clone(),
        reason: actor.reason.clone(),
        revision: 0,
    }
}

#[cfg(test)]
mod tests;
