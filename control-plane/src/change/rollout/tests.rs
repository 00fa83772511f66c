#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{collections::BTreeMap, sync::Arc};

use ::rollout::Phase;
use evaluation::{Buckets, Flag, Rule, Share, Split};

use super::*;
use crate::{
    builders::{START_US, World, actor, advanced, flag, key, moved, plan_of, production, started, started_by},
    evidence::EvidenceRecord,
};

/// A world with a flag and its rollout at 5 %.
fn rolling() -> (World, Arc<RolloutRecord>) {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    (world, record)
}

/// New evidence; the revision of it.
fn seal(world: &mut World, id: Uuid) -> u64 {
    let value = model::write_evidence(&EvidenceRecord::default());
    world.commit(&Txn::default().put(keys::evidence(&production(), id), value));
    world.state.revision
}

fn aborted(record: &RolloutRecord) -> RolloutRecord {
    moved(record, Phase::Aborting, "aborted")
}

fn completed(record: &RolloutRecord) -> RolloutRecord {
    moved(record, Phase::Completed, "completed")
}

fn latch() -> Latch {
    Latch {
        at_us: START_US,
        actor: "ada".to_owned(),
        reason: "harm".to_owned(),
    }
}

fn transitions(world: &World, id: Uuid) -> Vec<u64> {
    let prefix = keys::transition(&production(), id, 0);
    let prefix = &prefix[..prefix.len() - 8];
    let keys = world.shelf.items.keys().filter(|key| key.starts_with(prefix));
    keys.map(|key| u64::from_be_bytes(key[prefix.len()..].try_into().unwrap()))
        .collect()
}

fn audited(world: &World) -> usize {
    let prefix = keys::audits(&production());
    world.shelf.items.keys().filter(|key| key.starts_with(&prefix)).count()
}

#[test]
fn a_flag_is_held_by_one_rollout_at_a_time() {
    let (mut world, record) = rolling();
    let mut second = started(RolloutRecord::clone(&record).plan.as_ref().clone(), 2);
    second.number = 2;
    let txn = started_by(&second, &world.flag("checkout"), world.count(), &actor());
    assert!(world.offer(&txn).is_none());
}

#[test]
fn a_start_takes_the_flag_its_index_and_its_first_exposure_at_once() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let before = world.shelf.revision;
    let (record, _) = world.start("checkout");
    assert_eq!(world.shelf.revision, before + 1);
    assert_eq!(
        world.state.holder(&production(), &key("checkout")).unwrap().id,
        record.id
    );
    let exposure = world.state.exposures[&record.id];
    assert_eq!((exposure.stage, exposure.buckets), (0, 5_000));
    assert_eq!(exposure.revision, world.shelf.revision);
    assert_eq!(world.count().value, 1);
    let index = &world.shelf.items[&keys::index(&production(), 1)];
    assert_eq!(model::read_id(&index.value).unwrap(), record.id);
}

#[test]
fn a_start_is_refused_when_what_it_was_decided_on_has_changed() {
    let mut world = World::new();
    for name in ["checkout", "banner"] {
        world.write(flag(name));
    }
    let starting = |world: &World, name: &str| {
        let record = started(plan_of(name, ::rollout::Unit::Unit, &[5], 0), world.count().value + 1);
        started_by(&record, &world.flag(name), world.count(), &actor())
    };
    let txn = starting(&world, "checkout");
    world.write(Flag {
        killed: true,
        ..flag("checkout")
    });
    assert!(world.offer(&txn).is_none(), "the flag has changed");
    // No two rollouts of an environment get the same index, whatever their flags.
    let (one, two) = (starting(&world, "checkout"), starting(&world, "banner"));
    world.commit(&one);
    assert!(world.offer(&two).is_none(), "the count has changed");
    let again = starting(&world, "banner");
    world.commit(&again);
}

