//! An evaluation allocates nothing, whatever decides it and however long the unit is, and a simple flag keeps few bytes.
//! Counted by an allocator of the test binary, per thread, so that other threads do not disturb.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod builders;

use std::collections::BTreeMap;
use std::hint::black_box;

use evaluation::{
    CompiledFlag, Condition, Context, DateComparison, Flag, FlagType, Json, Literal, NumberTest, OneOf, Quantifier,
    RolloutStep, Segment, Snapshot, Test, TextPart, Value, VersionComparison,
};

use builders::{
    boolean, compiled, compiled_segment, in_segment, on_for, prerequisite, reached, rolled_out, rule, rule_of, segment,
    serves, snapshot, split, step, string, test, text, texts, unit, variant,
};

/// How many flags the memory of one is measured with.
const FLAGS: usize = 10_000;

/// What a simple flag may keep, with its place in the snapshot.
const BYTES_PER_FLAG: i64 = 450;

/// The allocations of one run of `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// Flags that decide in every way there is.
fn flags() -> Vec<CompiledFlag> {
    let units = || (0..1_000).map(|number| format!("user-{number}")).collect::<Vec<_>>();
    let thirds = split(&[("a", 33_333), ("b", 33_333), ("c", 33_334)]);
    let number = |key: &str, flag_type, value| Flag {
        flag_type,
        variants: BTreeMap::from([("off".to_owned(), value)]),
        ..boolean(key)
    };
    let mut flags = vec![
        boolean("static"),
        number("integer", FlagType::Integer, Value::Integer(7)),
        number("float", FlagType::Float, Value::Float(0.5)),
        Flag {
            enabled: false,
            ..boolean("disabled")
        },
        Flag {
            deny: units(),
            ..boolean("denied")
        },
        Flag {
            allow: BTreeMap::from([("on".into(), units())]),
            ..boolean("allowed")
        },
        Flag {
            default: on_for(25_000),
            ..boolean("split")
        },
        Flag {
            default: on_for(25_000),
            bucket_by: texts(&["number", "targetingKey"]),
            ..boolean("split-by-number")
        },
        Flag {
            default: thirds,
            ..string("three-way", &["a", "b", "c"])
        },
        Flag {
            prerequisites: vec![prerequisite("split", &["on", "off"])],
            default: variant("on"),
            ..boolean("waiting")
        },
    ];
    let ruled = conditions().into_iter().enumerate().map(|(at, condition)| Flag {
        rules: vec![rule_of("r", vec![condition], variant("on"))],
        ..boolean(&format!("ruled-{at}"))
    });
    flags.extend(ruled);
    let mut flags: Vec<CompiledFlag> = flags.iter().map(compiled).collect();
    flags.push(rolled_out(&boolean("rolling"), &step(25_000)));
    flags.extend(rolling_for_some());
    flags
}

/// Flags under rollouts with audiences: who has a plan is in one of them.
fn rolling_for_some() -> [CompiledFlag; 3] {
    let stages = || {
        vec![
            reached(0, 50_000, &["absent", "staff"]),
            reached(1, 90_000, &["absent"]),
        ]
    };
    let for_some = RolloutStep {
        reached: stages(),
        ..step(0)
    };
    let for_all = RolloutStep {
        reached: stages().into_iter().chain([reached(2, 1_000, &[])]).collect(),
        bucket_by: texts(&["nested.id", "number", "targetingKey"]),
        ..step(0)
    };
    let shadow = RolloutStep {
        shadow: true,
        ..for_some.clone()
    };
    [("for-some", for_some), ("for-all", for_all), ("shadow", shadow)]
        .map(|(key, step)| rolled_out(&boolean(&format!("rolling-{key}")), &step))
}

/// A condition of every kind; those of texts in all their sizes.
fn conditions() -> Vec<Condition> {
    let many: Vec<String> = (0..100)
        .map(|number| format!("plan-{number}"))
        .chain(["pro".into()])
        .collect();
    let one_of = |ignore_case| OneOf {
        literals: many.iter().cloned().map(Literal::Text).collect(),
        ignore_case,
    };
    let part = |part, texts: &[String], ignore_case| Test::Text {
        part,
        texts: texts.to_vec(),
        ignore_case,
    };
    let tests = [
        Test::OneOf(one_of(false)),
        Test::OneOf(one_of(true)),
        part(TextPart::Contains, &many[..1], false),
        part(TextPart::Contains, &many, true),
        part(TextPart::StartsWith, &many, false),
        part(TextPart::EndsWith, &many, true),
        Test::Version {
            comparison: VersionComparison::Caret,
            version: "1.2.3-rc.1".into(),
        },
        Test::Date {
            comparison: DateComparison::After,
            date: "2026-11-21".into(),
        },
        Test::InNetwork(texts(&["10.0.0.0/8", "2001:db8::/32"])),
        Test::Exists,
        Test::Number(NumberTest::Between(1.0, 2.0)),
    ];
    let mut conditions: Vec<Condition> = Vec::new();
    for attribute in ["plan", "app", "date", "ip", "number", "nested.plan"] {
        conditions.extend(tests.iter().cloned().map(|tested| test(attribute, tested)));
    }
    conditions.extend([
        test(
            "list",
            Test::List {
                quantifier: Quantifier::Any,
                literals: one_of(true),
            },
        ),
        test("list", Test::Size(NumberTest::Less(9.0))),
        in_segment(&["absent", "staff"]),
        serves("split", &["on"]),
    ]);
    conditions
}

