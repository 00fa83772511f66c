//! Where things lie in the store: `/tg/v1/<kind>/<environment>/<key or id>`, numbers big-endian.
//!
//! The only place that builds a key (those of webhooks and of what is pushed are in files beside it); `health/load.rs`
//! reads the numbers at the end of the keys of its own pages. Once released, a layout is never changed, only added to.

mod pushes;
mod webhooks;

use bytes::Bytes;
use evaluation::Key;
use uuid::Uuid;

use crate::members::ChunkId;

pub(crate) use pushes::{behind_pushed, push_waiting, pushed, pushes, rollout_of_pushed};
pub(crate) use webhooks::{
    all_delivered, all_deliveries, all_waiting, delivered, deliveries, queued, tally, waiting, webhook,
    webhook_register,
};

const ROOT: &str = "/tg/v1/";

/// What a key of the live state names; keys of history and health inputs are not state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An environment.
    Environment(Key),
    /// A flag of an environment.
    Flag(Key, Key),
    /// The rollout that holds a flag.
    Active(Key, Key),
    /// A plan document.
    Plan(Key, Key),
    /// A rollout.
    Rollout(Key, Uuid),
    /// What a rollout wants exposed; written only when that changes.
    Exposure(Key, Uuid),
    /// How much a rollout's stage has soaked.
    Soak(Key, Uuid),
    /// That it was told that a visit of a rollout's stage is stuck.
    Stuck(Key, Uuid, u32),
    /// That it was alerted in a visit of a rollout's stage, and of what.
    Alerted(Key, Uuid, u32, String),
    /// The abort latch of a rollout.
    Latch(Key, Uuid),
    /// The evidence of a rollout.
    Evidence(Key, Uuid),
    /// The sums of one visit of a stage: (stage, visit).
    Sums(Key, Uuid, (u8, u32)),
    /// Measurements of a rollout that were pushed and are not counted yet.
    Waiting(Key, Uuid, Uuid),
    /// A scheduled change.
    Schedule(Key, Uuid),
    /// A segment of an environment.
    Segment(Key, Key),
    /// A baseline of an environment.
    Baseline(Key, Key),
    /// A chunk of the member lists of an environment's segments.
    Chunk(Key, ChunkId),
    /// Written whenever an environment gets or leaves a place in the order.
    Arrangement,
    /// A webhook.
    Webhook(Key),
    /// Written whenever a webhook is created.
    WebhookRegister,
    /// Written with every document that comes to be in an environment.
    Population(Key),
    /// Written with every change of what an environment's documents read of each other.
    References(Key),
    /// An audit record.
    Act(Key, Uuid),
    /// Events of one moment of a rollout.
    Events(Key, Uuid),
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

/// An environment.
pub(crate) fn environment(environment: &Key) -> Bytes {
    with(format!("{ROOT}environment/").into_bytes(), &[environment.as_bytes()])
}

/// A flag.
pub(crate) fn flag(environment: &Key, key: &Key) -> Bytes {
    path("flag", environment, key.as_bytes()).into()
}

/// A segment.
pub(crate) fn segment(environment: &Key, key: &Key) -> Bytes {
    path("segment", environment, key.as_bytes()).into()
}

/// A chunk of the member lists of an environment's segments.
pub(crate) fn chunk(environment: &Key, id: ChunkId) -> Bytes {
    path("chunk", environment, &id.0.to_be_bytes()).into()
}

/// Written with every document that comes to be in an environment, so that a deletion of the environment meets it.
pub(crate) fn population(environment: &Key) -> Bytes {
    path("meta", environment, b"population").into()
}

/// Written with every change of what an environment's documents read of each other, so that two such changes meet.
pub(crate) fn references(environment: &Key) -> Bytes {
    path("meta", environment, b"references").into()
}

/// Written whenever an environment gets or leaves a place in the order of promotion.
pub(crate) fn arrangement() -> Bytes {
    format!("{ROOT}meta/arrangement").into()
}

/// The prefix of the uploads of an environment: chunks that no document names yet.
pub(crate) fn uploads(environment: &Key) -> Bytes {
    path("meta", environment, b"upload/").into()
}

/// An upload.
pub(crate) fn upload(environment: &Key, id: Uuid) -> Bytes {
    with(uploads(environment).into(), &[id.as_bytes()])
}

