//! Tables of good and bad flag documents, and the round trip through YAML and JSON.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::{btree_map, btree_set, vec},
    prelude::*,
    sample::select,
};
use prost_types::{Struct, Value, value};
use serde_json::json;

use super::*;
use crate::{
    condition_document::tests::{any_condition, any_text},
    document::to_yaml,
};

const WHOLE: &str = include_str!("../../examples/flags.yaml");

fn flag(text: &str) -> v1::Flag {
    parse("flag.yaml", text).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    parse("flag.yaml", text).unwrap_err()
}

fn served(serve: Option<&v1::Serve>) -> String {
    crate::print::serve(serve)
}

fn small() -> serde_json::Value {
    json!({"key": "a", "type": "boolean", "variants": {"on": true, "off": false}, "default": "off"})
}

fn with(field: &str, value: serde_json::Value) -> String {
    let mut document = small();
    document[field] = value;
    document.to_string()
}

#[test]
fn a_value_is_as_deep_as_the_control_plane_takes_it_and_no_deeper() {
    let nested = |levels: usize, (open, close): (&str, &str)| {
        let value = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        format!("{{key: a, type: object, variants: {{v: {{x: {value}}}}}, default: v}}")
    };
    for pair in [("{x: ", "}"), ("[", "]")] {
        flag(&nested(31, pair));
        for levels in [32, 40] {
            let problems = problems(&nested(levels, pair));
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(
                problems[0].ends_with("variants.v: is nested more than 32 levels deep"),
                "{problems:?}"
            );
        }
    }
}

#[test]
fn every_example_reads_and_survives() {
    let nodes = Node::parse(WHOLE).unwrap();
    assert!(nodes.len() > 4);
    for node in nodes.iter().filter(|node| {
        node.get("kind")
            .is_none_or(|kind| kind.kind != Kind::Text("segment".into()))
    }) {
        let mut problems = Problems::of("flags.yaml");
        let flag = read(node, "", None, &mut problems);
        assert_eq!(problems.into_lines().0, Vec::<String>::new());
        let yaml = to_yaml(&FlagDocument::from_wire(&flag)).unwrap();
        assert_eq!(parse("again", &yaml).unwrap(), flag, "{yaml}");
    }
}

