//! The service of rollouts: starts them, shows them, and lets a person end them.

use std::{pin::Pin, sync::Arc, time::Duration};

use evaluation::{Key, Serve, Violation};
use proto::{
    status::{invalid, violation},
    v1::{self, rollouts_server::Rollouts},
};
use rollout::Plan;
use runtime::{clock::now_us, shutdown::Shutdown};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    page::{self, Page},
    plan, refusal,
    view::{self, View},
};
use crate::{
    change::rollout::{self as change, Count},
    engine,
    identity::Actor,
    record::{FlagRecord, RolloutRecord, TransitionRecord},
    state::State,
    store::{keys, model},
    truth::CommitError,
};

/// How often an abort is tried against what happens at the same time.
const TRIES: usize = 16;
/// How many characters of a name are repeated: a key, and a number.
const SHOWN: usize = 220;
/// A watcher hears of changes at most this often.
const WATCH_PACE: Duration = Duration::from_millis(200);

/// The service `tidegate.v1.Rollouts`.
#[derive(Debug)]
pub(crate) struct RolloutsApi {
    view: View,
    shutdown: Shutdown,
}

impl RolloutsApi {
    /// The service over a view.
    pub(crate) fn new(view: View, shutdown: Shutdown) -> Self {
        Self { view, shutdown }
    }

    fn found(&self, state: &State, environment: &str, name: &str) -> Result<Arc<RolloutRecord>, Status> {
        let environment = refusal::environment(state, environment)?;
        find(state, &environment, name).cloned().ok_or_else(|| {
            // It travels in a header.
            let name = name.chars().take(SHOWN).collect::<String>();
            Status::not_found(format!("rollout {name} does not exist in environment {environment}"))
        })
    }

    async fn count(&self, environment: &Key) -> Result<Count, Status> {
        let broken = |error: String| Status::internal(format!("nothing was written: {error}"));
        let item = self.view.truth.store().get(&keys::rollout_count(environment)).await;
        match item.map_err(|error| broken(error.to_string()))? {
            Some(item) => {
                let value = model::read_count(&item.value).map_err(|error| broken(error.to_string()))?;
                Ok(Count {
                    value,
                    revision: Some(item.modified),
                })
            }
            None => Ok(Count {
                value: 0,
                revision: None,
            }),
        }
    }
}