/// The prefix of all versions of an environment's documents of a kind.
pub(crate) fn histories(kind: &str, environment: &Key) -> Bytes {
    format!("{ROOT}hist/{kind}/{environment}/").into()
}

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

/// A plan.
pub(crate) fn plan(environment: &Key, key: &Key) -> Bytes {
    path("plan", environment, key.as_bytes()).into()
}

/// A baseline.
pub(crate) fn baseline(environment: &Key, key: &Key) -> Bytes {
    path("baseline", environment, key.as_bytes()).into()
}

/// The abort latch of a rollout.
pub(crate) fn latch(environment: &Key, id: Uuid) -> Bytes {
    path("latch", environment, id.as_bytes()).into()
}

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

/// How many rollouts an environment has had.
pub(crate) fn rollout_count(environment: &Key) -> Bytes {
    path("meta", environment, b"rollouts").into()
}

/// The rollout with an index.
pub(crate) fn index(environment: &Key, index: u32) -> Bytes {
    path("index", environment, &index.to_be_bytes()).into()
}

/// The prefix of what is known of agents.
pub(crate) fn agents() -> Vec<u8> {
    format!("{ROOT}agent/").into_bytes()
}

/// What is known of an agent.
pub(crate) fn agent(environment: &Key, id: &str) -> Bytes {
    path("agent", environment, id.as_bytes()).into()
}

/// A scheduled change.
pub(crate) fn schedule(environment: &Key, id: Uuid) -> Bytes {
    path("schedule", environment, id.as_bytes()).into()
}

/// A version of a subject, kept for ever.
pub(crate) fn history(kind: &str, environment: &Key, key: &str, version: u32) -> Bytes {
    with(versions(kind, environment, key).into(), &[&version.to_be_bytes()])
}

/// The prefix of a subject's versions, in the order of their numbers.
pub(crate) fn versions(kind: &str, environment: &Key, key: &str) -> Bytes {
    format!("{ROOT}hist/{kind}/{environment}/{key}/").into()
}

/// The prefix of an environment's audit records, in the order of time.
pub(crate) fn audits(environment: &Key) -> Bytes {
    path("audit", environment, b"").into()
}

/// One audit record; its id is a UUIDv7, so keys are in the order of time.
pub(crate) fn audit(environment: &Key, id: Uuid) -> Bytes {
    path("audit", environment, id.as_bytes()).into()
}

