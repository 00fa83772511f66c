//! The segment that a request names: whether it is there, is what a decision was based on, and is read by nobody.

use std::sync::Arc;

use evaluation::Key;
use tonic::Status;

use crate::{
    api::refusal,
    edit::Refusal,
    record::SegmentRecord,
    references::{Overlay, StateDocuments},
    state::State,
};

/// Which segment, as a request names it.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) environment: Key,
    pub(super) key: Key,
}

/// The segment, if it is there.
pub(super) fn find<'s>(state: &'s State, named: &Named) -> Result<&'s Arc<SegmentRecord>, Status> {
    let found = state.segment(&named.environment, &named.key);
    found.ok_or_else(|| {
        Status::not_found(format!(
            "segment {} does not exist in environment {}",
            named.key, named.environment
        ))
    })
}

/// Refuses a decision that was based on another revision.
pub(super) fn current(named: &Named, expected: u64, before: &SegmentRecord) -> Result<(), Status> {
    if expected == 0 || expected == before.revision {
        Ok(())
    } else {
        Err(refusal::stale(&named.key, expected, before.revision))
    }
}

/// Refuses to take away what somebody reads.
pub(super) fn unread(state: &State, named: &Named) -> Result<(), Status> {
    let overlay = Overlay::of_segment(&named.key, None);
    let mut refusal = Refusal::default();
    refusal.broken(StateDocuments::new(state, &named.environment, &overlay).broken());
    refusal.or(()).map_err(refusal::refused)
}
