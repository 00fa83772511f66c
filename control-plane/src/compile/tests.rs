#![allow(clippy::unwrap_used, clippy::expect_used)]

use ::rollout::Phase;
use evaluation::{Change, Condition, Flag, Index, Rule, Segment, Serve, Test};
use proptest::prelude::*;
use proto::v1;

use super::*;
use crate::{
    builders::{Touched, World, advanced, flag, key, moved, production},
    change::rollout as changes,
    identity::Actor,
    members::Members,
    record::{Latch, SegmentRecord},
    store::{Txn, keys, model},
};

const SETS: [Option<&str>; 3] = [None, Some("shop"), Some("search")];
const FLAGS: [&str; 3] = ["banner", "checkout", "ranking"];
const SEGMENTS: [&str; 2] = ["staff", "beta"];

/// What becomes of an entry for a subscription.
fn change(state: &State, selection: &Selection, id: &EntryId) -> Change<Bytes> {
    let entry = selection
        .holds(state, &production(), id)
        .then(|| entry(state, &production(), id));
    Change {
        id: id.clone(),
        entry: entry.flatten(),
    }
}

/// Everything that a subscription holds, compiled anew.
fn anew(state: &State, set: Option<&Key>) -> Index<Bytes> {
    let ids = super::all(state, &production());
    let selection = Selection::of(state, &production(), set);
    Index::new().with(ids.iter().map(|id| change(state, &selection, id)))
}

fn body(state: &State, set: Option<&Key>, kind: EntryKind, name: &str) -> Option<Bytes> {
    let selection = Selection::of(state, &production(), set);
    let entry = change(state, &selection, &id(kind, name)).entry?;
    proto::entry::unframe(entry.body).unwrap().pop().unwrap().body
}

fn step_of(state: &State, flag: &str) -> Option<v1::RolloutStep> {
    let body = body(state, None, EntryKind::Flag, flag).unwrap();
    <v1::FlagEntry as prost::Message>::decode(body).unwrap().rollout
}

fn measured(state: &State, set: Option<&Key>, index: u32) -> Option<v1::MeasurementEntry> {
    let body = body(state, set, EntryKind::Measurement, &index.to_string())?;
    Some(<v1::MeasurementEntry as prost::Message>::decode(body).unwrap())
}

fn engine() -> Actor {
    Actor::engine("", crate::builders::START_US)
}

/// A latch by itself, as no transaction of ours writes it.
fn latch(record: &RolloutRecord) -> Txn {
    let latch = Latch {
        at_us: 0,
        actor: "ada".to_owned(),
        reason: String::new(),
    };
    Txn::default().put(keys::latch(&record.environment, record.id), model::write_latch(&latch))
}

/// A world with a flag and its rollout.
fn rolling() -> (World, Arc<RolloutRecord>) {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    (world, record)
}

#[test]
fn a_step_reaches_as_far_as_its_stage_and_no_further() {
    let (mut world, record) = rolling();
    let reached = |world: &World| {
        let step = step_of(&world.state, "checkout").unwrap();
        let stages = step.reached.iter().map(|reached| (reached.stage, reached.buckets));
        (step.stage, stages.collect::<Vec<_>>())
    };
    assert_eq!(reached(&world), (0, vec![(0, 5_000)]));
    world.commit(&changes::advance(&record, &advanced(&record), None, 0, &engine()));
    assert_eq!(reached(&world), (1, vec![(0, 5_000), (1, 50_000)]));
}

#[test]
fn a_latched_rollout_is_left_out_whatever_else_is_written() {
    let (mut world, record) = rolling();
    world.commit(&latch(&record));
    assert_eq!(step_of(&world.state, "checkout"), None);
    world.commit(&changes::advance(&record, &advanced(&record), None, 0, &engine()));
    assert_eq!(step_of(&world.state, "checkout"), None);
    let record = world.rollout(record.id);
    world.commit(&changes::rest(&record, &moved(&record, Phase::Soak, "clock-started")));
    assert_eq!(step_of(&world.state, "checkout"), None);
    world.write(Flag {
        description: "edited".to_owned(),
        ..flag("checkout")
    });
    assert_eq!(step_of(&world.state, "checkout"), None);
    assert!(measured(&world.state, None, record.index).unwrap().ended);
}

