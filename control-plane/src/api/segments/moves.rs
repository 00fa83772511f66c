//! Units that come to one of a segment's lists or leave it: which chunks that writes, and how many units it moves.
//!
//! Pure. A unit stands on one list at most, so whoever comes to one leaves the other.

use evaluation::Key;
use proto::v1;
use tonic::Status;

use crate::{members::Members, record::SegmentRecord, segments::Prepared, state::State};

/// Units that come to a list or leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// They come, and leave the other list.
    In,
    /// They leave.
    Out,
}

impl Move {
    /// In the words of the audit.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::In => "segment.add_members",
            Self::Out => "segment.remove_members",
        }
    }
}

/// A segment after units were moved, and how many were.
pub(super) fn moved(
    state: &State,
    environment: &Key,
    before: &SegmentRecord,
    list: v1::MemberList,
    units: &[String],
    direction: Move,
) -> Result<(Prepared, u32), Status> {
    let chunks = state.chunks_of(environment);
    let (this, other) = lists(before, list);
    let (this, other) = match direction {
        Move::In => (
            this.edited(chunks, units, &[])?,
            Some(other.edited(chunks, &[], units)?),
        ),
        Move::Out => (this.edited(chunks, &[], units)?, None),
    };
    let count = match direction {
        Move::In => this.added,
        Move::Out => this.removed,
    };
    let mut record = before.clone();
    record.version += 1;
    let mut fresh = this.fresh;
    let (own, opposite) = match list {
        v1::MemberList::Excluded => (&mut record.excluded, &mut record.included),
        v1::MemberList::Included | v1::MemberList::Unspecified => (&mut record.included, &mut record.excluded),
    };
    *own = this.members;
    if let Some(mut other) = other {
        *opposite = other.members;
        fresh.append(&mut other.fresh);
    }
    // Lists have 500,000 units at most, and a message far fewer than 2^32.
    let prepared = Prepared {
        record,
        fresh,
        concerns_references: false,
    };
    Ok((prepared, count as u32))
}

/// A list, and the other one.
pub(super) fn lists(record: &SegmentRecord, list: v1::MemberList) -> (&Members, &Members) {
    match list {
        v1::MemberList::Excluded => (&record.excluded, &record.included),
        v1::MemberList::Included | v1::MemberList::Unspecified => (&record.included, &record.excluded),
    }
}
