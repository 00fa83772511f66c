#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Buckets, Serve, Share, Value};
use proptest::prelude::*;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::builders::{flag, key, rollout};

/// What somebody does to a flag.
type Edit = fn(&mut Flag);

fn wire() -> v1::Flag {
    v1::Flag::from(&flag("checkout"))
}

fn rule(name: &str, variant: Option<&str>) -> v1::Rule {
    let literal = v1::Literal {
        kind: Some(v1::literal::Kind::Text("staff".to_owned())),
    };
    let condition = v1::Condition {
        attribute: "group".to_owned(),
        test: Some(v1::condition::Test::OneOf(v1::OneOf {
            literals: vec![literal],
        })),
    };
    v1::Rule {
        name: name.to_owned(),
        conditions: vec![condition],
        serve: variant.map(|variant| v1::Serve {
            kind: Some(v1::serve::Kind::Variant(variant.to_owned())),
        }),
    }
}

/// The fields that are wrong, in order.
fn wrong(flag: v1::Flag) -> Vec<String> {
    let status = checked(flag).expect_err("something is wrong");
    assert_eq!(status.code(), Code::InvalidArgument);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields = violations.into_iter().map(|found| {
        assert!(status.message().contains(&found.description), "{}", status.message());
        found.field
    });
    fields.collect()
}

#[test]
fn a_flag_that_says_only_what_it_may_is_taken_as_it_is() {
    assert_eq!(checked(wire()).unwrap(), flag("checkout"));
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
    let fields = wrong(wire);
    for field in [
        "flag.key",
        "flag.flag_set",
        "flag.salt",
        "flag.off_variant",
        "flag.default",
        "flag.deny[0]",
        "flag.rules[0].serve.variant",
        "flag.rules[1].serve",
    ] {
        assert_eq!(
            fields.iter().filter(|found| *found == field).count(),
            1,
            "{field} in {fields:?}"
        );
    }
    assert_eq!(fields.len(), 8, "{fields:?}");
}

#[test]
fn what_cannot_be_read_hides_nothing_but_itself() {
    let mut wire = wire();
    wire.rules = (0..12).map(|number| rule(&format!("r{number}"), Some("new"))).collect();
    wire.rules[1].conditions[0].test = None;
    wire.rules[10].conditions[0].attribute = String::new();
    wire.rules[11].serve = rule("x", Some("neither")).serve;
    let fields = wrong(wire);
    assert!(fields.contains(&"flag.rules[1].conditions[0]".to_owned()), "{fields:?}");
    assert!(
        fields.iter().any(|field| field.starts_with("flag.rules[10].")),
        "{fields:?}"
    );
    assert!(
        fields.contains(&"flag.rules[11].serve.variant".to_owned()),
        "{fields:?}"
    );
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
    assert_eq!(fields[..2], ["flag", "flag.allow"]);
    assert!(fields.contains(&"flag.off_variant".to_owned()), "{fields:?}");
}

#[test]
fn lists_and_the_rest_of_a_document_are_bounded_apart() {
    let units = |bytes: usize| (0..bytes / 104).map(|unit| format!("{unit:0100}")).collect::<Vec<_>>();
    let mut wire = wire();
    wire.deny = units(LISTS_LIMIT);
    assert!(too_large(&wire).is_empty());
    wire.deny = units(LISTS_LIMIT + 208);
    let fields = too_large(&wire).into_iter().map(|found| found.field);
    assert_eq!(fields.collect::<Vec<_>>(), ["allow"]);
    let text = |bytes: usize| v1::Flag {
        description: "x".repeat(bytes),
        ..super::tests::wire()
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
    let largest = checked(v1::Flag::from(&largest)).unwrap();
    let mut world = crate::builders::World::new();
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
fn under_a_rollout_what_would_move_units_or_meaning_is_refused_all_at_once() {
    let (rollout, before) = (rollout(), flag("checkout"));
    let edits: [(Edit, &str); 7] = [
        (|flag| flag.salt = "other".to_owned(), "the salt"),
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
    ];
    for (edit, what) in edits {
        let mut after = before.clone();
        edit(&mut after);
        let status = undisturbed(&rollout, &before, &after).unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(
            status.message(),
            format!("{what} cannot change while rollout checkout#1 is under way; abort it first")
        );
        let details = status.get_details_precondition_failure().unwrap().violations;
        assert_eq!(
            (details[0].r#type.as_str(), details[0].subject.as_str()),
            ("ROLLOUT", "checkout#1")
        );
    }
}

#[test]
fn under_a_rollout_everything_else_may_be_edited() {
    let (rollout, before) = (rollout(), flag("checkout"));
    let edits: [Edit; 7] = [
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
        assert!(undisturbed(&rollout, &before, &after).is_ok(), "{after:?}");
    }
}

#[test]
fn a_drawn_salt_is_one_that_a_flag_may_have() {
    for _ in 0..100 {
        let salt = draw_salt();
        assert_eq!(salt.len(), SALT);
        let drawn = v1::Flag { salt, ..wire() };
        assert!(checked(drawn).is_ok());
    }
    assert_ne!(draw_salt(), draw_salt());
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
            kind: Some(v1::serve::Kind::Split(v1::Split { shares: shares.collect() })),
        });
        match checked(flag) {
            Ok(flag) => prop_assert!(evaluation::compile(&flag, None).is_ok()),
            Err(status) => {
                prop_assert_eq!(status.code(), Code::InvalidArgument);
                let violations = status.get_details_bad_request().unwrap().field_violations;
                prop_assert!(!violations.is_empty());
                prop_assert!(violations.iter().all(|found| found.field.starts_with("flag")));
            }
        }
    }

    #[test]
    fn a_split_that_adds_up_is_taken(first in 0..=100_000u32) {
        let share = |variant: &str, buckets| Share {
            variant: variant.to_owned(),
            buckets: Buckets::new(buckets).unwrap(),
        };
        let split = Serve::Split(vec![share("new", first), share("old", 100_000 - first)]);
        let flag = Flag { default: split, ..flag("checkout") };
        prop_assert_eq!(checked(v1::Flag::from(&flag)).unwrap(), flag);
    }
}
