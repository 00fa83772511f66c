//! Versions as operators see them.

use evaluation::Key;
use proto::v1;

use crate::{api::plans, history::Kept, store::model::Document};

/// A version without its document.
pub(super) fn version(kept: &Kept) -> v1::Version {
    let record = &kept.record;
    v1::Version {
        version: record.version,
        at_us: record.at_us,
        actor: record.actor.clone(),
        action: record.action.clone(),
        reason: record.reason.clone(),
        revision: kept.revision,
        deleted: record.document.is_none(),
    }
}

/// The document of a version; none of a deletion. Who reads it and which rollout holds it are facts of today.
pub(super) fn document(environment: &Key, kept: Kept) -> Option<v1::get_version_response::Document> {
    Some(match kept.record.document? {
        Document::Flag(record) => v1::get_version_response::Document::Flag(v1::StoredFlag {
            flag: Some(v1::Flag::from(&record.flag)),
            revision: kept.revision,
            version: record.version,
            created_at_us: record.created_at_us,
            updated_at_us: record.updated_at_us,
            rollout: String::new(),
            archived_at_us: record.archived_at_us.unwrap_or(0),
        }),
        Document::Segment(record) => v1::get_version_response::Document::Segment(v1::StoredSegment {
            segment: Some(v1::Segment::from(&record.segment)),
            revision: kept.revision,
            version: record.version,
            created_at_us: record.created_at_us,
            updated_at_us: record.updated_at_us,
            // At most 500,000.
            included_count: record.included.count() as u32,
            excluded_count: record.excluded.count() as u32,
            flags: Vec::new(),
        }),
        Document::Plan(record) => v1::get_version_response::Document::Plan(plans::stored(environment, &record)),
    })
}
