//! One entry of a snapshot: its name, its hash, and the digest that hashes sum up to.
//!
//! An entry is hashed as the bytes that were received, with its kind and key, and never encoded again to be compared.
//! The digest is the sum modulo 2^128 of the hashes: it does not depend on an order and follows a change by one
//! subtraction and one addition.

use std::fmt;
use std::sync::Arc;

use twox_hash::XxHash3_128;

/// What an entry describes; ordered by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A flag with its rollout step; number 1.
    Flag,
    /// Shared conditions and member lists; number 2.
    Segment,
    /// The environment; number 3.
    Environment,
    /// What is measured for one rollout; number 4.
    Measurement,
    /// A kind of a later build: carried and counted in the digest, not understood.
    Other(OtherKind),
}

/// The number of a kind that this build does not know; `EntryKind::try_from` builds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtherKind(u8);

/// A number that can name no kind of entry: 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a kind of entry")]
pub struct UnknownEntryKind(pub u8);

/// The name of an entry, unique in a snapshot; ordered by kind, then key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// What it describes.
    pub kind: EntryKind,
    /// Which one of its kind.
    pub key: Arc<str>,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<B> {
    /// The hash of kind, key and the bytes as received.
    pub hash: u128,
    /// What the bytes mean.
    pub body: B,
}

/// What a whole index holds, in one number: equal digests are equal contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest with one more entry.
    pub(crate) fn plus(self, entry_hash: u128) -> Digest {
        Digest(self.0.wrapping_add(entry_hash))
    }

    /// The digest without an entry that it has.
    pub(crate) fn minus(self, entry_hash: u128) -> Digest {
        Digest(self.0.wrapping_sub(entry_hash))
    }
}

impl fmt::Display for Digest {
    /// As 32 hexadecimal digits.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl TryFrom<u8> for EntryKind {
    type Error = UnknownEntryKind;

    fn try_from(number: u8) -> Result<EntryKind, UnknownEntryKind> {
        match number {
            0 => Err(UnknownEntryKind(0)),
            1 => Ok(EntryKind::Flag),
            2 => Ok(EntryKind::Segment),
            3 => Ok(EntryKind::Environment),
            4 => Ok(EntryKind::Measurement),
            later => Ok(EntryKind::Other(OtherKind(later))),
        }
    }
}

impl From<EntryKind> for u8 {
    fn from(kind: EntryKind) -> u8 {
        match kind {
            EntryKind::Flag => 1,
            EntryKind::Segment => 2,
            EntryKind::Environment => 3,
            EntryKind::Measurement => 4,
            EntryKind::Other(OtherKind(number)) => number,
        }
    }
}

/// XXH3-128 with seed 0 of: the kind's number as one byte, the key's length as u32 little-endian, the key, the entry's bytes.
pub fn entry_hash(kind: EntryKind, key: &str, bytes: &[u8]) -> u128 {
    let mut hashed = Vec::with_capacity(1 + size_of::<u32>() + key.len() + bytes.len());
    hashed.push(u8::from(kind));
    // A key of 4 GiB does not exist: keys are at most 200 bytes and messages 4 MiB.
    hashed.extend_from_slice(&(key.len() as u32).to_le_bytes());
    hashed.extend_from_slice(key.as_bytes());
    hashed.extend_from_slice(bytes);
    XxHash3_128::oneshot(&hashed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_their_numbers_are_the_same_both_ways() {
        for number in 0..=u8::MAX {
            match EntryKind::try_from(number) {
                Ok(kind) => assert!(u8::from(kind) == number && number != 0),
                Err(UnknownEntryKind(unknown)) => assert!(unknown == number && number == 0),
            }
        }
    }

    #[test]
    fn kinds_are_ordered_by_their_numbers() {
        let kinds: Vec<EntryKind> = (1..=u8::MAX)
            .filter_map(|number| EntryKind::try_from(number).ok())
            .collect();
        assert!(kinds.len() == 255 && kinds.is_sorted());
    }

    #[test]
    fn kind_key_and_bytes_all_count() {
        let base = entry_hash(EntryKind::Flag, "ab", b"c");
        assert_eq!(base, entry_hash(EntryKind::Flag, "ab", b"c"));
        assert_ne!(base, entry_hash(EntryKind::Segment, "ab", b"c"));
        assert_ne!(base, entry_hash(EntryKind::Flag, "a", b"bc"));
        assert_ne!(base, entry_hash(EntryKind::Flag, "ab", b"d"));
    }

    #[test]
    fn the_layout_of_the_hashed_bytes_is_the_agreed_one() {
        assert_eq!(
            entry_hash(EntryKind::Flag, "ab", b"xyz"),
            XxHash3_128::oneshot(b"\x01\x02\x00\x00\x00abxyz")
        );
    }

    #[test]
    fn a_digest_is_shown_as_32_digits() {
        assert_eq!(Digest(255).to_string(), format!("{}ff", "0".repeat(30)));
    }
}
