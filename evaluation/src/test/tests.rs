#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use super::*;
use crate::condition::{Condition, Literal, OneOf, Test, TextPart};
use crate::context::Context;
use crate::flag::{Flag, HashScheme, Serve, WhenStale};
use crate::key::Key;
use crate::rule::Rule;
use crate::snapshot::Snapshot;
use crate::value::{FlagType, Value};

/// Whether the plain and the negated condition on the attribute `a` hold.
fn both(test: Test, value: Option<Json>) -> (bool, bool) {
    let context = value.map_or(Context::new(), |value| Context::new().with("a", value));
    let [plain, negated] = [false, true].map(|negated| holds(test.clone(), negated, &context));
    (plain, negated)
}

fn holds(test: Test, negated: bool, context: &Context) -> bool {
    let attribute = "a".into();
    let flag = flag(Condition {
        attribute,
        negated,
        test,
    });
    let compiled = crate::compile(&flag, None).unwrap();
    compiled.evaluate(&Snapshot::empty(), context).rule.is_some()
}

/// A flag with one rule of one condition.
fn flag(condition: Condition) -> Flag {
    Flag {
        key: Key::first(),
        flag_type: FlagType::Boolean,
        description: String::new(),
        owner: String::new(),
        tags: Default::default(),
        set: None,
        enabled: true,
        killed: false,
        salt: "salt".into(),
        variants: BTreeMap::from([("on".into(), Value::Boolean(true))]),
        off_variant: None,
        default: Serve::CallerDefault,
        deny: Vec::new(),
        allow: BTreeMap::new(),
        rules: vec![Rule {
            name: "r".into(),
            conditions: vec![condition],
            serve: Serve::CallerDefault,
            salt: String::new(),
        }],
        prerequisites: Vec::new(),
        hash: HashScheme::Murmur3,
        bucket_by: Vec::new(),
        when_stale: WhenStale::Keep,
    }
}

/// Passes, does not, or has no answer: what the plain and the negated condition say then.
const PASSES: (bool, bool) = (true, false);
const FAILS: (bool, bool) = (false, true);
const MUTE: (bool, bool) = (false, false);

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn texts(texts: &[&str]) -> Vec<Literal> {
    texts.iter().map(|text| Literal::Text((*text).to_owned())).collect()
}

fn one_of(literals: Vec<Literal>, ignore_case: bool) -> Test {
    Test::OneOf(OneOf { literals, ignore_case })
}

#[test]
fn literals_are_of_a_type_and_never_convert() {
    let mixed = || {
        let mut literals = texts(&["1", "true"]);
        literals.extend([Literal::Number(2.0), Literal::Boolean(false)]);
        one_of(literals, false)
    };
    let cases = [
        (Some(text("1")), PASSES),
        (Some(text("true")), PASSES),
        (Some(text("2")), FAILS),
        (Some(text("TRUE")), FAILS),
        (Some(Json::Number(2.0)), PASSES),
        (Some(Json::Number(1.0)), FAILS),
        (Some(Json::Number(f64::NAN)), FAILS),
        (Some(Json::Boolean(false)), PASSES),
        (Some(Json::Boolean(true)), FAILS),
        (Some(Json::Null), MUTE),
        (Some(Json::List(vec![text("1")])), MUTE),
        (Some(Json::Object(BTreeMap::new())), MUTE),
        (None, MUTE),
    ];
    for (value, expected) in cases {
        assert_eq!(both(mixed(), value.clone()), expected, "{value:?}");
    }
    assert_eq!(
        both(one_of(vec![Literal::Number(0.0)], false), Some(Json::Number(-0.0))),
        PASSES
    );
    assert_eq!(
        both(one_of(vec![Literal::Number(-0.0)], false), Some(Json::Number(0.0))),
        PASSES
    );
}