fn staff() -> Segment {
    Segment {
        included: (0..1_000).map(|number| format!("member-{number}")).collect(),
        groups: vec![vec![test("plan", Test::Exists)]],
        ..segment("staff")
    }
}

fn contexts() -> [Context; 3] {
    let nested = Json::Object(BTreeMap::from([("plan".to_owned(), text("PRO"))]));
    let full = unit("user-7")
        .with("plan", text("Pro"))
        .with("app", text("v1.9.0-Beta.2+build"))
        .with("date", text("2026-11-21T09:00:00.5+01:00"))
        .with("ip", text("::ffff:10.1.2.3"))
        .with("number", Json::Number(1.5))
        .with("list", Json::List(vec![text("PRO"), Json::Number(1.0)]))
        .with("nested", nested);
    let long = unit("x".repeat(5_000)).with("plan", Json::Number(1.0));
    [Context::new(), full, long]
}

#[test]
fn no_evaluation_allocates() {
    let snapshot = snapshot(flags(), vec![compiled_segment(&staff())]);
    for flag in snapshot.flags() {
        for context in &contexts() {
            // The first use on a thread may lay out what later ones share.
            _ = flag.evaluate(&snapshot, context);
            let found = allocations(|| _ = black_box(flag.evaluate(&snapshot, black_box(context))));
            assert_eq!(found, 0, "{}", flag.key());
            let found = allocations(|| _ = black_box(flag.evaluate_stale(&snapshot, black_box(context))));
            assert_eq!(found, 0, "{}", flag.key());
        }
    }
}

#[test]
fn no_lookup_in_a_snapshot_allocates() {
    let snapshot = snapshot(flags(), vec![compiled_segment(&staff())]);
    let found = allocations(|| {
        assert!(snapshot.flag(black_box("rolling")).is_some());
        assert!(snapshot.flag(black_box("absent")).is_none());
        assert!(snapshot.segment(black_box("staff")).is_some());
        assert!(snapshot.measurement(black_box(7)).is_none());
        assert!(snapshot.environment().is_none());
        _ = black_box(snapshot.clone());
    });
    assert_eq!(found, 0);
}

/// The bytes that ten thousand flags keep, with their snapshot; per flag.
fn bytes_per_flag(build: impl Fn(&str) -> CompiledFlag) -> i64 {
    let keys: Vec<String> = (0..FLAGS)
        .map(|number| format!("service.checkout.feature-{number:06}"))
        .collect();
    let mut kept: Option<Snapshot> = None;
    let measured = allocation_counter::measure(|| {
        kept = Some(snapshot(keys.iter().map(|key| build(key)).collect(), Vec::new()));
    });
    assert_eq!(kept.map(|snapshot| snapshot.index().len()), Some(FLAGS));
    measured.bytes_current / FLAGS as i64
}

#[test]
fn a_simple_flag_keeps_few_bytes() {
    let percentage = |key: &str| Flag {
        default: on_for(25_000),
        ..boolean(key)
    };
    let listed = |key: &str| Flag {
        allow: BTreeMap::from([("on".into(), texts(&["user-7"]))]),
        deny: texts(&["user-8"]),
        ..percentage(key)
    };
    let ruled = |key: &str| Flag {
        rules: vec![rule("pros", "plan", &["pro"], variant("on"))],
        ..boolean(key)
    };
    for (name, found) in [
        ("static", bytes_per_flag(|key| compiled(&boolean(key)))),
        ("percentage", bytes_per_flag(|key| compiled(&percentage(key)))),
        ("text", bytes_per_flag(|key| compiled(&string(key, &["blue", "red"])))),
    ] {
        println!("{name}: {found} bytes");
        assert!((1..=BYTES_PER_FLAG).contains(&found), "{name}: {found} bytes");
    }
    for (name, found) in [
        (
            "percentage with two lists",
            bytes_per_flag(|key| compiled(&listed(key))),
        ),
        ("one rule", bytes_per_flag(|key| compiled(&ruled(key)))),
    ] {
        println!("{name}: {found} bytes");
        assert!((1..=2 * BYTES_PER_FLAG).contains(&found), "{name}: {found} bytes");
    }
}

#[test]
fn a_hundred_thousand_members_keep_little_more_than_their_text() {
    let members: Vec<String> = (0..100_000).map(|number| format!("user-{number:019}")).collect();
    let text_bytes: usize = members.iter().map(String::len).sum();
    let large = Segment {
        included: members,
        ..segment("large")
    };
    let mut kept = None;
    let measured = allocation_counter::measure(|| kept = Some(compiled_segment(&large)));
    assert_eq!(kept.map(|segment| segment.members()), Some(100_000));
    let more = measured.bytes_current - text_bytes as i64;
    assert!(more <= 30 * 100_000, "{more} bytes more than the text");
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| _ = black_box(Box::new(black_box(1)))), 1);
}