#[test]
fn a_percentage_flag_is_one_field() {
    let flag = flag("{key: a, percent: 2.5}");
    assert_eq!(
        (flag.r#type(), flag.off_variant.as_str(), flag.enabled),
        (v1::FlagType::Boolean, "off", true)
    );
    assert_eq!(served(flag.default_serve.as_ref()), "on 2.5 %, off 97.5 %");
    let cases = [
        ("{key: a}", "off"),
        ("{key: a, default: on}", "on"),
        ("{key: a, default: true}", "on"),
        ("{key: a, default: none}", "the caller's default"),
        ("{key: a, default: null}", "the caller's default"),
        ("{key: a, percent: 100%}", "on"),
        ("{key: a, percent: 0}", "off"),
        ("{key: a, percent: '0.125 %'}", "on 0.125 %, off 99.875 %"),
        (
            "{key: a, variants: {b: blue, g: green}, off_variant: b, percent: 10}",
            "g 10 %, b 90 %",
        ),
        (
            "{key: a, variants: {b: 1, g: 2, r: 3}, off_variant: b, default: r, percent: 10}",
            "r 10 %, b 90 %",
        ),
        ("{key: a, default: {split: {on: 25%, off: 75%}}}", "on 25 %, off 75 %"),
        (
            "{key: a, default: [{variant: on, percent: 1}, {off: 99}]}",
            "on 1 %, off 99 %",
        ),
        ("{key: a, variants: {none: 1, b: 2}, default: none}", "none"),
    ];
    for (document, expected) in cases {
        assert_eq!(
            served(parse("f", document).unwrap().default_serve.as_ref()),
            expected,
            "{document}"
        );
    }
}

#[test]
fn a_type_is_that_of_the_values() {
    let cases = [
        ("{a: true, b: false}", v1::FlagType::Boolean),
        ("{a: x}", v1::FlagType::String),
        ("{a: 1, b: -2}", v1::FlagType::Integer),
        ("{a: 1, b: 2.5}", v1::FlagType::Float),
        ("{a: {x: [1, null]}}", v1::FlagType::Object),
    ];
    for (variants, expected) in cases {
        let document = format!("{{key: a, variants: {variants}, default: a}}");
        assert_eq!(flag(&document).r#type(), expected, "{variants}");
    }
    let problem = &problems("{key: a, variants: {a: 1, b: x}, default: a}")[0];
    assert!(
        problem.starts_with("flag.yaml:1:20: variants: values of several types"),
        "{problem}"
    );
}

#[test]
fn lists_are_one_line_each() {
    let flag = flag("{key: a, whitelist: [user-7, 9], blacklist: user-8, prerequisites: {billing: on, x: [a, b]}}");
    assert_eq!(
        (flag.allow[0].variant.as_str(), flag.allow[0].units.join(" ").as_str()),
        ("on", "user-7 9")
    );
    assert_eq!(flag.deny, ["user-8"]);
    assert_eq!(flag.prerequisites[1].variants, ["a", "b"]);
    let mapped = parse(
        "f",
        "{key: a, allow: {on: user-7, off: [x]}, rules: ['staff: team=core -> on']}",
    )
    .unwrap();
    assert_eq!((mapped.allow.len(), mapped.rules[0].name.as_str()), (2, "staff"));
}

#[test]
fn other_words_for_a_rollout_are_mapped_with_a_note() {
    let cases = [
        ("{name: a, rollout_percentage: 25}", "on 25 %, off 75 %", 1),
        (
            "{name: a, rollout_type: percentage, rollout_percentage: 25.5}",
            "on 25.5 %, off 74.5 %",
            1,
        ),
        ("{name: a, rollout_type: whitelist, whitelist: [u]}", "off", 1),
        (
            "{name: a, rollout_type: whitelist, rollout_percentage: 5, users: [u]}",
            "off",
            2,
        ),
        ("{name: a, rollout_type: blacklist, blacklist: [u]}", "on", 1),
        (
            "{name: a, rollout_percentage: 5, targeting_rules: [{attribute: c, operator: not_in, values: [DE]}]}",
            "on 5 %, off 95 %",
            2,
        ),
    ];
    for (document, expected, notes) in cases {
        let mut problems = Problems::of("f");
        let flag = read(&Node::parse(document).unwrap()[0], "", None, &mut problems);
        let (problems, noted) = problems.into_lines();
        assert_eq!((problems, noted.len()), (Vec::new(), notes), "{document}: {noted:?}");
        assert_eq!(served(flag.default_serve.as_ref()), expected, "{document}");
    }
    let flag = flag(
        "{name: a, rollout_percentage: 5, targeting_rules: [{attribute: country, operator: in, values: [DE, AT]}, \
         {attribute: age, operator: '>=', value: 18, percentage: 10}, {name: x, when: plan=pro, serve: off}, \
         {name: both, conditions: [{attribute: plan, operator: eq, value: pro}, {attribute: age, operator: lt, value: 9}, \
         {attribute: country, equals: DE}], \
         percentage: 5}]}",
    );
    let shown: Vec<String> = flag.rules.iter().map(crate::rule::show).collect();
    assert_eq!(
        shown,
        [
            "rule-1: country=DE,AT -> on",
            "rule-2: age >= 18 -> on 10 %, off 90 %",
            "x: plan=pro -> off",
            "both: plan=pro and age < 9 and country=DE -> on 5 %, off 95 %"
        ]
    );
    let both = problems("{name: a, rollout_percentage: 5, percent: 5}");
    assert!(both[0].contains("write one"), "{both:?}");
    let unknown = problems("{name: a, rollout_type: gradual}");
    assert!(
        unknown[0].contains("write percentage, whitelist or blacklist"),
        "{unknown:?}"
    );
}

#[test]
fn a_wrong_form_is_named_with_its_place() {
    let cases = [
        (with("colour", json!("red")), "colour: no such field; there are"),
        (
            with("enable", json!(true)),
            "enable: no such field; did you mean `enabled`?",
        ),
        ("{type: boolean}".into(), "1:1: key: every flag needs one"),
        (
            r#"{"key": "a", "variants": {"on": true}}"#.into(),
            "default: missing; name the variant",
        ),
        (with("enabled", json!("yes")), "enabled: text; expected true or false"),
        (
            with("default", json!("onn")),
            "default: no variant `onn`; did you mean `on`?",
        ),
        (
            with("default", json!([{"variant": "on", "share": 5}])),
            "default[0].share: no such field",
        ),
        (
            with("default", json!({"split": {"on": 20, "off": 70}})),
            "the shares are 90 % together, not 100 %",
        ),
        (
            with("variants", json!({"on": [true], "off": false})),
            "variants.on: a list; a boolean flag's value",
        ),
        (
            with("rules", json!([{"name": "x", "conditions": []}])),
            "rules[0].serve: missing",
        ),
        (
            with("rules", json!(["x: a -> on"])),
            "rules[0]: rule `x: a -> on`: expected `=`",
        ),
        (
            with("rules", json!([{"conditions": "a=1", "serve": {"split": {"on": 100}}}])),
            "rules[0].name: missing",
        ),
        (
            with("when_stale", json!("gone")),
            "when_stale: write keep, off, or {variant: on}",
        ),
        (with("hash_scheme", json!("md5")), "hash_scheme: no such scheme"),
        (with("allow", json!({"onn": ["u"]})), "allow.onn: no variant `onn`"),
        ("key: [".into(), "flag.yaml:1:6: "),
        ("key: a\nkey: b\n".into(), "flag.yaml:2:1: key is written twice"),
        (
            "key: a\n\tpercent: 25\n".into(),
            "flag.yaml:1:6: while scanning a plain scalar, found a tab; indent with spaces",
        ),
        ("key: a\n---\nkey: b\n".into(), "2 documents"),
        ("".into(), "0 documents"),
    ];
    for (text, part) in cases {
        let problems = problems(&text).join("\n");
        assert!(problems.contains(part), "{text}: {problems}");
        assert!(problems.starts_with("flag.yaml:"), "{problems}");
    }
}

#[test]
fn everything_wrong_is_named_at_once() {
    let document = "
key: not a key
type: floaty
colour: red
variants: {on: 1}
default: {split: {on: 100.5%, off: '0.0001'}}
rules:
- {name: x, conditions: [{attribute: a}, {attribute: b, equals: 1, one_of: [2]}], serve: {split: {on: half}}}
";
    let starts = [
        "2:6: key: a key has ASCII letters",
        "3:7: type: no such type",
        "8:26: rules[0].conditions[0]: write one test",
        "8:42: rules[0].conditions[1]: write one test",
        "8:103: rules[0].serve.split.on: \"half\": not a percentage",
        "6:23: default.split.on: \"100.5%\": a percentage lies between 0 and 100",
        "6:36: default.split.off: \"0.0001\": a percentage has at most 3 decimal places",
        "4:1: colour: no such field",
    ];
    let problems = problems(document);
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(
            problem.starts_with(&format!("flag.yaml:{start}")),
            "{problem}, not {start}"
        );
    }
}

#[test]
fn values_never_change_their_type() {
    let cases = [
        (
            "boolean",
            json!("true"),
            "text; a boolean flag's value is true or false",
        ),
        ("boolean", json!(1), "a number; a boolean flag's value is true or false"),
        ("string", json!(1.5), "a number; put a string flag's value in quotes"),
        ("string", json!(true), "a boolean; put a string flag's value in quotes"),
        (
            "integer",
            json!(1.5),
            "a number; an integer flag's value is a whole number of 64 bits",
        ),
        (
            "integer",
            json!(u64::MAX),
            "a number; an integer flag's value is a whole number of 64 bits",
        ),
        ("float", json!("1"), "text; a float flag's value is a number"),
        ("object", json!([1]), "a list; an object flag's value is a map"),
    ];
    for (flag_type, value, part) in cases {
        let document = json!({"key": "a", "type": flag_type, "variants": {"v": value}, "default": "v"});
        let problems = problems(&document.to_string());
        assert!(problems[0].ends_with(&format!("variants.v: {part}")), "{problems:?}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(value::Kind::NullValue(0)),
        any::<bool>().prop_map(value::Kind::BoolValue),
        any_text().prop_map(value::Kind::StringValue),
        (-1e300..1e300).prop_map(value::Kind::NumberValue),
        (-1000_i32..1000).prop_map(|number| value::Kind::NumberValue(number.into())),
    ];
    leaf.prop_map(|kind| Value { kind: Some(kind) })
        .prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(|values| value::Kind::ListValue(prost_types::ListValue { values })),
                btree_map(any_text(), inner, 0..3).prop_map(|fields| value::Kind::StructValue(Struct { fields })),
            ]
            .prop_map(|kind| Value { kind: Some(kind) })
        })
}

