//! The stored form of a version of a document: what it was, and the act that made it so.
//!
//! A version holds the document whole, so that it can be read, compared and restored without any other version; a
//! deletion is a version without a document, so that the count goes on when the key comes back.

use bytes::Bytes;
use prost::{Message, Oneof};

use super::{ModelError, SCHEMA, decode, flag::StoredFlag, plan::StoredPlan, segment::StoredSegment};
use crate::record::{FlagRecord, PlanRecord, SegmentRecord};

/// A version of a flag, segment or plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VersionRecord {
    /// From 1; counted on when a deleted key comes back.
    pub(crate) version: u32,
    /// When it was written.
    pub(crate) at_us: i64,
    /// Who wrote it.
    pub(crate) actor: String,
    /// What was done, such as flag.update.
    pub(crate) action: String,
    /// Why.
    pub(crate) reason: String,
    /// What was written; none: it was deleted.
    pub(crate) document: Option<Document>,
}

/// A document that has versions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    /// A flag.
    Flag(FlagRecord),
    /// A segment; its members stay where they are, named by what they are.
    Segment(SegmentRecord),
    /// A plan.
    Plan(PlanRecord),
}

/// A version as stored.
#[derive(Clone, PartialEq, Message)]
struct StoredVersion {
    #[prost(uint32, tag = "1")]
    schema: u32,
    #[prost(uint32, tag = "2")]
    version: u32,
    #[prost(int64, tag = "3")]
    at_us: i64,
    #[prost(string, tag = "4")]
    actor: String,
    #[prost(string, tag = "5")]
    action: String,
    #[prost(string, tag = "6")]
    reason: String,
    #[prost(oneof = "StoredDocument", tags = "7, 8, 9")]
    document: Option<StoredDocument>,
}

/// None: a deletion.
#[derive(Clone, PartialEq, Oneof)]
enum StoredDocument {
    #[prost(message, tag = "7")]
    Flag(Box<StoredFlag>),
    #[prost(message, tag = "8")]
    Segment(Box<StoredSegment>),
    #[prost(message, tag = "9")]
    Plan(Box<StoredPlan>),
}

/// Writes a version.
pub(crate) fn write_version(record: &VersionRecord) -> Bytes {
    let document = record.document.as_ref().map(|document| match document {
        Document::Flag(flag) => StoredDocument::Flag(Box::new(StoredFlag::from(flag))),
        Document::Segment(segment) => StoredDocument::Segment(Box::new(StoredSegment::from(segment))),
        Document::Plan(plan) => StoredDocument::Plan(Box::new(StoredPlan::from(plan))),
    });
    StoredVersion {
        schema: SCHEMA,
        version: record.version,
        at_us: record.at_us,
        actor: record.actor.clone(),
        action: record.action.clone(),
        reason: record.reason.clone(),
        document,
    }
    .encode_to_vec()
    .into()
}

/// Reads a version; its document has the store revision at which the version was written.
pub(crate) fn read_version(bytes: &[u8], revision: u64) -> Result<VersionRecord, ModelError> {
    let stored = decode::<StoredVersion>(bytes, |stored| stored.schema)?;
    let document = stored.document.map(|document| match document {
        StoredDocument::Flag(flag) => flag.read(revision).map(Document::Flag),
        StoredDocument::Segment(segment) => segment.read(revision).map(Document::Segment),
        StoredDocument::Plan(plan) => plan.read(revision).map(Document::Plan),
    });
    Ok(VersionRecord {
        version: stored.version,
        at_us: stored.at_us,
        actor: stored.actor,
        action: stored.action,
        reason: stored.reason,
        document: document.transpose()?,
    })
}
