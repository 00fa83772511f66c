//! Flags that between them decide in every way there is, and callers that meet every one of those ways.
//!
//! What is said of a flag to a caller must be the same on every wire and from every process; these are what it is said
//! of. Flags that target serve `yes` or `no`, so that a test's table of expectations is short.

use proto::v1::{
    self, ListQuantifier, VersionComparison,
    condition::Test,
    value::Kind::{Boolean, Integer, Number, Object, Text},
};
use serde_json::{Value, json};

use crate::{
    conditions::{
        at_least, before, condition, ends_with, in_network, in_segment, list, not, one_of, one_of_any_case, rule,
        serves, version,
    },
    flags::{allow, boolean, flag, split, text, variant},
    json::fields,
};

/// The segment that flags read: everybody at example.com and a few more, without a few.
pub fn staff() -> v1::Segment {
    v1::Segment {
        key: "staff".to_owned(),
        included: vec!["ann".to_owned(), "user-5".to_owned()],
        excluded: vec!["temp-1".to_owned()],
        groups: vec![v1::ConditionGroup {
            conditions: vec![condition("email", ends_with(&["@example.com"]))],
        }],
        ..v1::Segment::default()
    }
}

/// All flags, in an order in which they can be created, after the segment.
pub fn flags() -> Vec<v1::Flag> {
    [values(), tests(), splits(), others()].concat()
}

/// One flag of every type, the same for everybody.
fn values() -> Vec<v1::Flag> {
    let dark = json!({"colour": "#000", "sizes": [1, 2.5], "nested": {"on": true, "none": null}});
    let text = |text: &str| Text(text.to_owned());
    let (dark, light) = (Object(fields(&dark)), Object(fields(&json!({}))));
    vec![
        flag(
            "wide",
            v1::FlagType::Boolean,
            [("on", Boolean(true)), ("off", Boolean(false))],
            "on",
        ),
        flag(
            "title",
            v1::FlagType::String,
            [("long", text("Zürich ✓")), ("empty", text(""))],
            "long",
        ),
        flag(
            "limit",
            v1::FlagType::Integer,
            [("high", Integer(9_000_000_000)), ("low", Integer(-10))],
            "high",
        ),
        flag(
            "ratio",
            v1::FlagType::Float,
            [("part", Number(0.1)), ("whole", Number(2.0))],
            "part",
        ),
        flag(
            "whole",
            v1::FlagType::Float,
            [("part", Number(0.1)), ("whole", Number(2.0))],
            "whole",
        ),
        flag(
            "theme",
            v1::FlagType::Object,
            [("dark", dark), ("light", light)],
            "dark",
        ),
    ]
}

/// A flag for each operator: `yes` where it holds.
fn tests() -> Vec<v1::Flag> {
    let is = |key: &str, conditions: &[v1::Condition]| v1::Flag {
        rules: vec![rule("it-holds", conditions, variant("yes"))],
        ..text(key, &["no", "yes"])
    };
    let roles = |quantifier| [condition("roles", list(quantifier, &["admin", "dev"]))];
    vec![
        is("nested", &[condition("address.country", one_of(&["DE", "AT"]))]),
        is("cased", &[condition("country", one_of_any_case(&["DE"]))]),
        is("not-german", &[not(condition("address.country", one_of(&["DE"])))]),
        is(
            "recent",
            &[condition(
                "version",
                version(VersionComparison::GreaterOrEqual, "1.9.0"),
            )],
        ),
        is(
            "compatible",
            &[condition("version", version(VersionComparison::Caret, "2.0.1"))],
        ),
        is(
            "inside",
            &[condition("ip", in_network(&["10.0.0.0/8", "2001:db8::/32"]))],
        ),
        is("early", &[condition("since", before("2026-06-01"))]),
        is(
            "matching",
            &[condition(
                "email",
                Test::Matches("^[a-z]+@example[.](com|org)$".to_owned()),
            )],
        ),
        is("grown", &[condition("age", Test::Number(at_least(18.0)))]),
        is("any-role", &roles(ListQuantifier::Any)),
        is("all-roles", &roles(ListQuantifier::All)),
        is("many-roles", &[condition("roles", Test::Size(at_least(2.0)))]),
        is(
            "typed",
            &[condition("companyId", Test::TypeIs(v1::AttributeType::Number.into()))],
        ),
        is("known", &[condition("beta", Test::Exists(v1::ExistsTest {}))]),
        is("staff-only", &[in_segment("staff")]),
        is("outsiders", &[not(in_segment("staff"))]),
        is(
            "both",
            &[in_segment("staff"), condition("age", Test::Number(at_least(18.0)))],
        ),
    ]
}