type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchRolloutResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Rollouts for RolloutsApi {
    type WatchRolloutStream = WatchStream;

    async fn start_rollout(
        &self,
        request: Request<v1::StartRolloutRequest>,
    ) -> Result<Response<v1::StartRolloutResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let environment = refusal::environment(&self.view.truth.state(), &request.environment)?;
        let plan = plan::read(request.plan.unwrap_or_default()).map_err(|violations| invalid(&within(violations)))?;
        // Counted first: the state must not be older than the count, or a number would be given twice.
        let count = self.count(&environment).await?;
        let state = self.view.truth.at(count.revision.unwrap_or(0)).await?;
        let flag = startable(&state, &environment, &plan)?;
        let number = state
            .rollouts_of(&environment)
            .filter(|record| record.plan.flag == plan.flag)
            .count() as u32
            + 1;
        let record = begin(environment.clone(), plan, flag, count.value + 1, number, &actor);
        let state = match self
            .view
            .truth
            .commit(change::start(&record, flag, count, &actor))
            .await
        {
            Ok(state) => state,
            Err(CommitError::Conflict) => {
                return Err(Status::aborted(
                    "the flag or another rollout changed at the same time; try again",
                ));
            }
            Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => return Err(error.into()),
        };
        let record = self.found(&state, &environment, &record.id.to_string())?;
        tracing::info!(rollout = %record.name(), %environment, actor = %actor.name, "rollout started");
        let rollout = Some(self.view.rollout(&state, &record, now_us()));
        Ok(Response::new(v1::StartRolloutResponse { rollout }))
    }

    async fn get_rollout(
        &self,
        request: Request<v1::GetRolloutRequest>,
    ) -> Result<Response<v1::GetRolloutResponse>, Status> {
        let request = request.into_inner();
        let state = self.view.truth.state();
        let record = self.found(&state, &request.environment, &request.rollout)?;
        let rollout = Some(self.view.rollout(&state, &record, now_us()));
        Ok(Response::new(v1::GetRolloutResponse { rollout }))
    }

    async fn list_rollouts(
        &self,
        request: Request<v1::ListRolloutsRequest>,
    ) -> Result<Response<v1::ListRolloutsResponse>, Status> {
        let request = request.into_inner();
        let state = self.view.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let size = page::size(request.page_size, 50, 500)?;
        let before = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse::<Uuid>().map_err(|_| page::wrong_token())?),
        };
        let (now_us, mut page) = (now_us(), Page::new(size));
        let mut next_page_token = String::new();
        for record in state.rollouts_of(&environment).rev() {
            let is_behind = before.is_some_and(|before| record.id >= before);
            if is_behind || (request.active_only && record.state.is_final()) {
                continue;
            }
            if page.is_full() {
                next_page_token = page
                    .items
                    .last()
                    .map(|last: &v1::Rollout| last.id.clone())
                    .unwrap_or_default();
                break;
            }
            page.push(self.view.rollout(&state, record, now_us));
        }
        Ok(Response::new(v1::ListRolloutsResponse {
            rollouts: page.items,
            next_page_token,
        }))
    }

    async fn watch_rollout(&self, request: Request<v1::WatchRolloutRequest>) -> Result<Response<WatchStream>, Status> {
        let request = request.into_inner();
        let record = self.found(&self.view.truth.state(), &request.environment, &request.rollout)?;
        let (sender, receiver) = mpsc::channel(1);
        let (view, shutdown) = (self.view.clone(), self.shutdown.clone());
        self.shutdown.spawn("watch-rollout", async move {
            tokio::select! {
                () = watch(view, record.environment.clone(), record.id, &sender) => {}
                () = shutdown.draining() => {
                    let _ = sender.try_send(Err(Status::unavailable("the control plane is stopping; watch again")));
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn abort_rollout(
        &self,
        request: Request<v1::AbortRolloutRequest>,
    ) -> Result<Response<v1::AbortRolloutResponse>, Status> {
        let mut actor = Actor::of(&request, now_us());
        if actor.reason.is_empty() {
            actor.reason = "aborted by hand".to_owned();
        }
        let request = request.into_inner();
        for _ in 0..TRIES {
            let state = self.view.truth.state();
            let record = self.found(&state, &request.environment, &request.rollout)?;
            let sequence = record.state.sequence;
            if let Some(expected) = request.expected_sequence.filter(|expected| *expected != sequence) {
                return Err(refusal::stale(&record.name(), expected, sequence));
            }
            let txn = engine::abort_by_hand(&state, &record, self.view.live(&state, &record), &actor)
                .ok_or_else(|| ended(&record))?;
            match self.view.truth.commit(txn).await {
                Ok(state) => {
                    let record = self.found(&state, &request.environment, &record.id.to_string())?;
                    let rollout = Some(self.view.rollout(&state, &record, now_us()));
                    return Ok(Response::new(v1::AbortRolloutResponse { rollout }));
                }
                Err(CommitError::Conflict) => {}
                Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict.into())
    }
}

/// Sends a rollout again whenever it has changed, until nothing more will happen to it.
async fn watch(
    view: View,
    environment: Key,
    id: Uuid,
    sender: &mpsc::Sender<Result<v1::WatchRolloutResponse, Status>>,
) {
    let (mut states, mut fleet) = (view.truth.states(), view.fleet.changes());
    let mut last = None;
    loop {
        states.borrow_and_update();
        fleet.borrow_and_update();
        let state = view.truth.state();
        let Some(record) = state.rollout(&environment, id) else {
            return;
        };
        let now_us = now_us();
        let shown = view.rollout(&state, record, now_us);
        if last.as_ref() != Some(&shown) {
            last = Some(shown.clone());
            if sender
                .send(Ok(v1::WatchRolloutResponse { rollout: Some(shown) }))
                .await
                .is_err()
            {
                return;
            }
        }
        if view::is_settled(record, now_us) {
            return;
        }
        tokio::time::sleep(WATCH_PACE).await;
        // Freshness and settling move with time alone, so nothing is waited for longer than a second.
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            tokio::select! {
                _ = states.changed() => {}
                _ = fleet.changed() => {}
                () = sender.closed() => {}
            }
        })
        .await;
    }
}

/// A rollout by id, display name, or the key of a flag (its newest).
fn find<'s>(state: &'s State, environment: &Key, name: &str) -> Option<&'s Arc<RolloutRecord>> {
    if let Some(found) = name.parse::<Uuid>().ok().and_then(|id| state.rollout(environment, id)) {
        return Some(found);
    }
    let (flag, number) = match name.rsplit_once('#') {
        Some((flag, number)) => (flag, Some(number.parse::<u32>().ok()?)),
        None => (name, None),
    };
    let mut found = state
        .rollouts_of(environment)
        .rev()
        .filter(|record| record.plan.flag == flag);
    found.find(|record| number.is_none_or(|number| record.number == number))
}

/// Fields of the plan within the request.
fn within(violations: Vec<Violation>) -> Vec<Violation> {
    violations
        .into_iter()
        .map(|found| violation(format!("plan.{}", found.field), found.description))
        .collect()
}

/// The flag of a plan, if a rollout of it may start now.
fn startable<'s>(state: &'s State, environment: &Key, plan: &Plan) -> Result<&'s FlagRecord, Status> {
    let key = refusal::key("plan.flag", &plan.flag)?;
    let record = state.flag(environment, &key).ok_or_else(|| {
        Status::not_found(format!(
            "flag {key} does not exist in environment {environment}; create it first"
        ))
    })?;
    let flag = &record.flag;
    let unknown = [("plan.treatment", &plan.treatment), ("plan.control", &plan.control)]
        .into_iter()
        .filter(|(_, name)| !flag.variants.contains_key(*name));
    let known = flag.variants.keys().cloned().collect::<Vec<_>>().join(", ");
    let unknown = unknown
        .map(|(field, name)| violation(field, format!("flag {key} has no variant {name:?}; it has: {known}")))
        .collect::<Vec<_>>();
    if !unknown.is_empty() {
        return Err(invalid(&unknown));
    }
    if let Some(holder) = state.holder(environment, &key) {
        let name = holder.name();
        return Err(refusal::precondition(
            "ROLLOUT",
            &name,
            format!("flag {key} is held by rollout {name}; wait for its end or abort it"),
        ));
    }
    if !flag.enabled || flag.killed {
        let how = if flag.killed {
            "killed; revive it first"
        } else {
            "disabled; enable it first"
        };
        return Err(refusal::precondition("FLAG", &key, format!("flag {key} is {how}")));
    }
    if flag.default != Serve::Variant(plan.control.clone()) {
        let message = format!(
            "the default of flag {key} must be the plan's control {:?}, so that everybody outside the rollout gets it",
            plan.control
        );
        return Err(refusal::precondition("FLAG", &key, message));
    }
    Ok(record)
}

fn begin(environment: Key, plan: Plan, flag: &FlagRecord, index: u32, number: u32, actor: &Actor) -> RolloutRecord {
    RolloutRecord {
        id: Uuid::now_v7(),
        environment,
        index,
        number,
        state: rollout::start(&plan, actor.at_us),
        plan: Arc::new(plan),
        measuring_key: rand::random(),
        salt: flag.flag.salt.clone(),
        started_by: actor.name.clone(),
        started_at_us: actor.at_us,
        transitions: vec![TransitionRecord {
            sequence: 0,
            at_us: actor.at_us,
            kind: "started".to_owned(),
            stage: 0,
            detail: actor.reason.clone(),
            actor: actor.name.clone(),
        }],
        end: None,
        revision: 0,
    }
}

fn ended(record: &RolloutRecord) -> Status {
    let name = record.name();
    refusal::precondition(
        "ROLLOUT",
        &name,
        format!("rollout {name} is {} already", record.state.phase.name()),
    )
}
