//! Requests about many documents, read: names, documents, the two environments, the changeset.

use evaluation::{Key, Violation};
use proto::{
    status::{invalid, violation},
    v1,
};
use tonic::Status;
use uuid::Uuid;

use crate::{
    api::refusal,
    apply::{DOCUMENTS, Kind, Name, Wanted, WantedSegment, Wish},
    edit,
    members::Chunks,
    segments::{self, List},
    state::State,
};

/// The documents of a request, as far as they could be read.
#[derive(Debug)]
pub(super) struct Documents(Vec<Document>);

/// One of them.
#[derive(Debug)]
struct Document {
    place: String,
    expected: u64,
    what: Read,
}

#[derive(Debug)]
enum Read {
    Flag(Box<edit::Wanted>),
    Segment(Box<segments::Wanted>, Vec<Violation>),
    Deleted(Name),
    Malformed(Violation),
}

/// Two environments: one to copy from, one to copy to.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) source: Key,
    pub(super) target: Key,
}

impl Documents {
    /// Reads them; what is wrong within a document is found with everything else that is wrong with it.
    pub(super) fn of(documents: Vec<v1::Document>) -> Result<Self, Status> {
        too_many("documents", documents.len())?;
        let read = documents.into_iter().enumerate();
        Ok(Self(read.map(|(at, document)| read_document(at, document)).collect()))
    }

    /// What they ask for.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        let wish = |document: &Document| Wish {
            place: document.place.clone(),
            expected: document.expected,
            what: match &document.what {
                Read::Flag(wanted) => Wanted::Flag(wanted.clone()),
                Read::Segment(wanted, unreadable) => Wanted::Segment(Box::new(WantedSegment {
                    wanted: segments::Wanted {
                        segment: wanted.segment.clone(),
                        included: wanted.included.clone(),
                        excluded: wanted.excluded.clone(),
                    },
                    unreadable: unreadable.clone(),
                    chunks: Chunks::new(),
                })),
                Read::Deleted(name) => Wanted::Deleted(name.clone()),
                Read::Malformed(found) => Wanted::Malformed(found.clone()),
            },
        };
        self.0.iter().map(wish).collect()
    }
}

fn read_document(at: usize, document: v1::Document) -> Document {
    let place = |kind: &str| format!("documents[{at}]{kind}");
    let (place, what) = match document.kind {
        Some(v1::document::Kind::Flag(flag)) => (place(".flag"), Read::Flag(Box::new(edit::Wanted::read(flag)))),
        Some(v1::document::Kind::Segment(segment)) => {
            let (wanted, unreadable) = read_segment(segment);
            (place(".segment"), Read::Segment(Box::new(wanted), unreadable))
        }
        Some(v1::document::Kind::Deleted(deleted)) => {
            let read = name(&deleted).map_or_else(Read::Malformed, Read::Deleted);
            (place(".deleted"), read)
        }
        None => {
            let description = "must be a flag, a segment, or the name of a document to delete";
            (place(""), Read::Malformed(violation("", description)))
        }
    };
    Document {
        place,
        expected: document.expected_revision,
        what,
    }
}

/// A segment; without members the present ones are kept.
fn read_segment(wire: v1::Segment) -> (segments::Wanted, Vec<Violation>) {
    let (mut segment, unreadable) = proto::segment::read(wire);
    let (included, excluded) = (
        std::mem::take(&mut segment.included),
        std::mem::take(&mut segment.excluded),
    );
    let (included, excluded) = if included.is_empty() && excluded.is_empty() {
        (List::Kept, List::Kept)
    } else {
        (List::Units(included), List::Units(excluded))
    };
    let wanted = segments::Wanted {
        segment,
        included,
        excluded,
    };
    (wanted, unreadable)
}

/// A document's name.
fn name(name: &v1::DocumentName) -> Result<Name, Violation> {
    let kind = match v1::DocumentKind::try_from(name.kind) {
        Ok(v1::DocumentKind::Flag) => Kind::Flag,
        Ok(v1::DocumentKind::Segment) => Kind::Segment,
        Ok(v1::DocumentKind::Unspecified) | Err(_) => {
            return Err(violation("kind", "must be flag or segment"));
        }
    };
    let key = Key::parse(&name.key).map_err(|error| violation("key", error.to_string()))?;
    Ok(Name { kind, key })
}

/// Names of documents, each once.
pub(super) fn names(wire: Vec<v1::DocumentName>) -> Result<Vec<Name>, Status> {
    too_many("names", wire.len())?;
    let (mut names, mut violations) = (Vec::new(), Vec::new());
    for (at, wire) in wire.iter().enumerate() {
        let place = format!("names[{at}]");
        match name(wire) {
            Ok(name) if names.contains(&name) => {
                violations.push(violation(place, format!("{name} is named twice")));
            }
            Ok(name) => names.push(name),
            Err(found) => violations.push(violation(format!("{place}.{}", found.field), found.description)),
        }
    }
    if violations.is_empty() {
        Ok(names)
    } else {
        Err(invalid(&violations))
    }
}

/// Refuses a copy of nothing.
pub(super) fn some(names: &[Name]) -> Result<(), Status> {
    if names.is_empty() {
        return Err(invalid(&[violation("names", "must name at least one document")]));
    }
    Ok(())
}

fn too_many(field: &str, found: usize) -> Result<(), Status> {
    if found > DOCUMENTS {
        return Err(invalid(&[violation(
            field,
            format!(
                "has {found} documents, at most {DOCUMENTS} are written at once; send them in parts under one changeset"
            ),
        )]));
    }
    Ok(())
}

/// What joins the acts: given, or drawn.
pub(super) fn changeset(text: &str) -> Result<Uuid, Status> {
    match text {
        "" => Ok(Uuid::now_v7()),
        text => Uuid::parse_str(text)
            .map_err(|_| invalid(&[violation("changeset", "must be a UUID, as a response has it, or empty")])),
    }
}

impl Pair {
    /// Two environments that are there and differ.
    pub(super) fn of(state: &State, source: &str, target: &str) -> Result<Self, Status> {
        let named = |field: &str, text: &str| refusal::environment_in(state, field, text);
        let (source, target) = (named("source", source)?, named("target", target)?);
        if source == target {
            let description = format!("is {target}, like the source; name another environment");
            return Err(invalid(&[violation("target", description)]));
        }
        Ok(Self { source, target })
    }
}