/// Flags that decide by a bucket, and one that reads such a flag.
fn splits() -> Vec<v1::Flag> {
    let thirds = || split(&[("red", 20_000), ("green", 30_000), ("blue", 50_000)]);
    let colours = |key: &str| v1::Flag {
        default_serve: Some(thirds()),
        ..text(key, &["red", "green", "blue"])
    };
    let by = |key: &str, names: &[&str]| v1::Flag {
        bucket_by: names.iter().map(|name| (*name).to_owned()).collect(),
        ..colours(key)
    };
    let adult = condition("age", Test::Number(at_least(18.0)));
    vec![
        colours("colour"),
        by("by-company", &["companyId", "targetingKey"]),
        by("by-company-alone", &["companyId"]),
        v1::Flag {
            rules: vec![rule("adults", &[adult], thirds())],
            ..text("adults-split", &["red", "green", "blue"])
        },
        v1::Flag {
            rules: vec![rule("reds", &[serves("colour", "red")], variant("yes"))],
            ..text("follower", &["no", "yes"])
        },
    ]
}

/// Flags that decide by prerequisites and lists, not at all, or leave it to the caller.
fn others() -> Vec<v1::Flag> {
    let needs = |key: &str, flag: &str, wanted: &str| v1::Flag {
        prerequisites: vec![v1::Prerequisite {
            flag: flag.to_owned(),
            variants: vec![wanted.to_owned()],
        }],
        default_serve: Some(variant("yes")),
        ..text(key, &["no", "yes"])
    };
    let caller_default = v1::serve::Kind::CallerDefault(v1::CallerDefault {});
    vec![
        needs("needs-wide", "wide", "on"),
        needs("needs-staff", "staff-only", "yes"),
        v1::Flag {
            allow: vec![allow("vip", &["ann"])],
            deny: vec!["bob".to_owned()],
            default_serve: Some(variant("rest")),
            ..text("lists", &["denied", "vip", "rest"])
        },
        v1::Flag {
            enabled: false,
            default_serve: Some(variant("on")),
            ..boolean("asleep")
        },
        v1::Flag {
            enabled: false,
            off_variant: String::new(),
            ..text("resting", &["asleep", "awake"])
        },
        v1::Flag {
            rules: vec![rule("it-holds", &[in_segment("staff")], variant("yes"))],
            default_serve: Some(v1::Serve {
                kind: Some(caller_default),
            }),
            ..text("theirs", &["no", "yes"])
        },
    ]
}

/// Callers: whole, nested, empty, odd and wrong ones.
pub fn callers() -> Vec<Value> {
    vec![
        json!({"targetingKey": "ann"}),
        json!({"targetingKey": "bob", "address": {"country": "DE"}, "country": "de", "version": "2.1.0",
            "ip": "10.1.2.3", "email": "bob@example.com", "roles": ["admin", "dev"], "companyId": "acme", "age": 30,
            "since": "2026-01-01T00:00:00Z", "beta": true}),
        // A name with a dot comes before a path; the version is older than its release.
        json!({"targetingKey": "eve", "address.country": "AT", "address": {"country": "FR"}, "version": "v2.0.1-rc.1",
            "ip": "2001:db8::7", "roles": ["dev", "guest"], "since": 1_780_000_000}),
        json!({"targetingKey": "user-5", "companyId": 1_234_567, "age": 17.5, "version": "1.9",
            "ip": "::ffff:10.0.0.7", "roles": [], "beta": false}),
        json!({"targetingKey": "Zoë ✓", "email": "ZOË@EXAMPLE.COM", "country": "DE", "companyId": 0.1, "age": 18}),
        // Nothing is of the type that the tests are about.
        json!({"targetingKey": "user-7", "address": "DE", "country": 7, "version": 2, "ip": 5, "email": ["x"],
            "roles": "admin", "companyId": [1], "age": "30", "since": true, "beta": null}),
        json!({"targetingKey": "temp-1", "email": "temp-1@example.com", "address": {"country": null}, "roles": [null]}),
        // Without a targeting key, with a unit of its own; and nobody at all.
        json!({"companyId": "acme", "email": "x@example.org"}),
        json!({}),
    ]
}
