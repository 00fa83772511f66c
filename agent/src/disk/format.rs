//! The bytes of a snapshot file.
//!
//! Layout, numbers big-endian: magic (8, its last byte the version), XXH3-128 of all that follows (16), environment and
//! flag set (each u16 length and UTF-8), lineage (16), number (8), digest (16), the length of the entries (8), the
//! entries framed as on the wire, and after them, framed likewise, the bodies that are served in the place of entries
//! that were not understood. Version 1 has no length and no such bodies. The checksum finds a torn file; the digest,
//! checked against the entries, finds a file that was written wrongly.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use evaluation::{Digest, EntryId, Lineage, Revision, entry_hash};
use proto::entry::{FramingError, RawEntry, frame, unframe};
use twox_hash::XxHash3_128;

use crate::snapshot::Stamp;

/// How many bytes tell a snapshot file from any other.
pub(crate) const MAGIC_BYTES: usize = 8;
const MAGIC: &[u8; MAGIC_BYTES] = b"tg-snap\x02";
/// Written before bodies were kept for entries that are held back; still read.
const MAGIC_1: &[u8; MAGIC_BYTES] = b"tg-snap\x01";
const CHECKED_FROM: usize = MAGIC.len() + size_of::<u128>();

/// What a snapshot is of: an agent started for another environment must not serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Key of the environment; at most 200 bytes.
    pub(crate) environment: String,
    /// Key of the flag set; empty: all. At most 200 bytes.
    pub(crate) flag_set: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "environment {}", self.environment)?;
        match self.flag_set.as_str() {
            "" => out.write_str(", all flag sets"),
            set => write!(out, ", flag set {set}"),
        }
    }
}

/// A snapshot as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Which one.
    pub(crate) stamp: Stamp,
    /// The bodies as received.
    pub(crate) entries: BTreeMap<EntryId, Bytes>,
    /// What is served in the place of entries that were not understood when they came: their last body that was; None:
    /// there was none.
    pub(crate) kept: BTreeMap<EntryId, Option<Bytes>>,
}

/// Why bytes are not a snapshot file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    /// It does not begin as such a file does.
    #[error("not a snapshot file of this version")]
    Magic,
    /// Torn or damaged.
    #[error("checksum differs: the file is torn or damaged")]
    Checksum,
    /// Whole, yet it ends too early.
    #[error("its header is incomplete")]
    Header,
    /// Whole, yet its entries are not.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// Whole, yet it is not the snapshot that it says.
    #[error("its entries have the digest {found}, not {expected}")]
    Digest {
        /// As written in the header.
        expected: Digest,
        /// Of the entries.
        found: Digest,
    },
}

/// Whether a file that begins so may be a snapshot file.
pub(crate) fn begins_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(MAGIC_1)
}

