//! The fake's rollouts: what is started, created and done is remembered; a watch plays what was prepared.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake};

impl Fake {
    /// The rollout as it is now: the last of what was prepared.
    fn present(&self, name: &str) -> Result<v1::Rollout, Status> {
        let rollout = self.state().changes.last().cloned();
        rollout.ok_or_else(|| Status::not_found(format!("no rollout {name}")))
    }
}

fn of(plan: Option<v1::Plan>, phase: v1::RolloutPhase) -> v1::Rollout {
    v1::Rollout {
        name: format!("{}#1", plan.as_ref().map(|plan| plan.flag.clone()).unwrap_or_default()),
        phase: phase.into(),
        plan,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl v1::rollouts_server::Rollouts for Fake {
    type WatchRolloutStream = tokio_stream::Iter<std::vec::IntoIter<Result<v1::WatchRolloutResponse, Status>>>;

    async fn start_rollout(&self, request: Request<v1::StartRolloutRequest>) -> Answer<v1::StartRolloutResponse> {
        let mut state = self.state();
        state.note(&request, &request.get_ref().environment);
        let request = request.into_inner();
        state.asked.push(format!(
            "start plan_key={:?} rollout={:?} sequence={:?}",
            request.plan_key, request.rollout, request.expected_sequence
        ));
        state.plans.extend(request.plan.clone());
        let rollout = Some(of(request.plan, v1::RolloutPhase::Delivering));
        Ok(Response::new(v1::StartRolloutResponse { rollout }))
    }

    async fn get_rollout(&self, request: Request<v1::GetRolloutRequest>) -> Answer<v1::GetRolloutResponse> {
        let rollout = Some(self.present(&request.get_ref().rollout)?);
        Ok(Response::new(v1::GetRolloutResponse { rollout }))
    }

    async fn list_rollouts(&self, request: Request<v1::ListRolloutsRequest>) -> Answer<v1::ListRolloutsResponse> {
        let active_only = request.into_inner().active_only;
        let rollouts = self.state().changes.clone();
        let fits = |rollout: &v1::Rollout| !(active_only && rollout.end.is_some());
        Ok(Response::new(v1::ListRolloutsResponse {
            rollouts: rollouts.into_iter().filter(fits).collect(),
            ..Default::default()
        }))
    }

    async fn watch_rollout(&self, _: Request<v1::WatchRolloutRequest>) -> Answer<Self::WatchRolloutStream> {
        let changes = self.state().changes.clone();
        let changes = changes
            .into_iter()
            .map(|rollout| Ok(v1::WatchRolloutResponse { rollout: Some(rollout) }));
        Ok(Response::new(tokio_stream::iter(changes.collect::<Vec<_>>())))
    }

    async fn abort_rollout(&self, request: Request<v1::AbortRolloutRequest>) -> Answer<v1::AbortRolloutResponse> {
        self.state()
            .asked
            .push(format!("abort {:?}", request.get_ref().expected_sequence));
        Err(Status::failed_precondition("checkout#1 has ended"))
    }

    async fn create_rollout(&self, request: Request<v1::CreateRolloutRequest>) -> Answer<v1::CreateRolloutResponse> {
        let request = request.into_inner();
        let mut state = self.state();
        state.asked.push(format!("create plan_key={:?}", request.plan_key));
        state.plans.extend(request.plan.clone());
        let rollout = Some(of(request.plan, v1::RolloutPhase::Draft));
        Ok(Response::new(v1::CreateRolloutResponse { rollout }))
    }

    async fn act(&self, request: Request<v1::ActRequest>) -> Answer<v1::ActResponse> {
        let rollout = self.present(&request.get_ref().rollout)?;
        let mut state = self.state();
        state.note(&request, &request.get_ref().environment);
        let request = request.into_inner();
        if request
            .expected_sequence
            .is_some_and(|expected| expected != rollout.sequence)
        {
            return Err(Status::failed_precondition(format!(
                "{} is soaking at sequence {}",
                rollout.name, rollout.sequence
            )));
        }
        state.acts.push(request);
        Ok(Response::new(v1::ActResponse { rollout: Some(rollout) }))
    }

    async fn edit_rollout(&self, request: Request<v1::EditRolloutRequest>) -> Answer<v1::EditRolloutResponse> {
        let rollout = Some(self.present(&request.get_ref().rollout)?);
        let request = request.into_inner();
        let mut state = self.state();
        state.asked.push(format!("edit {:?}", request.expected_sequence));
        state.plans.extend(request.plan);
        Ok(Response::new(v1::EditRolloutResponse { rollout }))
    }

    async fn retry_rollout(&self, request: Request<v1::RetryRolloutRequest>) -> Answer<v1::RetryRolloutResponse> {
        let rollout = self.present(&request.get_ref().rollout)?;
        let reshuffled = request.get_ref().reshuffle;
        let retried = v1::Rollout {
            name: "checkout#2".into(),
            retry_of: rollout.name,
            phase: v1::RolloutPhase::AwaitingStart.into(),
            end: None,
            reshuffled,
            ..rollout
        };
        self.state().asked.push(format!("retry {}", request.get_ref().rollout));
        Ok(Response::new(v1::RetryRolloutResponse { rollout: Some(retried) }))
    }

    async fn get_record(&self, _: Request<v1::GetRecordRequest>) -> Answer<v1::GetRecordResponse> {
        Ok(Response::new(self.state().record.clone()))
    }

    async fn replay_rollout(&self, request: Request<v1::ReplayRolloutRequest>) -> Answer<v1::ReplayRolloutResponse> {
        let request = request.into_inner();
        let mut state = self.state();
        let other = request.other.map(|other| {
            let guards: Vec<String> = other.guards.into_iter().map(|guard| guard.harm).collect();
            (guards, other.alpha)
        });
        state.asked.push(format!("replay {} {other:?}", request.rollout));
        Ok(Response::new(state.replay.clone()))
    }

    async fn get_series(&self, request: Request<v1::GetSeriesRequest>) -> Answer<v1::GetSeriesResponse> {
        let request = request.into_inner();
        let mut state = self.state();
        state.asked.push(format!(
            "series {} {} {} {:?}",
            request.rollout, request.metric, request.points, request.page_token
        ));
        let page = if request.page_token.is_empty() { 0 } else { 1 };
        let page = state.series.get(page).cloned();
        page.map(Response::new).ok_or_else(|| Status::not_found("no page"))
    }

    async fn simulate_rollout(
        &self,
        request: Request<v1::SimulateRolloutRequest>,
    ) -> Answer<v1::SimulateRolloutResponse> {
        let request = request.into_inner();
        let mut state = self.state();
        state.asked.push(format!(
            "simulate rollout={:?} flag={:?} scenario={} stage={:?}",
            request.rollout,
            request.plan.map(|plan| plan.flag),
            request.scenario,
            request.stage
        ));
        Ok(Response::new(state.walk.clone()))
    }
}
