#![allow(clippy::unwrap_used)]

use futures::FutureExt as _;
use rollout::guards::Level;
use rollout::{
    Phase, Plan,
    catalogue::{Direction, Kind, OwnDefinition, Query, Template, Unit},
};

use super::*;
use crate::{
    builders::{self, START_US, World, flag, moved, production},
    change::rollout as change,
    store::{Txn, keys, model},
};

/// A rollout with a level that a Prometheus is asked for.
fn asking() -> RolloutRecord {
    let own = OwnDefinition {
        key: "depth".to_owned(),
        kind: Kind::Gauge,
        unit: Unit::Count,
        better: Direction::Lower,
        per: None,
        minimum: None,
        maximum: None,
        prometheus: Some(Query {
            template: Template::parse("max(depth)").unwrap(),
            interval_us: 5_000_000,
            stands_for_us: 15_000_000,
        }),
    };
    let mut record = builders::rollout();
    record.plan = Arc::new(Plan {
        metrics: vec![own],
        ..(*record.plan).clone()
    });
    record
}

fn reading(value: Result<f64, &str>, at_us: i64) -> Reading {
    Reading {
        value: value.map_err(str::to_owned),
        at_us,
        until_us: at_us + 45,
        source: Source::Pushed,
    }
}

/// A reading of an arm of the metric cpu.
fn cpu(arm: Arm, value: Result<f64, &str>, at_us: i64) -> Read {
    ("cpu".to_owned(), arm, reading(value, at_us))
}

/// What is held after readings that were taken in one after the other.
fn held(readings: impl IntoIterator<Item = Read>) -> HeldLevels {
    let mut held = HeldLevels::default();
    for read in readings {
        held.take_in(&[read], 0);
    }
    held
}

fn treatments(level: &Level) -> Vec<Option<f64>> {
    level.recent.iter().map(|read| read.treatment).collect()
}

/// The one level that is shown.
fn shown(held: &HeldLevels, now_us: i64) -> Shown {
    let mut shown = held.shown(now_us);
    let (_, one) = shown.next().unwrap();
    assert!(shown.next().is_none());
    one
}

#[test]
fn the_latest_reading_stands_until_its_time_is_over() {
    assert!(HeldLevels::default().at(0).is_empty());
    let mut levels = held([cpu(Arm::Treatment, Ok(0.5), 100), cpu(Arm::Treatment, Ok(0.4), 90)]);
    let at = |levels: &HeldLevels, now_us| levels.at(now_us)["cpu"].now.treatment;
    assert_eq!((at(&levels, 144), at(&levels, 145)), (Some(0.5), None));
    assert_eq!(shown(&levels, 145).missing, "the last reading is too old");
    levels.take_in(&[cpu(Arm::Treatment, Err("no series"), 110)], 0);
    assert_eq!(at(&levels, 144), Some(0.5), "it stands");
    assert_eq!(shown(&levels, 144).missing, "no series", "and is told at once");
    assert_eq!(shown(&levels, 145).missing, "no series");
}

#[test]
fn the_last_three_readings_are_held_with_what_control_was_then() {
    let mut levels = HeldLevels::default();
    for (at_us, value) in [(0, Ok(0.1)), (10, Ok(0.2)), (20, Err("down")), (30, Ok(0.4))] {
        let both = [cpu(Arm::Control, Ok(0.3), at_us), cpu(Arm::Treatment, value, at_us)];
        levels.take_in(&both, at_us);
    }
    assert_eq!((levels.last, levels.noted_at_us), (4, 30), "together they are one");
    let level = &levels.at(30)["cpu"];
    assert_eq!(treatments(level), [Some(0.2), None, Some(0.4)]);
    assert!(level.recent.iter().all(|read| read.control == Some(0.3)));
    assert_eq!(level.now.treatment, Some(0.4));
}

#[test]
fn a_control_that_is_missing_is_told_beside_a_treatment_that_is_not() {
    let mut levels = held([cpu(Arm::Treatment, Ok(0.5), 100)]);
    assert_eq!(shown(&levels, 110).control_missing, "", "nobody reads one");
    levels.take_in(&[cpu(Arm::Control, Err("no data"), 100)], 0);
    let shown = shown(&levels, 110);
    assert_eq!(
        (shown.missing.as_str(), shown.control_missing.as_str()),
        ("", "no data")
    );
}

#[test]
fn what_is_to_be_read_is_shown_before_it_was_ever_read_with_the_reason() {
    let shown = |levels: &Levels, state: &State, record: &RolloutRecord| {
        let shown = levels.shown(state, record, 1);
        let [one] = shown.as_slice() else { panic!("{shown:?}") };
        (one.metric.clone(), one.source, one.missing.clone())
    };
    let (levels, mut state) = (Levels::new(true), State::default());
    let (metric, source, missing) = shown(&levels, &state, &asking());
    assert_eq!((metric.as_str(), source), ("depth", Source::Prometheus));
    assert_eq!(missing, "it was not asked for yet");
    let (_, _, missing) = shown(&Levels::new(false), &state, &asking());
    assert!(missing.contains("--prometheus URL"), "{missing}");
    let from_prometheus = Reading {
        source: Source::Prometheus,
        ..reading(Err("no data"), 0)
    };
    let read = held([("depth".to_owned(), Arm::Treatment, from_prometheus)]);
    state.levels = Arc::new([(asking().id, Arc::new(read))].into());
    assert_eq!(shown(&levels, &state, &asking()).2, "no data");
    let mut ended = asking();
    ended.state.phase = Phase::Completed;
    let nothing = levels.shown(&State::default(), &ended, 1);
    assert_eq!(nothing, [], "nobody asks any more");
}