#[test]
fn one_literal_and_many_find_the_same() {
    for length in [1, 2, 8, 9, 1_000] {
        let names: Vec<String> = (0..length).map(|number| format!("Name-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let last = format!("Name-{}", length - 1);
        assert_eq!(
            both(one_of(texts(&names), false), Some(text(&last))),
            PASSES,
            "{length}"
        );
        assert_eq!(
            both(one_of(texts(&names), false), Some(text(&last.to_uppercase()))),
            FAILS,
            "{length}"
        );
        assert_eq!(
            both(one_of(texts(&names), true), Some(text(&last.to_uppercase()))),
            PASSES,
            "{length}"
        );
        assert_eq!(
            both(one_of(texts(&names), true), Some(text("Name-"))),
            FAILS,
            "{length}"
        );
    }
    assert_eq!(both(one_of(texts(&["ÄRGER"]), true), Some(text("ärger"))), PASSES);
}

#[test]
fn parts_of_texts_are_found() {
    let part = |part, texts: &[&str], ignore_case| Test::Text {
        part,
        texts: texts.iter().map(ToString::to_string).collect(),
        ignore_case,
    };
    use TextPart::{Contains, EndsWith, StartsWith};
    let cases = [
        (part(Contains, &["x", "ee"], false), "beer", PASSES),
        (part(Contains, &["EE"], false), "beer", FAILS),
        (part(Contains, &["EE"], true), "bEer", PASSES),
        (part(Contains, &["a", "b", "c", "d", "e", "éé"], true), "ÉÉ", PASSES),
        (part(StartsWith, &["be", "bee"], false), "beer", PASSES),
        (part(StartsWith, &["eer"], false), "beer", FAILS),
        (part(EndsWith, &["x", "er", "beer"], false), "beer", PASSES),
        (part(EndsWith, &["ER"], true), "beer", PASSES),
        (part(EndsWith, &["bee"], false), "beer", FAILS),
    ];
    for (test, value, expected) in cases {
        assert_eq!(both(test.clone(), Some(text(value))), expected, "{test:?}");
        assert_eq!(both(test.clone(), Some(Json::Number(1.0))), MUTE);
        assert_eq!(both(test, None), MUTE);
    }
}

#[test]
fn expressions_search_and_are_anchored_only_if_they_say_so() {
    let matches = |pattern: &str, value| both(Test::Matches(pattern.into()), Some(value));
    assert_eq!(matches("b+", text("abbc")), PASSES);
    assert_eq!(matches("^b+", text("abbc")), FAILS);
    assert_eq!(matches("(?i)^ABBC$", text("abbc")), PASSES);
    assert_eq!(matches("b", Json::Boolean(true)), MUTE);
}

#[test]
fn numbers_compare_as_doubles() {
    use NumberTest::{Between, Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let cases = [
        (Equal(1.0), [false, true, false]),
        (Less(1.0), [true, false, false]),
        (LessOrEqual(1.0), [true, true, false]),
        (Greater(1.0), [false, false, true]),
        (GreaterOrEqual(1.0), [false, true, true]),
        (Between(0.5, 1.0), [true, true, false]),
    ];
    for (test, expected) in cases {
        let found = [0.5, 1.0, 1.5].map(|number| both(Test::Number(test), Some(Json::Number(number))) == PASSES);
        assert_eq!(found, expected, "{test:?}");
        assert_eq!(both(Test::Number(test), Some(Json::Number(f64::NAN))), FAILS);
        assert_eq!(both(Test::Number(test), Some(text("1"))), MUTE);
        let sized = [0, 1, 2].map(|size| both(Test::Size(test), Some(Json::List(vec![Json::Null; size]))).0);
        let whole = [0.0, 1.0, 2.0].map(|number| number::compare(&test, number));
        assert_eq!(sized, whole, "{test:?}");
        assert_eq!(both(Test::Size(test), Some(text("1"))), MUTE);
    }
}

#[test]
fn versions_dates_and_addresses_are_read_or_have_no_answer() {
    let version = || Test::Version {
        comparison: VersionComparison::GreaterOrEqual,
        version: "2.1".into(),
    };
    let date = |comparison| Test::Date {
        comparison,
        date: "2026-11-21".into(),
    };
    let network = || Test::InNetwork(vec!["10.0.0.0/8".into(), "2001:db8::/32".into()]);
    let cases = [
        (version(), text("v2.1.0+7"), PASSES),
        (version(), text("2.1.0-rc.1"), FAILS),
        (version(), text("2"), FAILS),
        (version(), text("two"), MUTE),
        (version(), Json::Number(2.0), MUTE),
        (date(DateComparison::Before), text("2026-11-20T23:59:59Z"), PASSES),
        (date(DateComparison::Before), text("2026-11-21"), FAILS),
        (date(DateComparison::After), text("2026-11-21"), FAILS),
        (date(DateComparison::After), Json::Number(1_795_219_200.5), PASSES),
        (date(DateComparison::After), Json::Number(f64::NAN), MUTE),
        (date(DateComparison::After), text("soon"), MUTE),
        (date(DateComparison::After), Json::Boolean(true), MUTE),
        (network(), text("10.1.2.3"), PASSES),
        (network(), text("::ffff:10.1.2.3"), PASSES),
        (network(), text("2001:db8::1"), PASSES),
        (network(), text("192.0.2.1"), FAILS),
        (network(), text("localhost"), MUTE),
        (network(), Json::Number(10.0), MUTE),
    ];
    for (test, value, expected) in cases {
        assert_eq!(both(test.clone(), Some(value.clone())), expected, "{test:?} {value:?}");
    }
}

#[test]
fn what_is_there_and_of_which_type_has_an_answer() {
    assert_eq!(both(Test::Exists, Some(Json::Boolean(false))), PASSES);
    assert_eq!(both(Test::Exists, Some(Json::Null)), FAILS);
    assert_eq!(both(Test::Exists, None), FAILS);
    let values = [
        (AttributeType::Text, text("a")),
        (AttributeType::Number, Json::Number(1.0)),
        (AttributeType::Boolean, Json::Boolean(true)),
        (AttributeType::List, Json::List(Vec::new())),
        (AttributeType::Object, Json::Object(BTreeMap::new())),
        (AttributeType::Null, Json::Null),
    ];
    for (expected, _) in &values {
        for (found, value) in &values {
            let answer = if expected == found { PASSES } else { FAILS };
            assert_eq!(
                both(Test::TypeIs(*expected), Some(value.clone())),
                answer,
                "{expected:?} {value:?}"
            );
        }
        assert_eq!(both(Test::TypeIs(*expected), None), MUTE);
    }
}

#[test]
fn lists_are_tested_element_by_element() {
    let list = |quantifier| {
        let mut literals = texts(&["a", "b"]);
        literals.push(Literal::Number(1.0));
        let ignore_case = true;
        Test::List {
            quantifier,
            literals: OneOf { literals, ignore_case },
        }
    };
    let values = |values: &[Json]| Json::List(values.to_vec());
    let cases = [
        (values(&[text("A"), Json::Number(1.0)]), [PASSES, PASSES, FAILS]),
        (values(&[text("a"), text("z")]), [PASSES, FAILS, FAILS]),
        (
            values(&[text("z"), Json::Null, values(&[text("a")])]),
            [FAILS, FAILS, PASSES],
        ),
        (values(&[]), [FAILS, PASSES, PASSES]),
        (text("a"), [MUTE, MUTE, MUTE]),
    ];
    for (value, expected) in cases {
        let quantifiers = [Quantifier::Any, Quantifier::All, Quantifier::NoneOf];
        let found = quantifiers.map(|quantifier| both(list(quantifier), Some(value.clone())));
        assert_eq!(found, expected, "{value:?}");
    }
}

#[test]
fn the_targeting_key_is_an_attribute_to_test() {
    let named = |unit: Option<&str>| {
        let context = unit.map_or(Context::new(), |unit| Context::new().with_targeting_key(unit));
        let condition = Condition {
            attribute: crate::attribute::TARGETING_KEY.into(),
            negated: false,
            test: one_of(texts(&["ada"]), false),
        };
        let compiled = crate::compile(&flag(condition), None).unwrap();
        compiled.evaluate(&Snapshot::empty(), &context).rule.is_some()
    };
    assert!(named(Some("ada")));
    assert!(!named(Some("bob")) && !named(None));
}

#[test]
fn a_condition_is_three_words_long() {
    assert_eq!(size_of::<CompiledCondition>(), 24);
}
