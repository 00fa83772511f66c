//! The records of a spool file, as bytes.
//!
//! Layout, numbers big-endian: a mark (4), the length of the payload (u32), its XXH3-64 (8), the payload, which is a
//! kind (1) and what that kind holds. The checksum finds a record that is torn or damaged, the mark finds the next
//! whole one after it. What records mean together is told in `left`.

use bytes::{Buf as _, BufMut as _};
use prost::Message as _;
use proto::{MESSAGE_LIMIT, v1};
use twox_hash::XxHash3_64;

/// Begins every record; its last byte is the version.
const MARK: &[u8; 4] = b"tgs\x01";
/// What stands before a payload, in bytes.
const PREFIX: usize = 16;
/// No payload is larger, in bytes: a frame must fit a message.
const PAYLOAD_LIMIT: usize = MESSAGE_LIMIT;

const HEAD: u8 = 0;
const ACKED: u8 = 1;
const CUT: u8 = 2;
const OPEN: u8 = 3;

/// Whose frames a file holds: the part of their names that all share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The agent's id.
    pub(crate) agent: String,
    /// The number that the process drew at its start.
    pub(crate) epoch: u64,
    /// The environment that it served.
    pub(crate) environment: String,
}

/// A frame, and which rollout its index meant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// The rollout's id.
    pub(crate) id: u128,
    /// The frame.
    pub(crate) frame: v1::Frame,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// Whose frames these are; the first record of a file.
    Head(Head),
    /// Frames of a rollout that stand before this record, up to this sequence, need not be sent.
    Acked {
        /// The rollout's index.
        rollout: u32,
        /// The last of them.
        sequence: u64,
    },
    /// A frame that was cut.
    Cut(Kept),
    /// The frame that would have been cut next. If it was cut later it holds at least as much.
    Open(Kept),
}

/// Why no record begins where one was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is none, or it is torn or damaged.
    Damaged,
    /// It is whole and of so many bytes, and cannot be read.
    Unreadable(usize),
}

impl Kept {
    /// Its frame's name among those of its process: rollout and sequence.
    pub(super) fn name(&self) -> (u32, u64) {
        (self.frame.rollout, self.frame.sequence)
    }

    /// What is left of it when there is no room for it: a frame of the same name that says how many outcomes are
    /// missing. Where the whole frame has arrived, this one is known and counts nothing.
    pub(super) fn hollow(&self) -> Self {
        Self {
            id: self.id,
            frame: hollow(&self.frame),
        }
    }
}

/// A frame without counts that says how many outcomes it had.
pub(super) fn hollow(frame: &v1::Frame) -> v1::Frame {
    let outcomes = frame
        .cells
        .iter()
        .fold(frame.dropped, |sum, cell| sum.saturating_add(cell.outcomes));
    v1::Frame {
        rollout: frame.rollout,
        sequence: frame.sequence,
        first_tick: frame.first_tick,
        last_tick: frame.last_tick,
        horizon: frame.horizon,
        cells: Vec::new(),
        dropped: outcomes,
        environment: frame.environment.clone(),
        urgent: false,
    }
}

impl Record {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut record = Vec::with_capacity(64);
        record.put_slice(MARK);
        record.put_bytes(0, PREFIX - MARK.len());
        match self {
            Self::Head(head) => {
                record.put_u8(HEAD);
                record.put_u64(head.epoch);
                put_text(&mut record, &head.agent);
                put_text(&mut record, &head.environment);
            }
            Self::Acked { rollout, sequence } => {
                record.put_u8(ACKED);
                record.put_u32(*rollout);
                record.put_u64(*sequence);
            }
            Self::Cut(kept) => put_kept(&mut record, CUT, kept),
            Self::Open(kept) => put_kept(&mut record, OPEN, kept),
        }
        // Whatever is larger than a message could not be sent either, and is not read.
        let length = u32::try_from(record.len() - PREFIX).unwrap_or(u32::MAX);
        let checksum = XxHash3_64::oneshot(&record[PREFIX..]);
        record[4..8].copy_from_slice(&length.to_be_bytes());
        record[8..PREFIX].copy_from_slice(&checksum.to_be_bytes());
        record
    }

    /// The record at the beginning of these bytes, and how many bytes it takes.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, usize), Fault> {
        let payload = payload(bytes).ok_or(Fault::Damaged)?;
        let length = PREFIX + payload.len();
        let record = read(payload).ok_or(Fault::Unreadable(length))?;
        Ok((record, length))
    }
}

/// How far into these bytes the next record may begin, after their first byte.
pub(super) fn next_mark(bytes: &[u8]) -> Option<usize> {
    let after = bytes.get(1..)?;
    let found = after.windows(MARK.len()).position(|window| window == MARK)?;
    Some(found + 1)
}

/// The payload of a whole record.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let mut prefix = bytes.get(..PREFIX)?;
    if !prefix.starts_with(MARK) {
        return None;
    }
    prefix.advance(MARK.len());
    let length = usize::try_from(prefix.get_u32()).ok()?;
    let checksum = prefix.get_u64();
    if length > PAYLOAD_LIMIT {
        return None;
    }
    let payload = bytes.get(PREFIX..PREFIX + length)?;
    (XxHash3_64::oneshot(payload) == checksum).then_some(payload)
}

fn read(mut payload: &[u8]) -> Option<Record> {
    match payload.try_get_u8().ok()? {
        HEAD => Some(Record::Head(Head {
            epoch: payload.try_get_u64().ok()?,
            agent: text(&mut payload)?,
            environment: text(&mut payload)?,
        })),
        ACKED => Some(Record::Acked {
            rollout: payload.try_get_u32().ok()?,
            sequence: payload.try_get_u64().ok()?,
        }),
        CUT => kept(payload).map(Record::Cut),
        OPEN => kept(payload).map(Record::Open),
        _ => None,
    }
}

fn put_kept(record: &mut Vec<u8>, kind: u8, kept: &Kept) {
    record.put_u8(kind);
    record.put_u128(kept.id);
    record.extend(kept.frame.encode_to_vec());
}

fn kept(mut payload: &[u8]) -> Option<Kept> {
    Some(Kept {
        id: payload.try_get_u128().ok()?,
        frame: v1::Frame::decode(payload).ok()?,
    })
}

/// Agents' ids and keys of environments are much shorter than a u16 can say.
fn put_text(record: &mut Vec<u8>, text: &str) {
    record.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    record.put_slice(text.as_bytes());
}

fn text(payload: &mut &[u8]) -> Option<String> {
    let length = usize::from(payload.try_get_u16().ok()?);
    let (text, rest) = payload.split_at_checked(length)?;
    *payload = rest;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests;
