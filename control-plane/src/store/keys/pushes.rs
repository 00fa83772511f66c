//! Where measurements lie that were pushed: their keys in the order of rollouts, and those that are not counted yet beside
//! the evidence of theirs.

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use super::{path, with};

/// Behind every key of a measurement, which is of ASCII.
const BEHIND: u8 = 0xff;

/// The prefix of the measurements of an environment, by rollout.
pub(crate) fn pushes(environment: &Key) -> Bytes {
    path("push", environment, b"").into()
}

/// A measurement of a rollout, by its own key.
pub(crate) fn pushed(environment: &Key, rollout: Uuid, key: &str) -> Bytes {
    with(path("push", environment, rollout.as_bytes()), &[b"/", key.as_bytes()])
}

/// The rollout of a measurement; none: it is no key of one.
pub(crate) fn rollout_of_pushed(environment: &Key, key: &[u8]) -> Option<Uuid> {
    let rest = key.strip_prefix(&*pushes(environment))?;
    let (id, _) = rest.split_at_checked(16)?;
    Uuid::from_slice(id).ok()
}

/// Behind all measurements of a rollout.
pub(crate) fn behind_pushed(environment: &Key, rollout: Uuid) -> Bytes {
    with(path("push", environment, rollout.as_bytes()), &[b"/", &[BEHIND]])
}

/// Measurements of a rollout that are not counted yet.
pub(crate) fn push_waiting(environment: &Key, rollout: Uuid, id: Uuid) -> Bytes {
    with(
        path("evidence", environment, rollout.as_bytes()),
        &[b"/push/", id.as_bytes()],
    )
}
