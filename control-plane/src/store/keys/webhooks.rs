//! Where webhooks lie, and what is kept of their deliveries.
//!
//! A webhook lies under its key, as an environment does. Its deliveries lie under its id, so that one that is deleted and
//! created again finds none of them.

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use super::{ROOT, with};
use crate::events::position::Position;

/// A webhook.
pub(crate) fn webhook(key: &Key) -> Bytes {
    with(format!("{ROOT}webhook/").into_bytes(), &[key.as_bytes()])
}

/// Written whenever a webhook is created, so that two such changes meet.
pub(crate) fn webhook_register() -> Bytes {
    format!("{ROOT}meta/webhooks").into()
}

/// The last event that was put before webhooks.
pub(crate) fn queued() -> Bytes {
    format!("{ROOT}meta/queued").into()
}

/// The prefix of what is kept of the deliveries of all webhooks.
pub(crate) fn all_deliveries() -> Vec<u8> {
    format!("{ROOT}delivery/").into_bytes()
}

/// The prefix of what is kept of the deliveries of a webhook.
pub(crate) fn deliveries(webhook: Uuid) -> Bytes {
    with(all_deliveries(), &[webhook.as_bytes(), b"/"])
}

/// The prefix of the deliveries of a webhook that wait, in the order of the stream.
pub(crate) fn all_waiting(webhook: Uuid) -> Bytes {
    with(deliveries(webhook).into(), &[b"waiting/"])
}

/// A delivery of a webhook that waits.
pub(crate) fn waiting(webhook: Uuid, position: Position) -> Bytes {
    let Position { revision, index } = position;
    with(
        all_waiting(webhook).into(),
        &[&revision.to_be_bytes(), &index.to_be_bytes()],
    )
}

/// The prefix of the deliveries of a webhook that have ended, in the order of their ends.
pub(crate) fn all_delivered(webhook: Uuid) -> Bytes {
    with(deliveries(webhook).into(), &[b"ended/"])
}

/// A delivery of a webhook that has ended; ends are counted from 1.
pub(crate) fn delivered(webhook: Uuid, number: u64) -> Bytes {
    with(all_delivered(webhook).into(), &[&number.to_be_bytes()])
}

/// What has become of the deliveries of a webhook.
pub(crate) fn tally(webhook: Uuid) -> Bytes {
    with(deliveries(webhook).into(), &[b"tally"])
}
