//! The stored form of a segment, whose members are named by their chunks, and of a chunk.

use evaluation::Segment;
use prost::Message;

use super::{ModelError, SCHEMA, condition::StoredCondition, key, number};
use crate::{
    members::{Chunk, ChunkId, Members, Part},
    record::SegmentRecord,
};

/// A segment as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredSegment {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(string, tag = "3")]
    description: String,
    #[prost(string, tag = "4")]
    owner: String,
    #[prost(string, repeated, tag = "5")]
    tags: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    included: Vec<StoredPart>,
    #[prost(message, repeated, tag = "7")]
    excluded: Vec<StoredPart>,
    #[prost(message, repeated, tag = "8")]
    groups: Vec<StoredGroup>,
    #[prost(uint32, tag = "9")]
    version: u32,
    #[prost(int64, tag = "10")]
    created_at_us: i64,
    #[prost(int64, tag = "11")]
    updated_at_us: i64,
}

/// Units of a list whose hashes have one prefix.
#[derive(Clone, PartialEq, Message)]
struct StoredPart {
    #[prost(fixed32, tag = "1")]
    first: u32,
    #[prost(uint32, tag = "2")]
    bits: u32,
    #[prost(bytes = "vec", tag = "3")]
    chunk: Vec<u8>,
    #[prost(uint32, tag = "4")]
    count: u32,
    #[prost(uint32, tag = "5")]
    bytes: u32,
}

/// Conditions that must all hold.
#[derive(Clone, PartialEq, Message)]
struct StoredGroup {
    #[prost(message, repeated, tag = "1")]
    conditions: Vec<StoredCondition>,
}

/// A chunk as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredChunk {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    /// The units, joined.
    #[prost(string, tag = "2")]
    text: String,
    /// Bytes of each unit.
    #[prost(uint32, repeated, tag = "3")]
    lengths: Vec<u32>,
}

/// An upload as stored: chunks that were written before the document that will name them.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredUpload {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(int64, tag = "2")]
    pub(super) at_us: i64,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) chunks: Vec<Vec<u8>>,
}

impl From<&SegmentRecord> for StoredSegment {
    fn from(record: &SegmentRecord) -> Self {
        let segment = &record.segment;
        let group = |conditions: &Vec<evaluation::Condition>| StoredGroup {
            conditions: conditions.iter().map(StoredCondition::from).collect(),
        };
        Self {
            schema: SCHEMA,
            key: segment.key.to_string(),
            description: segment.description.clone(),
            owner: segment.owner.clone(),
            tags: segment.tags.iter().cloned().collect(),
            included: write_members(&record.included),
            excluded: write_members(&record.excluded),
            groups: segment.groups.iter().map(group).collect(),
            version: record.version,
            created_at_us: record.created_at_us,
            updated_at_us: record.updated_at_us,
        }
    }
}

impl StoredSegment {
    /// The segment, last written at a store revision.
    pub(super) fn read(self, revision: u64) -> Result<SegmentRecord, ModelError> {
        let group = |group: StoredGroup| group.conditions.into_iter().map(StoredCondition::read).collect();
        Ok(SegmentRecord {
            segment: Segment {
                key: key("key", &self.key)?,
                description: self.description,
                owner: self.owner,
                tags: self.tags.into_iter().collect(),
                included: Vec::new(),
                excluded: Vec::new(),
                groups: self.groups.into_iter().map(group).collect::<Result<_, _>>()?,
            },
            included: read_members("included", self.included)?,
            excluded: read_members("excluded", self.excluded)?,
            version: self.version,
            created_at_us: self.created_at_us,
            updated_at_us: self.updated_at_us,
            revision,
        })
    }
}

fn write_members(members: &Members) -> Vec<StoredPart> {
    let part = |part: &Part| StoredPart {
        first: part.first,
        bits: u32::from(part.bits),
        chunk: part.chunk.0.to_be_bytes().to_vec(),
        count: part.count,
        bytes: part.bytes,
    };
    members.parts().iter().map(part).collect()
}

fn read_members(field: &'static str, parts: Vec<StoredPart>) -> Result<Members, ModelError> {
    let part = |part: StoredPart| {
        Ok(Part {
            first: part.first,
            bits: u8::try_from(part.bits).map_err(|_| ModelError::Field(field))?,
            chunk: ChunkId(number(field, &part.chunk)?),
            count: part.count,
            bytes: part.bytes,
        })
    };
    let parts = parts.into_iter().map(part).collect::<Result<_, _>>()?;
    Members::from_parts(parts).ok_or(ModelError::Field(field))
}

impl From<&Chunk> for StoredChunk {
    fn from(chunk: &Chunk) -> Self {
        Self {
            schema: SCHEMA,
            text: chunk.text().to_owned(),
            lengths: chunk.units().map(|unit| unit.len() as u32).collect(),
        }
    }
}

impl StoredChunk {
    /// The chunk.
    pub(super) fn read(self) -> Result<Chunk, ModelError> {
        Chunk::from_parts(self.text, &self.lengths).ok_or(ModelError::Field("units"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::{Condition, Key, Test};
    use proptest::prelude::*;

    use super::super::{read_chunk, read_segment, read_upload, write_chunk, write_segment, write_upload};
    use super::*;

    fn record() -> SegmentRecord {
        let units = |from: u32, to: u32| (from..to).map(|unit| format!("user-{unit:020}")).collect::<Vec<_>>();
        let condition = |segment: &str| Condition {
            attribute: String::new(),
            negated: true,
            test: Test::InSegment(vec![segment.to_owned()]),
        };
        SegmentRecord {
            segment: Segment {
                key: Key::parse("staff").unwrap(),
                description: "d".to_owned(),
                owner: "o".to_owned(),
                tags: ["a".to_owned(), "b".to_owned()].into(),
                included: Vec::new(),
                excluded: Vec::new(),
                groups: vec![vec![condition("beta"), condition("eu")], vec![condition("us")]],
            },
            included: Members::of(&units(0, 5_000)).members,
            excluded: Members::of(&units(9_000, 9_001)).members,
            version: 3,
            created_at_us: 1,
            updated_at_us: 2,
            revision: 9,
        }
    }

    #[test]
    fn a_segment_its_chunks_and_an_upload_read_back_as_they_were_written() {
        assert_eq!(read_segment(&write_segment(&record()), 9).unwrap(), record());
        let edited = Members::of(&["ada".to_owned(), "bob".to_owned(), "\u{e9}ve".to_owned()]);
        for chunk in edited.fresh.values() {
            assert_eq!(read_chunk(&write_chunk(chunk)).unwrap(), **chunk);
        }
        let upload = write_upload(7, edited.fresh.keys().copied());
        assert_eq!(
            read_upload(&upload).unwrap(),
            (7, edited.fresh.keys().copied().collect())
        );
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let newer = StoredChunk {
            schema: SCHEMA + 1,
            ..StoredChunk::default()
        };
        assert_eq!(read_chunk(&newer.encode_to_vec()), Err(ModelError::Schema(SCHEMA + 1)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_an_error(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0..10_000usize,
            flip in any::<u8>(),
        ) {
            let _ = (read_segment(&bytes, 1), read_chunk(&bytes), read_upload(&bytes));
            bytes = write_segment(&record()).to_vec();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let _ = read_segment(&bytes, 1);
            let chunk = Members::of(&["ada".to_owned(), "\u{e9}ve".to_owned()]).fresh;
            for chunk in chunk.values() {
                let mut bytes = write_chunk(chunk).to_vec();
                let at = at % bytes.len();
                bytes[at] ^= flip;
                let _ = read_chunk(&bytes);
            }
        }
    }
}
