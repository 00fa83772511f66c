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
            lag_us: record.lag_us.unwrap_or(0),
            first_seen_at_us: record.first_seen_at_us,
        }
    }

    /// How the fleet stands.
    fn summary(&self, records: &[AgentRecord], now_us: i64) -> v1::FleetSummary {
        let mut summary = v1::FleetSummary::default();
        let mut lags = Vec::new();
        for record in records {
            if !record.is_live(now_us) {
                summary.away += 1;
                continue;
            }
            let (applied, persisted) = record.is_at(self.wanted(&record.introduction.subscription));
            summary.live += 1;
            summary.applied += u32::from(applied);
            summary.persisted += u32::from(persisted);
            lags.extend(record.lag_us);
        }
        summary.lag = Some(percentiles(lags));
        summary
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
        let records = self.fleet.of(&environment, now_us);
        let summary = Some(self.summary(&records, now_us));
        let agents = records.into_iter().map(|record| self.agent(record, now_us)).collect();
        let wanted_revision = self.wanted(&Subscription { environment, set: None });
        Ok(Response::new(v1::ListAgentsResponse {
            agents,
            wanted_revision,
            summary,
        }))
    }
}

/// Percentiles by nearest rank.
fn percentiles(mut lags: Vec<i64>) -> v1::LagPercentiles {
    lags.sort_unstable();
    let at = |percent: usize| {
        let rank = (lags.len() * percent).div_ceil(100).max(1);
        lags.get(rank - 1).copied().unwrap_or(0)
    };
    v1::LagPercentiles {
        p50_us: at(50),
        p90_us: at(90),
        p99_us: at(99),
        max_us: at(100),
        agents: lags.len() as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_lags_that_were_measured() {
        let of = |lags: &[i64]| {
            let found = percentiles(lags.to_vec());
            (found.p50_us, found.p90_us, found.p99_us, found.max_us, found.agents)
        };
        assert_eq!(of(&[]), (0, 0, 0, 0, 0));
        assert_eq!(of(&[7]), (7, 7, 7, 7, 1));
        let hundred = (1..=100).rev().collect::<Vec<_>>();
        assert_eq!(of(&hundred), (50, 90, 99, 100, 100));
    }
}