#[test]
fn a_promotion_is_refused_when_there_is_evidence_that_it_was_not_decided_on() {
    let promotions: [fn(&World, &RolloutRecord, u64) -> Txn; 2] = [
        |_, record, evidence| advance(record, &advanced(record), None, evidence, &actor()),
        |world, record, evidence| {
            let flag = world.flag("checkout");
            complete(record, &completed(record), None, &flag, evidence, &actor())
        },
    ];
    for promotion in promotions {
        let (mut world, record) = rolling();
        let first = seal(&mut world, record.id);
        let refused = world.offer(&promotion(&world, &record, 0));
        assert!(refused.is_none(), "there was none");
        let second = seal(&mut world, record.id);
        let refused = world.offer(&promotion(&world, &record, first));
        assert!(refused.is_none(), "there was less");
        world.commit(&promotion(&world.clone(), &record, second));
    }
}

#[test]
fn an_abort_waits_for_no_evidence() {
    let (mut world, record) = rolling();
    let txn = abort(&record, &aborted(&record), None, Some(&latch()), &actor());
    seal(&mut world, record.id);
    assert!(world.offer(&txn).is_some());
}

#[test]
fn an_abort_latches_frees_the_flag_and_wants_nobody_exposed_in_one_transaction() {
    let (mut world, record) = rolling();
    world.commit(&soak(
        &record,
        Soak {
            visits: 1,
            soaked_us: 1,
        },
    ));
    let (before, acts) = (world.shelf.revision, audited(&world));
    world.commit(&abort(&record, &aborted(&record), None, Some(&latch()), &actor()));
    assert_eq!(world.shelf.revision, before + 1);
    assert_eq!(*world.state.latches[&record.id], latch());
    assert!(world.state.active(&production(), &key("checkout")).is_none());
    let exposure = world.state.exposures[&record.id];
    assert_eq!((exposure.buckets, exposure.revision), (0, before + 1));
    assert!(!world.state.soaks.contains_key(&record.id));
    assert_eq!(world.rollout(record.id).state.phase, Phase::Aborting);
    assert_eq!(transitions(&world, record.id), [1]);
    assert_eq!(audited(&world), acts + 1);
    // The flag as it was written is not touched, and may be rolled out again.
    assert_eq!(world.flag("checkout").version, 1);
    world.start("checkout");
}

#[test]
fn an_abort_whose_latch_was_found_set_leaves_it_as_it_is() {
    let (mut world, record) = rolling();
    let at = keys::latch(&production(), record.id);
    world.commit(&Txn::default().put(at, model::write_latch(&latch())));
    let aborting = aborted(&record);
    let refused = world.offer(&abort(&record, &aborting, None, Some(&latch()), &actor()));
    assert!(refused.is_none(), "it was not there when this was decided");
    world.commit(&abort(&record, &aborting, None, None, &actor()));
    assert_eq!(*world.state.latches[&record.id], latch());
    assert_eq!(world.state.exposures[&record.id].buckets, 0);
}

#[test]
fn of_an_abort_and_a_promotion_at_the_same_time_one_is_refused() {
    for abort_first in [true, false] {
        let (mut world, record) = rolling();
        let aborting = abort(&record, &aborted(&record), None, Some(&latch()), &actor());
        let advancing = advance(&record, &advanced(&record), None, 0, &actor());
        let (first, second) = if abort_first {
            (&aborting, &advancing)
        } else {
            (&advancing, &aborting)
        };
        world.commit(first);
        assert!(world.offer(second).is_none());
        assert_eq!(world.state.latches.contains_key(&record.id), abort_first);
        let buckets = world.state.exposures[&record.id].buckets;
        assert_eq!(buckets, if abort_first { 0 } else { 50_000 });
    }
}

#[test]
fn of_two_aborts_at_the_same_time_one_is_refused() {
    let (mut world, record) = rolling();
    let txn = abort(&record, &aborted(&record), None, Some(&latch()), &actor());
    world.commit(&txn);
    assert!(world.offer(&txn).is_none());
}

