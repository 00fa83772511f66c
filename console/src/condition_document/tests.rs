//! Any condition, for the laws of documents and rules; tables of what conditions look like.
#![allow(clippy::unwrap_used)]

use proptest::{collection::vec, prelude::*};
use proto::v1::{self, condition::Test, literal, number_test::Comparison};

use super::{write::write, *};
use crate::document::{Node, Problems};

/// Texts that YAML or a one-line rule may take for something else.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let odd = [
        "on",
        "no",
        "true",
        "True",
        "1.5",
        "007",
        "0x10",
        "1_000",
        "null",
        "~",
        "none",
        "12:30",
        "2026-01-01",
        "- a",
        "a: b",
        "# c",
        "25%",
        ">= 1.2",
        "not",
        "flag",
        "in_segment",
        "/i",
        "a,b",
        "->",
        "'",
        "\"",
        "\\",
        "@x",
        "`",
        "!x",
        "&a",
        "*a",
        "|",
        ">",
        "{",
        "[",
        "?",
        " lead",
        "trail ",
        "<<",
        "=",
        ".inf",
        "1e5",
        "---",
        "...",
        "\u{feff}x",
        "\u{85}",
        "",
    ];
    prop_oneof![
        any::<String>(),
        "[a-z0-9,=:\"' \\\\<>!~^/#&*-]{0,8}",
        proptest::sample::select(odd.to_vec()).prop_map(str::to_owned),
    ]
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |number| number.is_finite()),
        (-1000_i32..1000).prop_map(f64::from),
        Just(-0.0),
        Just(9_007_199_254_740_993_i64 as f64),
    ]
}

fn any_literal() -> impl Strategy<Value = v1::Literal> {
    prop_oneof![
        any_text().prop_map(literal::Kind::Text),
        any_number().prop_map(literal::Kind::Number),
        any::<bool>().prop_map(literal::Kind::Boolean),
    ]
    .prop_map(|kind| v1::Literal { kind: Some(kind) })
}

fn any_comparison() -> impl Strategy<Value = v1::NumberTest> {
    prop_oneof![
        any_number().prop_map(Comparison::Equal),
        any_number().prop_map(Comparison::Less),
        any_number().prop_map(Comparison::LessOrEqual),
        any_number().prop_map(Comparison::Greater),
        any_number().prop_map(Comparison::GreaterOrEqual),
        (any_number(), any_number()).prop_map(|(from, to)| Comparison::Between(v1::NumberRange { from, to })),
    ]
    .prop_map(|comparison| v1::NumberTest {
        comparison: Some(comparison),
    })
}

prop_compose! {
    fn any_one_of()(literals in vec(any_literal(), 1..4), ignore_case: bool) -> v1::OneOf {
        v1::OneOf { literals, ignore_case }
    }
}

prop_compose! {
    fn any_text_test()(texts in vec(any_text(), 1..4), ignore_case: bool) -> v1::TextTest {
        v1::TextTest { texts, ignore_case }
    }
}

fn any_attribute_test() -> impl Strategy<Value = Test> {
    // A version and a date are words; what stands in them is the control plane's to refuse.
    let word = || "[0-9a-z.+:T-]{1,12}";
    prop_oneof![
        any_one_of().prop_map(Test::OneOf),
        any_text_test().prop_map(Test::Contains),
        any_text_test().prop_map(Test::StartsWith),
        any_text_test().prop_map(Test::EndsWith),
        any_text().prop_map(Test::Matches),
        any_comparison().prop_map(Test::Number),
        (1_i32..=7, word()).prop_map(|(comparison, version)| Test::Version(v1::VersionTest { comparison, version })),
        (any::<bool>(), word()).prop_map(|(before, date)| {
            let comparison = if before {
                v1::date_test::Comparison::Before(date)
            } else {
                v1::date_test::Comparison::After(date)
            };
            Test::Date(v1::DateTest {
                comparison: Some(comparison),
            })
        }),
        vec(any_text(), 1..3).prop_map(|networks| Test::InNetwork(v1::NetworkTest { networks })),
        Just(Test::Exists(v1::ExistsTest {})),
        (1_i32..=6).prop_map(Test::TypeIs),
        (1_i32..=3, any_one_of()).prop_map(|(quantifier, one_of)| {
            Test::List(v1::ListTest {
                quantifier,
                literals: Some(one_of),
            })
        }),
        any_comparison().prop_map(Test::Size),
    ]
}

/// Any condition that the wire can carry.
pub(crate) fn any_condition() -> impl Strategy<Value = v1::Condition> {
    let whole = prop_oneof![
        vec(any_text(), 1..3).prop_map(|segments| Test::InSegment(v1::SegmentTest { segments })),
        (any_text(), vec(any_text(), 1..3))
            .prop_map(|(flag, variants)| Test::Variant(v1::VariantTest { flag, variants })),
    ];
    let named = any_text().prop_filter("an attribute", |name| !name.is_empty());
    prop_oneof![
        4 => (named, any_attribute_test()),
        1 => (Just(String::new()), whole),
    ]
    .prop_flat_map(|(attribute, test)| (Just(attribute), Just(test), any::<bool>()))
    .prop_map(|(attribute, test, negated)| v1::Condition {
        attribute,
        test: Some(test),
        negated,
    })
}