#[test]
fn a_held_rollout_keeps_its_exposure_and_an_ended_one_has_none() {
    for (phase, is_there) in [
        (Phase::Held, true),
        (Phase::Soak, true),
        (Phase::Aborting, false),
        (Phase::Aborted, false),
        (Phase::Completed, false),
    ] {
        let (mut world, record) = rolling();
        world.commit(&changes::rest(&record, &moved(&record, phase, "moved")));
        assert_eq!(step_of(&world.state, "checkout").is_some(), is_there, "{phase:?}");
        let measured = measured(&world.state, None, record.index).unwrap();
        assert_eq!(measured.ended, !is_there, "{phase:?}");
    }
}

#[test]
fn a_measurement_goes_with_the_exposure_and_not_before() {
    let (mut world, record) = rolling();
    let is_measured = |world: &World| measured(&world.state, None, record.index).is_some();
    assert!(is_measured(&world));
    let aborting = moved(&record, Phase::Aborting, "aborted");
    world.commit(&changes::abort(&record, &aborting, None, None, &engine()));
    assert!(is_measured(&world));
    let exposure = world.state.exposures[&record.id];
    let touched = world.commit(&changes::close_measurement(&production(), record.id, exposure.revision));
    assert!(!is_measured(&world));
    assert!(touched[&production()].contains(&id(EntryKind::Measurement, &record.index.to_string())));
}

#[test]
fn a_measurement_goes_where_its_flag_goes() {
    let (mut world, record) = rolling();
    let shop = key("shop");
    assert!(measured(&world.state, Some(&shop), record.index).is_none());
    let touched = world.write(Flag {
        set: Some(shop.clone()),
        ..flag("checkout")
    });
    assert!(measured(&world.state, Some(&shop), record.index).is_some());
    assert!(measured(&world.state, None, record.index).is_some());
    assert!(touched[&production()].contains(&id(EntryKind::Measurement, &record.index.to_string())));
}

#[test]
fn a_flag_set_sees_its_own_flags_and_the_environment_only() {
    let mut world = World::new();
    for (name, set) in FLAGS.into_iter().zip(SETS) {
        world.write(Flag {
            set: set.map(key),
            ..flag(name)
        });
    }
    let names = |set: Option<&str>| {
        let index = anew(&world.state, set.map(key).as_ref());
        let mut names = index.iter().map(|(id, _)| id.key.to_string()).collect::<Vec<_>>();
        names.sort();
        names
    };
    assert_eq!(names(None), ["banner", "checkout", "production", "ranking"]);
    assert_eq!(names(Some("shop")), ["checkout", "production"]);
    assert_eq!(names(Some("empty")), ["production"]);
}

#[test]
fn soak_evidence_history_and_audit_touch_no_entry() {
    let (mut world, record) = rolling();
    let soak = crate::record::Soak {
        visits: 1,
        soaked_us: 1,
    };
    assert!(world.commit(&changes::soak(&record, soak)).is_empty());
    let evidence = model::write_evidence(&crate::evidence::EvidenceRecord::default());
    let txn = Txn::default()
        .put(keys::evidence(&production(), record.id), evidence)
        .put(keys::history("flag", &production(), "checkout", 9), Bytes::new())
        .put(keys::audit(&production(), Uuid::now_v7()), Bytes::new());
    assert!(world.commit(&txn).is_empty());
}

#[test]
fn what_only_people_read_changes_no_entry() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let before = anew(&world.state, None).digest();
    world.write(Flag {
        description: "the new checkout".to_owned(),
        owner: "shop".to_owned(),
        tags: ["q3".to_owned()].into(),
        ..flag("checkout")
    });
    assert_eq!(anew(&world.state, None).digest(), before);
}

