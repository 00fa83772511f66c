//! Tables and the round-trip law of the one-line rules.
#![allow(clippy::unwrap_used)]

use proptest::{collection::vec, prelude::*};
use proto::v1::literal::Kind;

use super::*;

fn rule(name: &str, conditions: &[(&str, &[Kind])], variant: &str) -> v1::Rule {
    let conditions = conditions
        .iter()
        .map(|(attribute, kinds)| v1::Condition {
            attribute: (*attribute).into(),
            test: Some(v1::condition::Test::OneOf(v1::OneOf {
                literals: kinds
                    .iter()
                    .map(|kind| v1::Literal {
                        kind: Some(kind.clone()),
                    })
                    .collect(),
            })),
        })
        .collect();
    let serve = Some(v1::Serve {
        kind: Some(v1::serve::Kind::Variant(variant.into())),
    });
    v1::Rule {
        name: name.into(),
        conditions,
        serve,
    }
}

fn text(text: &str) -> Kind {
    Kind::Text(text.into())
}

#[test]
fn one_line_says_a_whole_rule() {
    let cases = [
        (
            "staff: team=core -> on",
            rule("staff", &[("team", &[text("core")])], "on"),
        ),
        (
            "eu: country=DE,AT and paying=true -> on",
            rule(
                "eu",
                &[
                    ("country", &[text("DE"), text("AT")]),
                    ("paying", &[Kind::Boolean(true)]),
                ],
                "on",
            ),
        ),
        (
            "eu:country = DE , AT->on",
            rule("eu", &[("country", &[text("DE"), text("AT")])], "on"),
        ),
        (
            "age: age=42,-1.5 -> on",
            rule("age", &[("age", &[Kind::Number(42.0), Kind::Number(-1.5)])], "on"),
        ),
        (
            "version: v=1.10,007,\"42\",\"true\" -> on",
            rule(
                "version",
                &[("v", &[text("1.10"), text("007"), text("42"), text("true")])],
                "on",
            ),
        ),
        (
            r#""a: b": "full name"="Ann \"x\" = \\" and and=and -> "on -> off""#,
            rule(
                "a: b",
                &[("full name", &[text("Ann \"x\" = \\")]), ("and", &[text("and")])],
                "on -> off",
            ),
        ),
        (
            "url: url=http://x/y -> on",
            rule("url", &[("url", &[text("http://x/y")])], "on"),
        ),
        (
            "big: id=9007199254740993 -> on",
            rule("big", &[("id", &[text("9007199254740993")])], "on"),
        ),
        (
            "odd: n=inf,NaN -> on",
            rule("odd", &[("n", &[text("inf"), text("NaN")])], "on"),
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(parse(line), Ok(expected), "{line}");
    }
}

#[test]
fn a_bad_rule_says_what_was_expected() {
    let cases = [
        ("", "expected a name at the end"),
        ("staff", "expected `:` after the name at the end"),
        (
            "staff team=core -> on",
            "expected `:` after the name before `team=core -> on`",
        ),
        (": team=core -> on", "expected a name before `: team=core -> on`"),
        ("staff: -> on", "expected an attribute before `-> on`"),
        ("staff: team -> on", "expected `=` after the attribute before `-> on`"),
        ("staff: team= -> on", "expected a value before `-> on`"),
        ("staff: team=a, -> on", "expected a value before `-> on`"),
        ("staff: team=a", "expected `and` or `->` at the end"),
        (
            "staff: team=a or team=b -> on",
            "expected `and` or `->` before `or team=b -> on`",
        ),
        (
            "staff: team=a andteam=b -> on",
            "expected `and` or `->` before `andteam=b -> on`",
        ),
        ("staff: team=a and -> on", "expected an attribute before `-> on`"),
        ("staff: team=a ->", "expected a variant at the end"),
        ("staff: team=a -> on off", "expected the end before `off`"),
        ("staff: team=\"a -> on", "the quotes are not closed in `\"a -> on`"),
        (r#"staff: team="a\n" -> on"#, "stands only before"),
    ];
    for (line, part) in cases {
        let error = parse(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        any::<String>().prop_map(Kind::Text),
        "[a-z0-9,=:\" \\\\>-]{0,8}".prop_map(Kind::Text),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Kind::Number),
        any::<bool>().prop_map(Kind::Boolean),
    ]
}

proptest! {
    #[test]
    fn what_is_shown_parses_back(
        name in any::<String>(),
        conditions in vec((any::<String>(), vec(any_kind(), 1..4)), 1..4),
        variant in any::<String>(),
    ) {
        let conditions: Vec<(&str, &[Kind])> =
            conditions.iter().map(|(attribute, kinds)| (attribute.as_str(), kinds.as_slice())).collect();
        let rule = rule(&name, &conditions, &variant);
        prop_assert_eq!(parse(&show(&rule)), Ok(rule));
    }

    #[test]
    fn no_line_is_too_strange(line in ".{0,60}") {
        let _ = parse(&line);
    }
}
