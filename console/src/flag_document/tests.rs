//! Tables of good and bad flag documents, and the round trips through the wire, YAML and JSON.
#![allow(clippy::unwrap_used)]

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
};
use serde_json::json;

use super::*;
use crate::document;

const WHOLE: &str = r#"
key: checkout-v2
type: boolean
description: The new checkout
owner: payments
tags: [web, q3]
flag_set: shop
enabled: true
salt: abc
variants:
  on: true
  off: false
off_variant: off
default:
  - {variant: on, percent: 2.5}
  - {variant: off, percent: "97.5 %"}
deny: [user-8]
allow:
  on: [user-7, "9"]
rules:
  - name: staff
    conditions:
      - {attribute: team, equals: core}
      - {attribute: level, one_of: [3, 4.5, "5", true]}
    serve: on
  - name: others
    conditions: [{attribute: country, equals: DE}]
    serve: null
"#;

fn parse(text: &str) -> FlagDocument {
    document::parse("flag.yaml", text).unwrap()
}

fn problem(text: &str) -> String {
    document::parse::<FlagDocument>("flag.yaml", text)
        .unwrap_err()
        .to_string()
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
fn a_whole_document_says_all_of_a_flag() {
    let flag = parse(WHOLE).to_wire().unwrap();
    assert_eq!(flag.r#type(), v1::FlagType::Boolean);
    assert_eq!(
        (flag.owner.as_str(), flag.flag_set.as_str(), flag.salt.as_str()),
        ("payments", "shop", "abc")
    );
    assert_eq!(flag.variants["on"].kind, Some(v1::value::Kind::Boolean(true)));
    assert_eq!(flag.off_variant, "off");
    let Some(v1::serve::Kind::Split(split)) = flag.default_serve.unwrap().kind else {
        panic!("a split")
    };
    let shares: Vec<_> = split
        .shares
        .iter()
        .map(|share| (share.variant.as_str(), share.buckets))
        .collect();
    assert_eq!(shares, [("on", 2_500), ("off", 97_500)]);
    assert_eq!(flag.allow[0].units, ["user-7", "9"]);
    assert_eq!(
        crate::rule::show(&flag.rules[0]),
        "staff: team=core and level=3,4.5,\"5\",true -> on"
    );
    assert_eq!(
        flag.rules[1].serve.as_ref().unwrap().kind,
        Some(v1::serve::Kind::CallerDefault(v1::CallerDefault {}))
    );
}

#[test]
fn a_small_document_gets_the_defaults() {
    let flag = parse(&small().to_string()).to_wire().unwrap();
    assert!(flag.enabled && !flag.killed);
    assert_eq!(
        (flag.salt.as_str(), flag.off_variant.as_str(), flag.rules.len()),
        ("", "", 0)
    );
}

#[test]
fn a_wrong_form_is_named_with_its_place() {
    let cases = [
        (with("colour", json!("red")), "unknown field `colour`"),
        (
            r#"{"type": "boolean", "variants": {}, "default": "off"}"#.into(),
            "missing field `key`",
        ),
        (
            r#"{"key": "a", "type": "boolean", "variants": {}}"#.into(),
            "missing field `default`",
        ),
        (
            with("enabled", json!("yes")),
            "invalid type: string \"yes\", expected a boolean",
        ),
        (
            with("default", json!(5)),
            "expected a variant's name, a list of {variant, percent}, or null",
        ),
        (
            with("default", json!([{"variant": "on", "share": 5}])),
            "unknown field `share`",
        ),
        (
            with("variants", json!({"on": [true]})),
            "expected text, a number or a boolean",
        ),
        (
            with("variants", json!({"on": 9_007_199_254_740_993_u64})),
            "cannot be compared exactly",
        ),
        (
            with("rules", json!([{"name": "x", "conditions": []}])),
            "missing field `serve`",
        ),
        ("key: [".into(), "flag.yaml"),
        ("".into(), "flag.yaml"),
        ("key: a\nkey: b\n".into(), "key"),
    ];
    for (text, part) in cases {
        let problem = problem(&text);
        assert!(problem.contains(part), "{text}: {problem}");
        assert!(problem.starts_with("error: flag.yaml: "), "{problem}");
    }
    assert!(
        problem("key: a\ntype: boolean\ncolour: red\n").contains('3'),
        "names the line"
    );
}

#[test]
fn wrong_meanings_are_named_all_at_once() {
    let document = json!({
        "key": "not a key", "type": "float",
        "variants": {"on": 1},
        "default": [{"variant": "on", "percent": 100.5}, {"variant": "off", "percent": "0.0001"}],
        "rules": [{"name": "x", "conditions": [{"attribute": "a"}, {"attribute": "b", "equals": 1, "one_of": [2]}],
                   "serve": [{"variant": "on", "percent": "half"}]}],
    });
    let problems = parse(&document.to_string()).to_wire().unwrap_err();
    let starts = [
        "key: a key has ASCII letters",
        "type: no type \"float\"; boolean or string",
        "variants.on: a number; no flag type has such values",
        "default[0].percent: \"100.5\": a percentage lies between 0 and 100",
        "default[1].percent: \"0.0001\": a percentage has at most 3 decimal places",
        "rules[0].conditions[0]: no test; write equals or one_of",
        "rules[0].conditions[1]: equals and one_of; one test a condition",
        "rules[0].serve[0].percent: \"half\": not a percentage",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:?}");
    for (problem, start) in problems.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
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
    ];
    for (flag_type, value, part) in cases {
        let document = json!({"key": "a", "type": flag_type, "variants": {"v": value}, "default": "v"});
        let problems = parse(&document.to_string()).to_wire().unwrap_err();
        assert_eq!(problems, [format!("variants.v: {part}")]);
    }
}

fn any_scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        "\\PC{0,8}".prop_map(Scalar::Text),
        prop_oneof![
            Just("on"),
            Just("no"),
            Just("true"),
            Just("1.5"),
            Just("null"),
            Just("~")
        ]
        .prop_map(|text| Scalar::Text(text.into())),
        (-1e9..1e9).prop_map(Scalar::Number),
        (-1000_i32..1000).prop_map(|number| Scalar::Number(number.into())),
        any::<bool>().prop_map(Scalar::Boolean),
    ]
}