/// A condition on one of the flags or segments; none for other numbers.
fn condition(reads: usize) -> Option<Condition> {
    let test = match reads {
        0..3 => Test::Variant {
            flag: FLAGS[reads].to_owned(),
            variants: vec!["new".to_owned()],
        },
        3..5 => Test::InSegment(vec![SEGMENTS[reads - 3].to_owned()]),
        _ => return None,
    };
    Some(Condition {
        attribute: String::new(),
        negated: false,
        test,
    })
}

/// A flag that reads another document in a rule, or nothing.
fn reading(name: &str, reads: usize) -> Flag {
    let rule = |condition| Rule {
        name: "rule".to_owned(),
        conditions: vec![condition],
        serve: Serve::Variant("new".to_owned()),
        salt: String::new(),
    };
    Flag {
        rules: condition(reads).map(rule).into_iter().collect(),
        ..flag(name)
    }
}

/// A segment without members that reads another document, or nothing.
fn segment_reading(name: &str, reads: usize) -> SegmentRecord {
    SegmentRecord {
        segment: Segment {
            key: key(name),
            description: String::new(),
            owner: String::new(),
            tags: [].into(),
            included: Vec::new(),
            excluded: Vec::new(),
            groups: condition(reads).map(|condition| vec![condition]).into_iter().collect(),
        },
        included: Members::default(),
        excluded: Members::default(),
        version: 1,
        created_at_us: 0,
        updated_at_us: 0,
        revision: 0,
    }
}

fn put_segment(world: &mut World, record: &SegmentRecord) -> Touched {
    let at = keys::segment(&production(), &record.segment.key);
    world.commit(&Txn::default().put(at, model::write_segment(record)))
}

fn in_set(set: &str, flag: Flag) -> Flag {
    Flag {
        set: Some(key(set)),
        ..flag
    }
}

/// Names of the entries of a kind that a subscription holds, ascending.
fn held(world: &World, set: &str, kind: EntryKind) -> Vec<String> {
    let index = anew(&world.state, Some(&key(set)));
    let mut names = index
        .iter()
        .filter(|(id, _)| id.kind == kind)
        .map(|(id, _)| id.key.to_string())
        .collect::<Vec<_>>();
    names.sort_unstable();
    names
}

#[test]
fn a_flag_set_holds_what_its_flags_read_and_what_that_reads() {
    let mut world = World::new();
    put_segment(&mut world, &segment_reading("staff", 2));
    put_segment(&mut world, &segment_reading("beta", 9));
    // checkout reads the segment staff, which reads the flag ranking, which reads nothing.
    world.write(in_set("shop", reading("checkout", 3)));
    world.write(in_set("search", reading("ranking", 9)));
    world.write(in_set("search", reading("banner", 4)));
    assert_eq!(held(&world, "shop", EntryKind::Flag), ["checkout", "ranking"]);
    assert_eq!(held(&world, "shop", EntryKind::Segment), ["staff"]);
    assert_eq!(held(&world, "search", EntryKind::Flag), ["banner", "ranking"]);
    assert_eq!(held(&world, "search", EntryKind::Segment), ["beta"]);
    // Without the rule, all of it goes.
    world.write(in_set("shop", reading("checkout", 9)));
    assert_eq!(held(&world, "shop", EntryKind::Flag), ["checkout"]);
    assert!(held(&world, "shop", EntryKind::Segment).is_empty());
}

#[test]
fn a_circle_that_should_not_be_there_ends() {
    let mut world = World::new();
    put_segment(&mut world, &segment_reading("staff", 1));
    world.write(in_set("shop", reading("checkout", 3)));
    assert_eq!(held(&world, "shop", EntryKind::Flag), ["checkout"]);
    assert_eq!(held(&world, "shop", EntryKind::Segment), ["staff"]);
}

#[test]
fn what_a_document_says_does_not_restructure_what_belongs_together() {
    let mut world = World::new();
    world.write(in_set("shop", reading("checkout", 3)));
    let before = world.state.clone();
    let touched = world.write(Flag {
        enabled: false,
        ..in_set("shop", reading("checkout", 3))
    });
    let ids = &touched[&production()];
    assert!(!restructured(&before, &world.state, &production(), ids.iter()));
    let before = world.state.clone();
    let touched = world.write(in_set("shop", reading("checkout", 4)));
    let ids = &touched[&production()];
    assert!(restructured(&before, &world.state, &production(), ids.iter()));
}

