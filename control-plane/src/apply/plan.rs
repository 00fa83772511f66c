//! What becomes of each document of a request, decided against one state. Pure.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::Key;

use super::{Kind, Name, Plan, Planned, Step, Wanted, WantedSegment, Wish};
use crate::{
    edit::{self, Refusal},
    record::{FlagRecord, SegmentRecord},
    references::{Overlay, StateDocuments},
    segments::{self, Prepared, Stamp, prepare_segment},
    state::State,
};

/// What is known beside the state.
#[derive(Debug)]
struct Around<'a> {
    state: &'a State,
    environment: &'a Key,
    overlay: &'a Overlay,
    /// The versions that new documents get.
    versions: &'a BTreeMap<Name, u32>,
    at_us: i64,
}

/// What becomes of the documents, or everything that is wrong with any of them and stands against any of them.
///
/// `versions` has the version that each document gets which is not there yet; the first is 1.
pub(crate) fn plan(
    state: &State,
    environment: &Key,
    wishes: &[Wish],
    versions: &BTreeMap<Name, u32>,
    at_us: i64,
) -> Result<Plan, Refusal> {
    let overlay = overlay(wishes);
    let around = Around {
        state,
        environment,
        overlay: &overlay,
        versions,
        at_us,
    };
    let mut refusal = twice(wishes);
    let mut plan = Plan::default();
    let mut moves_readers = false;
    for wish in wishes {
        let name = wish.name();
        if let Some(name) = &name {
            refusal.stale(&name.key, wish.expected, name.revision(state, environment));
        }
        match (around.step(wish, name.as_ref()), name) {
            (Ok(made), Some(name)) => {
                plan.concerns_references |= made.concerns_references;
                moves_readers |= made.moves_readers;
                let step = made.step;
                plan.documents.push(Planned { name, step });
            }
            // A document without a name is refused for it.
            (Ok(_), None) => {}
            (Err(other), _) => refusal.join(other.within(&wish.place)),
        }
    }
    // What is wrong with the documents themselves would only be said again of those that read them.
    if moves_readers && refusal.violations.is_empty() {
        refusal.broken(StateDocuments::new(state, environment, &overlay).broken());
    }
    refusal.or(plan)
}

/// What becomes of one document.
struct Made {
    step: Step,
    concerns_references: bool,
    moves_readers: bool,
}

impl Made {
    fn unchanged() -> Self {
        Self {
            step: Step::Unchanged,
            concerns_references: false,
            moves_readers: false,
        }
    }

    fn removed(step: Step) -> Self {
        Self {
            step,
            concerns_references: true,
            moves_readers: true,
        }
    }
}

