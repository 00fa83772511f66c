//! An operator over gRPC: the calls of the control plane, and the conditions that operators wait for.
//!
//! Calls that a test expects to succeed panic otherwise; those whose refusal is the point are named `try_...`.

use std::{net::SocketAddr, time::Duration};

use proto::v1::{
    self, audit_client::AuditClient, flags_client::FlagsClient, fleet_client::FleetClient,
    rollouts_client::RolloutsClient,
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use crate::wait;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// An operator of one environment; clones share the connection, which is made anew when it breaks.
#[derive(Debug, Clone)]
pub struct Operator {
    channel: Channel,
    environment: String,
}

impl Operator {
    /// Of an environment at a control plane.
    pub fn new(control_plane: SocketAddr, environment: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{control_plane}")).expect("an address makes a URI");
        let channel = endpoint
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE)
            .tcp_nodelay(true)
            .connect_lazy();
        Self {
            channel,
            environment: environment.to_owned(),
        }
    }

    /// The same operator in another environment.
    pub fn within(&self, environment: &str) -> Self {
        Self {
            channel: self.channel.clone(),
            environment: environment.to_owned(),
        }
    }

    /// The connection, for other services.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The environment that it acts in.
    pub fn environment(&self) -> String {
        self.environment.clone()
    }

    /// Creates a flag.
    pub async fn try_create(&self, flag: v1::Flag) -> Result<v1::StoredFlag, Status> {
        let request = v1::CreateFlagRequest {
            environment: self.environment(),
            flag: Some(flag),
            validate_only: false,
        };
        let response = FlagsClient::new(self.channel()).create_flag(request).await?;
        Ok(response.into_inner().flag.expect("a created flag is given back"))
    }

    /// Creates a flag.
    pub async fn create(&self, flag: v1::Flag) -> v1::StoredFlag {
        let key = flag.key.clone();
        self.try_create(flag)
            .await
            .unwrap_or_else(|status| panic!("create {key}: {status}"))
    }

    /// Replaces a flag that is still at the expected revision; 0: whatever is there.
    pub async fn try_update(&self, flag: v1::Flag, expected_revision: u64) -> Result<v1::StoredFlag, Status> {
        let request = v1::UpdateFlagRequest {
            environment: self.environment(),
            flag: Some(flag),
            expected_revision,
            ..v1::UpdateFlagRequest::default()
        };
        let response = FlagsClient::new(self.channel()).update_flag(request).await?;
        Ok(response.into_inner().flag.expect("an updated flag is given back"))
    }

    /// Replaces a flag, whatever is there.
    pub async fn update(&self, flag: v1::Flag) -> v1::StoredFlag {
        let key = flag.key.clone();
        self.try_update(flag, 0)
            .await
            .unwrap_or_else(|status| panic!("update {key}: {status}"))
    }

    /// One flag.
    pub async fn try_get(&self, key: &str) -> Result<v1::StoredFlag, Status> {
        let request = v1::GetFlagRequest {
            environment: self.environment(),
            key: key.to_owned(),
        };
        let response = FlagsClient::new(self.channel()).get_flag(request).await?;
        Ok(response.into_inner().flag.expect("a flag that was found is given back"))
    }

    /// One flag.
    pub async fn get(&self, key: &str) -> v1::StoredFlag {
        self.try_get(key)
            .await
            .unwrap_or_else(|status| panic!("get {key}: {status}"))
    }

    /// Kills a flag.
    pub async fn try_kill(&self, key: &str) -> Result<(), Status> {
        let request = v1::KillFlagRequest {
            environment: self.environment(),
            key: key.to_owned(),
            expected_revision: 0,
        };
        FlagsClient::new(self.channel()).kill_flag(request).await.map(|_| ())
    }

    /// Every flag, all pages, and the store revision that the last page shows.
    pub async fn try_list(&self) -> Result<(Vec<v1::StoredFlag>, u64), Status> {
        let (mut flags, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = v1::ListFlagsRequest {
                environment: self.environment(),
                page_size: 100,
                page_token,
                archived: v1::ArchivedFilter::Included.into(),
                ..v1::ListFlagsRequest::default()
            };
            let page = FlagsClient::new(self.channel()).list_flags(request).await?.into_inner();
            flags.extend(page.flags);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok((flags, page.revision));
            }
        }
    }

    /// Every flag, and the store revision.
    pub async fn list(&self) -> (Vec<v1::StoredFlag>, u64) {
        self.try_list().await.unwrap_or_else(|status| panic!("list: {status}"))
    }

    /// Every audit record about a key (empty: all), the newest first.
    pub async fn audit(&self, key: &str) -> Vec<v1::AuditRecord> {
        let (mut records, mut page_token) = (Vec::new(), String::new());
        loop {
            let (environment, key) = (self.environment(), key.to_owned());
            let request = v1::ListAuditRequest {
                environment,
                key,
                page_size: 200,
                page_token,
                ..v1::ListAuditRequest::default()
            };
            let page = AuditClient::new(self.channel()).list_audit(request).await;
            let page = page.unwrap_or_else(|status| panic!("audit: {status}")).into_inner();
            records.extend(page.records);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return records;
            }
        }
    }

    /// The agents of the environment.
    pub async fn try_agents(&self) -> Result<v1::ListAgentsResponse, Status> {
        let request = v1::ListAgentsRequest {
            environment: self.environment(),
        };
        Ok(FleetClient::new(self.channel())
            .list_agents(request)
            .await?
            .into_inner())
    }

    /// Waits until this many agents are live and all of them hold on disk what they should.
    pub async fn delivered(&self, live: usize) {
        wait::until(&format!("delivery to {live} agents"), async || {
            let fleet = self.try_agents().await.map_err(|status| status.to_string())?;
            let agents: Vec<_> = fleet.agents.iter().filter(|agent| agent.live).collect();
            let holds = |agent: &&v1::Agent| agent.persisted_revision >= agent.wanted_revision;
            wait::so(agents.len() == live && agents.iter().all(holds), fleet)
        })
        .await;
    }

    /// Waits until one agent holds on disk what it should, whatever others do.
    pub async fn delivered_to(&self, id: &str) {
        wait::until(&format!("delivery to {id}"), async || {
            let fleet = self.try_agents().await.map_err(|status| status.to_string())?;
            let holds = |agent: &v1::Agent| agent.id == id && agent.persisted_revision >= agent.wanted_revision;
            wait::so(fleet.agents.iter().any(holds), fleet)
        })
        .await;
    }

    /// Starts a rollout.
    pub async fn try_start(&self, plan: v1::Plan) -> Result<v1::Rollout, Status> {
        let request = v1::StartRolloutRequest {
            environment: self.environment(),
            plan: Some(plan),
            ..v1::StartRolloutRequest::default()
        };
        let response = RolloutsClient::new(self.channel()).start_rollout(request).await?;
        Ok(response.into_inner().rollout.expect("a started rollout is given back"))
    }

    /// Starts a rollout.
    pub async fn start(&self, plan: v1::Plan) -> v1::Rollout {
        self.try_start(plan)
            .await
            .unwrap_or_else(|status| panic!("start: {status}"))
    }

    /// A rollout by display name, id or flag.
    pub async fn try_rollout(&self, name: &str) -> Result<v1::Rollout, Status> {
        let request = v1::GetRolloutRequest {
            environment: self.environment(),
            rollout: name.to_owned(),
        };
        let response = RolloutsClient::new(self.channel()).get_rollout(request).await?;
        Ok(response
            .into_inner()
            .rollout
            .expect("a rollout that was found is given back"))
    }

    /// A rollout by display name, id or flag.
    pub async fn rollout(&self, name: &str) -> v1::Rollout {
        self.try_rollout(name)
            .await
            .unwrap_or_else(|status| panic!("rollout {name}: {status}"))
    }

    /// Ends a rollout by hand.
    pub async fn try_abort(&self, name: &str) -> Result<v1::Rollout, Status> {
        let request = v1::AbortRolloutRequest {
            environment: self.environment(),
            rollout: name.to_owned(),
            expected_sequence: None,
        };
        let response = RolloutsClient::new(self.channel()).abort_rollout(request).await?;
        Ok(response.into_inner().rollout.expect("an aborted rollout is given back"))
    }

    /// Waits until a rollout is as told, and gives it.
    pub async fn rollout_until(&self, what: &str, name: &str, holds: impl Fn(&v1::Rollout) -> bool) -> v1::Rollout {
        wait::until(what, async || {
            let rollout = self.try_rollout(name).await.map_err(|status| status.to_string())?;
            if holds(&rollout) {
                Ok(rollout)
            } else {
                Err(format!("{rollout:#?}"))
            }
        })
        .await
    }

    /// Waits until a rollout has reached a phase, and gives it.
    pub async fn phase(&self, name: &str, phase: v1::RolloutPhase) -> v1::Rollout {
        let what = format!("{name} to be {}", phase.as_str_name());
        self.rollout_until(&what, name, |rollout| rollout.phase() == phase)
            .await
    }

    /// Waits until a rollout is held for a reason, and gives it.
    pub async fn held(&self, name: &str, reason: &str) -> v1::Rollout {
        let what = format!("{name} to be held: {reason}");
        let is_held =
            |rollout: &v1::Rollout| rollout.phase() == v1::RolloutPhase::Held && rollout.hold_reason == reason;
        self.rollout_until(&what, name, is_held).await
    }

    /// Waits until an abort has reached everybody and its time to zero is known, and gives the rollout.
    pub async fn aborted(&self, name: &str) -> v1::Rollout {
        let what = format!("{name} to be aborted, with its time to zero");
        let is_proved = |rollout: &v1::Rollout| {
            let time_to_zero_us = rollout.end.as_ref().map_or(0, |end| end.time_to_zero_us);
            rollout.phase() == v1::RolloutPhase::Aborted && time_to_zero_us > 0
        };
        self.rollout_until(&what, name, is_proved).await
    }

    /// Waits until no agent is listed as unreached by a rollout, and this many live ones hold what it wants on disk.
    pub async fn nobody_is_unreached(&self, name: &str, live: u32) {
        self.rollout_until("every agent to be reached", name, |rollout| {
            let delivery = rollout.delivery.clone().unwrap_or_default();
            delivery.unreached.is_empty() && (delivery.live, delivery.persisted) == (live, live)
        })
        .await;
    }
}
