//! The one transaction of a plan. Pure, but for the ids of its audit records.

use super::{Plan, Step};
use crate::{
    audit,
    change::{self, flag::Act},
    members::Chunks,
    segments,
    state::State,
    store::{OPERATIONS_LIMIT, Op, Txn, VALUE_LIMIT},
};

/// The documents do not fit one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the documents with their versions and their audit have {bytes} bytes in {operations} writes, and \
     {VALUE_LIMIT} bytes in {OPERATIONS_LIMIT} writes can be made together; send fewer documents at a time"
)]
pub(crate) struct Outgrown {
    /// Bytes of what would be written.
    pub(crate) bytes: usize,
    /// How many writes.
    pub(crate) operations: usize,
}

/// The transaction of a plan, without the chunks that its segments need; those beside it.
///
/// `act` says who and under which changeset; the actions are named here.
pub(crate) fn write(state: &State, plan: &Plan, act: Act<'_>) -> Result<(Txn, Chunks), Outgrown> {
    let environment = act.environment;
    let mut fresh = Chunks::new();
    let mut creates = false;
    let mut txn = Txn::default();
    for planned in &plan.documents {
        txn = match &planned.step {
            Step::Unchanged => txn,
            Step::Flag { before, after } => {
                creates |= before.is_none();
                let act = act.named(if before.is_some() { "flag.update" } else { "flag.create" });
                change::flag::write(txn, state, act, before.as_deref(), after)
            }
            Step::FlagDeleted(before) => change::flag::delete(txn, state, act.named("flag.delete"), before),
            Step::Segment { before, after } => {
                creates |= before.is_none();
                fresh.extend(after.fresh.iter().map(|(id, chunk)| (*id, chunk.clone())));
                let action = if before.is_some() {
                    "segment.update"
                } else {
                    "segment.create"
                };
                let staged = segments::Staged::default();
                change::segment::put(txn, act.named(action), before.as_deref(), &after.record, staged)
            }
            Step::SegmentDeleted(before) => change::segment::delete(txn, act.named("segment.delete"), before),
        };
    }
    if creates {
        txn = change::populate(txn, state, environment);
    }
    if plan.concerns_references {
        txn = change::guard_references(txn, state, environment);
    }
    fits(audit::joined(txn, environment)).map(|txn| (txn, fresh))
}

/// How many more bytes of chunks a transaction takes, if it takes some dozens of them.
pub(crate) fn room(txn: &Txn) -> usize {
    if txn.ops.len() + segments::FEW > OPERATIONS_LIMIT {
        return 0;
    }
    segments::ROOM.min(VALUE_LIMIT.saturating_sub(bytes(txn)))
}

fn fits(txn: Txn) -> Result<Txn, Outgrown> {
    // One more may take an upload of chunks away.
    let (bytes, operations) = (bytes(&txn), txn.ops.len() + 1);
    if bytes > VALUE_LIMIT || operations > OPERATIONS_LIMIT {
        return Err(Outgrown { bytes, operations });
    }
    Ok(txn)
}

fn bytes(txn: &Txn) -> usize {
    let size = |op: &Op| match op {
        Op::Put(_, value) => value.len(),
        Op::Delete(_) => 0,
    };
    txn.ops.iter().map(size).sum()
}
