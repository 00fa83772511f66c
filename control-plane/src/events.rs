//! Events: what happens to rollouts, for machines outside, as CloudEvents 1.0 in JSON.
//!
//! Pure: the record of a rollout after a transition says which events that was. The one rule: no personal data. An event
//! is put together from keys, numbers and words of closed sets; who acted and why is in the audit. An event is written in
//! the transaction of what it tells, and its id is made of the rollout, the sequence and the type, so that who hears one
//! twice knows. `schemas/events.json` describes every type.

pub(crate) mod alert;
pub(crate) mod outcome;
pub(crate) mod position;
pub(crate) mod reader;
pub(crate) mod sweep;

use std::collections::BTreeSet;

use rollout::{Phase, Plan, Share};
use serde_json::{Map, Value as Json, json};

use self::outcome::Outcome;
use crate::{
    engine::harm_of,
    record::{RolloutRecord, TransitionRecord},
    stuck::Stuck,
};

/// Labels of a plan that events carry: those that statistics are kept by.
const LABELS: [&str; 3] = ["component", "pattern", "cycle"];

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The first stage is wanted.
    Started,
    /// Another stage is wanted: the next, or an earlier one.
    Advanced,
    /// The rollout waits for something, or a person has stopped its clock.
    Held,
    /// A person has dismissed what the data raised.
    Dismissed,
    /// Treatment goes to 0 % and stays there.
    Aborted,
    /// Treatment goes to 0 %, without a latch.
    RolledBack,
    /// A stage lasts for longer than the plan allows.
    Stuck,
    /// Treatment becomes the flag's default.
    Completed,
    /// Whether a component and pattern have won, and how far they came.
    Outcome,
    /// Something that people should know of, or look at now.
    Alert,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// What it is about.
    pub(crate) kind: Kind,
    /// The CloudEvent.
    pub(crate) json: String,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 10] = [
        Kind::Started,
        Kind::Advanced,
        Kind::Held,
        Kind::Dismissed,
        Kind::Aborted,
        Kind::RolledBack,
        Kind::Stuck,
        Kind::Completed,
        Kind::Outcome,
        Kind::Alert,
    ];

    /// The type of its events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Started => "rollout_started",
            Self::Advanced => "rollout_advanced",
            Self::Held => "rollout_held",
            Self::Dismissed => "rollout_dismissed",
            Self::Aborted => "rollout_aborted",
            Self::RolledBack => "rollout_rolled_back",
            Self::Stuck => "rollout_stuck",
            Self::Completed => "rollout_completed",
            Self::Outcome => "verify_outcome",
            Self::Alert => "alert",
        }
    }

    /// The kind of a type.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The events of the latest transition of a rollout; none of most.
pub(crate) fn of(record: &RolloutRecord) -> Vec<Event> {
    let Some(made) = record.transitions.last() else {
        return Vec::new();
    };
    let told = |kind: Kind, more: Json| vec![event(record, made, kind, more)];
    match made.kind.as_str() {
        "started" => told(Kind::Started, json!({})),
        "advanced" => told(Kind::Advanced, moved(record, "forward")),
        "stepped-back" => told(Kind::Advanced, moved(record, "back")),
        "held" => {
            let reasons = record.state.holds.iter().map(|reason| reason.name());
            told(Kind::Held, json!({ "reasons": reasons.collect::<Vec<_>>() }))
        }
        "dismissed" => told(Kind::Dismissed, dismissed(record, made)),
        "paused" => told(Kind::Held, json!({ "reasons": ["paused"] })),
        "rolled-back" | "superseded" => told(Kind::RolledBack, ended(record)),
        "aborted" => told(Kind::Aborted, ended(record))
            .into_iter()
            .chain(verified(record, made))
            .collect(),
        "completed" => told(Kind::Completed, json!({}))
            .into_iter()
            .chain(verified(record, made))
            .collect(),
        _ => Vec::new(),
    }
}

/// The event that a rollout is stuck.
pub(crate) fn stuck(record: &RolloutRecord, stuck: Stuck, now_us: i64) -> Event {
    let more = json!({ "since": time(stuck.since_us), "question": stuck.question(now_us) });
    event(record, &between(record, now_us), Kind::Stuck, more)
}

/// A moment between two transitions.
fn between(record: &RolloutRecord, now_us: i64) -> TransitionRecord {
    TransitionRecord {
        sequence: record.state.sequence,
        at_us: now_us,
        kind: String::new(),
        stage: record.state.stage as u32,
        detail: String::new(),
        actor: String::new(),
        dismissals: Vec::new(),
    }
}

