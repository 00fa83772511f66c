//! Segments between the wire and `evaluation`.

use evaluation::{Key, Segment, Violation};

use crate::{condition, read::Reader, v1};

impl From<&Segment> for v1::Segment {
    fn from(segment: &Segment) -> Self {
        let group = |conditions: &Vec<evaluation::Condition>| v1::ConditionGroup {
            conditions: conditions.iter().map(v1::Condition::from).collect(),
        };
        Self {
            key: segment.key.to_string(),
            description: segment.description.clone(),
            owner: segment.owner.clone(),
            tags: segment.tags.iter().cloned().collect(),
            included: segment.included.clone(),
            excluded: segment.excluded.clone(),
            groups: segment.groups.iter().map(group).collect(),
        }
    }
}

/// Reads a segment, and every violation of the wire form at once. With violations the segment is what could be read: good
/// for finding out what else is wrong with it, and for nothing more.
pub fn read(segment: v1::Segment) -> (Segment, Vec<Violation>) {
    let mut reader = Reader::default();
    let groups = segment.groups.into_iter().enumerate();
    let groups = groups
        .map(|(at, group)| condition::read_all(&mut reader, &format!("groups[{at}].conditions"), group.conditions))
        .collect();
    let segment = Segment {
        key: reader.key("key", &segment.key).unwrap_or_else(Key::first),
        description: segment.description,
        owner: segment.owner,
        tags: segment.tags.into_iter().collect(),
        included: segment.included,
        excluded: segment.excluded,
        groups,
    };
    (segment, reader.violations.into_list())
}

impl TryFrom<v1::Segment> for Segment {
    type Error = Vec<Violation>;

    /// Reads a segment; on failure every violation of the wire form at once.
    fn try_from(segment: v1::Segment) -> Result<Self, Vec<Violation>> {
        match read(segment) {
            (segment, violations) if violations.is_empty() => Ok(segment),
            (_, violations) => Err(violations),
        }
    }
}
