#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Buckets, Prerequisite, Rule, Serve, Share, Split, Value};
use proptest::prelude::*;
use prost::Message as _;
use rollout::Unit;

use super::{
    size::{DOCUMENT_LIMIT, LISTS_LIMIT, too_large},
    *,
};
use crate::{
    builders::{World, flag, key, production, rollout},
    record::FlagRecord,
};

/// What somebody does to a flag.
type Edited = fn(&mut Flag);

fn wire() -> v1::Flag {
    v1::Flag::from(&flag("checkout"))
}

fn rule(name: &str, variant: Option<&str>) -> v1::Rule {
    let literal = v1::Literal {
        kind: Some(v1::literal::Kind::Text("staff".to_owned())),
    };
    let condition = v1::Condition {
        attribute: "group".to_owned(),
        negated: false,
        test: Some(v1::condition::Test::OneOf(v1::OneOf {
            literals: vec![literal],
            ignore_case: false,
        })),
    };
    v1::Rule {
        name: name.to_owned(),
        conditions: vec![condition],
        serve: variant.map(|variant| v1::Serve {
            kind: Some(v1::serve::Kind::Variant(variant.to_owned())),
        }),
        salt: String::new(),
    }
}

fn created(wire: v1::Flag) -> Result<Flag, Refusal> {
    let state = World::new().state;
    prepare_alone(&state, &production(), None, Wanted::read(wire)).map(|prepared| prepared.flag)
}

/// The fields that are wrong, in order.
fn wrong(flag: v1::Flag) -> Vec<String> {
    let refusal = created(flag).expect_err("something is wrong");
    assert!(refusal.preconditions.is_empty());
    refusal.violations.into_iter().map(|found| found.field).collect()
}

fn split(shares: &[(&str, u32)]) -> Serve {
    let share = |(variant, buckets): &(&str, u32)| Share {
        variant: (*variant).to_owned(),
        buckets: Buckets::new(*buckets).unwrap(),
    };
    Serve::Split(Split {
        shares: shares.iter().map(share).collect(),
        ranges: Vec::new(),
    })
}

/// A flag over another, as an update makes it.
fn updated(before: &Flag, after: Flag) -> Flag {
    let mut world = World::new();
    world.write(before.clone());
    let record = world.flag(&before.key);
    let prepared = prepare_alone(&world.state, &production(), Some(&record), Wanted::from(after));
    prepared.unwrap().flag
}

/// Who holds each bucket.
fn layout(serve: &Serve) -> Vec<&str> {
    let Serve::Split(split) = serve else {
        panic!("not a split");
    };
    let runs = if split.ranges.is_empty() {
        &split.shares
    } else {
        &split.ranges
    };
    let mut layout = Vec::with_capacity(100_000);
    for run in runs {
        layout.resize(layout.len() + run.buckets.get() as usize, run.variant.as_str());
    }
    layout
}

