#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Flag;

use super::*;
use crate::builders::{World, actor, flag, key, production};

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
        .map(|environment| (environment.order, environment.kind))
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
        let kept = model::read_flag(&world.shelf.items[&at].value, 0).unwrap();
        assert_eq!((kept.flag, kept.version), (document, version));
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
    let after = FlagRecord {
        flag: killed("checkout"),
        version: 2,
        ..FlagRecord::clone(&before)
    };
    let txn = update_flag(&world.state, &production(), &before, &after, "flag.kill", &actor());
    world.commit(&txn);
    let last = world.shelf.items.iter().rev();
    let mut last = last.filter(|(at, _)| at.starts_with(&keys::audits(&production())));
    let act = model::Act::read(&last.next().unwrap().1.value).unwrap();
    assert_eq!(act.action, "flag.kill");
    assert!(act.after.contains("\"killed\":true"), "{}", act.after);
}
