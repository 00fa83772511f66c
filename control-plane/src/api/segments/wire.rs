//! Requests and answers about segments, between the wire and what is written.

use std::collections::BTreeSet;

use evaluation::{Segment, Violation};
use proto::{
    status::{invalid, violation},
    v1,
};
use tonic::Status;

use super::super::{mask, page};
use crate::{
    record::SegmentRecord,
    segments::{List, Prepared, Wanted},
};

/// The fields that a mask may name; the key says which segment, and cannot be changed.
const FIELDS: [&str; 7] = ["key", "description", "owner", "tags", "included", "excluded", "groups"];

/// A wanted segment as it was read, with what could not be.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) wanted: Wanted,
    unreadable: Vec<Violation>,
}

/// An update as it was asked for, before it is known what it changes.
#[derive(Debug)]
pub(super) struct Update {
    key: String,
    segment: Segment,
    unreadable: Vec<Violation>,
    included: List,
    excluded: List,
    /// None: all.
    fields: Option<BTreeSet<&'static str>>,
}

impl Written {
    /// A segment to be created.
    pub(super) fn create(wire: v1::Segment) -> Self {
        let (mut segment, unreadable) = proto::segment::read(wire);
        let wanted = Wanted {
            included: List::Units(std::mem::take(&mut segment.included)),
            excluded: List::Units(std::mem::take(&mut segment.excluded)),
            segment,
        };
        Self { wanted, unreadable }
    }

    /// Whether it has a key that can be looked for.
    pub(super) fn has_key(&self) -> bool {
        self.unreadable.iter().all(|violation| violation.field != "key")
    }

    /// What was prepared, if everything could be read; else all that is wrong. What could not be read stands in the
    /// document as its empty form, and its own rule would only say it again.
    pub(super) fn with_unreadable(
        &self,
        prepared: Result<Prepared, Vec<Violation>>,
    ) -> Result<Prepared, Vec<Violation>> {
        if self.unreadable.is_empty() {
            return prepared;
        }
        let known = |found: &Violation| {
            let mut unreadable = self.unreadable.iter();
            unreadable.any(|known| is_within(&found.field, &known.field))
        };
        let meaningless = prepared.err().unwrap_or_default();
        let news = meaningless.into_iter().filter(|found| !known(found));
        Err(self.unreadable.iter().cloned().chain(news).collect())
    }
}

impl Update {
    /// Reads an update; fields that its mask does not name are not looked at.
    pub(super) fn read(mut wire: v1::Segment, update_mask: Option<prost_types::FieldMask>) -> Result<Self, Status> {
        let fields = mask::fields(update_mask, &FIELDS)?;
        let takes = |field: &str| fields.as_ref().is_none_or(|fields| fields.contains(field));
        let both_empty = wire.included.is_empty() && wire.excluded.is_empty();
        let keeps = |field: &str| !takes(field) || (fields.is_none() && both_empty);
        let (keeps_included, keeps_excluded) = (keeps("included"), keeps("excluded"));
        let list = |kept: bool, units: Vec<String>| if kept { List::Kept } else { List::Units(units) };
        let included = list(keeps_included, std::mem::take(&mut wire.included));
        let excluded = list(keeps_excluded, std::mem::take(&mut wire.excluded));
        if !takes("groups") {
            wire.groups.clear();
        }
        let key = wire.key.clone();
        let (segment, unreadable) = proto::segment::read(wire);
        Ok(Self {
            key,
            segment,
            unreadable,
            included,
            excluded,
            fields,
        })
    }

    /// Which segment, as the request names it.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What it makes of a segment.
    pub(super) fn of(&self, before: &SegmentRecord) -> Written {
        let takes = |field: &str| self.fields.as_ref().is_none_or(|fields| fields.contains(field));
        let mut segment = before.segment.clone();
        if takes("description") {
            segment.description.clone_from(&self.segment.description);
        }
        if takes("owner") {
            segment.owner.clone_from(&self.segment.owner);
        }
        if takes("tags") {
            segment.tags.clone_from(&self.segment.tags);
        }
        if takes("groups") {
            segment.groups.clone_from(&self.segment.groups);
        }
        Written {
            wanted: Wanted {
                segment,
                included: self.included.clone(),
                excluded: self.excluded.clone(),
            },
            unreadable: self.unreadable.clone(),
        }
    }
}

/// Whether a field is another one or a part of it: `groups[1].conditions` is of `groups[1]`, `groups[10]` is not.
fn is_within(field: &str, whole: &str) -> bool {
    field
        .strip_prefix(whole)
        .is_some_and(|part| part.is_empty() || part.starts_with(['.', '[']))
}

/// Fields of the segment within the request.
pub(super) fn named_fields(violations: Vec<Violation>) -> Vec<Violation> {
    let within = |violation: Violation| Violation {
        field: format!("segment.{}", violation.field).trim_end_matches('.').to_owned(),
        ..violation
    };
    violations.into_iter().map(within).collect()
}

/// Which list a request names.
pub(super) fn list(number: i32) -> Result<v1::MemberList, Status> {
    v1::MemberList::try_from(number).map_err(|_| invalid(&[violation("list", format!("{number} is not a list"))]))
}

/// The token of a page of a list that ended with a unit.
pub(super) fn token(list: v1::MemberList, last: &str) -> String {
    format!("{}{last}", mark(list))
}

/// The unit behind which a page begins.
pub(super) fn after(list: v1::MemberList, token: &str) -> Result<Option<&str>, Status> {
    match token {
        "" => Ok(None),
        token => token.strip_prefix(mark(list)).map(Some).ok_or_else(page::wrong_token),
    }
}

/// A token is of one list.
fn mark(list: v1::MemberList) -> &'static str {
    match list {
        v1::MemberList::Excluded => "excluded:",
        v1::MemberList::Included | v1::MemberList::Unspecified => "included:",
    }
}

/// A segment as an answer shows it.
pub(super) fn stored(record: &SegmentRecord, flags: Vec<String>) -> v1::StoredSegment {
    v1::StoredSegment {
        segment: Some(v1::Segment::from(&record.segment)),
        revision: record.revision,
        version: record.version,
        created_at_us: record.created_at_us,
        updated_at_us: record.updated_at_us,
        // At most 500,000 each.
        included_count: record.included.count() as u32,
        excluded_count: record.excluded.count() as u32,
        flags,
    }
}