#[test]
fn a_value_that_cannot_be_read_is_named_once_and_not_by_those_that_serve_its_variant() {
    let mut flag = wire();
    flag.variants.insert("on".to_owned(), v1::Value { kind: None });
    flag.default_serve = Some(v1::Serve {
        kind: Some(v1::serve::Kind::Variant("on".to_owned())),
    });
    assert_eq!(wrong(flag), [r#"variants["on"]"#]);
}

#[test]
fn a_flag_that_says_only_what_it_may_is_taken_as_it_is() {
    assert_eq!(created(wire()).unwrap(), flag("checkout"));
}

#[test]
fn a_flag_without_a_salt_gets_one_and_keeps_it() {
    let unsalted = || v1::Flag {
        salt: String::new(),
        ..wire()
    };
    let one = created(unsalted()).unwrap();
    assert!(!one.salt.is_empty());
    assert_ne!(one.salt, created(unsalted()).unwrap().salt);
    let again = Flag {
        salt: String::new(),
        ..one.clone()
    };
    assert_eq!(updated(&one, again), one);
}

#[test]
fn a_document_neither_kills_nor_revives() {
    let killed = |killed| Flag {
        killed,
        ..flag("checkout")
    };
    assert!(updated(&killed(true), killed(false)).killed);
    assert!(!updated(&killed(false), killed(true)).killed);
}

#[test]
fn a_flag_is_answered_with_everything_that_is_wrong_with_it() {
    let mut wire = wire();
    wire.key = "no spaces".to_owned();
    wire.flag_set = "/".to_owned();
    wire.salt = "a:b".to_owned();
    wire.off_variant = "none".to_owned();
    wire.default_serve = None;
    wire.deny = vec![String::new()];
    wire.rules = vec![rule("r", Some("neither")), rule("s", None)];
    wire.prerequisites = vec![v1::Prerequisite {
        flag: "missing".to_owned(),
        variants: vec!["on".to_owned()],
    }];
    let fields = wrong(wire);
    for field in [
        "key",
        "flag_set",
        "salt",
        "off_variant",
        "default",
        "deny[0]",
        "rules[0].serve.variant",
        "rules[1].serve",
        "prerequisites[0].flag",
    ] {
        assert_eq!(
            fields.iter().filter(|found| *found == field).count(),
            1,
            "{field} in {fields:?}"
        );
    }
    assert_eq!(fields.len(), 9, "{fields:?}");
}

#[test]
fn what_cannot_be_read_hides_nothing_but_itself() {
    let mut wire = wire();
    wire.rules = (0..12).map(|number| rule(&format!("r{number}"), Some("new"))).collect();
    wire.rules[1].conditions[0].test = None;
    wire.rules[10].conditions[0].attribute = String::new();
    wire.rules[11].serve = rule("x", Some("neither")).serve;
    let fields = wrong(wire);
    assert!(
        fields.iter().any(|field| field.starts_with("rules[1].conditions[0]")),
        "{fields:?}"
    );
    assert!(fields.iter().any(|field| field.starts_with("rules[10].")), "{fields:?}");
    assert!(fields.contains(&"rules[11].serve.variant".to_owned()), "{fields:?}");
}

#[test]
fn a_field_is_within_another_at_its_borders_only() {
    for (field, whole, expected) in [
        ("rules[1]", "rules[1]", true),
        ("rules[1].serve", "rules[1]", true),
        ("rules[1].serve.split[0]", "rules[1].serve.split", true),
        ("rules[10]", "rules[1", false),
        ("default.split[10].variant", "default.split[1]", false),
        ("defaults", "default", false),
        ("rules", "rules[1]", false),
    ] {
        assert_eq!(is_within(field, whole), expected, "{field} in {whole}");
    }
}

#[test]
fn what_is_too_large_is_named_beside_everything_else() {
    let mut large = wire();
    large.off_variant = "none".to_owned();
    large.deny = (0..9_000).map(|unit| format!("{unit:050}")).collect();
    large.rules = (0..100)
        .map(|number| rule(&format!("{number:0200}"), Some("new")))
        .collect();
    for rule in &mut large.rules {
        rule.conditions[0].attribute = "x".repeat(5_000);
    }
    let fields = wrong(large);
    assert_eq!(fields[..2], ["", "allow"]);
    assert!(fields.contains(&"off_variant".to_owned()), "{fields:?}");
}

#[test]
fn lists_and_the_rest_of_a_document_are_bounded_apart() {
    let units = |bytes: usize| (0..bytes / 104).map(|unit| format!("{unit:0100}")).collect::<Vec<_>>();
    let with = |deny| Flag {
        deny,
        ..flag("checkout")
    };
    assert!(too_large(&with(units(LISTS_LIMIT))).is_empty());
    let fields = too_large(&with(units(LISTS_LIMIT + 208)))
        .into_iter()
        .map(|found| found.field);
    assert_eq!(fields.collect::<Vec<_>>(), ["allow"]);
    let text = |bytes: usize| Flag {
        description: "x".repeat(bytes),
        ..flag("checkout")
    };
    assert!(too_large(&text(DOCUMENT_LIMIT - 1_000)).is_empty());
    assert_eq!(too_large(&text(DOCUMENT_LIMIT)).len(), 1);
}

#[test]
fn the_largest_flag_fits_into_one_transaction_with_its_history_and_its_record() {
    let mut largest = flag("checkout");
    largest.deny = (0..LISTS_LIMIT / 44).map(|unit| format!("{unit:040}")).collect();
    for number in 0..4 {
        let text = Value::String("x".repeat(63 * 1024).into());
        largest.variants.insert(format!("v{number}"), text);
    }
    let largest = created(v1::Flag::from(&largest)).unwrap();
    let mut world = World::new();
    world.write(largest.clone());
    // Everything that can be told of a change is told.
    world.write(Flag {
        deny: vec!["u".to_owned()],
        variants: flag("checkout").variants,
        ..largest.clone()
    });
    world.write(largest);
}

#[test]
fn growing_a_share_moves_only_the_units_that_it_gains() {
    let mut before = flag("checkout");
    before.variants.insert("third".to_owned(), Value::String("x".into()));
    before.default = split(&[("new", 10_000), ("old", 10_000), ("third", 80_000)]);
    let after = Flag {
        default: split(&[("new", 20_000), ("old", 10_000), ("third", 70_000)]),
        ..before.clone()
    };
    let after = updated(&before, after);
    let (was, is) = (layout(&before.default), layout(&after.default));
    let moved = was.iter().zip(&is).filter(|(was, is)| was != is);
    let moved = moved.collect::<Vec<_>>();
    assert_eq!(moved.len(), 10_000);
    assert!(moved.iter().all(|(was, is)| **was == "third" && **is == "new"));
    // The same document again changes nothing, with the ranges or without.
    assert_eq!(updated(&after, after.clone()), after);
    let mut without = after.clone();
    without.default = split(&[("new", 20_000), ("old", 10_000), ("third", 70_000)]);
    assert_eq!(updated(&after, without), after);
}

#[test]
fn ranges_that_hold_the_shares_are_taken_and_others_laid_anew() {
    let before = Flag {
        default: split(&[("new", 30_000), ("old", 70_000)]),
        ..flag("checkout")
    };
    let ranged = |ranges: &[(&str, u32)]| {
        let (Serve::Split(mut wanted), Serve::Split(ranges)) =
            (split(&[("new", 30_000), ("old", 70_000)]), split(ranges))
        else {
            unreachable!("both are splits")
        };
        wanted.ranges = ranges.shares;
        Flag {
            default: Serve::Split(wanted),
            ..before.clone()
        }
    };
    let exact = ranged(&[("old", 70_000), ("new", 30_000)]);
    assert_eq!(updated(&before, exact.clone()), exact);
    // Runs that say what the shares say are left out.
    assert_eq!(
        updated(&before, ranged(&[("new", 10_000), ("new", 20_000), ("old", 70_000)])),
        before
    );
    // Of another edit: the present ones stay.
    assert_eq!(updated(&before, ranged(&[("new", 20_000), ("old", 80_000)])), before);
}

#[test]
fn a_rule_is_laid_over_the_rule_of_its_name_wherever_it_stands() {
    let condition = evaluation::Condition {
        attribute: "plan".to_owned(),
        test: evaluation::Test::Exists,
        negated: false,
    };
    let rule = |name: &str, new| evaluation::Rule {
        name: name.to_owned(),
        conditions: vec![condition.clone()],
        serve: split(&[("old", 100_000 - new), ("new", new)]),
        salt: String::new(),
    };
    let with = |rules| Flag {
        rules,
        ..flag("checkout")
    };
    let first = with(vec![rule("a", 10_000), rule("b", 50_000)]);
    let second = updated(&first, with(vec![rule("b", 60_000), rule("a", 10_000)]));
    assert_eq!(second.rules[1], first.rules[0]);
    let (was, is) = (layout(&first.rules[1].serve), layout(&second.rules[0].serve));
    assert_eq!(was.iter().zip(&is).filter(|(was, is)| was != is).count(), 10_000);
}

#[test]
fn the_type_of_a_flag_stays() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let other = Flag {
        flag_type: evaluation::FlagType::Boolean,
        variants: [
            ("new".to_owned(), Value::Boolean(true)),
            ("old".to_owned(), Value::Boolean(false)),
        ]
        .into(),
        ..flag("checkout")
    };
    let record = world.flag("checkout");
    let refusal = prepare_alone(&world.state, &production(), Some(&record), Wanted::from(other)).unwrap_err();
    assert_eq!(refusal.violations[0].field, "type");
    assert_eq!(
        refusal.violations[0].description,
        "is string and cannot become boolean; create another flag"
    );
}

#[test]
fn an_archived_flag_takes_nothing_but_its_return() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let archived = FlagRecord {
        archived_at_us: Some(1),
        ..FlagRecord::clone(&world.flag("checkout"))
    };
    let edits = [
        Edit::Document(Box::new(Wanted::from(flag("checkout")))),
        Edit::Killed(true),
    ];
    for edit in edits {
        let refusal = edited(&world.state, &production(), &archived, edit, 2).unwrap_err();
        assert_eq!(refusal.preconditions[0].kind, "ARCHIVED");
        assert!(refusal.to_string().contains("unarchive it first"), "{refusal}");
    }
    let back = edited(&world.state, &production(), &archived, Edit::Archived(false), 2).unwrap();
    assert_eq!(
        (back.record.archived_at_us, back.record.version),
        (None, archived.version + 1)
    );
    assert!(back.differs(&archived));
    let again = edited(&world.state, &production(), &archived, Edit::Archived(true), 2).unwrap();
    assert!(!again.differs(&archived));
}