fn parse(text: &str) -> Result<v1::Condition, Vec<String>> {
    let nodes = Node::parse(text).unwrap();
    let mut problems = Problems::of("c");
    let condition = read(&nodes[0], "", &mut problems);
    match problems.into_lines().0 {
        problems if problems.is_empty() => Ok(condition.unwrap()),
        problems => Err(problems),
    }
}

#[test]
fn a_condition_is_one_line() {
    // Beside each, the one-line rule that says the same.
    let cases = [
        ("{attribute: plan, equals: pro}", "plan=pro"),
        ("{attribute: plan, equals: pro, not: true}", "plan!=pro"),
        ("{attribute: plan, one_of: [pro, 3, true]}", "plan=pro,3,true"),
        ("{attribute: plan, equals: Pro, ignore_case: true}", "plan=/i Pro"),
        ("{attribute: name, contains: [a, b]}", "name contains a,b"),
        ("{attribute: name, starts_with: a}", "name starts_with a"),
        (
            "{attribute: name, ends_with: a, ignore_case: true}",
            "name ends_with/i a",
        ),
        ("{attribute: name, matches: '^a.*z$'}", "name matches ^a.*z$"),
        ("{attribute: seats, less: 3}", "seats < 3"),
        ("{attribute: seats, less_or_equal: 3.5}", "seats <= 3.5"),
        ("{attribute: seats, greater: 3}", "seats > 3"),
        ("{attribute: seats, greater_or_equal: 3}", "seats >= 3"),
        ("{attribute: seats, number_equals: 3}", "seats == 3"),
        ("{attribute: seats, between: [1, 5]}", "seats between 1,5"),
        ("{attribute: app, version: '>= 1.2.3'}", "app version >=1.2.3"),
        ("{attribute: app, version: 1.10}", "app version =1.10"),
        ("{attribute: app, version: ^1.2}", "app version ^1.2"),
        ("{attribute: at, before: 2026-01-01}", "at before 2026-01-01"),
        (
            "{attribute: at, after: '2026-01-01T00:00:00Z'}",
            "at after 2026-01-01T00:00:00Z",
        ),
        ("{attribute: ip, in_network: 10.0.0.0/8}", "ip in_network 10.0.0.0/8"),
        ("{attribute: plan, exists: true}", "plan exists"),
        ("{attribute: plan, exists: false}", "not plan exists"),
        ("{attribute: plan, exists: false, not: true}", "plan exists"),
        ("{attribute: plan, type_is: null}", "plan type_is null"),
        ("{attribute: tags, any_of: [a, b]}", "tags any_of a,b"),
        ("{attribute: tags, none_of: a}", "tags none_of a"),
        ("{attribute: tags, size: 3}", "tags size == 3"),
        ("{attribute: tags, size: {greater: 3}}", "tags size > 3"),
        ("{in_segment: beta}", "in_segment beta"),
        ("{in_segment: [beta, staff], not: true}", "not in_segment beta,staff"),
        ("{flag: other, variant: on}", "flag other=on"),
    ];
    for (document, line) in cases {
        let condition = parse(document).unwrap();
        assert_eq!(crate::rule::show_condition(&condition), line, "{document}");
    }
}

#[test]
fn a_wrong_condition_says_what_to_write() {
    let cases = [
        ("{attribute: a}", "write one test: equals"),
        ("{attribute: a, equals: 1, one_of: [2]}", "write one test"),
        ("{equals: 1}", "equals needs an attribute"),
        ("{attribute: a, in_segment: b}", "in_segment is about the whole context"),
        (
            "{attribute: a, equal: 1}",
            "c:1:16: equal: no such field; did you mean `equals`?",
        ),
        ("{attribute: a, less: many}", "less: text; expected a number"),
        ("{attribute: a, between: 3}", "two numbers: [18, 65]"),
        (
            "{attribute: a, less: 3, ignore_case: true}",
            "ignore_case says nothing about less",
        ),
        (
            "{attribute: a, equals: 007}",
            "007 is read as a number; put it in quotes",
        ),
        ("{attribute: a, equals: 9007199254740993}", "cannot be held exactly"),
        ("{attribute: a, equals: [1]}", "expected text, a number or a boolean"),
        (
            "{attribute: a, type_is: thing}",
            "write text, number, boolean, list, object or null",
        ),
        ("{attribute: a, size: {}}", "write one comparison"),
        ("{flag: other}", "which variant?"),
        ("{variant: on}", "of which flag?"),
        ("[1]", "expected a condition"),
    ];
    for (document, part) in cases {
        let problems = parse(document).unwrap_err().join("\n");
        assert!(problems.contains(part), "{document}: {problems}");
    }
}

proptest! {
    #[test]
    fn a_condition_survives_both_texts(condition in any_condition()) {
        let tree = write(&condition);
        let yaml = crate::document::to_yaml(&tree).unwrap();
        let back = parse(&yaml);
        prop_assert_eq!(back.as_ref(), Ok(&condition), "{}", yaml);
        let json = serde_json::to_string(&tree).unwrap();
        prop_assert_eq!(parse(&json), Ok(condition), "{}", json);
    }
}