#[test]
fn a_completion_writes_treatment_into_the_default_in_the_same_transaction() {
    let (mut world, record) = rolling();
    let before = world.shelf.revision;
    let flag = world.flag("checkout");
    world.commit(&complete(&record, &completed(&record), None, &flag, 0, &actor()));
    assert_eq!(world.shelf.revision, before + 1);
    let after = world.flag("checkout");
    assert_eq!(after.flag.default, Serve::Variant("new".to_owned()));
    assert_eq!((after.version, after.revision), (2, before + 1));
    assert_eq!(
        (after.created_at_us, after.updated_at_us),
        (flag.created_at_us, actor().at_us)
    );
    assert_eq!(after.flag.salt, flag.flag.salt);
    assert!(
        world
            .shelf
            .items
            .contains_key(&keys::history("flag", &production(), "checkout", 2))
    );
    assert!(world.state.active(&production(), &key("checkout")).is_none());
    assert!(!world.state.latches.contains_key(&record.id));
    assert_eq!(world.rollout(record.id).state.phase, Phase::Completed);
}

#[test]
fn a_completion_is_refused_when_its_flag_was_edited_meanwhile() {
    let (mut world, record) = rolling();
    let txn = complete(&record, &completed(&record), None, &world.flag("checkout"), 0, &actor());
    world.write(Flag {
        killed: true,
        ..flag("checkout")
    });
    assert!(world.offer(&txn).is_none());
}

#[test]
fn an_advance_wants_the_next_share_and_forgets_the_soak() {
    let (mut world, record) = rolling();
    world.commit(&soak(
        &record,
        Soak {
            visits: 1,
            soaked_us: 1,
        },
    ));
    world.commit(&advance(&record, &advanced(&record), None, 0, &actor()));
    let exposure = world.state.exposures[&record.id];
    assert_eq!((exposure.stage, exposure.buckets), (1, 50_000));
    assert_eq!(exposure.revision, world.state.revision);
    assert!(world.state.soaks.is_empty());
    assert!(world.state.active(&production(), &key("checkout")).is_some());
}

#[test]
fn what_moves_no_exposure_leaves_the_revision_that_agents_are_waited_for() {
    let (mut world, record) = rolling();
    let (exposure, acts) = (world.state.exposures[&record.id], audited(&world));
    world.commit(&rest(&record, &moved(&record, Phase::Held, "held")));
    let record = world.rollout(record.id);
    world.commit(&rest(&record, &moved(&record, Phase::Soak, "resumed")));
    let record = world.rollout(record.id);
    world.commit(&note(&record, &record));
    assert_eq!(world.state.exposures[&record.id], exposure);
    assert_eq!(transitions(&world, record.id), [1, 2]);
    assert_eq!(audited(&world), acts);
}

#[test]
fn every_transition_is_kept_under_a_key_of_its_own() {
    let (mut world, mut record) = rolling();
    for _ in 0..150 {
        world.commit(&rest(&record, &moved(&record, Phase::Held, "held")));
        record = world.rollout(record.id);
    }
    assert!(record.transitions.len() < 150);
    assert_eq!(transitions(&world, record.id), (1..=150).collect::<Vec<_>>());
}

#[test]
fn a_change_of_a_rollout_that_has_moved_on_is_refused() {
    let (mut world, record) = rolling();
    world.commit(&rest(&record, &moved(&record, Phase::Soak, "clock-started")));
    let soaked = Soak {
        visits: 1,
        soaked_us: 9,
    };
    let stale = [
        rest(&record, &moved(&record, Phase::Soak, "resumed")),
        note(&record, &record),
        soak(&record, soaked),
        advance(&record, &advanced(&record), None, 0, &actor()),
        abort(&record, &aborted(&record), None, Some(&latch()), &actor()),
        complete(&record, &completed(&record), None, &world.flag("checkout"), 0, &actor()),
    ];
    for txn in &stale {
        assert!(world.offer(txn).is_none(), "{txn:?}");
    }
}

