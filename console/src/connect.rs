//! The connection to a control plane, and what every call carries: who acts, why, a token, and until when.
//!
//! One connection per command. A call has a deadline; a stream that is followed has none, so the connection itself is
//! probed and a dead peer ends the stream.

use std::time::Duration;

use proto::{said::Said, v1};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::{
    args::Global,
    error::Error,
    settings::{self, Settings, Token},
};

/// How often an open stream is probed, and how long a probe may stay unanswered.
const PROBE: Duration = Duration::from_secs(10);

/// A connection to a control plane, in one environment.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    channel: Channel,
    server: String,
    environment: String,
    actor: String,
    token: Option<MetadataValue<Ascii>>,
    reason: Option<String>,
    timeout: Duration,
}

impl Session {
    /// Connects within the time limit, to where options, variables and contexts say.
    pub(crate) async fn open(global: &Global) -> Result<Self, Error> {
        Self::open_as(global, Settings::load(global)?).await
    }

    /// Connects to where the settings say.
    pub(crate) async fn open_as(global: &Global, settings: Settings) -> Result<Self, Error> {
        let server = settings.server.value;
        let unreachable = |error: tonic::transport::Error| Error::Unreachable {
            server: server.clone(),
            cause: innermost(&error),
        };
        let endpoint = Endpoint::from_shared(server.clone())
            .map_err(&unreachable)?
            .connect_timeout(global.timeout)
            .http2_keep_alive_interval(PROBE)
            .keep_alive_timeout(PROBE);
        let channel = endpoint.connect().await.map_err(&unreachable)?;
        Ok(Self {
            channel,
            environment: settings.environment.value.to_string(),
            actor: settings::actor(global, &settings::variable)?,
            token: settings.token.as_ref().and_then(|token| Token::metadata(&token.value)),
            reason: global.reason.clone(),
            timeout: global.timeout,
            server,
        })
    }

    /// The same connection, in another environment.
    pub(crate) fn elsewhere(&self, environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            ..self.clone()
        }
    }

    /// Key of the environment that the command acts in.
    pub(crate) fn environment(&self) -> String {
        self.environment.clone()
    }

    /// A call that must be answered within the time limit.
    pub(crate) fn call<T>(&self, message: T) -> Request<T> {
        let mut request = self.follow(message);
        request.set_timeout(self.timeout);
        request
    }

    /// A call whose answer is a stream without an end in time.
    pub(crate) fn follow<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        Said::Actor.say(request.metadata_mut(), &self.actor);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if let Some(reason) = &self.reason {
            Said::Reason.say(request.metadata_mut(), reason);
        }
        request
    }

    /// What a status of this server means to an operator.
    pub(crate) fn error(&self, status: &Status) -> Error {
        Error::from_status(&self.server, status)
    }

    /// The server left while something was followed.
    pub(crate) fn lost(&self, cause: &str) -> Error {
        Error::Unanswered {
            server: self.server.clone(),
            cause: cause.into(),
        }
    }

    /// The time limit of a call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The connection, for services that are not Tidegate's own.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn flags(&self) -> v1::flags_client::FlagsClient<Channel> {
        v1::flags_client::FlagsClient::new(self.channel.clone())
    }

    pub(crate) fn rollouts(&self) -> v1::rollouts_client::RolloutsClient<Channel> {
        v1::rollouts_client::RolloutsClient::new(self.channel.clone())
    }

    pub(crate) fn plans(&self) -> v1::plans_client::PlansClient<Channel> {
        v1::plans_client::PlansClient::new(self.channel.clone())
    }

    pub(crate) fn baselines(&self) -> v1::baselines_client::BaselinesClient<Channel> {
        v1::baselines_client::BaselinesClient::new(self.channel.clone())
    }

    pub(crate) fn measurements(&self) -> v1::measurements_client::MeasurementsClient<Channel> {
        v1::measurements_client::MeasurementsClient::new(self.channel.clone())
    }

    pub(crate) fn flag_status(&self) -> v1::flag_status_client::FlagStatusClient<Channel> {
        v1::flag_status_client::FlagStatusClient::new(self.channel.clone())
    }

    pub(crate) fn audit(&self) -> v1::audit_client::AuditClient<Channel> {
        v1::audit_client::AuditClient::new(self.channel.clone())
    }

    pub(crate) fn fleet(&self) -> v1::fleet_client::FleetClient<Channel> {
        v1::fleet_client::FleetClient::new(self.channel.clone())
    }

    pub(crate) fn environments(&self) -> v1::environments_client::EnvironmentsClient<Channel> {
        v1::environments_client::EnvironmentsClient::new(self.channel.clone())
    }

    pub(crate) fn segments(&self) -> v1::segments_client::SegmentsClient<Channel> {
        v1::segments_client::SegmentsClient::new(self.channel.clone())
    }

    pub(crate) fn configuration(&self) -> v1::configuration_client::ConfigurationClient<Channel> {
        v1::configuration_client::ConfigurationClient::new(self.channel.clone())
    }

    pub(crate) fn history(&self) -> v1::history_client::HistoryClient<Channel> {
        v1::history_client::HistoryClient::new(self.channel.clone())
    }

    pub(crate) fn inspection(&self) -> v1::inspection_client::InspectionClient<Channel> {
        v1::inspection_client::InspectionClient::new(self.channel.clone())
    }

    pub(crate) fn changes(&self) -> v1::changes_client::ChangesClient<Channel> {
        v1::changes_client::ChangesClient::new(self.channel.clone())
    }

    pub(crate) fn webhooks(&self) -> v1::webhooks_client::WebhooksClient<Channel> {
        v1::webhooks_client::WebhooksClient::new(self.channel.clone())
    }

    pub(crate) fn schedules(&self) -> v1::schedules_client::SchedulesClient<Channel> {
        v1::schedules_client::SchedulesClient::new(self.channel.clone())
    }
}

/// The innermost cause: "connection refused" rather than "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
