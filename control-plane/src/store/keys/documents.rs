//! Where the documents of environments lie, with the chunks of member lists, versions and audit records.
//!
//! A document lies under its key, so that it is found by what people call it and is unique by where it lies.

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use super::{ROOT, path, with};
use crate::members::ChunkId;

/// An environment.
pub(crate) fn environment(environment: &Key) -> Bytes {
    with(format!("{ROOT}environment/").into_bytes(), &[environment.as_bytes()])
}

/// A flag.
pub(crate) fn flag(environment: &Key, key: &Key) -> Bytes {
    path("flag", environment, key.as_bytes()).into()
}

/// A segment.
pub(crate) fn segment(environment: &Key, key: &Key) -> Bytes {
    path("segment", environment, key.as_bytes()).into()
}

/// A plan.
pub(crate) fn plan(environment: &Key, key: &Key) -> Bytes {
    path("plan", environment, key.as_bytes()).into()
}

/// A baseline.
pub(crate) fn baseline(environment: &Key, key: &Key) -> Bytes {
    path("baseline", environment, key.as_bytes()).into()
}

/// A scheduled change.
pub(crate) fn schedule(environment: &Key, id: Uuid) -> Bytes {
    path("schedule", environment, id.as_bytes()).into()
}

/// A chunk of the member lists of an environment's segments.
pub(crate) fn chunk(environment: &Key, id: ChunkId) -> Bytes {
    path("chunk", environment, &id.0.to_be_bytes()).into()
}

/// The prefix of the uploads of an environment: chunks that no document names yet.
pub(crate) fn uploads(environment: &Key) -> Bytes {
    path("meta", environment, b"upload/").into()
}

/// An upload.
pub(crate) fn upload(environment: &Key, id: Uuid) -> Bytes {
    with(uploads(environment).into(), &[id.as_bytes()])
}

/// Written with every document that comes to be in an environment, so that a deletion of the environment meets it.
pub(crate) fn population(environment: &Key) -> Bytes {
    path("meta", environment, b"population").into()
}

/// Written with every change of what an environment's documents read of each other, so that two such changes meet.
pub(crate) fn references(environment: &Key) -> Bytes {
    path("meta", environment, b"references").into()
}

/// Written whenever an environment gets or leaves a place in the order of promotion.
pub(crate) fn arrangement() -> Bytes {
    format!("{ROOT}meta/arrangement").into()
}

/// A version of a subject, kept for ever.
pub(crate) fn history(kind: &str, environment: &Key, key: &str, version: u32) -> Bytes {
    with(versions(kind, environment, key).into(), &[&version.to_be_bytes()])
}

/// The prefix of all versions of an environment's documents of a kind.
pub(crate) fn histories(kind: &str, environment: &Key) -> Bytes {
    format!("{ROOT}hist/{kind}/{environment}/").into()
}

/// The prefix of a subject's versions, in the order of their numbers.
pub(crate) fn versions(kind: &str, environment: &Key, key: &str) -> Bytes {
    format!("{ROOT}hist/{kind}/{environment}/{key}/").into()
}

/// One audit record; its id is a UUIDv7, so keys are in the order of time.
pub(crate) fn audit(environment: &Key, id: Uuid) -> Bytes {
    path("audit", environment, id.as_bytes()).into()
}

/// The prefix of an environment's audit records, in the order of time.
pub(crate) fn audits(environment: &Key) -> Bytes {
    path("audit", environment, b"").into()
}