#[test]
fn a_measurement_goes_where_its_flag_is_at_home_and_not_where_it_is_read() {
    let mut world = World::new();
    world.write(in_set("search", reading("ranking", 9)));
    world.write(in_set("shop", reading("checkout", 2)));
    world.start("ranking");
    assert_eq!(held(&world, "shop", EntryKind::Flag), ["checkout", "ranking"]);
    assert!(held(&world, "shop", EntryKind::Measurement).is_empty());
    assert_eq!(held(&world, "search", EntryKind::Measurement).len(), 1);
}

#[test]
fn an_archived_flag_is_not_delivered() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let mut record = (*world.flag("checkout")).clone();
    record.archived_at_us = Some(1);
    let at = keys::flag(&production(), &key("checkout"));
    world.commit(&Txn::default().put(at, model::write_flag(&record)));
    assert_eq!(body(&world.state, None, EntryKind::Flag, "checkout"), None);
}

/// One thing that may be written.
#[derive(Debug, Clone)]
enum Act {
    Write {
        flag: usize,
        set: usize,
        reads: usize,
        killed: bool,
    },
    Delete {
        flag: usize,
    },
    Segment {
        segment: usize,
        reads: usize,
        there: bool,
    },
    Start {
        flag: usize,
    },
    Advance {
        rollout: usize,
    },
    Rest {
        rollout: usize,
        phase: usize,
    },
    Abort {
        rollout: usize,
    },
    Complete {
        rollout: usize,
    },
    Latch {
        rollout: usize,
    },
    Close {
        rollout: usize,
    },
    Soak {
        rollout: usize,
    },
}

fn acts() -> impl Strategy<Value = Act> {
    let (flag, rollout) = (0..FLAGS.len(), 0..4usize);
    prop_oneof![
        4 => (flag.clone(), 0..SETS.len(), 0..6usize, any::<bool>())
            .prop_map(|(flag, set, reads, killed)| Act::Write { flag, set, reads, killed }),
        3 => (0..SEGMENTS.len(), 0..6usize, any::<bool>())
            .prop_map(|(segment, reads, there)| Act::Segment { segment, reads, there }),
        1 => flag.clone().prop_map(|flag| Act::Delete { flag }),
        4 => flag.prop_map(|flag| Act::Start { flag }),
        3 => rollout.clone().prop_map(|rollout| Act::Advance { rollout }),
        2 => (rollout.clone(), 0..3usize).prop_map(|(rollout, phase)| Act::Rest { rollout, phase }),
        2 => rollout.clone().prop_map(|rollout| Act::Abort { rollout }),
        2 => rollout.clone().prop_map(|rollout| Act::Complete { rollout }),
        1 => rollout.clone().prop_map(|rollout| Act::Latch { rollout }),
        2 => rollout.clone().prop_map(|rollout| Act::Close { rollout }),
        1 => rollout.prop_map(|rollout| Act::Soak { rollout }),
    ]
}

