//! The service of rollouts: creates and starts them, shows them, and carries out what people do.
//!
//! Nothing is decided here: what may be done is `rollout`'s to say, what a plan lacks is `surroundings.rs`'s. What a person
//! bases on a sequence is refused when the rollout has moved; what meets the engine meanwhile is tried again.

mod acts;
mod dismiss;
mod edit;
mod find;
mod planned;
mod record;
mod replay;
mod retry;
mod series;
mod simulate;
mod start;
mod watch;

use std::{pin::Pin, sync::Arc};

use evaluation::Key;
use proto::v1::{self, rollouts_server::Rollouts};
use rollout::Act;
use runtime::{clock::now_us, shutdown::Shutdown};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub(super) use self::{
    find::found as found_rollout,
    planned::{refuse as refuse_plan, stored_plan, wanted_plan},
};
use super::{
    page::{self, Page},
    refusal,
    view::View,
};
use crate::{identity::Actor, record::RolloutRecord, state::State, truth::CommitError};

/// How often something is tried against what happens at the same time.
const TRIES: usize = 16;

/// The service `tidegate.v1.Rollouts`.
#[derive(Debug)]
pub(crate) struct RolloutsApi {
    view: View,
    shutdown: Shutdown,
    /// Starts take their turns: each takes the next index of its environment.
    starts: tokio::sync::Mutex<()>,
    /// Replays take their turns, too: each keeps a processor busy.
    replays: tokio::sync::Mutex<()>,
}

impl RolloutsApi {
    /// The service over a view.
    pub(crate) fn new(view: View, shutdown: Shutdown) -> Self {
        Self {
            view,
            shutdown,
            starts: tokio::sync::Mutex::default(),
            replays: tokio::sync::Mutex::default(),
        }
    }

    fn found(&self, state: &State, environment: &str, name: &str) -> Result<Arc<RolloutRecord>, Status> {
        let environment = refusal::environment(state, environment)?;
        found_rollout(state, &environment, name)
    }

    /// A rollout as it is in a state, whole.
    fn shown(&self, state: &State, environment: &Key, id: Uuid) -> Result<v1::Rollout, Status> {
        let record = self.found(state, environment, &id.to_string())?;
        Ok(self.view.whole(state, &record, now_us()))
    }
}

/// A rollout that is not at the sequence that a decision was based on.
fn check_sequence(record: &RolloutRecord, expected: Option<u64>) -> Result<(), Status> {
    let sequence = record.state.sequence;
    match expected.filter(|expected| *expected != sequence) {
        Some(expected) => Err(refusal::precondition(
            "SEQUENCE",
            &record.name(),
            format!(
                "rollout {} is at sequence {sequence}, not {expected}, and is {}; look at it again and repeat what you want",
                record.name(),
                record.state.phase.name()
            ),
        )),
        None => Ok(()),
    }
}

#[tonic::async_trait]
impl Rollouts for RolloutsApi {
    type WatchRolloutStream = Pin<Box<dyn Stream<Item = Result<v1::WatchRolloutResponse, Status>> + Send>>;

    async fn start_rollout(
        &self,
        request: Request<v1::StartRolloutRequest>,
    ) -> Result<Response<v1::StartRolloutResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let rollout = self.start(request.into_inner(), &actor).await?;
        Ok(Response::new(v1::StartRolloutResponse { rollout: Some(rollout) }))
    }

    async fn create_rollout(
        &self,
        request: Request<v1::CreateRolloutRequest>,
    ) -> Result<Response<v1::CreateRolloutResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let rollout = self.create(request.into_inner(), &actor).await?;
        Ok(Response::new(v1::CreateRolloutResponse { rollout: Some(rollout) }))
    }

    async fn get_rollout(
        &self,
        request: Request<v1::GetRolloutRequest>,
    ) -> Result<Response<v1::GetRolloutResponse>, Status> {
        let request = request.into_inner();
        let state = self.view.truth.state();
        let record = self.found(&state, &request.environment, &request.rollout)?;
        let rollout = Some(self.view.whole(&state, &record, now_us()));
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

    async fn watch_rollout(
        &self,
        request: Request<v1::WatchRolloutRequest>,
    ) -> Result<Response<Self::WatchRolloutStream>, Status> {
        let request = request.into_inner();
        let record = self.found(&self.view.truth.state(), &request.environment, &request.rollout)?;
        let stream = watch::stream(&self.view, &self.shutdown, &record);
        Ok(Response::new(Box::pin(stream)))
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
        let asked = acts::Asked {
            environment: &request.environment,
            rollout: &request.rollout,
            expected_sequence: request.expected_sequence,
        };
        let rollout = self.act_of(asked, |_| Ok(Act::Abort), &actor).await?;
        Ok(Response::new(v1::AbortRolloutResponse { rollout: Some(rollout) }))
    }

    async fn act(&self, request: Request<v1::ActRequest>) -> Result<Response<v1::ActResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let request = request.into_inner();
        let asked = acts::Asked {
            environment: &request.environment,
            rollout: &request.rollout,
            expected_sequence: request.expected_sequence,
        };
        let act = request.act;
        let rollout = self
            .act_of(asked, |record| acts::read(act.clone(), record, &actor.reason), &actor)
            .await?;
        Ok(Response::new(v1::ActResponse { rollout: Some(rollout) }))
    }

    async fn edit_rollout(
        &self,
        request: Request<v1::EditRolloutRequest>,
    ) -> Result<Response<v1::EditRolloutResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let rollout = self.edit(request.into_inner(), &actor).await?;
        Ok(Response::new(v1::EditRolloutResponse { rollout: Some(rollout) }))
    }

    async fn retry_rollout(
        &self,
        request: Request<v1::RetryRolloutRequest>,
    ) -> Result<Response<v1::RetryRolloutResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let rollout = self.retry(&request.into_inner(), &actor).await?;
        Ok(Response::new(v1::RetryRolloutResponse { rollout: Some(rollout) }))
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        let request = request.into_inner();
        let record = self.found(&self.view.truth.state(), &request.environment, &request.rollout)?;
        Ok(Response::new(self.record(&record).await?))
    }

    async fn simulate_rollout(
        &self,
        request: Request<v1::SimulateRolloutRequest>,
    ) -> Result<Response<v1::SimulateRolloutResponse>, Status> {
        Ok(Response::new(self.simulate(request.into_inner())?))
    }

    async fn replay_rollout(
        &self,
        request: Request<v1::ReplayRolloutRequest>,
    ) -> Result<Response<v1::ReplayRolloutResponse>, Status> {
        Ok(Response::new(self.replay(request.into_inner()).await?))
    }

    async fn get_series(
        &self,
        request: Request<v1::GetSeriesRequest>,
    ) -> Result<Response<v1::GetSeriesResponse>, Status> {
        Ok(Response::new(self.series(request.into_inner()).await?))
    }
}

/// A status of what was not committed, if it is not to be tried again.
fn not_committed(error: CommitError) -> Result<(), Status> {
    match error {
        CommitError::Conflict => Ok(()),
        CommitError::Store(_) | CommitError::NotShown(_) => Err(error.into()),
    }
}
