//! The service of the fleet.

use std::sync::Arc;

use proto::v1::{self, fleet_server};
use tonic::{Request, Response, Status};

use super::refusal;
use crate::{
    publish::{Publisher, Subscription},
    sync::fleet::{AgentRecord, Fleet},
    truth::Truth,
};

/// The service `tidegate.v1.Fleet`.
#[derive(Debug)]
pub(crate) struct FleetApi {
    truth: Truth,
    publisher: Arc<Publisher>,
    fleet: Arc<Fleet>,
}

impl FleetApi {
    /// The service over what is known of the agents.
    pub(crate) fn new(truth: Truth, publisher: Arc<Publisher>, fleet: Arc<Fleet>) -> Self {
        Self {
            truth,
            publisher,
            fleet,
        }
    }

    fn agent(&self, record: AgentRecord, now_us: i64) -> v1::Agent {
        let introduction = &record.introduction;
        v1::Agent {
            id: introduction.agent.to_string(),
            flag_set: introduction
                .subscription
                .set
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            version: introduction.version.clone(),
            address: introduction
                .address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            live: record.is_live(now_us),
            seen_at_us: record.seen_at_us,
            wanted_revision: self.wanted(&introduction.subscription),
            applied_revision: record.applied.map_or(0, |held| held.number),
            persisted_revision: record.persisted.map_or(0, |held| held.number),
            diskless: introduction.diskless,
            problems: record.problems,
        }
    }

    /// The content revision of a subscription; 0 as long as nobody has it.
    fn wanted(&self, subscription: &Subscription) -> u64 {
        self.publisher.latest(subscription).unwrap_or(0)
    }
}

#[tonic::async_trait]
impl fleet_server::Fleet for FleetApi {
    async fn list_agents(
        &self,
        request: Request<v1::ListAgentsRequest>,
    ) -> Result<Response<v1::ListAgentsResponse>, Status> {
        let environment = refusal::environment(&self.truth.state(), &request.into_inner().environment)?;
        let now_us = runtime::clock::now_us();
        let agents = self
            .fleet
            .of(&environment, now_us)
            .into_iter()
            .map(|record| self.agent(record, now_us))
            .collect();
        let wanted_revision = self.wanted(&Subscription { environment, set: None });
        Ok(Response::new(v1::ListAgentsResponse {
            agents,
            wanted_revision,
        }))
    }
}
