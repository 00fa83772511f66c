//! The stored form of an act: who did what, when, why, to what.

use bytes::Bytes;
use prost::Message;

use super::{ModelError, SCHEMA, decode};

/// One act, as written and as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditRecord {
    /// When.
    pub(crate) at_us: i64,
    /// Who.
    pub(crate) actor: String,
    /// What was done.
    pub(crate) action: String,
    /// Kind of the subject.
    pub(crate) kind: String,
    /// Key of the subject.
    pub(crate) key: String,
    /// Why.
    pub(crate) reason: String,
    /// The subject before, as JSON.
    pub(crate) before: String,
    /// The subject after, as JSON.
    pub(crate) after: String,
    /// Where the call came from.
    pub(crate) peer: String,
}

/// An act as stored.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Act {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(int64, tag = "2")]
    at_us: i64,
    #[prost(string, tag = "3")]
    actor: String,
    #[prost(string, tag = "4")]
    action: String,
    #[prost(string, tag = "5")]
    kind: String,
    #[prost(string, tag = "6")]
    key: String,
    #[prost(string, tag = "7")]
    reason: String,
    #[prost(string, tag = "8")]
    before: String,
    #[prost(string, tag = "9")]
    after: String,
    #[prost(string, tag = "10")]
    peer: String,
}

impl Act {
    /// Writes an act.
    pub(crate) fn write(record: &AuditRecord) -> Bytes {
        let record = record.clone();
        Self {
            schema: SCHEMA,
            at_us: record.at_us,
            actor: record.actor,
            action: record.action,
            kind: record.kind,
            key: record.key,
            reason: record.reason,
            before: record.before,
            after: record.after,
            peer: record.peer,
        }
        .encode_to_vec()
        .into()
    }

    /// Reads an act.
    pub(crate) fn read(bytes: &[u8]) -> Result<AuditRecord, ModelError> {
        let act = decode::<Self>(bytes, |act| act.schema)?;
        Ok(AuditRecord {
            at_us: act.at_us,
            actor: act.actor,
            action: act.action,
            kind: act.kind,
            key: act.key,
            reason: act.reason,
            before: act.before,
            after: act.after,
            peer: act.peer,
        })
    }
}
