//! Where things lie in the store: `/tg/v1/<kind>/<environment>/<key or id>`, numbers big-endian.
//!
//! The only place that builds a key: here is how one is put together, what lies where is in the files beside it. Once
//! released, a layout is never changed, only added to.

mod agents;
mod documents;
mod events;
mod evidence;
mod pushes;
mod rollouts;
mod subject;
mod webhooks;

use bytes::Bytes;
use evaluation::Key;

pub(crate) use agents::{agent, agents};
pub(crate) use documents::{
    arrangement, audit, audits, baseline, chunk, environment, flag, histories, history, plan, population, references,
    schedule, segment, upload, uploads, versions,
};
pub(crate) use events::{alert, moved, outbox, stuck_told, swept};
pub(crate) use evidence::{
    batch, batches, evidence, hours, levels, mark_page, marks, position_page, positions, reading, reading_number,
    readings, sample_set, samples, sums, sums_of, sums_of_hour,
};
pub(crate) use pushes::{behind_pushed, push_waiting, pushed, pushes, rollout_of_pushed};
pub(crate) use rollouts::{
    active, alerted, captured, exit, exits, exposure, index, latch, rollout, rollout_count, soak, stuck, transition,
    transitions,
};
pub(crate) use subject::{Subject, subject};
pub(crate) use webhooks::{
    all_delivered, all_deliveries, all_waiting, delivered, deliveries, queued, tally, waiting, webhook,
    webhook_register,
};

const ROOT: &str = "/tg/v1/";

/// The prefixes that hold live state, read at the start.
pub(crate) fn state_prefixes() -> [Vec<u8>; 12] {
    let kinds = [
        "environment",
        "flag",
        "active",
        "rollout",
        "latch",
        "evidence",
        "schedule",
        "segment",
        "plan",
        "baseline",
        "webhook",
        "meta",
    ];
    kinds.map(|kind| format!("{ROOT}{kind}/").into_bytes())
}

fn path(kind: &str, environment: &Key, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(ROOT.len() + kind.len() + environment.len() + rest.len() + 2);
    key.extend_from_slice(ROOT.as_bytes());
    key.extend_from_slice(kind.as_bytes());
    key.push(b'/');
    key.extend_from_slice(environment.as_bytes());
    key.push(b'/');
    key.extend_from_slice(rest);
    key
}

fn with(mut key: Vec<u8>, parts: &[&[u8]]) -> Bytes {
    for part in parts {
        key.extend_from_slice(part);
    }
    key.into()
}
