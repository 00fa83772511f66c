//! What a key names, read back from its bytes.
//!
//! A key of another layout than the files beside this one write names nothing, and neither does what is not live state.

use evaluation::Key;
use uuid::Uuid;

use super::ROOT;
use crate::members::ChunkId;

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
    /// The unit buckets that a rollout took over from a captured baseline; written with a plan that has some.
    Captured(Key, Uuid),
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
    /// The sums of one visit of a stage in an hour of the week.
    Hour(Key, Uuid, (u8, u32), u8),
    /// What is held of a rollout's levels.
    Levels(Key, Uuid),
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
            if let Some([stage, visit @ .., hour]) = part.strip_prefix(b"/hours/") {
                let visit = u32::from_be_bytes(visit.try_into().ok()?);
                return Some(Subject::Hour(environment, id, (*stage, visit), *hour));
            }
            match part.strip_prefix(b"/sums/") {
                Some([stage, visit @ ..]) => {
                    let visit = u32::from_be_bytes(visit.try_into().ok()?);
                    Some(Subject::Sums(environment, id, (*stage, visit)))
                }
                Some([]) => None,
                None if part == b"/levels" => Some(Subject::Levels(environment, id)),
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
                b"/captured" => Some(Subject::Captured(environment, id)),
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
    use crate::store::keys::{
        active, alert, alerted, audit, baseline, batch, captured, delivered, environment, evidence, exposure, flag,
        history, latch, levels, mark_page, moved, push_waiting, pushed, queued, reading, rollout, soak, stuck,
        stuck_told, sums_of, sums_of_hour, swept, tally, transition, waiting, webhook, webhook_register,
    };

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
            (captured(&production, id), Subject::Captured(production.clone(), id)),
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
                sums_of_hour(&production, id, (3, 7), 167),
                Subject::Hour(production.clone(), id, (3, 7), 167),
            ),
            (levels(&production, id), Subject::Levels(production.clone(), id)),
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
            reading(&production, id, 1),
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
