//! The connection to a control plane, and what every call carries: who acts, why, and until when.
//!
//! One connection per command. A call has a deadline; a stream that is followed has none, so the connection itself is
//! probed and a dead peer ends the stream.

use std::time::Duration;

use proto::v1;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use crate::{args::Global, error::Error};

/// How often an open stream is probed, and how long a probe may stay unanswered.
const PROBE: Duration = Duration::from_secs(10);

/// A connection to a control plane, in one environment.
#[derive(Debug)]
pub(crate) struct Session {
    channel: Channel,
    server: String,
    environment: String,
    actor: MetadataValue<Ascii>,
    reason: Option<MetadataValue<Ascii>>,
    timeout: Duration,
}

impl Session {
    /// Connects within the time limit.
    pub(crate) async fn open(global: &Global) -> Result<Self, Error> {
        let server = global.server.clone();
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
            environment: global.environment.as_str().to_owned(),
            actor: global.acting(),
            reason: global.reason.clone(),
            timeout: global.timeout,
            server,
        })
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
        request.metadata_mut().insert(proto::ACTOR, self.actor.clone());
        if let Some(reason) = &self.reason {
            request.metadata_mut().insert(proto::REASON, reason.clone());
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

    pub(crate) fn flags(&self) -> v1::flags_client::FlagsClient<Channel> {
        v1::flags_client::FlagsClient::new(self.channel.clone())
    }

    pub(crate) fn rollouts(&self) -> v1::rollouts_client::RolloutsClient<Channel> {
        v1::rollouts_client::RolloutsClient::new(self.channel.clone())
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
}

/// The innermost cause: "connection refused" rather than "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
