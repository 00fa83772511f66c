#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Flag;

use super::*;
use crate::{
    builders::{World, actor, flag, key, production},
    record::FlagRecord,
};

fn killed(name: &str) -> Flag {
    Flag {
        killed: true,
        ..flag(name)
    }
}

/// Keys of the shelf with a prefix.
fn under(world: &World, prefix: impl AsRef<[u8]>) -> usize {
    let keys = world.shelf.items.keys();
    keys.filter(|key| key.starts_with(prefix.as_ref())).count()
}

#[test]
fn an_empty_store_gets_its_three_environments_once() {
    let mut world = World::new();
    let kinds = world.state.environments.values();
    let kinds = kinds
        .map(|environment| (environment.environment.order, environment.environment.kind))
        .collect::<Vec<_>>();
    assert_eq!(
        kinds,
        [
            (1, EnvironmentKind::Development),
            (3, EnvironmentKind::Production),
            (2, EnvironmentKind::Staging)
        ]
    );
    assert!(world.offer(&first_environments(|| 2)).is_none());
    let mut drawn = 0;
    let txn = first_environments(|| {
        drawn += 1;
        drawn
    });
    assert_eq!((drawn, txn.ops.len()), (3, 3));
}

#[test]
fn a_flag_is_created_once() {
    let mut world = World::new();
    let (one, two) = (world.writing(flag("checkout")), world.writing(flag("checkout")));
    world.commit(&one);
    assert!(world.offer(&two).is_none());
}

#[test]
fn of_two_edits_of_one_revision_the_second_is_refused() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (one, two) = (world.writing(killed("checkout")), world.writing(flag("checkout")));
    world.commit(&one);
    assert!(world.offer(&two).is_none());
    assert!(world.flag("checkout").flag.killed);
}

#[test]
fn an_edit_that_found_no_rollout_is_refused_when_one_has_begun() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let edit = world.writing(killed("checkout"));
    world.start("checkout");
    assert!(world.offer(&edit).is_none());
    let edit = world.writing(killed("checkout"));
    assert!(world.offer(&edit).is_some());
}

#[test]
fn an_edit_that_found_a_rollout_is_refused_when_it_has_ended() {
    let mut world = World::new();
    world.write(flag("checkout"));
    world.start("checkout");
    let edit = world.writing(killed("checkout"));
    let free = Txn::default().delete(keys::active(&production(), &key("checkout")));
    world.commit(&free);
    assert!(world.offer(&edit).is_none());
}

#[test]
fn every_version_is_kept_and_every_act_recorded_in_the_transaction_of_the_act() {
    let mut world = World::new();
    let before = world.shelf.revision;
    for (number, document) in [flag("checkout"), killed("checkout"), flag("checkout")]
        .into_iter()
        .enumerate()
    {
        world.write(document.clone());
        let version = number as u32 + 1;
        let at = keys::history("flag", &production(), "checkout", version);
        let kept = model::read_version(&world.shelf.items[&at].value, 0).unwrap();
        let Some(model::Document::Flag(record)) = kept.document else {
            panic!("it is not a flag");
        };
        assert_eq!((record.flag, kept.version), (document, version));
        assert_eq!(under(&world, keys::audits(&production())), number + 1);
    }
    assert_eq!(world.shelf.revision, before + 3);
    assert_eq!(world.flag("checkout").version, 3);
}

#[test]
fn what_is_refused_leaves_no_record_behind() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let stale = world.writing(killed("checkout"));
    world.write(Flag {
        enabled: false,
        ..flag("checkout")
    });
    let before = world.shelf.items.len();
    assert!(world.offer(&stale).is_none());
    assert_eq!(world.shelf.items.len(), before);
}

#[test]
fn an_act_is_named_by_its_caller() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let before = world.flag("checkout");
    let after = crate::record::FlagRecord {
        flag: killed("checkout"),
        version: 2,
        ..crate::record::FlagRecord::clone(&before)
    };
    let txn = flag::write(
        Txn::default(),
        &world.state,
        flag::Act::alone(&production(), "flag.kill", &actor()),
        Some(&before),
        &after,
    );
    world.commit(&txn);
    let last = world.shelf.items.iter().rev();
    let mut last = last.filter(|(at, _)| at.starts_with(&keys::audits(&production())));
    let act = model::Act::read(&last.next().unwrap().1.value).unwrap();
    assert_eq!(act.action, "flag.kill");
    assert!(act.after.contains("\"killed\":true"), "{}", act.after);
}

#[test]
fn a_deletion_is_a_version_and_the_count_goes_on_behind_it() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let before = world.flag("checkout");
    let (environment, actor) = (production(), actor());
    let act = flag::Act::alone(&environment, "flag.delete", &actor);
    world.commit(&flag::delete(Txn::default(), &world.state, act, &before));
    assert!(world.state.flag(&production(), &key("checkout")).is_none());
    let version = |number| {
        let at = keys::history("flag", &production(), "checkout", number);
        let item = world.shelf.items.get(&at)?;
        Some(model::read_version(&item.value, item.modified).unwrap())
    };
    let deletion = version(2).unwrap();
    assert_eq!((deletion.document, deletion.action.as_str()), (None, "flag.delete"));
    // Whoever counts from 1 again meets the first version.
    let again = flag::write(Txn::default(), &world.state, act, None, &before);
    assert!(world.offer(&again).is_none());
    let third = FlagRecord {
        version: 3,
        ..FlagRecord::clone(&before)
    };
    world.commit(&flag::write(Txn::default(), &world.state, act, None, &third));
}

#[test]
fn of_two_changes_of_what_is_read_that_saw_the_same_state_one_is_refused() {
    let mut world = World::new();
    let change = |world: &World| guard_references(Txn::default(), &world.state, &production());
    let (one, two) = (change(&world), change(&world));
    world.commit(&one);
    assert!(world.offer(&two).is_none());
    let (three, four) = (change(&world), change(&world));
    world.commit(&three);
    assert!(world.offer(&four).is_none());
    assert_eq!(world.state.references.get(&production()), Some(&world.state.revision));
}
