//! Revisions and digests on the wire.
//!
//! A lineage and a digest are 16 bytes, big-endian; anything else is refused by name of the field.

use bytes::Bytes;
use evaluation::{Digest, Lineage, Revision};

use crate::v1;

/// A field that must hold 16 bytes held another number of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be 16 bytes, not {length}")]
pub struct LengthError {
    /// The field's name.
    pub field: &'static str,
    /// How many bytes it held.
    pub length: usize,
}

/// Reads 16 big-endian bytes.
pub fn read_u128(field: &'static str, bytes: &[u8]) -> Result<u128, LengthError> {
    <[u8; 16]>::try_from(bytes)
        .map(u128::from_be_bytes)
        .map_err(|_| LengthError {
            field,
            length: bytes.len(),
        })
}

/// Writes 16 big-endian bytes.
pub fn write_u128(value: u128) -> Bytes {
    Bytes::copy_from_slice(&value.to_be_bytes())
}

impl From<Revision> for v1::Revision {
    fn from(revision: Revision) -> Self {
        Self {
            lineage: write_u128(revision.lineage.0),
            number: revision.number,
        }
    }
}

impl TryFrom<&v1::Revision> for Revision {
    type Error = LengthError;

    fn try_from(revision: &v1::Revision) -> Result<Self, LengthError> {
        Ok(Self {
            lineage: Lineage(read_u128("revision.lineage", &revision.lineage)?),
            number: revision.number,
        })
    }
}

/// Reads a digest.
pub fn read_digest(bytes: &[u8]) -> Result<Digest, LengthError> {
    read_u128("digest", bytes).map(Digest)
}

/// Writes a digest.
pub fn write_digest(digest: Digest) -> Bytes {
    write_u128(digest.0)
}