/// A rollout under way, and who takes readings of it in.
async fn under_way() -> (World, Arc<RolloutRecord>, turn::Turn) {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    let turn = Levels::new(false).turn(record.id).await;
    (world, record, turn)
}

fn number(value: f64, at_us: i64) -> [Read; 1] {
    [cpu(Arm::Treatment, Ok(value), at_us)]
}

/// The state that a process has that begins now.
fn restarted(world: &World) -> State {
    let mut state = State::default();
    for item in world.shelf.items.values() {
        state.apply(item.modified, &item.key, Some(&item.value)).unwrap();
    }
    state
}

/// The readings of a rollout that are kept.
fn kept(world: &World, record: &RolloutRecord) -> Log {
    let prefix = keys::readings(&production(), record.id);
    let items = world.shelf.items.values().filter(|item| item.key.starts_with(&prefix));
    let read = items.map(|item| {
        let number = keys::reading_number(&item.key).unwrap();
        (number, model::read_reading(&item.value).unwrap())
    });
    Log::of(read).unwrap()
}

#[tokio::test]
async fn what_is_durable_is_what_guards_see_whoever_heard_of_it_and_after_a_restart() {
    let (mut world, record, turn) = under_way().await;
    for at_us in 1..=3 {
        let txn = turn.keep(Txn::default(), &world.state, &record, &number(0.9, at_us), START_US);
        world.commit(&txn);
    }
    let seen = world.state.levels_of(record.id);
    assert_eq!((seen.last, treatments(&seen.at(3)["cpu"])), (3, vec![Some(0.9); 3]));
    assert_eq!(*restarted(&world).levels_of(record.id), *seen);
    let log = kept(&world, &record);
    let mut again = log.before.clone();
    for kept in &log.kept {
        again.take_in(&kept.readings, kept.noted_at_us);
    }
    assert_eq!(again.at(3), seen.at(3), "a replay holds it as well");
}

#[tokio::test]
async fn who_saw_less_than_what_is_durable_is_refused_and_overwrites_nothing() {
    let (mut world, record, turn) = under_way().await;
    let before = world.state.clone();
    let keep = |state: &State, value| turn.keep(Txn::default(), state, &record, &number(value, 1), START_US);
    world.commit(&keep(&before, 0.1));
    assert!(world.offer(&keep(&before, 0.2)).is_none(), "it saw none");
    world.commit(&keep(&world.state, 0.2));
    let log = kept(&world, &record);
    let values: Vec<_> = log.kept.iter().map(|kept| kept.readings[0].2.value.clone()).collect();
    assert_eq!(values, [Ok(0.1), Ok(0.2)]);
    // Even if what is held were lost, what is kept is not written over.
    world.commit(&Txn::default().delete(keys::levels(&production(), record.id)));
    assert!(world.offer(&keep(&world.state, 0.3)).is_none());
    let moved = moved(&record, Phase::Soak, "clock-started");
    world.commit(&change::rest(&record, &moved));
    assert!(
        world.offer(&keep(&before, 0.3)).is_none(),
        "of a rollout that has moved on"
    );
}

#[tokio::test]
async fn the_first_readings_of_a_process_are_marked_and_no_others() {
    let (mut world, record, turn) = under_way().await;
    let later = now_us() + 1_000_000;
    let again = Levels {
        began_us: later + 5,
        ..Levels::new(false)
    };
    let after_restart = again.turn(record.id).await;
    for (turn, at_us) in [
        (&turn, later),
        (&turn, later + 1),
        (&after_restart, later + 6),
        (&after_restart, later + 7),
    ] {
        let txn = turn.keep(Txn::default(), &world.state, &record, &number(0.9, at_us), at_us);
        world.commit(&txn);
    }
    let marked: Vec<_> = kept(&world, &record).kept.iter().map(|kept| kept.is_first).collect();
    assert_eq!(marked, [true, false, true, false]);
}

#[tokio::test]
async fn what_nobody_replays_is_held_and_not_kept() {
    let (mut world, record, turn) = under_way().await;
    let watch = RolloutRecord {
        standing: true,
        ..(*record).clone()
    };
    let txn = turn.keep(Txn::default(), &world.state, &watch, &number(0.9, 1), START_US);
    world.commit(&txn);
    assert_eq!(world.state.levels_of(record.id).last, 1);
    assert_eq!(kept(&world, &record), Log::default());
}

#[tokio::test]
async fn levels_are_forgotten_with_what_is_measured() {
    let (mut world, record, turn) = under_way().await;
    let txn = turn.keep(Txn::default(), &world.state, &record, &number(0.9, 1), START_US);
    world.commit(&txn);
    let exposure = world.state.exposures[&record.id].revision;
    world.commit(&change::close_measurement(&production(), record.id, exposure));
    assert_eq!(*world.state.levels_of(record.id), HeldLevels::default());
    assert_eq!(kept(&world, &record).kept.len(), 1, "what was read is still replayed");
}

#[tokio::test]
async fn readings_of_one_rollout_wait_for_each_other_and_for_no_other_rollout() {
    let levels = Levels::new(false);
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let first = levels.turn(one).await;
    assert!(levels.turn(other).now_or_never().is_some(), "another rollout waits");
    let mut second = Box::pin(levels.turn(one));
    assert!(second.as_mut().now_or_never().is_none(), "two have a turn");
    drop(first);
    assert!(second.now_or_never().is_some());
    let third = levels.turn(one).now_or_never();
    assert!(third.is_some());
    let turns = levels.turns.lock().unwrap();
    assert!(turns.len() <= 2, "those that are over go");
}
