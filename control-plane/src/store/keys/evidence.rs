//! Where the evidence of rollouts lies: its state, its sums, its pages, its batches; and its levels with their
//! readings.
//!
//! `health/load.rs` reads the numbers at the end of the keys of pages.

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use super::{path, with};

/// The evidence of a rollout.
pub(crate) fn evidence(environment: &Key, id: Uuid) -> Bytes {
    path("evidence", environment, id.as_bytes()).into()
}

/// The prefix of the sums of a rollout's visits.
pub(crate) fn sums(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/sums/"])
}

/// The sums of one visit of a stage.
pub(crate) fn sums_of(environment: &Key, id: Uuid, (stage, visit): (u8, u32)) -> Bytes {
    with(sums(environment, id).into(), &[&[stage], &visit.to_be_bytes()])
}

/// The prefix of the sums of a rollout's visits by hour of the week.
pub(crate) fn hours(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/hours/"])
}

/// The sums of one visit of a stage in an hour of the week.
pub(crate) fn sums_of_hour(environment: &Key, id: Uuid, (stage, visit): (u8, u32), hour: u8) -> Bytes {
    with(
        hours(environment, id).into(),
        &[&[stage], &visit.to_be_bytes(), &[hour]],
    )
}

/// The prefix of a rollout's pages of positions.
pub(crate) fn positions(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/positions/"])
}

/// One page of the positions of a horizon.
pub(crate) fn position_page(environment: &Key, id: Uuid, horizon: u32, page: u8) -> Bytes {
    with(positions(environment, id).into(), &[&horizon.to_be_bytes(), &[page]])
}

/// The prefix of a rollout's pages of sampled exposed positions.
pub(crate) fn samples(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/samples/"])
}

/// The sampled exposed positions of one visit of a stage.
pub(crate) fn sample_set(environment: &Key, id: Uuid, stage: u8, visit: u32) -> Bytes {
    with(samples(environment, id).into(), &[&[stage], &visit.to_be_bytes()])
}

/// The prefix of a rollout's pages of marks.
pub(crate) fn marks(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/marks/"])
}

/// One page of marks: 4,096 agents.
pub(crate) fn mark_page(environment: &Key, id: Uuid, page: u32) -> Bytes {
    with(marks(environment, id).into(), &[&page.to_be_bytes()])
}

/// The prefix of a rollout's sealed batches.
pub(crate) fn batches(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/batch/"])
}

/// The inputs of one sealed batch.
pub(crate) fn batch(environment: &Key, id: Uuid, number: u64) -> Bytes {
    with(batches(environment, id).into(), &[&number.to_be_bytes()])
}

/// What is held of a rollout's levels.
pub(crate) fn levels(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/levels"])
}

/// The prefix of the readings of a rollout's levels.
pub(crate) fn readings(environment: &Key, id: Uuid) -> Bytes {
    with(path("evidence", environment, id.as_bytes()), &[b"/readings/"])
}

/// Readings of levels that were taken in together.
pub(crate) fn reading(environment: &Key, id: Uuid, number: u64) -> Bytes {
    with(readings(environment, id).into(), &[&number.to_be_bytes()])
}

/// The number of readings that were taken in together.
pub(crate) fn reading_number(key: &[u8]) -> Option<u64> {
    let (_, number) = key.split_last_chunk::<8>()?;
    Some(u64::from_be_bytes(*number))
}