#[test]
fn a_measurement_is_closed_once_and_only_as_it_was_seen() {
    let (mut world, record) = rolling();
    let seen = world.state.exposures[&record.id].revision;
    world.commit(&abort(&record, &aborted(&record), None, Some(&latch()), &actor()));
    let close = |revision| close_measurement(&production(), record.id, revision);
    assert!(world.offer(&close(seen)).is_none());
    let seen = world.state.exposures[&record.id].revision;
    world.commit(&close(seen));
    assert!(world.offer(&close(seen)).is_none());
    assert!(world.state.exposures.is_empty());
}

#[test]
fn what_still_serves_treatment_is_named() {
    let world = {
        let mut world = World::new();
        world.write(flag("checkout"));
        world
    };
    let record = world.flag("checkout");
    assert!(still_served(&record, "new").is_empty());
    let split = |percent: u32| {
        let buckets = Buckets::new(percent * 1_000).unwrap();
        let variant = "new".to_owned();
        Serve::Split(Split {
            shares: vec![Share { variant, buckets }],
            ranges: Vec::new(),
        })
    };
    let rule = |name: &str, serve| Rule {
        name: name.to_owned(),
        conditions: Vec::new(),
        serve,
        salt: String::new(),
    };
    let record = FlagRecord {
        flag: Flag {
            allow: BTreeMap::from([
                ("new".to_owned(), vec!["u1".to_owned(), "u2".to_owned()]),
                ("old".to_owned(), vec!["u3".to_owned()]),
            ]),
            rules: vec![
                rule("staff", Serve::Variant("new".to_owned())),
                rule("some", split(1)),
                rule("none", split(0)),
                rule("others", Serve::CallerDefault),
            ],
            default: split(50),
            ..flag("checkout")
        },
        ..FlagRecord::clone(&record)
    };
    assert_eq!(
        still_served(&record, "new"),
        ["allow list (2 units)", "rule staff", "rule some", "the default"]
    );
    assert_eq!(still_served(&record, "old"), ["allow list (1 units)"]);
}

#[test]
fn the_buckets_of_a_baseline_stay_with_their_rollout_whatever_is_written_of_it() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let mut plan = plan_of("checkout", ::rollout::Unit::Unit, &[5, 50], 1_000_000);
    plan.baseline.captured = crate::builders::captured(500);
    let record = started(plan, world.count().value + 1);
    let draft = moved(&record, Phase::Draft, "drafted");
    world.commit(&create(&draft, world.count(), &actor()));
    let captured = |world: &World| world.rollout(record.id).plan.baseline.captured.clone();
    assert_eq!(captured(&world), crate::builders::captured(500));
    let before = world.rollout(record.id);
    world.commit(&rest(&before, &moved(&before, Phase::Ready, "submitted")));
    assert_eq!(captured(&world), crate::builders::captured(500));
    let mut after_restart = crate::state::State::default();
    for item in world.shelf.items.values() {
        after_restart
            .apply(item.modified, &item.key, Some(&item.value))
            .unwrap();
    }
    assert_eq!(after_restart.rollouts, world.state.rollouts);
    // A draft takes the baseline over again, and none if its plan no longer names one.
    for outcomes in [900, 0] {
        let before = world.rollout(record.id);
        let mut after = moved(&before, Phase::Ready, "rebased");
        let taken = match outcomes {
            0 => Arc::default(),
            outcomes => crate::builders::captured(outcomes),
        };
        Arc::make_mut(&mut after.plan).baseline.captured = taken.clone();
        world.commit(&act(&before, &after, "rollout.edit", &actor()));
        assert_eq!(captured(&world), taken);
        let key = keys::captured(&production(), record.id);
        assert_eq!(world.shelf.items.contains_key(&key), outcomes > 0);
    }
}