fn any_values(names: BTreeSet<String>) -> impl Strategy<Value = (v1::FlagType, BTreeMap<String, v1::Value>)> {
    let (most, names) = (names.len(), Vec::from_iter(names));
    let zip = move |kinds: Vec<v1::value::Kind>| {
        let values = kinds.into_iter().map(|kind| v1::Value { kind: Some(kind) });
        names.iter().cloned().zip(values).collect()
    };
    let float = any::<f64>().prop_filter("finite", |number| number.is_finite());
    prop_oneof![
        (
            Just(v1::FlagType::Boolean),
            vec(any::<bool>().prop_map(v1::value::Kind::Boolean), most)
        ),
        (
            Just(v1::FlagType::String),
            vec(any_text().prop_map(v1::value::Kind::Text), most)
        ),
        (
            Just(v1::FlagType::Integer),
            vec(any::<i64>().prop_map(v1::value::Kind::Integer), most)
        ),
        (
            Just(v1::FlagType::Float),
            vec(float.prop_map(v1::value::Kind::Number), most)
        ),
        (
            Just(v1::FlagType::Object),
            vec(
                btree_map(any_text(), any_json(), 0..3).prop_map(|fields| v1::value::Kind::Object(Struct { fields })),
                most
            )
        ),
    ]
    .prop_map(move |(flag_type, kinds)| (flag_type, zip(kinds)))
}