#[test]
fn what_a_rollout_holds_is_neither_archived_nor_deleted() {
    let mut world = World::new();
    world.write(flag("checkout"));
    world.start("checkout");
    let record = world.flag("checkout");
    let refusal = removable(&world.state, &production(), &record).unwrap_err();
    assert_eq!(
        (refusal.preconditions[0].kind, refusal.preconditions[0].subject.as_str()),
        ("ROLLOUT", "checkout#1")
    );
    assert!(edited(&world.state, &production(), &record, Edit::Archived(true), 2).is_err());
    // A kill always works.
    assert!(edited(&world.state, &production(), &record, Edit::Killed(true), 2).is_ok());
}

#[test]
fn what_others_read_is_not_removed_from_under_them() {
    let mut world = World::new();
    world.write(flag("base"));
    world.write(Flag {
        prerequisites: vec![Prerequisite {
            flag: "base".to_owned(),
            variants: vec!["new".to_owned()],
        }],
        ..flag("reader")
    });
    let base = world.flag("base");
    let refusal = removable(&world.state, &production(), &base).unwrap_err();
    let found = &refusal.preconditions[0];
    assert_eq!((found.kind, found.subject.as_str()), ("REFERENCED", "flag base"));
    assert!(
        found.description.contains("is read by flag reader"),
        "{}",
        found.description
    );
    // A variant that is read is not removed either; another may be.
    let without = |name: &str| {
        let mut flag = flag("base");
        flag.variants.insert("third".to_owned(), Value::String("x".into()));
        flag.variants.remove(name);
        Wanted::from(flag)
    };
    let refused = prepare_alone(&world.state, &production(), Some(&base), without("new")).unwrap_err();
    assert_eq!(refused.preconditions[0].kind, "REFERENCED");
    assert!(prepare_alone(&world.state, &production(), Some(&base), without("third")).is_ok());
}

