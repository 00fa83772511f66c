//! The operator of the story: every call to the control plane, over gRPC, as any operator would make it.
//!
//! What the demo prints about flags, agents and rollouts comes from here and from nowhere else.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use proto::v1::{
    self, audit_client::AuditClient, flags_client::FlagsClient, fleet_client::FleetClient, plans_client::PlansClient,
    rollouts_client::RolloutsClient,
};
use tonic::{
    Code, IntoRequest, Request, Status, Streaming,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

/// The environment of the story; the console's default too.
const ENVIRONMENT: &str = "production";
/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// Who acts, as the audit records it.
const ACTOR: &str = "tidegate-demo";

/// An operator at one control plane.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    channel: Channel,
}

impl Operator {
    /// Connects when the first call is made.
    pub(crate) fn at(control_plane: SocketAddr) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{control_plane}"))?;
        Ok(Self {
            channel: endpoint.connect_timeout(DEADLINE).tcp_nodelay(true).connect_lazy(),
        })
    }

    /// A flag; None if there is none.
    pub(crate) async fn flag(&self, key: &str) -> anyhow::Result<Option<v1::StoredFlag>> {
        let request = v1::GetFlagRequest {
            environment: ENVIRONMENT.to_owned(),
            key: key.to_owned(),
        };
        match self.flags().get_flag(asked(request)).await {
            Ok(response) => Ok(response.into_inner().flag),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(said("get the flag", key, &status)),
        }
    }

    /// Creates a flag.
    pub(crate) async fn create(&self, flag: v1::Flag) -> anyhow::Result<()> {
        let key = flag.key.clone();
        let request = v1::CreateFlagRequest {
            environment: ENVIRONMENT.to_owned(),
            flag: Some(flag),
            validate_only: false,
        };
        let created = self.flags().create_flag(asked(request)).await;
        created
            .map(|_| ())
            .map_err(|status| said("create the flag", &key, &status))
    }

    /// Replaces a flag's document, whatever is there.
    pub(crate) async fn update(&self, flag: v1::Flag) -> anyhow::Result<()> {
        let key = flag.key.clone();
        let environment = ENVIRONMENT.to_owned();
        let request = v1::UpdateFlagRequest {
            environment,
            flag: Some(flag),
            ..v1::UpdateFlagRequest::default()
        };
        let updated = self.flags().update_flag(asked(request)).await;
        updated
            .map(|_| ())
            .map_err(|status| said("update the flag", &key, &status))
    }

    /// Undoes a kill.
    pub(crate) async fn revive(&self, key: &str) -> anyhow::Result<()> {
        let request = v1::ReviveFlagRequest {
            environment: ENVIRONMENT.to_owned(),
            key: key.to_owned(),
            expected_revision: 0,
        };
        let revived = self.flags().revive_flag(asked(request)).await;
        revived
            .map(|_| ())
            .map_err(|status| said("revive the flag", key, &status))
    }

    /// The agents.
    pub(crate) async fn agents(&self) -> anyhow::Result<v1::ListAgentsResponse> {
        let request = v1::ListAgentsRequest {
            environment: ENVIRONMENT.to_owned(),
        };
        let listed = FleetClient::new(self.channel.clone()).list_agents(asked(request)).await;
        Ok(listed
            .map_err(|status| said("list", "the agents", &status))?
            .into_inner())
    }

    /// Starts a rollout.
    pub(crate) async fn start(&self, plan: v1::Plan) -> anyhow::Result<v1::Rollout> {
        let flag = plan.flag.clone();
        let request = v1::StartRolloutRequest {
            environment: ENVIRONMENT.to_owned(),
            plan: Some(plan),
            ..v1::StartRolloutRequest::default()
        };
        let started = self.rollouts().start_rollout(asked(request)).await;
        let started = started.map_err(|status| said("start a rollout of", &flag, &status))?;
        started
            .into_inner()
            .rollout
            .context("the control plane gave no rollout back")
    }

    /// Stores a plan, whatever is there under its key.
    pub(crate) async fn put_plan(&self, plan: v1::Plan) -> anyhow::Result<()> {
        let mut plans = PlansClient::new(self.channel.clone());
        let (environment, key) = (ENVIRONMENT.to_owned(), plan.key.clone());
        let request = v1::CreatePlanRequest {
            environment: environment.clone(),
            plan: Some(plan.clone()),
        };
        match plans.create_plan(asked(request)).await {
            Ok(_) => return Ok(()),
            Err(status) if status.code() == Code::AlreadyExists => {}
            Err(status) => return Err(said("create the plan", &key, &status)),
        }
        let request = v1::UpdatePlanRequest {
            environment,
            plan: Some(plan),
            ..v1::UpdatePlanRequest::default()
        };
        let updated = plans.update_plan(asked(request)).await;
        updated
            .map(|_| ())
            .map_err(|status| said("update the plan", &key, &status))
    }

    /// The last thing that was done to a flag.
    pub(crate) async fn last_act(&self, flag: &str) -> anyhow::Result<v1::AuditRecord> {
        let request = v1::ListAuditRequest {
            environment: ENVIRONMENT.to_owned(),
            key: flag.to_owned(),
            page_size: 1,
            ..v1::ListAuditRequest::default()
        };
        let listed = AuditClient::new(self.channel.clone()).list_audit(asked(request)).await;
        let listed = listed.map_err(|status| said("read the audit of", flag, &status))?;
        listed
            .into_inner()
            .records
            .into_iter()
            .next()
            .context("nothing was audited")
    }

    /// A rollout as it is now.
    pub(crate) async fn rollout(&self, name: &str) -> anyhow::Result<v1::Rollout> {
        let request = v1::GetRolloutRequest {
            environment: ENVIRONMENT.to_owned(),
            rollout: name.to_owned(),
        };
        let got = self.rollouts().get_rollout(asked(request)).await;
        let got = got.map_err(|status| said("get the rollout", name, &status))?;
        got.into_inner()
            .rollout
            .context("the control plane gave no rollout back")
    }

    /// A rollout at each change, until its end is proved.
    pub(crate) async fn watch(&self, name: &str) -> anyhow::Result<Streaming<v1::WatchRolloutResponse>> {
        let environment = ENVIRONMENT.to_owned();
        let request = Request::new(v1::WatchRolloutRequest {
            environment,
            rollout: name.to_owned(),
        });
        // Lasts as long as the rollout, so without a deadline for the whole.
        let watched = self.rollouts().watch_rollout(request).await;
        Ok(watched
            .map_err(|status| said("watch the rollout", name, &status))?
            .into_inner())
    }

    /// Approves the gate that a rollout stands before, as somebody.
    pub(crate) async fn approve(&self, name: &str, by: &'static str) -> anyhow::Result<()> {
        let mut request = asked(v1::ActRequest {
            environment: ENVIRONMENT.to_owned(),
            rollout: name.to_owned(),
            expected_sequence: None,
            act: Some(v1::act_request::Act::Approve(v1::Nothing {})),
        });
        request
            .metadata_mut()
            .insert(proto::ACTOR, MetadataValue::from_static(by));
        let approved = self.rollouts().act(request).await;
        approved.map(|_| ()).map_err(|status| said("approve", name, &status))
    }

    /// Ends a rollout by hand.
    pub(crate) async fn abort(&self, name: &str) -> anyhow::Result<()> {
        let (environment, rollout) = (ENVIRONMENT.to_owned(), name.to_owned());
        let request = v1::AbortRolloutRequest {
            environment,
            rollout,
            expected_sequence: None,
        };
        let aborted = self.rollouts().abort_rollout(asked(request)).await;
        aborted
            .map(|_| ())
            .map_err(|status| said("abort the rollout", name, &status))
    }

    fn flags(&self) -> FlagsClient<Channel> {
        FlagsClient::new(self.channel.clone())
    }

    fn rollouts(&self) -> RolloutsClient<Channel> {
        RolloutsClient::new(self.channel.clone())
    }
}

/// A request with a deadline that says who acts.
fn asked<T>(message: T) -> Request<T> {
    let mut request = message.into_request();
    request.set_timeout(DEADLINE);
    request
        .metadata_mut()
        .insert(proto::ACTOR, MetadataValue::from_static(ACTOR));
    request
}

/// What the control plane said to a call, for people.
pub(crate) fn said(call: &str, what: &str, status: &Status) -> anyhow::Error {
    anyhow::anyhow!("cannot {call} {what}: {} ({})", status.message(), status.code())
}