fn any_serve() -> impl Strategy<Value = ServeDocument> {
    let share = ("\\PC{1,8}", 0_u32..=100_000).prop_map(|(variant, buckets)| serve::ShareDocument {
        variant,
        percent: Percent::of(buckets),
    });
    prop_oneof![
        "\\PC{1,8}".prop_map(ServeDocument::Variant),
        Just(ServeDocument::Variant("on".into())),
        vec(share, 1..4).prop_map(ServeDocument::Split),
        Just(ServeDocument::CallerDefault),
    ]
}

prop_compose! {
    fn any_condition()(attribute in "\\PC{1,8}", mut literals in vec(any_scalar(), 1..4)) -> ConditionDocument {
        let equals = if literals.len() == 1 { literals.pop() } else { None };
        let one_of = equals.is_none().then_some(literals);
        ConditionDocument { attribute, equals, one_of }
    }
}

prop_compose! {
    fn any_rule()(
        name in "\\PC{1,8}", conditions in vec(any_condition(), 1..3), serve in any_serve(),
    ) -> RuleDocument {
        RuleDocument { name, conditions, serve }
    }
}

prop_compose! {
    fn any_document()(
        key in "[a-z0-9][a-z0-9.-]{0,9}", description in "\\PC{0,20}", tags in vec("\\PC{1,5}", 0..3),
        enabled: bool, salt in "[a-z]{0,5}", texts in btree_map("\\PC{1,6}", "\\PC{0,12}", 1..4),
        off_variant in option::of("\\PC{1,6}"), default in any_serve(), deny in vec("\\PC{1,6}", 0..3),
        allow in btree_map("\\PC{1,6}", vec("\\PC{1,6}", 1..3), 0..3), rules in vec(any_rule(), 0..3),
    ) -> FlagDocument {
        let variants = texts.into_iter().map(|(name, text)| (name, Scalar::Text(text))).collect();
        FlagDocument {
            key, flag_type: "string".into(), description, owner: String::new(), tags, flag_set: String::new(),
            enabled, salt, variants, off_variant, default, deny, allow, rules,
        }
    }
}

proptest! {
    #[test]
    fn a_document_survives_the_wire_and_both_texts(document in any_document()) {
        let flag = document.to_wire().map_err(|problems| TestCaseError::fail(problems.join("; ")))?;
        prop_assert_eq!(FlagDocument::from_wire(&flag), document.clone());
        let json = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(document::parse::<FlagDocument>("json", &json).unwrap(), document.clone());
        let yaml = serde_saphyr::to_string(&document).unwrap();
        prop_assert_eq!(document::parse::<FlagDocument>("yaml", &yaml).unwrap(), document, "{}", yaml);
    }

    #[test]
    fn no_text_is_too_strange(text in "[ -~\n]{0,80}") {
        let _ = document::parse::<FlagDocument>("strange", &text).map(|document| document.to_wire());
    }
}
