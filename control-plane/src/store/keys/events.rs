//! Where events lie: in the order of rollouts and their transitions, so that none is told twice.

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use super::{ROOT, path, with};

/// The prefix of all events.
pub(crate) fn outbox() -> Vec<u8> {
    format!("{ROOT}outbox/").into_bytes()
}

/// The events of a transition of a rollout. The key says which, so that no transition is told twice.
pub(crate) fn moved(environment: &Key, id: Uuid, sequence: u64) -> Bytes {
    with(
        path("outbox", environment, id.as_bytes()),
        &[&sequence.to_be_bytes(), &[0]],
    )
}

/// The event that a rollout is stuck after a transition.
pub(crate) fn stuck_told(environment: &Key, id: Uuid, sequence: u64) -> Bytes {
    with(
        path("outbox", environment, id.as_bytes()),
        &[&sequence.to_be_bytes(), &[1]],
    )
}

/// An alert of a rollout after a transition; of what is a word.
pub(crate) fn alert(environment: &Key, id: Uuid, sequence: u64, word: &str) -> Bytes {
    with(
        path("outbox", environment, id.as_bytes()),
        &[&sequence.to_be_bytes(), &[2], word.as_bytes()],
    )
}

/// The revision up to which events are no longer kept.
pub(crate) fn swept() -> Bytes {
    format!("{ROOT}meta/outbox").into()
}
