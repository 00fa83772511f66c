#![allow(clippy::unwrap_used, clippy::expect_used)]

pub(crate) mod schema;

use std::{collections::BTreeSet, sync::Arc};

use rollout::{Act, HoldReason, Share, Unit, state::Dismissal};

use super::{
    alert::{About, Alert, Severity},
    *,
};
use crate::{
    builders::{START_US, World, actor, advanced, end, flag, moved, plan_of, sources, started},
    change,
    identity::Actor,
    record::{End, EndCause},
    store::{OPERATIONS_LIMIT, Op, keys, model},
};

const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// A plan that says what it tries.
fn labelled(percents: &[u32]) -> Plan {
    let labels = [("component", "checkout"), ("pattern", "one-page"), ("cycle", "2026-06")];
    Plan {
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..plan_of("checkout", Unit::Unit, percents, 0)
    }
}

fn ended(before: &RolloutRecord, phase: Phase, kind: &str, cause: EndCause) -> RolloutRecord {
    RolloutRecord {
        end: Some(End {
            actor: "zora".to_owned(),
            reason: "quentin complained".to_owned(),
            awaited: vec!["host-of-yolanda".to_owned()],
            ..end(cause, START_US)
        }),
        ..moved(before, phase, kind)
    }
}

fn held(before: &RolloutRecord) -> RolloutRecord {
    let mut after = moved(before, Phase::Held, "held");
    after.state.holds = HoldReason::ALL.to_vec();
    after
}

fn dismissed(before: &RolloutRecord) -> RolloutRecord {
    let mut after = moved(before, Phase::Held, "dismissed");
    let dismissal = Dismissal {
        reason: HoldReason::Evidence,
        criterion: None,
        guard: Some(0),
        log_size: Some(4.25),
        by: "yolanda".to_owned(),
        at_us: START_US,
        why: "quentin says so".to_owned(),
    };
    after.transitions.last_mut().unwrap().dismissals = vec![dismissal];
    after
}

/// A rollout that was acknowledged at 10 %.
fn at_ten() -> RolloutRecord {
    RolloutRecord {
        acked_buckets: 10_000,
        ..moved(&started(labelled(&[10, 50, 100]), 1), Phase::Ramp, "started")
    }
}

/// One record for each transition that is told, and the types that it gives.
fn told() -> Vec<(RolloutRecord, Vec<&'static str>)> {
    let record = at_ten();
    let next = advanced(&record);
    let mut back = advanced(&record);
    back.state.stage = 0;
    back.state.visits.push(record.state.visits[0]);
    vec![
        (record.clone(), vec!["rollout_started"]),
        (next.clone(), vec!["rollout_advanced"]),
        (moved(&back, Phase::Ramp, "stepped-back"), vec!["rollout_advanced"]),
        (held(&record), vec!["rollout_held"]),
        (dismissed(&record), vec!["rollout_dismissed"]),
        (moved(&record, Phase::Paused, "paused"), vec!["rollout_held"]),
        (
            ended(&record, Phase::RolledBack, "rolled-back", EndCause::Criterion),
            vec!["rollout_rolled_back"],
        ),
        (
            ended(&record, Phase::RolledBack, "rolled-back", EndCause::Withdrawn),
            vec!["rollout_rolled_back"],
        ),
        (
            ended(&record, Phase::Superseded, "superseded", EndCause::Edit),
            vec!["rollout_rolled_back"],
        ),
        (
            ended(&record, Phase::Aborting, "aborted", EndCause::Evidence),
            vec!["rollout_aborted", "verify_outcome"],
        ),
        (
            ended(&record, Phase::Aborting, "aborted", EndCause::Person),
            vec!["rollout_aborted", "verify_outcome"],
        ),
        (
            ended(&record, Phase::Aborting, "aborted", EndCause::Trigger),
            vec!["rollout_aborted", "verify_outcome"],
        ),
        (
            ended(&advanced(&next), Phase::Completed, "completed", EndCause::Completed),
            vec!["rollout_completed", "verify_outcome"],
        ),
    ]
}

fn parsed(event: &Event) -> Json {
    serde_json::from_str(&event.json).unwrap()
}

pub(crate) fn schema_of_events() -> Json {
    serde_json::from_str(include_str!("../../../schemas/events.json")).unwrap()
}

