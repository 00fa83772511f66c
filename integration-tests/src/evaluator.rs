//! Evaluations as a flagd client sees them, on the wire.
//!
//! Bare calls of the protocol, without an SDK's cache or defaults between: what the agent answers is what a test sees,
//! a refusal included.

use std::{net::SocketAddr, path::Path, time::Duration};

use prost_types::{Struct, Value, value::Kind};
use proto::{
    METADATA_ARM, METADATA_TOKEN,
    flagd::evaluation_v2::{ResolveBooleanRequest, ResolveStringRequest, service_client::ServiceClient},
};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

use crate::wait;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// A flagd client of one agent; clones share the connection.
#[derive(Debug, Clone)]
pub struct Evaluator {
    channel: Channel,
    flags: ServiceClient<Channel>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    /// None: the caller's default.
    pub value: Option<T>,
    /// The variant's name.
    pub variant: Option<String>,
    /// In flagd's words.
    pub reason: String,
    /// The exposure token.
    pub token: Option<String>,
    /// `treatment` or `control` under a rollout.
    pub arm: Option<String>,
}

impl Evaluator {
    /// Of the agent at this address; connects when it is first used, and again when it must.
    pub fn new(agent: SocketAddr) -> Self {
        Self::of(&format!("http://{agent}"))
    }

    /// Of the agent behind this Unix socket.
    pub fn unix(socket: &Path) -> Self {
        Self::of(&format!("unix://{}", socket.display()))
    }

    fn of(uri: &str) -> Self {
        let endpoint = Endpoint::from_shared(uri.to_owned()).expect("an address or a path makes a URI");
        let channel = endpoint
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE)
            .tcp_nodelay(true)
            .connect_lazy();
        Self {
            flags: ServiceClient::new(channel.clone()),
            channel,
        }
    }

    /// The connection, for the agent's other services.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A boolean flag for a unit.
    pub async fn boolean(&self, key: &str, unit: &str) -> Result<Answer<bool>, Status> {
        let request = ResolveBooleanRequest {
            flag_key: key.to_owned(),
            context: Some(context(unit, &[])),
        };
        let response = self.flags.clone().resolve_boolean(request).await?.into_inner();
        Ok(answer(
            response.value,
            response.variant,
            response.reason,
            response.metadata,
        ))
    }

    /// A string flag for a unit with attributes.
    pub async fn text(&self, key: &str, unit: &str, attributes: &[(&str, &str)]) -> Result<Answer<String>, Status> {
        let request = ResolveStringRequest {
            flag_key: key.to_owned(),
            context: Some(context(unit, attributes)),
        };
        let response = self.flags.clone().resolve_string(request).await?.into_inner();
        Ok(answer(
            response.value,
            response.variant,
            response.reason,
            response.metadata,
        ))
    }

    /// Waits until the agent holds a boolean flag. Asks for a text, so that the answer exposes nobody.
    pub async fn holds_boolean(&self, key: &str) {
        wait::until(&format!("the agent to hold {key}"), async || {
            match self.text(key, "nobody", &[]).await {
                Err(status) if status.code() == Code::InvalidArgument => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// The answers of a boolean flag for `user-0`, `user-1` and so on; all must be answered.
    pub async fn of_users(&self, key: &str, users: u32) -> Vec<Answer<bool>> {
        let mut answers = Vec::new();
        for user in 0..users {
            let answer = self.boolean(key, &format!("user-{user}")).await;
            answers.push(answer.unwrap_or_else(|status| panic!("user-{user}: {status}")));
        }
        answers
    }

    /// No user gets treatment from a Boolean flag. What an abort by evidence leaves is that everybody is control, until its
    /// recovery is known, and then nobody is in an arm.
    ///
    /// # Panics
    ///
    /// If a user gets it, or the agent does not answer.
    pub async fn gives_nobody_treatment(&self, key: &str, users: u32) {
        for answer in self.of_users(key, users).await {
            let is_treatment = answer.arm.as_deref() == Some("treatment");
            assert!(answer.value == Some(false) && !is_treatment, "{answer:?}");
        }
    }
}

/// A context: the targeting key and some texts.
pub fn context(unit: &str, attributes: &[(&str, &str)]) -> Struct {
    let text = |text: &str| Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
    Struct {
        fields: attributes.chain([("targetingKey".to_owned(), text(unit))]).collect(),
    }
}

fn answer<T>(value: Option<T>, variant: Option<String>, reason: String, metadata: Option<Struct>) -> Answer<T> {
    let metadata = metadata.unwrap_or_default();
    let text = |name: &str| match metadata.fields.get(name).and_then(|value| value.kind.as_ref()) {
        Some(Kind::StringValue(text)) => Some(text.clone()),
        Some(_) | None => None,
    };
    Answer {
        value,
        variant,
        reason,
        token: text(METADATA_TOKEN),
        arm: text(METADATA_ARM),
    }
}
