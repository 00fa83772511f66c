//! Where rollouts lie, and what is written about one: each part has a key of its own, so that what is written often is
//! small.

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use super::{path, with};

/// The rollout that holds a flag.
pub(crate) fn active(environment: &Key, flag: &Key) -> Bytes {
    path("active", environment, flag.as_bytes()).into()
}

/// A rollout.
pub(crate) fn rollout(environment: &Key, id: Uuid) -> Bytes {
    path("rollout", environment, id.as_bytes()).into()
}

/// What a rollout wants exposed.
pub(crate) fn exposure(environment: &Key, id: Uuid) -> Bytes {
    with(path("rollout", environment, id.as_bytes()), &[b"/exposure"])
}

/// How much a rollout's stage has soaked.
pub(crate) fn soak(environment: &Key, id: Uuid) -> Bytes {
    with(path("rollout", environment, id.as_bytes()), &[b"/soak"])
}

/// The unit buckets that a rollout took over from a captured baseline.
pub(crate) fn captured(environment: &Key, id: Uuid) -> Bytes {
    with(path("rollout", environment, id.as_bytes()), &[b"/captured"])
}

/// One transition of a rollout, kept for ever.
pub(crate) fn transition(environment: &Key, id: Uuid, sequence: u64) -> Bytes {
    with(
        path("rollout", environment, id.as_bytes()),
        &[b"/transition/", &sequence.to_be_bytes()],
    )
}

/// All transitions of a rollout.
pub(crate) fn transitions(environment: &Key, id: Uuid) -> Bytes {
    with(path("rollout", environment, id.as_bytes()), &[b"/transition/"])
}

/// What was known when a stage was left, by the transition that left it.
pub(crate) fn exit(environment: &Key, id: Uuid, sequence: u64) -> Bytes {
    with(
        path("rollout", environment, id.as_bytes()),
        &[b"/exit/", &sequence.to_be_bytes()],
    )
}

/// All exits of a rollout.
pub(crate) fn exits(environment: &Key, id: Uuid) -> Bytes {
    with(path("rollout", environment, id.as_bytes()), &[b"/exit/"])
}

/// That it was told that a visit of a rollout's stage is stuck.
pub(crate) fn stuck(environment: &Key, id: Uuid, visit: u32) -> Bytes {
    with(
        path("rollout", environment, id.as_bytes()),
        &[b"/stuck/", &visit.to_be_bytes()],
    )
}

/// That it was alerted in a visit of a rollout's stage; of what is a word.
pub(crate) fn alerted(environment: &Key, id: Uuid, visit: u32, word: &str) -> Bytes {
    with(
        path("rollout", environment, id.as_bytes()),
        &[b"/alert/", &visit.to_be_bytes(), word.as_bytes()],
    )
}

/// The abort latch of a rollout.
pub(crate) fn latch(environment: &Key, id: Uuid) -> Bytes {
    path("latch", environment, id.as_bytes()).into()
}

/// How many rollouts an environment has had.
pub(crate) fn rollout_count(environment: &Key) -> Bytes {
    path("meta", environment, b"rollouts").into()
}

/// The rollout with an index.
pub(crate) fn index(environment: &Key, index: u32) -> Bytes {
    path("index", environment, &index.to_be_bytes()).into()
}