#[test]
fn under_a_rollout_what_would_move_units_or_meaning_is_refused_all_at_once() {
    let (rollout, before) = (rollout(), flag("checkout"));
    let edits: [(Edited, &str); 10] = [
        (|flag| flag.salt = "other".to_owned(), "the salt"),
        (
            |flag| flag.bucket_by = vec!["company".to_owned()],
            "the bucketing attributes",
        ),
        (|flag| flag.default = Serve::CallerDefault, "the default"),
        (|flag| flag.set = Some(key("shop")), "the flag set"),
        (
            |flag| _ = flag.variants.insert("new".to_owned(), Value::String("else".into())),
            "the variant new",
        ),
        (|flag| _ = flag.variants.remove("old"), "the variant old"),
        (
            |flag| {
                flag.salt = "other".to_owned();
                flag.default = Serve::CallerDefault;
            },
            "the salt, the default",
        ),
        (|flag| flag.variants.clear(), "the variant new, the variant old"),
        (
            |flag| flag.rules = vec![rule_serving("staff", "new")],
            "the rules up to staff",
        ),
        (|flag| flag.off_variant = Some("new".to_owned()), "the off variant"),
    ];
    for (edit, what) in edits {
        let mut after = before.clone();
        edit(&mut after);
        let found = exposure::under_way(&rollout, &before, &after).unwrap();
        assert_eq!(
            found.description,
            format!(
                "{what} cannot change while rollout checkout#1 is under way, for it would change who is exposed; abort or \
                 roll it back first, or end it by the same edit (supersede, with a reason)"
            )
        );
        assert_eq!((found.kind, found.subject.as_str()), ("ROLLOUT", "checkout#1"));
    }
    assert_eq!(rollout.plan.unit, Unit::Unit);
}

/// A rule that serves a variant to whoever has an attribute.
fn rule_serving(name: &str, variant: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        conditions: Vec::new(),
        serve: Serve::Variant(variant.to_owned()),
        salt: String::new(),
    }
}