impl Stored {
    /// No entries, under this name: what a whole snapshot is written over.
    pub(crate) fn nothing(stamp: Stamp) -> Self {
        Self {
            stamp,
            entries: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    /// The digest of the entries.
    pub(crate) fn digest(&self) -> Digest {
        let hashes = self.entries.iter().map(|(id, body)| entry_hash(id.kind, &id.key, body));
        Digest(hashes.fold(0, u128::wrapping_add))
    }

    /// The whole file.
    pub(crate) fn encode(&self, scope: &Scope) -> Bytes {
        let mut file = BytesMut::new();
        file.put_slice(MAGIC);
        file.put_u128(0);
        put_text(&mut file, &scope.environment);
        put_text(&mut file, &scope.flag_set);
        file.put_u128(self.stamp.revision.lineage.0);
        file.put_u64(self.stamp.revision.number);
        file.put_u128(self.stamp.digest.0);
        let entries = framed(self.entries.iter().map(|(id, body)| (id, Some(body))));
        file.put_u64(entries.len() as u64);
        file.put(entries);
        file.put(framed(self.kept.iter().map(|(id, body)| (id, body.as_ref()))));
        let checksum = XxHash3_128::oneshot(&file[CHECKED_FROM..]);
        file[MAGIC.len()..CHECKED_FROM].copy_from_slice(&checksum.to_be_bytes());
        file.freeze()
    }

    /// Reads a file; any bytes are answered.
    pub(crate) fn decode(mut file: Bytes) -> Result<(Scope, Self), FormatError> {
        let first = file.starts_with(MAGIC_1);
        if file.len() < CHECKED_FROM || !(first || file.starts_with(MAGIC)) {
            return Err(FormatError::Magic);
        }
        file.advance(MAGIC.len());
        if file.get_u128() != XxHash3_128::oneshot(&file) {
            return Err(FormatError::Checksum);
        }
        let scope = Scope {
            environment: take_text(&mut file)?,
            flag_set: take_text(&mut file)?,
        };
        let stamp = take_stamp(&mut file)?;
        let entries = if first {
            std::mem::take(&mut file)
        } else {
            take_section(&mut file)?
        };
        let stored = Self {
            stamp,
            entries: unframed(entries)?
                .into_iter()
                .filter_map(|(id, body)| Some((id, body?)))
                .collect(),
            kept: unframed(file)?,
        };
        let (expected, found) = (stamp.digest, stored.digest());
        if found == expected {
            Ok((scope, stored))
        } else {
            Err(FormatError::Digest { expected, found })
        }
    }
}

fn framed<'e>(entries: impl Iterator<Item = (&'e EntryId, Option<&'e Bytes>)>) -> Bytes {
    let mut bytes = BytesMut::new();
    for (id, body) in entries {
        bytes.put(frame(id.kind, &id.key, body));
    }
    bytes.freeze()
}

fn unframed(bytes: Bytes) -> Result<BTreeMap<EntryId, Option<Bytes>>, FramingError> {
    let named = |raw: RawEntry| {
        let id = EntryId {
            kind: raw.kind,
            key: Arc::from(raw.key),
        };
        (id, raw.body)
    };
    Ok(unframe(bytes)?.into_iter().map(named).collect())
}

fn take_section(file: &mut Bytes) -> Result<Bytes, FormatError> {
    let length = file.try_get_u64().map_err(|_| FormatError::Header)?;
    let length = usize::try_from(length).map_err(|_| FormatError::Header)?;
    if file.len() < length {
        return Err(FormatError::Header);
    }
    Ok(file.split_to(length))
}

fn take_stamp(file: &mut Bytes) -> Result<Stamp, FormatError> {
    let short = |_| FormatError::Header;
    let lineage = Lineage(file.try_get_u128().map_err(short)?);
    let number = file.try_get_u64().map_err(short)?;
    let digest = Digest(file.try_get_u128().map_err(short)?);
    Ok(Stamp {
        revision: Revision { lineage, number },
        digest,
    })
}

fn put_text(file: &mut BytesMut, text: &str) {
    // Keys are at most 200 bytes; a longer text would be cut, and then no agent would ask for it.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    file.put_u16(length);
    file.put_slice(&text.as_bytes()[..usize::from(length)]);
}

fn take_text(file: &mut Bytes) -> Result<String, FormatError> {
    let length = usize::from(file.try_get_u16().map_err(|_| FormatError::Header)?);
    if file.len() < length {
        return Err(FormatError::Header);
    }
    String::from_utf8(file.split_to(length).to_vec()).map_err(|_| FormatError::Header)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::EntryKind;
    use proptest::prelude::*;

    use super::*;

    fn stored(number: u64, flags: &[(&str, &str)]) -> Stored {
        let entries = flags
            .iter()
            .map(|(key, body)| (flag(key), Bytes::copy_from_slice(body.as_bytes())))
            .collect();
        let revision = Revision {
            lineage: Lineage(7),
            number,
        };
        let mut stored = Stored {
            stamp: Stamp {
                revision,
                digest: Digest(0),
            },
            entries,
            kept: BTreeMap::new(),
        };
        stored.stamp.digest = stored.digest();
        stored
    }

    fn flag(key: &str) -> EntryId {
        EntryId {
            kind: EntryKind::Flag,
            key: Arc::from(key),
        }
    }

    fn scope() -> Scope {
        Scope {
            environment: "production".into(),
            flag_set: String::new(),
        }
    }

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        let mut stored = stored(3, &[("a", "one"), ("b", "two")]);
        assert_eq!(Stored::decode(stored.encode(&scope())), Ok((scope(), stored.clone())));
        stored.kept.insert(flag("a"), None);
        stored.kept.insert(flag("b"), Some(Bytes::from_static(b"understood")));
        assert_eq!(Stored::decode(stored.encode(&scope())), Ok((scope(), stored)));
    }

    #[test]
    fn a_file_of_the_first_version_is_read() {
        let stored = stored(3, &[("a", "one"), ("b", "two")]);
        let entries = framed(stored.entries.iter().map(|(id, body)| (id, Some(body))));
        let second = stored.encode(&scope());
        let header = &second[CHECKED_FROM..second.len() - entries.len() - size_of::<u64>()];
        let checked = [header, &entries].concat();
        let sum = XxHash3_128::oneshot(&checked).to_be_bytes();
        let file = [&MAGIC_1[..], &sum, &checked].concat();
        assert_eq!(Stored::decode(file.into()), Ok((scope(), stored)));
    }

    #[test]
    fn a_file_of_any_other_length_is_refused() {
        let file = stored(3, &[("a", "one"), ("b", "two")]).encode(&scope());
        for length in 0..file.len() {
            assert!(Stored::decode(file.slice(..length)).is_err(), "length {length}");
        }
        let longer = [&file[..], b"\0"].concat();
        assert_eq!(Stored::decode(longer.into()), Err(FormatError::Checksum));
    }

    #[test]
    fn a_file_that_is_not_what_it_says_is_refused() {
        let mut stored = stored(3, &[("a", "one")]);
        stored.stamp.digest = Digest(1);
        assert!(matches!(
            Stored::decode(stored.encode(&scope())),
            Err(FormatError::Digest { .. })
        ));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_found(bit in 0usize..8 * 120) {
            let mut file = stored(3, &[("a", "one"), ("b", "two")]).encode(&scope()).to_vec();
            prop_assume!(bit / 8 < file.len());
            file[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Stored::decode(file.into()).is_err());
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stored::decode(bytes.clone().into());
            for magic in [MAGIC, MAGIC_1] {
                let mut file = Vec::from(*magic);
                file.extend(XxHash3_128::oneshot(&bytes).to_be_bytes());
                file.extend(&bytes);
                let _ = Stored::decode(file.into());
            }
        }
    }
}
