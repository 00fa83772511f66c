#![allow(clippy::unwrap_used)]

use evaluation::{Condition, Prerequisite, Test};
use rollout::{Phase, Unit};

use super::*;
use crate::{
    builders::{SECOND_US, START_US, World, actor, flag, key, plan_of, production, started},
    change::rollout as changes,
    compile,
    edit::Refusal,
    members::Members,
    record::SegmentRecord,
    store::{Txn, keys, model},
};

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

/// A segment of those who are in another, or whom a flag serves `new`.
fn segment(name: &str, test: Option<Test>) -> Segment {
    let condition = |test| Condition {
        attribute: String::new(),
        negated: false,
        test,
    };
    Segment {
        key: key(name),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: Vec::new(),
        excluded: Vec::new(),
        groups: test.map(|test| vec![condition(test)]).into_iter().collect(),
    }
}

fn put(world: &mut World, segment: Segment) {
    let at = keys::segment(&production(), &segment.key);
    let record = SegmentRecord {
        segment,
        included: Members::default(),
        excluded: Members::default(),
        version: 1,
        created_at_us: START_US,
        updated_at_us: START_US,
        revision: 0,
    };
    world.commit(&Txn::default().put(at, model::write_segment(&record)));
}

/// The documents of production where the rollouts of these flags, which are under way, have reached these audiences.
fn with_audiences<'w>(
    world: &'w World,
    environment: &'w Key,
    overlay: &'w Overlay,
    audiences: &[(&str, &str)],
) -> StateDocuments<'w> {
    let mut documents = StateDocuments::new(&world.state, environment, overlay);
    let steps = audiences.iter().map(|(flag, segment)| {
        let mut step = compile::step_of(&world.state, environment, &key(flag)).unwrap();
        step.reached[0].audience = vec![(*segment).to_owned()];
        (key(flag), step)
    });
    documents.steps = OnceCell::from(steps.collect::<BTreeMap<_, _>>());
    documents
}

#[test]
fn a_segment_that_a_rollout_is_for_cannot_go_and_flag_rollout_and_stage_are_named() {
    let mut world = World::new();
    for name in ["checkout", "ranking", "plain"] {
        world.write(flag(name));
    }
    put(&mut world, segment("staff", None));
    put(&mut world, segment("inner", None));
    let nested = Test::InSegment(vec!["inner".to_owned()]);
    put(&mut world, segment("beta", Some(nested)));
    for name in ["checkout", "ranking"] {
        world.start(name);
    }
    let environment = production();
    let gone = Overlay::of_segment(&key("staff"), None);
    let audiences = [("checkout", "staff"), ("ranking", "beta")];
    let found = with_audiences(&world, &environment, &gone, &audiences).broken();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].readers, ["flag checkout in rollout checkout#1"]);
    let mut refusal = Refusal::default();
    refusal.broken(found);
    assert_eq!(
        refusal.to_string(),
        "segment staff is read by flag checkout in rollout checkout#1, which could not be evaluated any more \
         (rollout.reached[0].audience[0]: there is no segment \"staff\" in this environment); change them first or \
         together, or end the rollout"
    );
    // Nobody but another segment reads this one; its own reader is what would be wrong.
    let gone = Overlay::of_segment(&key("inner"), None);
    let found = with_audiences(&world, &environment, &gone, &audiences).broken();
    assert_eq!(found[0].readers, ["segment beta"]);
    assert!(!found[0].by_rollout);
    // Without a rollout nothing is read.
    let gone = Overlay::of_segment(&key("staff"), None);
    assert_eq!(StateDocuments::new(&world.state, &environment, &gone).broken(), []);
}

#[test]
fn a_segment_that_a_rollout_is_for_cannot_ask_the_flag_that_it_holds() {
    let mut world = World::new();
    world.write(flag("checkout"));
    put(&mut world, segment("staff", None));
    world.start("checkout");
    let asks = Test::Variant {
        flag: "checkout".to_owned(),
        variants: vec!["new".to_owned()],
    };
    let (environment, after) = (production(), segment("staff", Some(asks)));
    let overlay = Overlay::of_segment(&key("staff"), Some(after.clone()));
    let among = with_audiences(&world, &environment, &overlay, &[("checkout", "staff")]);
    let found = check_references(Written::Segment(&after), &among);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].description.contains("staff -> checkout -> staff"), "{found:?}");
}

#[test]
fn an_edit_of_a_flag_is_checked_with_the_audiences_of_its_rollout() {
    let mut world = World::new();
    world.write(flag("checkout"));
    world.write(flag("ranking"));
    world.start("checkout");
    let (environment, overlay) = (production(), Overlay::of_flag(&key("checkout"), Some(flag("checkout"))));
    let among = with_audiences(&world, &environment, &overlay, &[("checkout", "gone")]);
    let (held, free) = (among.step("checkout"), among.step("ranking"));
    assert!(held.is_some() && free.is_none());
    let found = check_references(Written::Flag(&flag("checkout"), held), &among);
    assert_eq!(found[0].field, "rollout.reached[0].audience[0]");
}

/// A rollout of checkout in its first stage, which is for staff; the second is for beta.
fn in_stages() -> RolloutRecord {
    let mut plan = plan_of("checkout", Unit::Unit, &[5, 50, 100], 60 * SECOND_US);
    plan.stages[0].audience = vec!["staff".to_owned()];
    plan.stages[1].audience = vec!["beta".to_owned()];
    started(plan, 1)
}

#[test]
fn a_segment_of_a_stage_to_come_cannot_go_while_the_rollout_is_active() {
    let of_phase = |phase: Phase| {
        let mut world = World::new();
        world.write(flag("checkout"));
        put(&mut world, segment("staff", None));
        put(&mut world, segment("beta", None));
        let mut record = in_stages();
        record.state.phase = phase;
        let (count, actor, held) = (world.count(), actor(), world.flag("checkout"));
        let txn = changes::create(&record, count, &actor);
        let txn = if phase == Phase::Draft {
            txn
        } else {
            changes::take(txn, &record, &held)
        };
        world.commit(&txn);
        let of = |name: &str| broken(&world, &Overlay::of_segment(&key(name), None));
        (of("staff"), of("beta"))
    };
    for phase in [Phase::AwaitingStart, Phase::Ramp, Phase::Held, Phase::Baking] {
        let (reached, to_come) = of_phase(phase);
        for found in [&reached, &to_come] {
            assert_eq!(found.len(), 1, "{phase:?}");
            assert_eq!(found[0].readers, ["flag checkout in rollout checkout#1"], "{phase:?}");
            assert!(found[0].by_rollout, "{phase:?}");
        }
        assert!(
            to_come[0].why.starts_with("rollout.reached[1].audience[0]"),
            "{to_come:?}"
        );
    }
    // A draft holds nothing, and what is on its way out serves nothing any more.
    for phase in [Phase::Draft, Phase::Aborting] {
        assert_eq!(of_phase(phase), (Vec::new(), Vec::new()), "{phase:?}");
    }
}