fn is_stuck(record: &RolloutRecord) -> Event {
    let now_us = START_US + 18 * DAY_US;
    stuck(record, Stuck::of(record, now_us).unwrap(), now_us)
}

/// Errors above a limit.
fn alerted() -> Alert {
    Alert {
        severity: Severity::Critical,
        about: About::Critical("error-rate > 2x control".to_owned()),
        title: "error-rate is 3.1 %, more than 2x control".to_owned(),
        criterion: Some("error-rate > 2x control".to_owned()),
        metric: Some("error-rate".to_owned()),
        value: Some(0.031),
        limit: Some(0.016),
    }
}

#[test]
fn an_alert_says_what_it_is_about_and_what_was_measured() {
    let data = parsed(&alert::event(&at_ten(), &alerted(), START_US))["data"].clone();
    let expected = [
        ("severity", json!("critical")),
        ("about", json!("critical")),
        ("criterion", json!("error-rate > 2x control")),
        ("metric", json!("error-rate")),
        ("value", json!(0.031)),
        ("limit", json!(0.016)),
        ("deployed_pct", json!(10)),
        ("sequence", json!(1)),
    ];
    for (field, value) in expected {
        assert_eq!(data[field], value, "{field}");
    }
    let held = Alert {
        about: About::Hold(HoldReason::Stale),
        metric: None,
        value: None,
        limit: None,
        ..alerted()
    };
    let value = parsed(&alert::event(&at_ten(), &held, START_US));
    assert_eq!(
        schema::wrong(&schema_of_events(), &value),
        Vec::<String>::new(),
        "{value}"
    );
    assert_eq!(value["data"]["about"], "hold.stale");
}

#[test]
fn every_transition_is_told_by_its_types_and_every_type_is_as_the_schema_has_it() {
    let schema = schema_of_events();
    let mut kinds = BTreeSet::new();
    let events = told().into_iter().flat_map(|(record, expected)| {
        let events = of(&record);
        let types = events.iter().map(|event| event.kind.name()).collect::<Vec<_>>();
        assert_eq!(types, expected, "{:?}", record.transitions.last());
        events
    });
    let alert = alert::event(&at_ten(), &alerted(), START_US);
    for event in events.chain([is_stuck(&at_ten()), alert]).collect::<Vec<_>>() {
        kinds.insert(event.kind);
        let value = parsed(&event);
        assert_eq!(schema::wrong(&schema, &value), Vec::<String>::new(), "{value}");
        assert_eq!(value["type"], event.kind.name());
        // The schema says what must be there, and that nothing else may be.
        for field in value["data"].as_object().unwrap().keys() {
            let mut lacking = value.clone();
            lacking["data"].as_object_mut().unwrap().remove(field);
            assert!(!schema::wrong(&schema, &lacking).is_empty(), "{field} of {value}");
        }
        let mut more = value.clone();
        more["data"]["actor"] = json!("zora");
        assert!(!schema::wrong(&schema, &more).is_empty(), "{value}");
    }
    assert_eq!(kinds, Kind::ALL.into());
}

#[test]
fn what_moves_nothing_is_not_told() {
    let record = at_ten();
    for kind in [
        "created",
        "submitted",
        "start-asked",
        "clock-started",
        "resumed",
        "acknowledged",
        "bake-started",
    ] {
        assert_eq!(of(&moved(&record, Phase::Soak, kind)), [], "{kind}");
    }
    assert_eq!(of(&started(labelled(&[10]), 1)), []);
}

#[test]
fn an_event_says_how_far_the_treatment_came_and_from_where() {
    let record = at_ten();
    let data = |record: &RolloutRecord| parsed(&of(record)[0])["data"].clone();
    assert_eq!(data(&record)["deployed_pct"], 10);
    let next = data(&advanced(&record));
    assert_eq!(
        (&next["from_pct"], &next["deployed_pct"], &next["direction"]),
        (&json!(10), &json!(50), &json!("forward"))
    );
    let aborted = data(&ended(&record, Phase::Aborting, "aborted", EndCause::Evidence));
    assert_eq!(
        (&aborted["deployed_pct"], &aborted["acked_pct"]),
        (&json!(0), &json!(10))
    );
    let completed = data(&ended(&record, Phase::Completed, "completed", EndCause::Completed));
    assert_eq!(completed["deployed_pct"], 100);
    let mut plan = labelled(&[10]);
    plan.stages[0].share = Share::new(500).unwrap();
    assert_eq!(
        data(&moved(&started(plan.clone(), 1), Phase::Ramp, "started"))["deployed_pct"],
        0.5
    );
    plan.stages[0].shadow = true;
    assert_eq!(
        data(&moved(&started(plan, 1), Phase::Ramp, "started"))["deployed_pct"],
        0
    );
}

