//! Where flags stand, what happened to their rollouts, and what is learned from it, as machines outside ask for it.

use proto::v1::{self, flag_status_client::FlagStatusClient};
use serde_json::Value;
use tonic::{Status, Streaming};

use crate::operator::Operator;

/// An event, with its place in the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its place in the stream.
    pub id: String,
    /// The CloudEvent.
    pub event: Value,
}

impl Told {
    /// Of a message.
    fn of(message: &v1::WatchEventsResponse) -> Self {
        Self {
            id: message.id.clone(),
            event: serde_json::from_str(&message.json).expect("an event is JSON"),
        }
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        self.event["type"].as_str().expect("an event has a type")
    }
}

/// Events as they happen.
#[derive(Debug)]
pub struct Events {
    stream: Streaming<v1::WatchEventsResponse>,
}

impl Events {
    /// The next one; an error when the connection is lost.
    pub async fn next(&mut self) -> Result<Told, Status> {
        match self.stream.message().await? {
            Some(message) => Ok(Told::of(&message)),
            None => Err(Status::unavailable("the stream has ended")),
        }
    }
}

impl Operator {
    /// Where a flag stands.
    pub async fn status(&self, flag: &str) -> v1::StatusOfFlag {
        let message = v1::ListStatusRequest {
            flags: vec![flag.to_owned()],
            ..v1::ListStatusRequest::default()
        };
        let response = FlagStatusClient::new(self.channel()).list_status(message).await;
        let response = response.unwrap_or_else(|status| panic!("status of {flag}: {status}"));
        let mut flags = response.into_inner().flags;
        assert_eq!(flags.len(), 1, "{flags:?}");
        flags.remove(0)
    }

    /// Events behind a place, and then as they happen.
    pub async fn try_events_after(&self, after: &str) -> Result<Events, Status> {
        let message = v1::WatchEventsRequest {
            after: after.to_owned(),
            ..v1::WatchEventsRequest::default()
        };
        let response = FlagStatusClient::new(self.channel()).watch_events(message).await?;
        Ok(Events {
            stream: response.into_inner(),
        })
    }

    /// All events of these types (none: all) that there are.
    pub async fn past_events(&self, types: &[&str]) -> Vec<Told> {
        let message = v1::WatchEventsRequest {
            types: types.iter().map(|name| (*name).to_owned()).collect(),
            only_past: true,
            ..v1::WatchEventsRequest::default()
        };
        let response = FlagStatusClient::new(self.channel()).watch_events(message).await;
        let mut stream = response
            .unwrap_or_else(|status| panic!("events: {status}"))
            .into_inner();
        let mut told = Vec::new();
        while let Some(message) = stream.message().await.expect("past events are told to their end") {
            told.push(Told::of(&message));
        }
        told
    }

    /// What is known of all components and patterns.
    pub async fn posteriors(&self) -> Vec<v1::Posterior> {
        let message = v1::ListPosteriorsRequest::default();
        let response = FlagStatusClient::new(self.channel()).list_posteriors(message).await;
        let response = response.unwrap_or_else(|status| panic!("posteriors: {status}"));
        response.into_inner().posteriors
    }
}
