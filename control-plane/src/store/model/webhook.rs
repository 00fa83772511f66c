//! The stored form of webhooks, of their deliveries, and of what has become of them.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use super::{ModelError, SCHEMA, decode, key};
use crate::{
    events::{Event, Kind, alert::Severity, position::Position},
    webhooks::{
        delivery::{Delivery, End, Ended, Tally},
        secret::Secret,
        webhook::{Previous, WebhookRecord},
    },
};

/// Writes a webhook.
pub(crate) fn write_webhook(record: &WebhookRecord) -> Bytes {
    StoredWebhook::from(record).encode_to_vec().into()
}

/// Reads a webhook.
pub(crate) fn read_webhook(bytes: &[u8], revision: u64) -> Result<WebhookRecord, ModelError> {
    decode::<StoredWebhook>(bytes, |stored| stored.schema)?.read(revision)
}

/// Writes a delivery.
pub(crate) fn write_delivery(delivery: &Delivery) -> Bytes {
    StoredDelivery::from(delivery).encode_to_vec().into()
}

/// Reads a delivery.
pub(crate) fn read_delivery(bytes: &[u8]) -> Result<Delivery, ModelError> {
    decode::<StoredDelivery>(bytes, |stored| stored.schema)?.read()
}

/// Writes what has become of deliveries.
pub(crate) fn write_tally(tally: &Tally) -> Bytes {
    StoredTally::from(tally).encode_to_vec().into()
}

/// Reads what has become of deliveries.
pub(crate) fn read_tally(bytes: &[u8]) -> Result<Tally, ModelError> {
    decode::<StoredTally>(bytes, |stored| stored.schema).map(StoredTally::read)
}

/// Writes a place in the stream of events.
pub(crate) fn write_position(position: Position) -> Bytes {
    StoredPosition::from(position).encode_to_vec().into()
}

/// Reads a place in the stream of events.
pub(crate) fn read_position(bytes: &[u8]) -> Result<Position, ModelError> {
    decode::<StoredPosition>(bytes, |stored| stored.schema).map(StoredPosition::read)
}

/// A webhook as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredWebhook {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(string, tag = "4")]
    url: String,
    #[prost(string, tag = "5")]
    description: String,
    #[prost(string, repeated, tag = "6")]
    kinds: Vec<String>,
    /// Empty: all.
    #[prost(string, tag = "7")]
    least_severity: String,
    #[prost(string, repeated, tag = "8")]
    environments: Vec<String>,
    #[prost(bool, tag = "9")]
    disabled: bool,
    #[prost(string, tag = "10")]
    disabled_reason: String,
    #[prost(bytes = "vec", tag = "11")]
    secret: Vec<u8>,
    /// Empty: there is none.
    #[prost(bytes = "vec", tag = "12")]
    previous: Vec<u8>,
    #[prost(int64, tag = "13")]
    previous_until_us: i64,
    #[prost(uint32, tag = "14")]
    secrets: u32,
    #[prost(uint64, tag = "15")]
    begins_after: u64,
    #[prost(int64, tag = "16")]
    created_at_us: i64,
    #[prost(int64, tag = "17")]
    updated_at_us: i64,
}

/// A delivery as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredDelivery {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(uint64, tag = "2")]
    revision: u64,
    #[prost(uint32, tag = "3")]
    index: u32,
    #[prost(string, tag = "4")]
    environment: String,
    #[prost(bytes = "vec", tag = "5")]
    rollout: Vec<u8>,
    #[prost(string, tag = "6")]
    event_id: String,
    #[prost(string, tag = "7")]
    kind: String,
    #[prost(string, tag = "8")]
    json: String,
    #[prost(int64, tag = "9")]
    queued_at_us: i64,
    #[prost(uint32, tag = "10")]
    attempts: u32,
    #[prost(int64, tag = "11")]
    attempted_at_us: i64,
    #[prost(int64, tag = "12")]
    due_us: i64,
    #[prost(uint32, tag = "13")]
    status: u32,
    #[prost(string, tag = "14")]
    answer: String,
    /// 0 waits, 1 delivered, 2 given up, 3 dropped.
    #[prost(uint32, tag = "15")]
    end: u32,
    #[prost(int64, tag = "16")]
    ended_at_us: i64,
}