#[test]
fn after_an_abort_the_treatment_comes_back_only_by_naming_it() {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    let aborting = crate::builders::moved(&record, ::rollout::Phase::Aborting, "aborted");
    world.commit(&crate::change::rollout::abort(
        &record,
        &aborting,
        None,
        None,
        &crate::builders::actor(),
    ));
    let before = flag("checkout");
    let edits: [(Edited, Option<&str>); 6] = [
        (
            |flag| flag.default = Serve::Variant("new".to_owned()),
            Some("the default"),
        ),
        (
            |flag| flag.allow = [("new".to_owned(), vec!["u".to_owned()])].into(),
            Some("the allow list"),
        ),
        (
            |flag| flag.rules = vec![rule_serving("staff", "new")],
            Some("the rules up to staff"),
        ),
        (
            |flag| flag.allow = [("old".to_owned(), vec!["u".to_owned()])].into(),
            None,
        ),
        (|flag| flag.description = "x".to_owned(), None),
        (|flag| flag.default = Serve::CallerDefault, None),
    ];
    for (edit, what) in edits {
        let mut after = before.clone();
        edit(&mut after);
        let against = |run: &str| {
            let consent = Consent {
                acknowledge_abort: run.to_owned(),
                ..Consent::default()
            };
            exposure::stands_against(&world.state, &production(), &before, &after, &consent)
        };
        let found = against("");
        assert_eq!(
            found.as_ref().map(|found| found.subject.as_str()),
            what.map(|_| "checkout#1")
        );
        if let (Some(found), Some(what)) = (found, what) {
            assert!(found.description.contains(what), "{}", found.description);
        }
        assert_eq!(against("checkout#1"), None, "it is meant");
        assert_eq!(
            against("checkout#7").is_some(),
            what.is_some(),
            "another run is not this one"
        );
    }
}

#[test]
fn under_a_rollout_everything_else_may_be_edited() {
    let (rollout, before) = (rollout(), flag("checkout"));
    let edits: [Edited; 8] = [
        |flag| flag.rules = vec![rule_serving("staff", "old")],
        |flag| flag.description = "x".to_owned(),
        |flag| flag.enabled = false,
        |flag| flag.killed = true,
        |flag| flag.off_variant = Some("old".to_owned()),
        |flag| flag.deny = vec!["u".to_owned()],
        |flag| flag.allow = [("new".to_owned(), vec!["u".to_owned()])].into(),
        |flag| _ = flag.variants.insert("third".to_owned(), Value::String("x".into())),
    ];
    for edit in edits {
        let mut after = before.clone();
        edit(&mut after);
        assert!(exposure::under_way(&rollout, &before, &after).is_none(), "{after:?}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_a_flag_that_compiles_or_a_list_of_what_is_wrong(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        shares in proptest::collection::vec(0..120_000u32, 0..4),
    ) {
        let mut flag = v1::Flag::decode(bytes.as_slice()).unwrap_or_else(|_| wire());
        let shares = shares.into_iter().map(|buckets| v1::Share { variant: "new".to_owned(), buckets });
        flag.default_serve = Some(v1::Serve {
            kind: Some(v1::serve::Kind::Split(v1::Split { shares: shares.collect(), ranges: Vec::new() })),
        });
        match created(flag) {
            Ok(flag) => prop_assert!(evaluation::compile(&flag, None).is_ok()),
            Err(refusal) => prop_assert!(!refusal.violations.is_empty()),
        }
    }

    #[test]
    fn a_split_that_adds_up_is_taken(first in 0..=100_000u32) {
        let split = split(&[("new", first), ("old", 100_000 - first)]);
        let flag = Flag { default: split, ..flag("checkout") };
        prop_assert_eq!(created(v1::Flag::from(&flag)).unwrap(), flag);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn edits_of_shares_move_the_fewest_units(steps in proptest::collection::vec(0..=100u32, 1..12)) {
        let at = |percent: u32| Flag {
            default: split(&[("new", percent * 1_000), ("old", 100_000 - percent * 1_000)]),
            ..flag("checkout")
        };
        let mut present = created(v1::Flag::from(&at(50))).unwrap();
        let mut share = 50u32;
        for step in steps {
            let next = updated(&present, at(step));
            let (was, is) = (layout(&present.default), layout(&next.default));
            let moved = was.iter().zip(&is).filter(|(was, is)| was != is).count();
            prop_assert_eq!(moved as u32, share.abs_diff(step) * 1_000);
            (present, share) = (next, step);
        }
    }
}
