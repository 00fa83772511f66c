//! What became of documents, as it is told.

use evaluation::Key;
use proto::v1;
use tonic::Status;

use crate::{
    apply::{Kind, Name, Plan, Planned, Step},
    audit,
    document::{self, Populated},
    members::Chunks,
    record::SegmentRecord,
    segments::Prepared,
    state::State,
};

/// What becomes of each document of a plan, in the order asked; with the revision of the write, if one was made.
pub(super) fn of(
    state: &State,
    environment: &Key,
    plan: &Plan,
    written: Option<u64>,
) -> Result<Vec<v1::DocumentResult>, Status> {
    let result = |planned: &Planned| {
        let (action, changes) = told(state, environment, &planned.step)?;
        Ok(v1::DocumentResult {
            name: Some(wire(&planned.name)),
            action: action.into(),
            changes,
            revision: written.map_or(0, |written| match planned.step {
                Step::Unchanged => planned.name.revision(state, environment),
                Step::Flag { .. } | Step::Segment { .. } => written,
                Step::FlagDeleted(_) | Step::SegmentDeleted(_) => 0,
            }),
        })
    };
    plan.documents.iter().map(result).collect()
}

/// A name on the wire.
pub(super) fn wire(name: &Name) -> v1::DocumentName {
    let kind = match name.kind {
        Kind::Flag => v1::DocumentKind::Flag,
        Kind::Segment => v1::DocumentKind::Segment,
    };
    v1::DocumentName {
        kind: kind.into(),
        key: name.key.to_string(),
    }
}

fn told(state: &State, environment: &Key, step: &Step) -> Result<(v1::DocumentAction, Vec<v1::FieldChange>), Status> {
    use v1::DocumentAction as Action;
    Ok(match step {
        Step::Unchanged => (Action::Unchanged, Vec::new()),
        Step::Flag { before: None, .. } | Step::Segment { before: None, .. } => (Action::Created, Vec::new()),
        Step::Flag {
            before: Some(before),
            after,
        } => {
            let (was, is) = (audit::flag(&before.flag), audit::flag(&after.flag));
            (Action::Updated, document::differences(Some(&was), Some(&is)))
        }
        Step::Segment {
            before: Some(before),
            after,
        } => (Action::Updated, segment(state, environment, before, after)?),
        Step::FlagDeleted(_) | Step::SegmentDeleted(_) => (Action::Deleted, Vec::new()),
    })
}

fn segment(
    state: &State,
    environment: &Key,
    before: &SegmentRecord,
    after: &Prepared,
) -> Result<Vec<v1::FieldChange>, Status> {
    let held = state.chunks_of(environment);
    let chunks = after.record.chunks().filter_map(|id| {
        let chunk = after.fresh.get(&id).or_else(|| held.get(&id))?;
        Some((id, chunk.clone()))
    });
    let chunks = chunks.collect::<Chunks>();
    let was = Populated {
        record: before,
        chunks: held,
    };
    let is = Populated {
        record: &after.record,
        chunks: &chunks,
    };
    document::segment_differences(Some(was), Some(is)).map_err(|error| Status::data_loss(error.to_string()))
}