/// A tally as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredTally {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(uint64, tag = "2")]
    delivered: u64,
    #[prost(uint64, tag = "3")]
    given_up: u64,
    #[prost(uint64, tag = "4")]
    dropped: u64,
    #[prost(int64, tag = "5")]
    delivered_at_us: i64,
    #[prost(int64, tag = "6")]
    failed_at_us: i64,
    #[prost(string, tag = "7")]
    failure: String,
}

/// A place in the stream of events as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredPosition {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(uint64, tag = "2")]
    revision: u64,
    #[prost(uint32, tag = "3")]
    index: u32,
}

impl From<&WebhookRecord> for StoredWebhook {
    fn from(record: &WebhookRecord) -> Self {
        let previous = record.previous.as_ref();
        Self {
            schema: SCHEMA,
            key: record.key.to_string(),
            id: record.id.as_bytes().to_vec(),
            url: record.url.clone(),
            description: record.description.clone(),
            kinds: record.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
            least_severity: record
                .least_severity
                .map_or_else(String::new, |severity| severity.name().to_owned()),
            environments: record.environments.iter().map(ToString::to_string).collect(),
            disabled: record.disabled,
            disabled_reason: record.disabled_reason.clone(),
            secret: record.secret.bytes().to_vec(),
            previous: previous.map_or_else(Vec::new, |previous| previous.secret.bytes().to_vec()),
            previous_until_us: previous.map_or(0, |previous| previous.until_us),
            secrets: record.secrets,
            begins_after: record.begins_after,
            created_at_us: record.created_at_us,
            updated_at_us: record.updated_at_us,
        }
    }
}

impl StoredWebhook {
    /// The record.
    fn read(self, revision: u64) -> Result<WebhookRecord, ModelError> {
        let secret = |field, bytes| Secret::of(bytes).map_err(|_| ModelError::Field(field));
        let kinds = self.kinds.iter().map(|name| kind("kinds", name));
        let environments = self.environments.iter().map(|text| key("environments", text));
        let previous = (!self.previous.is_empty()).then(|| secret("previous", self.previous));
        Ok(WebhookRecord {
            key: key("key", &self.key)?,
            id: id("id", &self.id)?,
            kinds: kinds.collect::<Result<_, _>>()?,
            least_severity: match self.least_severity.as_str() {
                "" => None,
                name => Some(Severity::of_name(name).ok_or(ModelError::Field("least_severity"))?),
            },
            environments: environments.collect::<Result<_, _>>()?,
            secret: secret("secret", self.secret)?,
            previous: previous.transpose()?.map(|secret| Previous {
                secret,
                until_us: self.previous_until_us,
            }),
            url: self.url,
            description: self.description,
            disabled: self.disabled,
            disabled_reason: self.disabled_reason,
            secrets: self.secrets,
            begins_after: self.begins_after,
            created_at_us: self.created_at_us,
            updated_at_us: self.updated_at_us,
            revision,
        })
    }
}

impl From<&Delivery> for StoredDelivery {
    fn from(delivery: &Delivery) -> Self {
        Self {
            schema: SCHEMA,
            revision: delivery.position.revision,
            index: delivery.position.index,
            environment: delivery.environment.to_string(),
            rollout: delivery.rollout.as_bytes().to_vec(),
            event_id: delivery.event_id.clone(),
            kind: delivery.event.kind.name().to_owned(),
            json: delivery.event.json.clone(),
            queued_at_us: delivery.queued_at_us,
            attempts: delivery.attempts,
            attempted_at_us: delivery.attempted_at_us,
            due_us: delivery.due_us,
            status: u32::from(delivery.status),
            answer: delivery.answer.clone(),
            end: match delivery.ended.map(|ended| ended.end) {
                None => 0,
                Some(End::Delivered) => 1,
                Some(End::GivenUp) => 2,
                Some(End::Dropped) => 3,
            },
            ended_at_us: delivery.ended.map_or(0, |ended| ended.at_us),
        }
    }
}