impl Around<'_> {
    fn step(&self, wish: &Wish, name: Option<&Name>) -> Result<Made, Refusal> {
        match &wish.what {
            Wanted::Flag(wanted) => self.flag(name, wanted),
            Wanted::Segment(wanted) => self.segment(name, wanted),
            Wanted::Deleted(name) => self.deleted(name),
            Wanted::Malformed(found) => Err(Refusal::of(found.field.clone(), found.description.clone())),
        }
    }

    fn flag(&self, name: Option<&Name>, wanted: &edit::Wanted) -> Result<Made, Refusal> {
        let before = name.and_then(|name| self.state.flag(self.environment, &name.key));
        let known = before.map(|before| &**before);
        let prepared = edit::prepare_flag(self.state, self.environment, known, wanted.clone(), self.overlay)?;
        if known.is_some_and(|before| before.flag == prepared.flag) {
            return Ok(Made::unchanged());
        }
        Ok(Made {
            concerns_references: prepared.concerns_references,
            moves_readers: known.is_some_and(|before| edit::moves_readers(&before.flag, &prepared.flag)),
            step: Step::Flag {
                before: before.cloned(),
                after: Box::new(prepared.record(known, self.version(name, known.map(version)), self.at_us)),
            },
        })
    }

    fn segment(&self, name: Option<&Name>, wanted: &WantedSegment) -> Result<Made, Refusal> {
        let before = name.and_then(|name| self.state.segment(self.environment, &name.key));
        let known = before.map(|before| &**before);
        let stamp = Stamp {
            version: self.version(name, known.map(segment_version)),
            at_us: self.at_us,
        };
        let among = StateDocuments::new(self.state, self.environment, self.overlay);
        let prepared = prepare_segment(self.state, self.environment, known, &wanted.wanted, stamp, &among);
        let mut prepared = edit::with_unreadable(prepared, &wanted.unreadable)?;
        if known.is_some_and(|before| !prepared.differs(before)) {
            return Ok(Made::unchanged());
        }
        bring(&mut prepared, wanted, known);
        Ok(Made {
            concerns_references: prepared.concerns_references,
            moves_readers: segments::moves_readers(known, &prepared.record),
            step: Step::Segment {
                before: before.cloned(),
                after: Box::new(prepared),
            },
        })
    }

    fn deleted(&self, name: &Name) -> Result<Made, Refusal> {
        let (state, environment) = (self.state, self.environment);
        match name.kind {
            Kind::Flag => {
                let mut refusal = Refusal::default();
                refusal.held(state, environment, &name.key);
                let found = state.flag(environment, &name.key);
                let made = found.map(|record| Made::removed(Step::FlagDeleted(record.clone())));
                refusal.or(made.unwrap_or_else(Made::unchanged))
            }
            Kind::Segment => {
                let found = state.segment(environment, &name.key);
                let made = found.map(|record| Made::removed(Step::SegmentDeleted(record.clone())));
                Ok(made.unwrap_or_else(Made::unchanged))
            }
        }
    }

    /// The version that a document gets.
    fn version(&self, name: Option<&Name>, before: Option<u32>) -> u32 {
        let next = before.map(|version| version + 1);
        next.or_else(|| self.versions.get(name?).copied()).unwrap_or(1)
    }
}

fn version(record: &FlagRecord) -> u32 {
    record.version
}

fn segment_version(record: &SegmentRecord) -> u32 {
    record.version
}

/// Adds the chunks that another environment has and that this one needs.
fn bring(prepared: &mut Prepared, wanted: &WantedSegment, before: Option<&SegmentRecord>) {
    let held = before.into_iter().flat_map(SegmentRecord::chunks);
    let held = held.collect::<BTreeSet<_>>();
    for id in prepared.record.chunks() {
        if let Some(chunk) = wanted.chunks.get(&id).filter(|_| !held.contains(&id)) {
            prepared.fresh.insert(id, chunk.clone());
        }
    }
}

/// The documents as they would be.
fn overlay(wishes: &[Wish]) -> Overlay {
    let mut overlay = Overlay::default();
    for wish in wishes.iter().filter(|wish| wish.name().is_some()) {
        match &wish.what {
            Wanted::Flag(wanted) => {
                let flag = wanted.flag.clone();
                overlay.flags.insert(flag.key.clone(), Some(flag));
            }
            Wanted::Segment(wanted) => {
                let segment = wanted.wanted.segment.clone();
                overlay.segments.insert(segment.key.clone(), Some(segment));
            }
            Wanted::Deleted(name) => match name.kind {
                Kind::Flag => _ = overlay.flags.insert(name.key.clone(), None),
                Kind::Segment => _ = overlay.segments.insert(name.key.clone(), None),
            },
            Wanted::Malformed(_) => {}
        }
    }
    overlay
}

/// Documents that are named twice.
fn twice(wishes: &[Wish]) -> Refusal {
    let mut first = BTreeMap::new();
    let mut refusal = Refusal::default();
    for (wish, name) in wishes.iter().filter_map(|wish| Some((wish, wish.name()?))) {
        if let Some(other) = first.get(&name) {
            refusal.join(Refusal::of(
                wish.place.clone(),
                format!("{name} is also {other}; each document may be named once"),
            ));
        } else {
            first.insert(name, &wish.place);
        }
    }
    refusal
}