fn any_serve(names: Vec<String>) -> impl Strategy<Value = v1::Serve> {
    let one = select(names.clone());
    let two = (1_u32..100_000).prop_map(move |first| {
        let rest = 100_000 - first;
        let mut shares = vec![v1::Share {
            variant: names[0].clone(),
            buckets: first,
        }];
        shares.extend(names.get(1).map(|other| v1::Share {
            variant: other.clone(),
            buckets: rest,
        }));
        if shares.len() == 1 {
            shares[0].buckets = 100_000;
        }
        let ranges = if first % 2 == 0 {
            shares.iter().rev().cloned().collect()
        } else {
            Vec::new()
        };
        v1::serve::Kind::Split(v1::Split { shares, ranges })
    });
    prop_oneof![
        one.prop_map(v1::serve::Kind::Variant),
        two,
        Just(v1::serve::Kind::CallerDefault(v1::CallerDefault {})),
    ]
    .prop_map(|kind| v1::Serve { kind: Some(kind) })
}

prop_compose! {
    fn any_rules(names: Vec<String>)(
        rules in vec((any_text(), vec(any_condition(), 1..3), any_serve(names), any_text()), 0..3),
    ) -> Vec<v1::Rule> {
        let rules = rules.into_iter();
        rules.map(|(name, conditions, serve, salt)| v1::Rule { name, conditions, serve: Some(serve), salt }).collect()
    }
}

fn any_flag() -> impl Strategy<Value = v1::Flag> {
    btree_set(any_text().prop_filter("a name", |name| !name.is_empty()), 1..4)
        .prop_flat_map(|names| {
            let list = Vec::from_iter(names.clone());
            let texts = || vec(any_text(), 0..3);
            let words = (any_text(), any_text(), any_text(), any_text());
            let lists = (
                texts(),
                texts(),
                btree_map(select(list.clone()), vec(any_text(), 1..3), 0..3),
            );
            let stale = prop_oneof![
                Just(None),
                Just(Some(v1::when_stale::Kind::Off(v1::Off {}))),
                Just(Some(v1::when_stale::Kind::Keep(v1::Keep {}))),
                select(list.clone()).prop_map(|name| Some(v1::when_stale::Kind::Variant(name))),
            ];
            let prerequisites = btree_map(any_text(), vec(any_text(), 1..3), 0..3);
            (
                "[a-z0-9][a-z0-9.-]{0,9}",
                any_values(names),
                any_serve(list.clone()),
                any_rules(list.clone()),
                (
                    words,
                    lists,
                    stale,
                    prerequisites,
                    select([vec![String::new()], list].concat()),
                    any::<bool>(),
                    0_i32..2,
                ),
            )
        })
        .prop_map(|(key, (flag_type, variants), default, rules, rest)| {
            let ((description, owner, flag_set, salt), (tags, deny, allow), stale, prerequisites, off, enabled, hash) =
                rest;
            v1::Flag {
                key,
                r#type: flag_type.into(),
                description,
                owner,
                bucket_by: tags.clone(),
                tags,
                flag_set,
                enabled,
                killed: false,
                salt,
                variants,
                off_variant: off,
                default_serve: Some(default),
                deny,
                allow: allow
                    .into_iter()
                    .map(|(variant, units)| v1::AllowList { variant, units })
                    .collect(),
                rules,
                prerequisites: prerequisites
                    .into_iter()
                    .map(|(flag, variants)| v1::Prerequisite { flag, variants })
                    .collect(),
                hash_scheme: hash,
                when_stale: stale.map(|kind| v1::WhenStale { kind: Some(kind) }),
            }
        })
}

proptest! {
    #[test]
    fn a_flag_survives_both_texts(flag in any_flag()) {
        let document = FlagDocument::from_wire(&flag);
        let yaml = to_yaml(&document).unwrap();
        let back = parse("yaml", &yaml);
        prop_assert_eq!(back.as_ref(), Ok(&flag), "{}", yaml);
        let json = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(parse("json", &json), Ok(flag), "{}", json);
    }

    #[test]
    fn no_text_is_too_strange(text in "[ -~\n]{0,80}") {
        let _ = parse("strange", &text);
    }
}