/// What a key of the live state names; none for any other key.
pub(crate) fn subject(key: &[u8]) -> Option<Subject> {
    let rest = key.strip_prefix(ROOT.as_bytes())?;
    let (kind, rest) = split(rest)?;
    if kind == "environment" {
        return Some(Subject::Environment(text_key(rest)?));
    }
    if kind == "webhook" {
        return Some(Subject::Webhook(text_key(rest)?));
    }
    if kind == "meta" && rest == b"arrangement" {
        return Some(Subject::Arrangement);
    }
    if kind == "meta" && rest == b"webhooks" {
        return Some(Subject::WebhookRegister);
    }
    let (environment, rest) = split(rest)?;
    let environment = Key::parse(environment).ok()?;
    match kind {
        "flag" => Some(Subject::Flag(environment, text_key(rest)?)),
        "active" => Some(Subject::Active(environment, text_key(rest)?)),
        "latch" => Some(Subject::Latch(environment, Uuid::from_slice(rest).ok()?)),
        "evidence" => {
            let (id, part) = rest.split_at_checked(16)?;
            let id = Uuid::from_slice(id).ok()?;
            if let Some(push) = part.strip_prefix(b"/push/") {
                return Some(Subject::Waiting(environment, id, Uuid::from_slice(push).ok()?));
            }
            match part.strip_prefix(b"/sums/") {
                Some([stage, visit @ ..]) => {
                    let visit = u32::from_be_bytes(visit.try_into().ok()?);
                    Some(Subject::Sums(environment, id, (*stage, visit)))
                }
                Some([]) => None,
                None => part.is_empty().then_some(Subject::Evidence(environment, id)),
            }
        }
        "schedule" => Some(Subject::Schedule(environment, Uuid::from_slice(rest).ok()?)),
        "segment" => Some(Subject::Segment(environment, text_key(rest)?)),
        "plan" => Some(Subject::Plan(environment, text_key(rest)?)),
        "baseline" => Some(Subject::Baseline(environment, text_key(rest)?)),
        "meta" => match rest {
            b"population" => Some(Subject::Population(environment)),
            b"references" => Some(Subject::References(environment)),
            _ => None,
        },
        "chunk" => {
            let id = <[u8; 16]>::try_from(rest).ok()?;
            Some(Subject::Chunk(environment, ChunkId(u128::from_be_bytes(id))))
        }
        "audit" => Some(Subject::Act(environment, Uuid::from_slice(rest).ok()?)),
        "outbox" => {
            let (id, _) = rest.split_at_checked(16)?;
            Some(Subject::Events(environment, Uuid::from_slice(id).ok()?))
        }
        "rollout" => {
            let (id, part) = rest.split_at_checked(16)?;
            let id = Uuid::from_slice(id).ok()?;
            if let Some(visit) = part.strip_prefix(b"/stuck/") {
                let visit = u32::from_be_bytes(visit.try_into().ok()?);
                return Some(Subject::Stuck(environment, id, visit));
            }
            if let Some((visit, word)) = part.strip_prefix(b"/alert/").and_then(|told| told.split_at_checked(4)) {
                let visit = u32::from_be_bytes(visit.try_into().ok()?);
                let word = std::str::from_utf8(word).ok()?.to_owned();
                return Some(Subject::Alerted(environment, id, visit, word));
            }
            match part {
                b"" => Some(Subject::Rollout(environment, id)),
                b"/exposure" => Some(Subject::Exposure(environment, id)),
                b"/soak" => Some(Subject::Soak(environment, id)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let slash = bytes.iter().position(|byte| *byte == b'/')?;
    Some((std::str::from_utf8(&bytes[..slash]).ok()?, &bytes[slash + 1..]))
}

fn text_key(bytes: &[u8]) -> Option<Key> {
    Key::parse(std::str::from_utf8(bytes).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_of_the_state_names_its_subject() {
        let (production, checkout) = (Key::parse("production").unwrap(), Key::parse("checkout").unwrap());
        // An id full of slashes must not be taken for a path.
        let id = Uuid::from_bytes([b'/'; 16]);
        for (key, expected) in [
            (environment(&production), Subject::Environment(production.clone())),
            (
                flag(&production, &checkout),
                Subject::Flag(production.clone(), checkout.clone()),
            ),
            (
                active(&production, &checkout),
                Subject::Active(production.clone(), checkout.clone()),
            ),
            (rollout(&production, id), Subject::Rollout(production.clone(), id)),
            (exposure(&production, id), Subject::Exposure(production.clone(), id)),
            (soak(&production, id), Subject::Soak(production.clone(), id)),
            (stuck(&production, id, 7), Subject::Stuck(production.clone(), id, 7)),
            (
                alerted(&production, id, 7, "hold.stale"),
                Subject::Alerted(production.clone(), id, 7, "hold.stale".to_owned()),
            ),
            (moved(&production, id, 7), Subject::Events(production.clone(), id)),
            (stuck_told(&production, id, 7), Subject::Events(production.clone(), id)),
            (
                alert(&production, id, 7, "abort"),
                Subject::Events(production.clone(), id),
            ),
            (
                baseline(&production, &checkout),
                Subject::Baseline(production.clone(), checkout.clone()),
            ),
            (latch(&production, id), Subject::Latch(production.clone(), id)),
            (evidence(&production, id), Subject::Evidence(production.clone(), id)),
            (
                sums_of(&production, id, (3, 7)),
                Subject::Sums(production.clone(), id, (3, 7)),
            ),
            (
                push_waiting(&production, id, Uuid::nil()),
                Subject::Waiting(production.clone(), id, Uuid::nil()),
            ),
            (audit(&production, id), Subject::Act(production.clone(), id)),
            (webhook(&checkout), Subject::Webhook(checkout.clone())),
            (webhook_register(), Subject::WebhookRegister),
        ] {
            assert_eq!(subject(&key), Some(expected));
        }
        for key in [
            batch(&production, id, 1),
            mark_page(&production, id, 0),
            history("flag", &production, &checkout, 1),
            transition(&production, id, 1),
            swept(),
            queued(),
            waiting(id, crate::events::position::Position::behind(7)),
            delivered(id, 7),
            tally(id),
            pushed(&production, id, "TICKET-17"),
        ] {
            assert_eq!(subject(&key), None);
        }
    }
}
