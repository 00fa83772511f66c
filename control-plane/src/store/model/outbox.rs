//! The stored form of events: those that one moment of a rollout brought, in their order.

use prost::Message;

use super::{ModelError, SCHEMA};
use crate::events::{Event, Kind};

/// Events as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredEvents {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(message, repeated, tag = "2")]
    events: Vec<StoredEvent>,
}

/// An event as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredEvent {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    json: String,
}

impl From<&[Event]> for StoredEvents {
    fn from(events: &[Event]) -> Self {
        let stored = events.iter().map(|event| StoredEvent {
            kind: event.kind.name().to_owned(),
            json: event.json.clone(),
        });
        Self {
            schema: SCHEMA,
            events: stored.collect(),
        }
    }
}

impl StoredEvents {
    /// The events.
    pub(super) fn read(self) -> Result<Vec<Event>, ModelError> {
        let events = self.events.into_iter().map(|stored| {
            Ok(Event {
                kind: Kind::of_name(&stored.kind).ok_or(ModelError::Field("kind"))?,
                json: stored.json,
            })
        });
        events.collect()
    }
}