impl StoredDelivery {
    /// The delivery.
    fn read(self) -> Result<Delivery, ModelError> {
        let end = match self.end {
            0 => None,
            1 => Some(End::Delivered),
            2 => Some(End::GivenUp),
            3 => Some(End::Dropped),
            _ => return Err(ModelError::Field("end")),
        };
        Ok(Delivery {
            position: Position {
                revision: self.revision,
                index: self.index,
            },
            environment: key("environment", &self.environment)?,
            rollout: id("rollout", &self.rollout)?,
            event_id: self.event_id,
            event: Event {
                kind: kind("kind", &self.kind)?,
                json: self.json,
            },
            queued_at_us: self.queued_at_us,
            attempts: self.attempts,
            attempted_at_us: self.attempted_at_us,
            due_us: self.due_us,
            status: u16::try_from(self.status).map_err(|_| ModelError::Field("status"))?,
            answer: self.answer,
            ended: end.map(|end| Ended {
                end,
                at_us: self.ended_at_us,
            }),
        })
    }
}

impl From<&Tally> for StoredTally {
    fn from(tally: &Tally) -> Self {
        let tally = tally.clone();
        Self {
            schema: SCHEMA,
            delivered: tally.delivered,
            given_up: tally.given_up,
            dropped: tally.dropped,
            delivered_at_us: tally.delivered_at_us,
            failed_at_us: tally.failed_at_us,
            failure: tally.failure,
        }
    }
}

impl StoredTally {
    /// The tally.
    fn read(self) -> Tally {
        Tally {
            delivered: self.delivered,
            given_up: self.given_up,
            dropped: self.dropped,
            delivered_at_us: self.delivered_at_us,
            failed_at_us: self.failed_at_us,
            failure: self.failure,
        }
    }
}

impl From<Position> for StoredPosition {
    fn from(position: Position) -> Self {
        Self {
            schema: SCHEMA,
            revision: position.revision,
            index: position.index,
        }
    }
}

impl StoredPosition {
    /// The place.
    fn read(self) -> Position {
        Position {
            revision: self.revision,
            index: self.index,
        }
    }
}

fn id(field: &'static str, bytes: &[u8]) -> Result<Uuid, ModelError> {
    Uuid::from_slice(bytes).map_err(|_| ModelError::Field(field))
}

fn kind(field: &'static str, name: &str) -> Result<Kind, ModelError> {
    Kind::of_name(name).ok_or(ModelError::Field(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        builders::{delivery, production, webhook},
        store::model,
    };

    #[test]
    fn every_webhook_is_read_as_it_was_written() {
        let plain = webhook("pager");
        let whole = WebhookRecord {
            description: "for those on call".to_owned(),
            kinds: Kind::ALL.into(),
            least_severity: Some(Severity::Critical),
            environments: [production()].into(),
            disabled: true,
            disabled_reason: "its receiver answered 410 Gone".to_owned(),
            previous: Some(Previous {
                secret: Secret::draw(),
                until_us: 9,
            }),
            secrets: 2,
            begins_after: 7,
            ..plain.clone()
        };
        for record in [plain, whole] {
            let read = model::read_webhook(&model::write_webhook(&record), record.revision);
            assert_eq!(read, Ok(record));
        }
        let mut broken = StoredWebhook::from(&webhook("pager"));
        broken.secret.truncate(5);
        assert_eq!(broken.read(1), Err(ModelError::Field("secret")));
    }

    #[test]
    fn every_delivery_tally_and_place_is_read_as_it_was_written() {
        let ends = [None, Some(End::Delivered), Some(End::GivenUp), Some(End::Dropped)];
        for end in ends {
            let delivery = Delivery {
                attempts: 3,
                attempted_at_us: 4,
                due_us: 5,
                status: 503,
                answer: "answered 503 Service Unavailable".to_owned(),
                ended: end.map(|end| Ended { end, at_us: 6 }),
                ..delivery(7, 8)
            };
            assert_eq!(model::read_delivery(&model::write_delivery(&delivery)), Ok(delivery));
        }
        let tally = Tally {
            delivered: 1,
            given_up: 2,
            dropped: 3,
            delivered_at_us: 4,
            failed_at_us: 5,
            failure: "did not answer in time".to_owned(),
        };
        assert_eq!(model::read_tally(&model::write_tally(&tally)), Ok(tally));
        let position = Position { revision: 9, index: 2 };
        assert_eq!(model::read_position(&model::write_position(position)), Ok(position));
    }
}
