//! How segments are shown: a line, a row in a list, a page of their own, and as a value for programs.

use proto::v1;
use serde::Serialize;

use crate::{print, rule, segment_document::SegmentDocument};

/// A segment with what the control plane knows of it, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct SegmentView {
    /// The document without its members, as `apply` takes it.
    segment: SegmentDocument,
    included: u32,
    excluded: u32,
    flags: Vec<String>,
    revision: u64,
    version: u32,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl SegmentView {
    /// Of a segment that the control plane sent.
    pub(crate) fn of(stored: &v1::StoredSegment) -> Self {
        let segment = stored.segment.clone().unwrap_or_default();
        Self {
            included: stored.included_count,
            excluded: stored.excluded_count,
            flags: stored.flags.clone(),
            revision: stored.revision,
            version: stored.version,
            created_at: print::timestamp(stored.created_at_us),
            updated_at: print::timestamp(stored.updated_at_us),
            segment: SegmentDocument::from_wire(&segment),
        }
    }
}

/// Each group in a line: all of its conditions.
fn groups(segment: &v1::Segment) -> Vec<String> {
    let group = |group: &v1::ConditionGroup| {
        let conditions = group.conditions.iter().map(rule::show_condition);
        conditions.collect::<Vec<_>>().join(" and ")
    };
    segment.groups.iter().map(group).collect()
}

fn counts(stored: &v1::StoredSegment) -> String {
    format!(
        "{} included, {} excluded",
        print::count(stored.included_count.into()),
        print::count(stored.excluded_count.into())
    )
}

/// One line: how many are on its lists, and at which revision.
pub(crate) fn summary(stored: &v1::StoredSegment) -> String {
    let key = stored
        .segment
        .as_ref()
        .map(|segment| segment.key.as_str())
        .unwrap_or_default();
    print::plain(&format!("{key}: {} (revision {})", counts(stored), stored.revision))
}

/// A table, one segment a row.
pub(crate) fn list(segments: &[v1::StoredSegment]) -> String {
    let rows = segments.iter().map(|stored| {
        let segment = stored.segment.clone().unwrap_or_default();
        [
            segment.key.clone(),
            print::count(stored.included_count.into()),
            print::count(stored.excluded_count.into()),
            segment.groups.len().to_string(),
            stored.flags.len().to_string(),
            segment.owner.clone(),
            stored.revision.to_string(),
            print::moment(stored.updated_at_us),
        ]
    });
    print::table(
        [
            "KEY", "INCLUDED", "EXCLUDED", "GROUPS", "FLAGS", "OWNER", "REVISION", "UPDATED",
        ],
        rows,
    )
}

/// Everything about one segment but its members.
pub(crate) fn page(stored: &v1::StoredSegment) -> String {
    let segment = stored.segment.clone().unwrap_or_default();
    print::pairs([
        ("key", segment.key.clone()),
        ("members", counts(stored)),
        ("conditions", groups(&segment).join("; or ")),
        ("read by", stored.flags.join(", ")),
        ("description", segment.description.clone()),
        ("owner", segment.owner.clone()),
        ("tags", segment.tags.join(", ")),
        ("revision", format!("{} (version {})", stored.revision, stored.version)),
        ("created", print::moment(stored.created_at_us)),
        ("updated", print::moment(stored.updated_at_us)),
    ])
}
