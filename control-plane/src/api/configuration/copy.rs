//! Copying: what the documents of one environment ask for in another.
//!
//! A flag goes with its salt and the buckets of its splits, so that a unit gets there what it gets here, and as enabled
//! as it is here. Its kill stays behind: whether a flag is killed is a matter of one environment.

use evaluation::{Flag, Serve};
use tonic::Status;

use super::read::Pair;
use crate::{
    apply::{Kind, Name, Wanted, WantedSegment, Wish},
    edit::{self, Refusal},
    members::Chunks,
    record::SegmentRecord,
    segments::{self, List},
    state::State,
};

/// What a copy of these documents asks for.
pub(super) fn wishes(state: &State, pair: &Pair, names: &[Name]) -> Result<Vec<Wish>, Status> {
    let (mut wishes, mut missing, mut refusal) = (Vec::new(), Vec::new(), Refusal::default());
    for (at, name) in names.iter().enumerate() {
        let what = match name.kind {
            Kind::Flag => state.flag(&pair.source, &name.key).map(|record| {
                refusal.archived(record);
                Wanted::Flag(Box::new(edit::Wanted::from(copied(&record.flag))))
            }),
            Kind::Segment => state
                .segment(&pair.source, &name.key)
                .map(|record| Wanted::Segment(Box::new(segment(state, pair, record)))),
        };
        match what {
            Some(what) => wishes.push(Wish {
                place: format!("names[{at}]"),
                expected: 0,
                what,
            }),
            None => missing.push(name.to_string()),
        }
    }
    if !missing.is_empty() {
        let (missing, source) = (missing.join(", "), &pair.source);
        return Err(Status::not_found(format!("not in environment {source}: {missing}")));
    }
    refusal.or(wishes).map_err(crate::api::refusal::refused)
}

/// A flag as another environment is to have it.
pub(super) fn copied(flag: &Flag) -> Flag {
    let mut flag = Flag {
        killed: false,
        ..flag.clone()
    };
    exact(&mut flag.default);
    flag.rules.iter_mut().for_each(|rule| exact(&mut rule.serve));
    flag
}

/// Says which buckets a split has even where its shares say it: those of the target must not be kept.
fn exact(serve: &mut Serve) {
    match serve {
        Serve::Split(split) if split.ranges.is_empty() => split.ranges.clone_from(&split.shares),
        Serve::Split(_) | Serve::Variant(_) | Serve::CallerDefault => {}
    }
}

/// A segment with its members.
fn segment(state: &State, pair: &Pair, record: &SegmentRecord) -> WantedSegment {
    let held = state.chunks_of(&pair.source);
    let chunks = record.chunks().filter_map(|id| Some((id, held.get(&id)?.clone())));
    WantedSegment {
        wanted: segments::Wanted {
            segment: record.segment.clone(),
            included: List::Laid(record.included.clone()),
            excluded: List::Laid(record.excluded.clone()),
        },
        unreadable: Vec::new(),
        chunks: chunks.collect::<Chunks>(),
    }
}
