//! The stored form of an act: who did what, when, why, to what.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

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
    /// What joins it to other acts.
    pub(crate) changeset: Option<Uuid>,
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
    /// 16 bytes; empty: the act stands alone.
    #[prost(bytes = "vec", tag = "11")]
    changeset: Vec<u8>,
    /// Further acts of the same transaction.
    #[prost(message, repeated, tag = "12")]
    more: Vec<Act>,
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
            changeset: record.changeset.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            more: Vec::new(),
        }
        .encode_to_vec()
        .into()
    }

    /// Joins acts of one transaction, each written by [`Self::write`], into one value.
    pub(crate) fn join(first: &[u8], others: impl Iterator<Item = Bytes>) -> Bytes {
        let others = others.filter_map(|act| Self::decode(act).ok());
        let more = others.collect();
        match Self::decode(first) {
            Ok(first) => Self { more, ..first }.encode_to_vec().into(),
            Err(_) => Bytes::copy_from_slice(first),
        }
    }

    /// Reads the first act, which for nearly all values is the only one.
    #[cfg(test)]
    pub(crate) fn read(bytes: &[u8]) -> Result<AuditRecord, ModelError> {
        decode::<Self>(bytes, |act| act.schema)?.record()
    }

    /// Reads all acts that a key holds, with their ids: that of the key, and those after it.
    pub(crate) fn read_all(id: Uuid, bytes: &[u8]) -> Result<Vec<(Uuid, AuditRecord)>, ModelError> {
        let mut first = decode::<Self>(bytes, |act| act.schema)?;
        let more = std::mem::take(&mut first.more);
        let acts = std::iter::once(first).chain(more);
        let ids = (0..).map(|number| Uuid::from_u128(id.as_u128().wrapping_add(number)));
        ids.zip(acts).map(|(id, act)| Ok((id, act.record()?))).collect()
    }

    fn record(self) -> Result<AuditRecord, ModelError> {
        let changeset = Some(self.changeset.as_slice()).filter(|id| !id.is_empty());
        let changeset = changeset.map(Uuid::from_slice).transpose();
        Ok(AuditRecord {
            changeset: changeset.map_err(|_| ModelError::Field("changeset"))?,
            at_us: self.at_us,
            actor: self.actor,
            action: self.action,
            kind: self.kind,
            key: self.key,
            reason: self.reason,
            before: self.before,
            after: self.after,
            peer: self.peer,
        })
    }
}
