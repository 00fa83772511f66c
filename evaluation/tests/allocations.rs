//! An evaluation allocates nothing, whatever decides it and however long the unit is. Counted by an allocator of the
//! test binary, per thread, so that other threads do not disturb.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod builders;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use evaluation::{
    Attribute, Body, Change, CompiledFlag, Context, Entry, EntryId, EntryKind, Flag, Index, Revision, Snapshot,
    entry_hash,
};

use builders::{boolean, compiled, on_for, rolled_out, rule, split, step, string, unit, variant};

/// The allocations of one run of `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// Flags that decide in every way there is.
fn flags() -> Vec<(&'static str, CompiledFlag)> {
    let units = || (0..1_000).map(|number| format!("user-{number}")).collect::<Vec<_>>();
    let texts: Vec<String> = (0..100)
        .map(|number| format!("plan-{number}"))
        .chain(["pro".into()])
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let thirds = split(&[("a", 33_333), ("b", 33_333), ("c", 33_334)]);
    vec![
        ("static", compiled(&boolean("static"))),
        (
            "disabled",
            compiled(&Flag {
                enabled: false,
                ..boolean("disabled")
            }),
        ),
        (
            "denied",
            compiled(&Flag {
                deny: units(),
                ..boolean("denied")
            }),
        ),
        (
            "allowed",
            compiled(&Flag {
                allow: BTreeMap::from([("on".into(), units())]),
                ..boolean("allowed")
            }),
        ),
        (
            "ruled",
            compiled(&Flag {
                rules: vec![rule("r", "plan", &texts, on_for(5))],
                ..boolean("ruled")
            }),
        ),
        (
            "split",
            compiled(&Flag {
                default: thirds,
                ..string("split", &["a", "b", "c"])
            }),
        ),
        (
            "rolling",
            rolled_out(
                &Flag {
                    default: variant("off"),
                    ..boolean("rolling")
                },
                &step(25_000),
            ),
        ),
    ]
}

#[test]
fn no_evaluation_allocates() {
    let contexts = [
        Context::new(),
        unit("user-7").with("plan", Attribute::Text("pro".into())),
        unit("x".repeat(5_000)).with("plan", Attribute::Number(1.0)),
    ];
    for (name, flag) in flags() {
        for context in &contexts {
            let found = allocations(|| _ = black_box(flag.evaluate(black_box(context))));
            assert_eq!(found, 0, "{name}");
        }
    }
}

#[test]
fn no_lookup_in_a_snapshot_allocates() {
    let changes = flags().into_iter().map(|(key, flag)| {
        let entry = Entry {
            hash: entry_hash(EntryKind::Flag, key, b""),
            body: Body::Flag(Arc::new(flag)),
        };
        Change {
            id: EntryId {
                kind: EntryKind::Flag,
                key: key.into(),
            },
            entry: Some(entry),
        }
    });
    let snapshot = Snapshot::new(Revision::default(), Index::new().with(changes));
    let found = allocations(|| {
        assert!(snapshot.flag(black_box("rolling")).is_some());
        assert!(snapshot.flag(black_box("absent")).is_none());
        assert!(snapshot.measurement(black_box(7)).is_none());
        assert!(snapshot.environment().is_none());
        _ = black_box(snapshot.clone());
    });
    assert_eq!(found, 0);
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| _ = black_box(Box::new(black_box(1)))), 1);
}