/// How much a stage exposes of its audience: nothing while it is in the shadow.
pub(crate) fn deployed(plan: &Plan, stage: usize) -> Share {
    if plan.stages.get(stage).is_some_and(|stage| stage.shadow) {
        Share::NONE
    } else {
        plan.wanted(stage)
    }
}

fn moved(record: &RolloutRecord, direction: &str) -> Json {
    let before = record.state.visits.iter().rev().nth(1).map_or(0, |visit| visit.stage);
    json!({
        "from_stage": stage_name(record, before),
        "from_pct": percent(record.plan.deployed(before)),
        "direction": direction,
    })
}

/// The signals that a person dismissed, and of which guards; who and why is in the audit.
fn dismissed(record: &RolloutRecord, made: &TransitionRecord) -> Json {
    let signals: BTreeSet<&str> = made.dismissals.iter().map(|one| one.reason.name()).collect();
    let guards = made.dismissals.iter().filter_map(|one| one.guard);
    let guards: BTreeSet<usize> = guards.collect();
    let guards = guards.into_iter().map(|guard| harm_of(&record.plan, guard));
    json!({ "signals": signals, "guards": guards.collect::<Vec<_>>() })
}

fn ended(record: &RolloutRecord) -> Json {
    let acked = Share::new(record.acked_buckets).unwrap_or(Share::ALL);
    json!({
        "cause": record.end.as_ref().map_or("", |end| end.cause.name()),
        "acked_pct": percent(acked),
    })
}

/// What statistics are kept by, if the plan says of what.
fn verified(record: &RolloutRecord, made: &TransitionRecord) -> Option<Event> {
    let Outcome {
        component,
        pattern,
        won,
        share,
    } = Outcome::of(record)?;
    let data = json!({
        "component": component,
        "pattern": pattern,
        "won": won,
        "deployed_pct": percent(share),
        "weight": share.fraction(),
        "source": "tidegate",
    });
    Some(envelope(record, made, Kind::Outcome, Kind::Outcome.name(), data))
}

fn event(record: &RolloutRecord, made: &TransitionRecord, kind: Kind, more: Json) -> Event {
    envelope(record, made, kind, kind.name(), data(record, made, more))
}

/// What every event about a rollout says, and what this one says beside it.
fn data(record: &RolloutRecord, made: &TransitionRecord, more: Json) -> Json {
    let state = &record.state;
    let exposed = if state.phase == Phase::Completed {
        Share::ALL
    } else if state.is_withdrawn() || state.visits.is_empty() {
        Share::NONE
    } else {
        record.plan.deployed(state.stage)
    };
    let labels = LABELS.iter().filter_map(|name| {
        let value = record.plan.labels.get(*name)?;
        Some(((*name).to_owned(), Json::from(value.as_str())))
    });
    let mut data = json!({
        "environment": record.environment.as_str(),
        "flag": record.plan.flag,
        "rollout": record.name(),
        "rollout_id": record.id.to_string(),
        "sequence": made.sequence,
        "plan": record.plan.key,
        "plan_version": record.plan_version,
        "phase": state.phase.name(),
        "stage": stage_name(record, state.stage),
        "stage_position": state.stage,
        "deployed_pct": percent(exposed),
        "labels": Json::Object(labels.collect::<Map<_, _>>()),
    });
    if let (Json::Object(data), Json::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    data
}

/// The CloudEvent; `what` ends its id.
fn envelope(record: &RolloutRecord, made: &TransitionRecord, kind: Kind, what: &str, data: Json) -> Event {
    let json = json!({
        "specversion": "1.0",
        "id": format!("{}.{}.{what}", record.id, made.sequence),
        "source": format!("tidegate/{}", record.environment),
        "type": kind.name(),
        "subject": record.name(),
        "time": time(made.at_us),
        "datacontenttype": "application/json",
        "data": data,
    });
    Event {
        kind,
        json: json.to_string(),
    }
}

fn stage_name(record: &RolloutRecord, position: usize) -> &str {
    record.plan.stages.get(position).map_or("", |stage| stage.name.as_str())
}

/// A share in percent: three decimals at most, none if it is whole.
fn percent(share: Share) -> Json {
    let (whole, rest) = (share.get() / 1_000, share.get() % 1_000);
    if rest == 0 {
        Json::from(whole)
    } else {
        Json::from(f64::from(share.get()) / 1_000.0)
    }
}

/// A time as RFC 3339 writes it.
pub(crate) fn time(at_us: i64) -> String {
    // What lies outside of the years that can be written is no time of an event.
    jiff::Timestamp::from_microsecond(at_us)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
pub(crate) mod tests;
