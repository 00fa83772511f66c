//! The bytes of a snapshot file.
//!
//! Layout, numbers big-endian: magic (8, its last byte the version), XXH3-128 of all that follows (16), environment and
//! flag set (each u16 length and UTF-8), lineage (16), number (8), digest (16), then the entries framed as on the wire.
//! The checksum finds a torn file; the digest, checked against the entries, finds a file that was written wrongly.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use evaluation::{Digest, EntryId, Lineage, Revision, entry_hash};
use proto::entry::{FramingError, frame, unframe};
use twox_hash::XxHash3_128;

use crate::snapshot::Stamp;

const MAGIC: &[u8; 8] = b"tg-snap\x01";
const CHECKED_FROM: usize = MAGIC.len() + size_of::<u128>();

/// What a snapshot is of: an agent started for another environment must not serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Key of the environment; at most 200 bytes.
    pub(crate) environment: String,
    /// Key of the flag set; empty: all. At most 200 bytes.
    pub(crate) flag_set: String,
}

/// A snapshot as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Which one.
    pub(crate) stamp: Stamp,
    /// The bodies as received.
    pub(crate) entries: BTreeMap<EntryId, Bytes>,
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

impl Stored {
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
        for (id, body) in &self.entries {
            file.put(frame(id.kind, &id.key, Some(body)));
        }
        let checksum = XxHash3_128::oneshot(&file[CHECKED_FROM..]);
        file[MAGIC.len()..CHECKED_FROM].copy_from_slice(&checksum.to_be_bytes());
        file.freeze()
    }

    /// Reads a file; any bytes are answered.
    pub(crate) fn decode(mut file: Bytes) -> Result<(Scope, Self), FormatError> {
        if file.len() < CHECKED_FROM || !file.starts_with(MAGIC) {
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
        let mut entries = BTreeMap::new();
        for raw in unframe(file)? {
            if let Some(body) = raw.body {
                entries.insert(
                    EntryId {
                        kind: raw.kind,
                        key: Arc::from(raw.key),
                    },
                    body,
                );
            }
        }
        let stored = Self { stamp, entries };
        let (expected, found) = (stamp.digest, stored.digest());
        if found == expected {
            Ok((scope, stored))
        } else {
            Err(FormatError::Digest { expected, found })
        }
    }
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
            .map(|(key, body)| {
                (
                    EntryId {
                        kind: EntryKind::Flag,
                        key: Arc::from(*key),
                    },
                    Bytes::copy_from_slice(body.as_bytes()),
                )
            })
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
        };
        stored.stamp.digest = stored.digest();
        stored
    }

    fn scope() -> Scope {
        Scope {
            environment: "production".into(),
            flag_set: String::new(),
        }
    }

    #[test]
    fn a_file_reads_back_as_it_was_written() {
        let stored = stored(3, &[("a", "one"), ("b", "two")]);
        assert_eq!(Stored::decode(stored.encode(&scope())), Ok((scope(), stored)));
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
        fn a_flipped_bit_is_found(bit in 0usize..8 * 90) {
            let mut file = stored(3, &[("a", "one"), ("b", "two")]).encode(&scope()).to_vec();
            prop_assume!(bit / 8 < file.len());
            file[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Stored::decode(file.into()).is_err());
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stored::decode(bytes.clone().into());
            let mut file = Vec::from(*MAGIC);
            file.extend(XxHash3_128::oneshot(&bytes).to_be_bytes());
            file.extend(bytes);
            let _ = Stored::decode(file.into());
        }
    }
}
