//! Entries of a snapshot as bytes: what the control plane encodes once and agents hash as received.
//!
//! A body that this build cannot read, or an entry of a kind that it does not know, is not an error of the stream: the
//! agent holds that one entry back, keeps what it had, and says so in its ack. Only framing that is torn refuses a whole
//! snapshot.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use evaluation::{Body, EntryKind, Environment, Flag, Measurement, RolloutStep, Segment, Violation};
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
    /// Of a kind that this build does not know.
    #[error("entries of kind {0} are not known to this build")]
    Kind(u8),
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
    /// An entry whose kind no build can know: kinds are numbered from 1 to 255.
    #[error("entry {index} ({key}) has the kind {kind}, which is none")]
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
    /// Its kind; one that this build does not know is carried by its number.
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

/// The body of a segment's entry; what only people read is left out.
pub fn encode_segment(segment: &Segment) -> Bytes {
    let mut wire = v1::Segment::from(segment);
    wire.description.clear();
    wire.owner.clear();
    wire.tags.clear();
    v1::SegmentEntry { segment: Some(wire) }.encode_to_vec().into()
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
    let (body, own_key) = match kind {
        EntryKind::Flag => decode_flag(bytes)?,
        EntryKind::Segment => decode_segment(bytes)?,
        EntryKind::Environment => {
            let environment = Environment::try_from(message::<v1::EnvironmentEntry>(bytes)?).map_err(content)?;
            let own_key = environment.key.to_string();
            (Body::Environment(Arc::new(environment)), own_key)
        }
        EntryKind::Measurement => {
            let measurement = Measurement::try_from(message::<v1::MeasurementEntry>(bytes)?).map_err(content)?;
            let own_key = measurement.rollout.to_string();
            (Body::Measurement(Arc::new(measurement)), own_key)
        }
        EntryKind::Other(_) => return Err(BodyError::Kind(kind.into())),
    };
    if own_key == key {
        Ok(body)
    } else {
        Err(BodyError::Key { key: key.to_owned() })
    }
}

fn decode_flag(bytes: &[u8]) -> Result<(Body, String), BodyError> {
    let entry: v1::FlagEntry = message(bytes)?;
    let flag = Flag::try_from(entry.flag.unwrap_or_default()).map_err(violations)?;
    let step = entry.rollout.map(RolloutStep::try_from).transpose().map_err(content)?;
    let compiled = evaluation::compile(&flag, step.as_ref()).map_err(violations)?;
    Ok((Body::Flag(Arc::new(compiled)), flag.key.to_string()))
}

fn decode_segment(bytes: &[u8]) -> Result<(Body, String), BodyError> {
    let entry: v1::SegmentEntry = message(bytes)?;
    let segment = Segment::try_from(entry.segment.unwrap_or_default()).map_err(violations)?;
    let compiled = evaluation::compile_segment(&segment).map_err(violations)?;
    Ok((Body::Segment(Arc::new(compiled)), segment.key.to_string()))
}

fn message<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, BodyError> {
    M::decode(bytes).map_err(|error| BodyError::Decode(error.to_string()))
}

fn content(error: impl std::error::Error) -> BodyError {
    BodyError::Content(error.to_string())
}

fn violations(violations: Vec<Violation>) -> BodyError {
    let words: Vec<String> = violations.iter().map(Violation::to_string).collect();
    BodyError::Content(words.join("; "))
}

/// The kind's number on the wire, also of one that this build does not know.
pub fn kind_number(kind: EntryKind) -> i32 {
    i32::from(u8::from(kind))
}

/// One length-delimited entry.
pub fn frame(kind: EntryKind, key: &str, body: Option<&Bytes>) -> Bytes {
    let change = match body {
        Some(body) => v1::entry::Change::Body(body.clone()),
        None => v1::entry::Change::Removed(true),
    };
    v1::Entry {
        kind: kind_number(kind),
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

#[cfg(test)]
mod tests;