#[test]
fn the_id_of_an_event_is_made_of_what_it_tells() {
    let ids = || {
        let events = told().into_iter().flat_map(|(record, _)| of(&record));
        events.map(|event| parsed(&event)["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(), ids());
    let id = at_ten().id;
    assert_eq!(ids()[0], json!(format!("{id}.1.rollout_started")));
}

#[test]
fn a_win_counts_as_far_as_it_came_and_a_loss_as_far_as_it_was_acknowledged() {
    type Of = fn() -> RolloutRecord;
    let outcome: [(Of, Option<(bool, u32)>); 8] = [
        (
            || {
                ended(
                    &at_last(labelled(&[10, 100])),
                    Phase::Completed,
                    "completed",
                    EndCause::Completed,
                )
            },
            Some((true, 100_000)),
        ),
        (
            || {
                let holdback = Share::new(5_000).unwrap();
                let plan = Plan {
                    holdback,
                    ..labelled(&[10, 100])
                };
                ended(&at_last(plan), Phase::Completed, "completed", EndCause::Completed)
            },
            Some((true, 95_000)),
        ),
        (
            || {
                ended(
                    &at_last(labelled(&[5, 10])),
                    Phase::Completed,
                    "completed",
                    EndCause::Completed,
                )
            },
            Some((true, 10_000)),
        ),
        (
            // It was entering 50 % when it was aborted.
            || ended(&advanced(&at_ten()), Phase::Aborting, "aborted", EndCause::Evidence),
            Some((false, 10_000)),
        ),
        (
            || {
                ended(
                    &started(labelled(&[10]), 1),
                    Phase::Aborting,
                    "aborted",
                    EndCause::Person,
                )
            },
            Some((false, 0)),
        ),
        (
            || ended(&at_ten(), Phase::RolledBack, "rolled-back", EndCause::Criterion),
            None,
        ),
        (
            || ended(&at_ten(), Phase::Superseded, "superseded", EndCause::Edit),
            None,
        ),
        (|| at_ten(), None),
    ];
    for (at, (record, expected)) in outcome.into_iter().enumerate() {
        let record = record();
        let found = Outcome::of(&record).map(|found| (found.won, found.share.get()));
        assert_eq!(found, expected, "{at}");
        let told = of(&record).into_iter().find(|event| event.kind == Kind::Outcome);
        assert_eq!(told.is_some(), expected.is_some(), "{at}");
        if let (Some(told), Some((won, buckets))) = (told, expected) {
            let data = parsed(&told)["data"].clone();
            assert_eq!(data["won"], won);
            assert_eq!(data["deployed_pct"].as_f64().unwrap(), f64::from(buckets) / 1_000.0);
            assert_eq!(data["weight"].as_f64().unwrap(), f64::from(buckets) / 100_000.0);
            assert_eq!(
                (&data["component"], &data["pattern"]),
                (&json!("checkout"), &json!("one-page"))
            );
        }
    }
}

/// In its last stage.
fn at_last(plan: Plan) -> RolloutRecord {
    let stages = plan.stages.len();
    (1..stages).fold(started(plan, 1), |record, _| advanced(&record))
}

#[test]
fn a_plan_that_does_not_say_what_it_tries_has_no_outcome() {
    for lacking in ["component", "pattern"] {
        for empty in [false, true] {
            let mut plan = labelled(&[100]);
            plan.labels.remove(lacking);
            if empty {
                plan.labels.insert(lacking.to_owned(), String::new());
            }
            let record = ended(&started(plan, 1), Phase::Completed, "completed", EndCause::Completed);
            let types = of(&record).iter().map(|event| event.kind).collect::<Vec<_>>();
            assert_eq!(types, [Kind::Completed], "{lacking}");
        }
    }
}

/// What the outbox holds.
fn outbox(world: &World) -> Vec<String> {
    let prefix = keys::outbox();
    let items = world.shelf.items.iter().filter(|(key, _)| key.starts_with(&prefix));
    items
        .flat_map(|(_, item)| model::read_events(&item.value).unwrap())
        .map(|event| event.json)
        .collect()
}

#[test]
fn no_event_holds_who_acted_why_or_what_they_wrote() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let mut plan = labelled(&[10, 50, 100]);
    plan.description = "for yolanda".to_owned();
    plan.people.owner = "yolanda".to_owned();
    plan.manual_triggers = vec!["security".to_owned()];
    plan.labels.insert("asked-by".to_owned(), "yolanda".to_owned());
    let person = Actor {
        name: "zora".to_owned(),
        reason: "quentin complained".to_owned(),
        peer: "192.0.2.7".to_owned(),
        ..actor()
    };
    let record = moved(&started(plan, world.count().value + 1), Phase::Ramp, "started");
    let txn = crate::builders::started_by(&record, &world.flag("checkout"), world.count(), &person);
    world.commit(&txn);
    let acts = [
        Act::Pause,
        Act::Resume,
        Act::Hold,
        Act::Resume,
        Act::AddIssue("quentin sees an empty cart".to_owned()),
        Act::Acknowledge,
        Act::Trigger("security".to_owned()),
    ];
    for act in &acts {
        let before = world.rollout(record.id);
        let facts = sources(&world.state).gather(&world.state, &before, false, person.at_us);
        let txn = crate::engine::act(&world.state, &before, act, &facts, &person).unwrap();
        assert!(txn.ops.len() <= OPERATIONS_LIMIT);
        world.commit(&txn);
    }
    let after = world.rollout(record.id);
    assert!(format!("{after:?}").contains("zora") && format!("{after:?}").contains("quentin"));
    let events = outbox(&world);
    let types = events.iter().map(|json| {
        let value = serde_json::from_str::<Json>(json).unwrap();
        assert_eq!(schema::wrong(&schema_of_events(), &value), Vec::<String>::new());
        value["type"].as_str().unwrap().to_owned()
    });
    let expected = [
        "rollout_started",
        "rollout_held",
        "rollout_held",
        "rollout_aborted",
        "verify_outcome",
    ];
    assert_eq!(types.collect::<Vec<_>>(), expected);
    for json in events {
        let json = json.to_lowercase();
        for personal in ["zora", "quentin", "yolanda", "192.0.2.7", "cart"] {
            assert!(!json.contains(personal), "{json}");
        }
    }
}

#[test]
fn a_rollout_is_said_to_be_stuck_once_for_each_visit_of_a_stage() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    let now_us = START_US + 18 * DAY_US;
    let tell = |record: &Arc<RolloutRecord>| {
        let stuck = Stuck::of(record, now_us).unwrap();
        (stuck.visit, change::rollout::tell_stuck(record, stuck, now_us))
    };
    let (visit, txn) = tell(&record);
    world.commit(&txn);
    assert!(world.state.stuck.contains(&(record.id, visit)));
    assert!(world.state.told_at.is_some());
    assert!(world.offer(&txn).is_none());
    assert_eq!(world.rollout(record.id), record, "it only tells");
    // Neither does a hold make it another visit.
    world.commit(&change::rollout::rest(&record, &held(&record)));
    let (again, txn) = tell(&world.rollout(record.id));
    assert_eq!(again, visit);
    assert!(world.offer(&txn).is_none());
    let before = world.rollout(record.id);
    world.commit(&change::rollout::rest(&before, &advanced(&before)));
    let (next, txn) = tell(&world.rollout(record.id));
    assert_ne!(next, visit);
    world.commit(&txn);
    let is_stuck = |json: &&String| json.contains("rollout_stuck");
    assert_eq!(outbox(&world).iter().filter(is_stuck).count(), 2);
}

#[test]
fn a_transition_and_its_events_are_written_together_and_once() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    let after = held(&record);
    let txn = change::rollout::rest(&record, &after);
    let key = keys::moved(&record.environment, record.id, after.state.sequence);
    let puts = txn.ops.iter().filter(|op| matches!(op, Op::Put(at, _) if *at == key));
    assert_eq!(puts.count(), 1);
    world.commit(&txn);
    assert!(world.offer(&txn).is_none());
}
