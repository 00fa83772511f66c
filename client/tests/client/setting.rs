//! What most tests need: a place for the agent's socket, a user, and a few flags.

use std::path::PathBuf;
use std::time::Duration;

use proto::v1::exposure_name::Name;
use proto::v1::value::Kind;
use proto::v1::{ExposureName, MetricValue};
use tempfile::TempDir;
use tidegate_client::{Address, Client, Context, Options};

use crate::fake::{Answer, served};

/// Long enough that an answering agent always makes it, on any machine.
pub(crate) const PATIENT: Duration = Duration::from_secs(30);

/// A flag that is on, under a rollout.
pub(crate) fn split() -> Answer {
    exposed(served("on", Kind::Boolean(true)), "token-of-checkout")
}

/// A flag that is on for everybody.
pub(crate) fn plain() -> Answer {
    Answer::from(served("on", Kind::Boolean(true)))
}

/// A result of a flag under a rollout.
pub(crate) fn exposed(result: proto::v1::Result, token: &str) -> Answer {
    let token = token.to_owned();
    proto::v1::Result { token, ..result }.into()
}

/// Where an agent listens, or will.
pub(crate) struct Place {
    _folder: TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        Self { _folder: folder, path }
    }

    pub(crate) fn client(&self, options: Options) -> Client {
        Client::connect_with(Address::unix(&self.path), options).unwrap()
    }

    /// A client that waits for as long as an answer takes.
    pub(crate) fn patient(&self) -> Client {
        self.client(Options::default().deadline(PATIENT))
    }
}

/// A user with an attribute.
pub(crate) fn user() -> Context {
    Context::user("user-7").with("plan", "pro")
}

/// The tokens of exposures, in their order.
pub(crate) fn tokens(exposures: &[ExposureName]) -> Vec<&str> {
    let names = exposures.iter().map(|exposure| exposure.name.as_ref().unwrap());
    names
        .map(|name| {
            if let Name::Token(token) = name {
                token.as_str()
            } else {
                "by flag"
            }
        })
        .collect()
}

/// Values by their metrics, in their order.
pub(crate) fn amounts(values: &[MetricValue]) -> Vec<(&str, f64)> {
    values
        .iter()
        .map(|value| (value.metric.as_str(), value.value))
        .collect()
}
