#![allow(clippy::unwrap_used)]

use evaluation::Prerequisite;

use super::*;
use crate::builders::{World, flag, key, production};

fn reading(name: &str, reads: &[&str]) -> Flag {
    let prerequisite = |read: &&str| Prerequisite {
        flag: (*read).to_owned(),
        variants: vec!["new".to_owned()],
    };
    Flag {
        prerequisites: reads.iter().map(prerequisite).collect(),
        ..flag(name)
    }
}

fn broken(world: &World, overlay: &Overlay) -> Vec<Broken> {
    StateDocuments::new(&world.state, &production(), overlay).broken()
}

#[test]
fn what_is_written_hides_what_is_there() {
    let mut world = World::new();
    world.write(flag("a"));
    world.write(flag("b"));
    let mut overlay = Overlay::of_flag(&key("a"), None);
    overlay.flags.insert(key("c"), Some(flag("c")));
    let environment = production();
    let documents = StateDocuments::new(&world.state, &environment, &overlay);
    let there = ["a", "b", "c", "d", "no key"].map(|key| documents.flag(key).is_some());
    assert_eq!(there, [false, true, true, false, false]);
}

#[test]
fn readers_of_what_goes_are_named_once_and_those_that_go_too_are_not() {
    let mut world = World::new();
    world.write(flag("base"));
    world.write(reading("one", &["base"]));
    world.write(reading("two", &["base", "one"]));
    let mut overlay = Overlay::of_flag(&key("base"), None);
    let found = broken(&world, &overlay);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].readers, ["flag one", "flag two"]);
    overlay.flags.insert(key("two"), None);
    assert_eq!(broken(&world, &overlay)[0].readers, ["flag one"]);
    overlay.flags.insert(key("one"), Some(flag("one")));
    assert_eq!(broken(&world, &overlay), []);
}

#[test]
fn a_way_that_becomes_too_long_is_found_from_its_far_end() {
    let mut world = World::new();
    world.write(flag("f00"));
    for number in 1..=16 {
        world.write(reading(&format!("f{number:02}"), &[&format!("f{:02}", number - 1)]));
    }
    world.write(flag("deeper"));
    let overlay = Overlay::of_flag(&key("f00"), Some(reading("f00", &["deeper"])));
    let found = broken(&world, &overlay);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].readers.contains(&"flag f16".to_owned()), "{found:?}");
}