/// Commits an act; nothing where it makes no sense.
fn carry_out(world: &mut World, act: &Act) -> Touched {
    let nth = |world: &World, number: usize| {
        let record = world.state.rollouts_of(&production()).nth(number).cloned();
        record.filter(|record| !record.state.is_final())
    };
    let txn = match act {
        Act::Write {
            flag,
            set,
            reads,
            killed,
        } => Some(world.writing(Flag {
            set: SETS[*set].map(key),
            killed: *killed,
            ..reading(FLAGS[*flag], *reads)
        })),
        Act::Segment { segment, reads, there } => {
            let (name, at) = (
                SEGMENTS[*segment],
                keys::segment(&production(), &key(SEGMENTS[*segment])),
            );
            let record = segment_reading(name, *reads);
            Some(match there {
                true => Txn::default().put(at, model::write_segment(&record)),
                false => Txn::default().delete(at),
            })
        }
        Act::Delete { flag } => Some(Txn::default().delete(keys::flag(&production(), &key(FLAGS[*flag])))),
        Act::Start { flag } => {
            let key = key(FLAGS[*flag]);
            let is_free =
                world.state.flag(&production(), &key).is_some() && world.state.active(&production(), &key).is_none();
            return if is_free {
                world.start(FLAGS[*flag]).1
            } else {
                Touched::new()
            };
        }
        Act::Advance { rollout } => nth(world, *rollout)
            .filter(|record| record.state.stage + 1 < record.plan.stages.len())
            .map(|record| changes::advance(&record, &advanced(&record), None, 0, &engine())),
        Act::Rest { rollout, phase } => nth(world, *rollout).map(|record| {
            let phases = [Phase::Soak, Phase::Held, Phase::Aborted];
            changes::rest(&record, &moved(&record, phases[*phase], "moved"))
        }),
        Act::Abort { rollout } => nth(world, *rollout).map(|record| {
            changes::abort(
                &record,
                &moved(&record, Phase::Aborting, "aborted"),
                None,
                None,
                &engine(),
            )
        }),
        Act::Complete { rollout } => nth(world, *rollout).and_then(|record| {
            let flag = world.state.flag(&production(), &key(&record.plan.flag))?;
            let after = moved(&record, Phase::Completed, "completed");
            Some(changes::complete(&record, &after, None, flag, 0, &engine()))
        }),
        Act::Latch { rollout } => nth(world, *rollout).map(|record| latch(&record)),
        Act::Close { rollout } => {
            let record = world.state.rollouts_of(&production()).nth(*rollout);
            record
                .and_then(|record| Some((record.id, world.state.exposures.get(&record.id)?.revision)))
                .map(|(id, revision)| changes::close_measurement(&production(), id, revision))
        }
        Act::Soak { rollout } => nth(world, *rollout).map(|record| {
            let soak = crate::record::Soak {
                visits: 1,
                soaked_us: 9,
            };
            changes::soak(&record, soak)
        }),
    };
    txn.and_then(|txn| world.offer(&txn)).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn compiling_what_was_touched_is_compiling_everything_anew(acts in proptest::collection::vec(acts(), 1..40)) {
        let mut world = World::new();
        let sets = [None, Some(key("shop")), Some(key("search"))];
        let mut indexes = sets.clone().map(|set| anew(&world.state, set.as_ref()));
        let mut selections = sets.clone().map(|set| Selection::of(&world.state, &production(), set.as_ref()));
        for act in &acts {
            let before = world.state.clone();
            let touched = carry_out(&mut world, act).remove(&production()).unwrap_or_default();
            let restructured = restructured(&before, &world.state, &production(), touched.iter());
            for ((set, index), selection) in sets.iter().zip(&mut indexes).zip(&mut selections) {
                let (set, mut touched) = (set.as_ref(), touched.clone());
                let now = Selection::of(&world.state, &production(), set);
                prop_assert!(restructured || now == *selection, "{:?} moved unseen after {:?}", set, act);
                touched.extend(now.differing(selection));
                *selection = now;
                *index = index.with(touched.iter().map(|id| change(&world.state, selection, id)));
                let whole = anew(&world.state, set);
                prop_assert_eq!(index.digest(), whole.digest(), "{:?} after {:?}", set, act);
                prop_assert_eq!(index.len(), whole.len());
                for (id, entry) in whole.iter() {
                    prop_assert_eq!(index.get(id.kind, &id.key), Some(entry));
                }
            }
        }
    }

    #[test]
    fn whatever_is_compiled_an_agent_can_read(acts in proptest::collection::vec(acts(), 1..40)) {
        let mut world = World::new();
        for act in &acts {
            carry_out(&mut world, act);
        }
        for (id, entry) in anew(&world.state, None).iter() {
            let raw = proto::entry::unframe(entry.body.clone()).unwrap().pop().unwrap();
            let body = raw.body.unwrap();
            prop_assert_eq!(entry_hash(raw.kind, &raw.key, &body), entry.hash);
            let read = proto::entry::decode(id.kind, &id.key, &body);
            prop_assert!(read.is_ok(), "{:?}: {:?}", id, read);
        }
    }
}
