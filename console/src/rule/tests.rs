//! Tables and the round-trip law of the one-line rules.
#![allow(clippy::unwrap_used)]

use proptest::{collection::vec, prelude::*};
use proto::v1::literal::Kind;

use super::*;
use crate::condition_document::tests::any_condition;

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
                ignore_case: false,
            })),
            negated: false,
        })
        .collect();
    v1::Rule {
        name: name.into(),
        conditions,
        serve: Some(v1::Serve {
            kind: Some(serve::Kind::Variant(variant.into())),
        }),
        salt: String::new(),
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
            "path: path=/index -> on",
            rule("path", &[("path", &[text("/index")])], "on"),
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
fn every_operator_is_one_line() {
    let lines = [
        "a: country!=DE,AT -> on",
        "a: country=/i de -> on",
        "a: seats == 3 -> on",
        "a: seats >= 100 and seats < 1000 -> on",
        "a: seats between 1,5 -> on",
        "a: email ends_with/i @example.org and not role=guest -> on",
        "a: name contains x,y and name starts_with z -> on",
        "a: email matches \"^.*@x\\\\.y$\" -> on",
        "a: app version >=1.4 and app version ^2.0.0 -> on",
        "a: since before 2026-01-01T00:00:00Z and since after 2025-01-01 -> on",
        "a: ip in_network 10.0.0.0/8,::1 -> on",
        "a: plan type_is text and not plan exists -> on",
        "a: tags any_of x,3 and tags all_of/i y and tags none_of z -> on",
        "a: tags size > 3 and tags size between 1,2 and tags size == 0 -> on",
        "a: in_segment beta,staff and not flag checkout=on,partly -> none",
        "a: plan=pro -> on 25 %, off 75 %",
        "a: plan=pro -> \"none\"",
    ];
    for line in lines {
        let rule = parse(line).unwrap();
        let shown = show(&rule);
        assert_eq!(parse(&shown).as_ref(), Ok(&rule), "{line}: {shown}");
    }
    assert_eq!(show(&parse("a: not x!=3 -> on").unwrap()), "a: x=3 -> on");
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
        (
            "a: team resembles x -> on",
            "another operator after the attribute before `resembles",
        ),
        ("a: n > many -> on", "expected a number before `many"),
        ("a: v ~ 1 -> on", "compares versions"),
        ("a: x matches/i y -> on", "`/i` says nothing about `matches`"),
        ("a: x type_is thing -> on", "`thing` is no type"),
        ("a: x=1 -> on 25%, off -> 3", "expected its percentage before `-> 3`"),
        ("a: x=1 -> on 250%", "250%: a percentage lies between 0 and 100"),
    ];
    for (line, part) in cases {
        let error = parse(line).unwrap_err();
        assert!(error.contains(part), "{line}: {error}");
    }
    let error = parse_conditions("plan=pro or x=1").unwrap_err();
    assert!(error.contains("expected `and` before `or x=1`"), "{error}");
}

fn any_serve() -> impl Strategy<Value = serve::Kind> {
    let share = (any::<String>(), 0_u32..=100_000).prop_map(|(variant, buckets)| v1::Share { variant, buckets });
    prop_oneof![
        any::<String>().prop_map(serve::Kind::Variant),
        Just(serve::Kind::Variant("none".into())),
        Just(serve::Kind::CallerDefault(v1::CallerDefault {})),
        vec(share, 1..4).prop_map(|shares| serve::Kind::Split(v1::Split {
            shares,
            ranges: Vec::new()
        })),
    ]
}

proptest! {
    #[test]
    fn what_is_shown_parses_back(
        name in any::<String>(), conditions in vec(any_condition(), 1..4), serve in any_serve(),
    ) {
        let rule = v1::Rule { name, conditions, serve: Some(v1::Serve { kind: Some(serve) }), salt: String::new() };
        let line = show(&rule);
        prop_assert_eq!(parse(&line), Ok(rule), "{}", line);
    }

    #[test]
    fn no_line_is_too_strange(line in ".{0,60}") {
        let _ = parse(&line);
        let _ = parse_conditions(&line);
    }
}
