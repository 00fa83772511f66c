//! Many documents written together or not at all: what becomes of each, and the one transaction that does it.
//!
//! Every document is checked among all that is written with it, so that a flag and the segment that it reads can arrive
//! together, in any order; everything that is wrong with any of them is said at once. What is equal is left alone, and a
//! kill is never changed.

mod plan;
mod txn;

use std::sync::Arc;

use evaluation::{Key, Violation};

pub(crate) use self::{
    plan::plan,
    txn::{room, write},
};
use crate::{
    edit,
    members::Chunks,
    record::{FlagRecord, SegmentRecord},
    segments::{self, Prepared},
    state::State,
};

/// The most documents that are written together.
pub(crate) const DOCUMENTS: usize = 50;

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A flag.
    Flag,
    /// A segment.
    Segment,
}

/// A document's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its key.
    pub(crate) key: Key,
}

/// What somebody wants to become of one document.
#[derive(Debug)]
pub(crate) struct Wish {
    /// Where it stands in the request, such as `documents[3].flag`.
    pub(crate) place: String,
    /// The revision that it was based on; 0: whatever is there.
    pub(crate) expected: u64,
    /// What.
    pub(crate) what: Wanted,
}

/// A document as wanted.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// A flag.
    Flag(Box<edit::Wanted>),
    /// A segment.
    Segment(Box<WantedSegment>),
    /// That it is gone.
    Deleted(Name),
    /// Nothing that could be read; what is wrong with it.
    Malformed(Violation),
}

/// A segment as wanted.
#[derive(Debug)]
pub(crate) struct WantedSegment {
    /// The document, as far as it could be read.
    pub(crate) wanted: segments::Wanted,
    /// What of it could not.
    pub(crate) unreadable: Vec<Violation>,
    /// Chunks of its lists that another environment brings.
    pub(crate) chunks: Chunks,
}

/// What becomes of one document.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Which.
    pub(crate) name: Name,
    /// What.
    pub(crate) step: Step,
}

/// A write, or none.
#[derive(Debug)]
pub(crate) enum Step {
    /// It is equal, or not there to be deleted.
    Unchanged,
    /// A flag is written.
    Flag {
        /// As it was; none: it was not there.
        before: Option<Arc<FlagRecord>>,
        /// As it is to be.
        after: Box<FlagRecord>,
    },
    /// A flag is deleted.
    FlagDeleted(Arc<FlagRecord>),
    /// A segment is written.
    Segment {
        /// As it was; none: it was not there.
        before: Option<Arc<SegmentRecord>>,
        /// As it is to be.
        after: Box<Prepared>,
    },
    /// A segment is deleted.
    SegmentDeleted(Arc<SegmentRecord>),
}

/// All that becomes of the documents of a request.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// In the order asked.
    pub(crate) documents: Vec<Planned>,
    /// Whether the transaction must guard the references of the environment.
    pub(crate) concerns_references: bool,
}

impl Kind {
    /// In a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Segment => "segment",
        }
    }
}

impl Name {
    /// The store revision of the document's last write; 0: it is not there.
    pub(crate) fn revision(&self, state: &State, environment: &Key) -> u64 {
        let found = match self.kind {
            Kind::Flag => state.flag(environment, &self.key).map(|record| record.revision),
            Kind::Segment => state.segment(environment, &self.key).map(|record| record.revision),
        };
        found.unwrap_or(0)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.kind.word(), self.key)
    }
}

impl Wish {
    /// Which document; none: its name could not be read.
    pub(crate) fn name(&self) -> Option<Name> {
        let is_read = |unreadable: &[Violation]| unreadable.iter().all(|found| found.field != "key");
        match &self.what {
            Wanted::Flag(wanted) => is_read(&wanted.unreadable).then(|| Name {
                kind: Kind::Flag,
                key: wanted.flag.key.clone(),
            }),
            Wanted::Segment(wanted) => is_read(&wanted.unreadable).then(|| Name {
                kind: Kind::Segment,
                key: wanted.wanted.segment.key.clone(),
            }),
            Wanted::Deleted(name) => Some(name.clone()),
            Wanted::Malformed(_) => None,
        }
    }
}

impl Plan {
    /// Whether nothing is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents
            .iter()
            .all(|planned| matches!(planned.step, Step::Unchanged))
    }
}
