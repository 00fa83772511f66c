//! Entries of a snapshot as bytes: what the control plane encodes once and agents hash as received.
//!
//! A body that this build cannot read is not an error of the stream: the agent holds that one entry back, keeps what it
//! had, and says so in its ack. Only framing that is torn refuses a whole snapshot.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use evaluation::{Body, EntryKind, Environment, Flag, Measurement, RolloutStep};
use prost::Message as _;

use crate::v1;

/// The largest part of a snapshot, in bytes.
pub const PART_LIMIT: usize = 64 * 1024;

/// Why the body of an entry cannot be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not the message it should be.
    #[error("cannot be decoded: {0}")]
    Decode(String),
    /// Decoded, but its content is refused.
    #[error("{0}")]
    Content(String),
    /// The entry's key and its body name different things.
    #[error("the entry's key {key} is not that of its body")]
    Key {
        /// The entry's key.
        key: String,
    },
}

/// Why joined parts are not entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Bytes end within an entry, or are no entry at all.
    #[error("entry {index} is torn: {reason}")]
    Torn {
        /// How many entries were read before.
        index: usize,
        /// What the decoder said.
        reason: String,
    },
    /// An entry of a kind that has no number here.
    #[error("entry {index} ({key}) has the unknown kind {kind}")]
    Kind {
        /// How many entries were read before.
        index: usize,
        /// Its key.
        key: String,
        /// As read.
        kind: i32,
    },
    /// An entry that says neither what it is nor that it is gone.
    #[error("entry {index} ({key}) has neither a body nor a removal")]
    Empty {
        /// How many entries were read before.
        index: usize,
        /// Its key.
        key: String,
    },
}

/// An entry as read: removed, or with its body as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// Its kind.
    pub kind: EntryKind,
    /// Its key.
    pub key: String,
    /// None: removed.
    pub body: Option<Bytes>,
}

/// The body of a flag's entry; what only people read is left out.
pub fn encode_flag(flag: &Flag, step: Option<&RolloutStep>) -> Bytes {
    let mut wire = v1::Flag::from(flag);
    wire.description.clear();
    wire.owner.clear();
    wire.tags.clear();
    v1::FlagEntry {
        flag: Some(wire),
        rollout: step.map(v1::RolloutStep::from),
    }
    .encode_to_vec()
    .into()
}

/// The body of an environment's entry.
pub fn encode_environment(environment: &Environment) -> Bytes {
    v1::EnvironmentEntry::from(environment).encode_to_vec().into()
}

/// The body of a measurement's entry.
pub fn encode_measurement(measurement: &Measurement) -> Bytes {
    v1::MeasurementEntry::from(measurement).encode_to_vec().into()
}

/// Reads and compiles a body.
pub fn decode(kind: EntryKind, key: &str, bytes: &[u8]) -> Result<Body, BodyError> {
    let mismatch = || BodyError::Key { key: key.to_owned() };
    match kind {
        EntryKind::Flag => decode_flag(key, bytes),
        EntryKind::Segment => Ok(Body::Ignored),
        EntryKind::Environment => {
            let entry = v1::EnvironmentEntry::decode(bytes).map_err(|error| BodyError::Decode(error.to_string()))?;
            let environment = Environment::try_from(entry).map_err(|error| BodyError::Content(error.to_string()))?;
            (environment.key.as_str() == key)
                .then(|| Body::Environment(Arc::new(environment)))
                .ok_or_else(mismatch)
        }
        EntryKind::Measurement => {
            let entry = v1::MeasurementEntry::decode(bytes).map_err(|error| BodyError::Decode(error.to_string()))?;
            let measurement = Measurement::try_from(entry).map_err(|error| BodyError::Content(error.to_string()))?;
            (measurement.rollout.to_string() == key)
                .then(|| Body::Measurement(Arc::new(measurement)))
                .ok_or_else(mismatch)
        }
    }
}

fn decode_flag(key: &str, bytes: &[u8]) -> Result<Body, BodyError> {
    let entry = v1::FlagEntry::decode(bytes).map_err(|error| BodyError::Decode(error.to_string()))?;
    let words = |violations: Vec<evaluation::Violation>| {
        BodyError::Content(
            violations
                .iter()
                .map(|v| format!("{}: {}", v.field, v.description))
                .collect::<Vec<_>>()
                .join("; "),
        )
    };
    let flag = Flag::try_from(entry.flag.unwrap_or_default()).map_err(words)?;
    if flag.key.as_str() != key {
        return Err(BodyError::Key { key: key.to_owned() });
    }
    let step = entry
        .rollout
        .map(RolloutStep::try_from)
        .transpose()
        .map_err(|error| BodyError::Content(error.to_string()))?;
    evaluation::compile(&flag, step.as_ref())
        .map(|compiled| Body::Flag(Arc::new(compiled)))
        .map_err(words)
}

impl From<EntryKind> for v1::EntryKind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Flag => Self::Flag,
            EntryKind::Segment => Self::Segment,
            EntryKind::Environment => Self::Environment,
            EntryKind::Measurement => Self::Measurement,
        }
    }
}

/// One length-delimited entry.
pub fn frame(kind: EntryKind, key: &str, body: Option<&Bytes>) -> Bytes {
    let change = match body {
        Some(body) => v1::entry::Change::Body(body.clone()),
        None => v1::entry::Change::Removed(true),
    };
    v1::Entry {
        kind: v1::EntryKind::from(kind).into(),
        key: key.to_owned(),
        change: Some(change),
    }
    .encode_length_delimited_to_vec()
    .into()
}

/// Reads the entries of joined parts.
pub fn unframe(mut bytes: Bytes) -> Result<Vec<RawEntry>, FramingError> {
    let mut entries = Vec::new();
    while bytes.has_remaining() {
        let index = entries.len();
        let entry = v1::Entry::decode_length_delimited(&mut bytes).map_err(|error| FramingError::Torn {
            index,
            reason: error.to_string(),
        })?;
        let kind = u8::try_from(entry.kind)
            .ok()
            .and_then(|kind| EntryKind::try_from(kind).ok())
            .ok_or_else(|| FramingError::Kind {
                index,
                key: entry.key.clone(),
                kind: entry.kind,
            })?;
        let body = match entry.change {
            Some(v1::entry::Change::Body(body)) => Some(body),
            Some(v1::entry::Change::Removed(_)) => None,
            None => return Err(FramingError::Empty { index, key: entry.key }),
        };
        entries.push(RawEntry {
            kind,
            key: entry.key,
            body,
        });
    }
    Ok(entries)
}
