//! What an edit changes, what it leaves alone, and when it may be repeated on a newer flag.
#![allow(clippy::unwrap_used)]

use evaluation::Key;
use proptest::prelude::*;

use super::*;
use crate::{new_flag, print, rule};

fn flag() -> v1::Flag {
    new_flag::boolean(&Key::parse("checkout-v2").unwrap())
}

fn string_flag(default: v1::Serve, off: &str) -> v1::Flag {
    let value = |text: &str| v1::Value {
        kind: Some(v1::value::Kind::Text(text.into())),
    };
    v1::Flag {
        r#type: v1::FlagType::String.into(),
        variants: ["blue", "green", "grey"]
            .map(|name| (name.to_owned(), value(name)))
            .into(),
        default_serve: Some(default),
        off_variant: off.into(),
        ..flag()
    }
}

fn everybody(variant: &str) -> v1::Serve {
    v1::Serve {
        kind: Some(v1::serve::Kind::Variant(variant.into())),
    }
}

fn serve(variant: &str, percent: &str) -> Serving {
    Serving {
        variant: variant.into(),
        percent: (!percent.is_empty()).then(|| Buckets::parse_percent(percent).unwrap()),
        rest: None,
        allow: Vec::new(),
        deny: Vec::new(),
        rules: Vec::new(),
    }
}

fn applied(serving: &Serving, flag: &v1::Flag) -> v1::Flag {
    Edit::Serve(serving.clone()).apply(flag).unwrap()
}

fn shown(flag: &v1::Flag) -> String {
    print::serve(flag.default_serve.as_ref())
}

#[test]
fn a_percentage_leaves_the_previous_default_to_the_rest() {
    let buckets = |percent| Buckets::parse_percent(percent).unwrap();
    let cases = [
        (flag(), serve("on", "25"), "on 25 %, off 75 %"),
        (flag(), serve("on", "0.001"), "on 0.001 %, off 99.999 %"),
        (flag(), serve("on", "100"), "on"),
        (flag(), serve("on", ""), "on"),
        (flag(), serve("on", "0"), "off"),
        (
            string_flag(everybody("blue"), "grey"),
            serve("green", "10"),
            "green 10 %, blue 90 %",
        ),
        (
            string_flag(everybody("green"), "grey"),
            serve("green", "10"),
            "green 10 %, grey 90 %",
        ),
        (
            string_flag(split("green", buckets("5"), "blue"), ""),
            serve("green", "10"),
            "green 10 %, blue 90 %",
        ),
        (
            string_flag(split("blue", buckets("95"), "green"), ""),
            serve("green", "10"),
            "green 10 %, blue 90 %",
        ),
        (
            string_flag(
                v1::Serve {
                    kind: Some(v1::serve::Kind::CallerDefault(v1::CallerDefault {})),
                },
                "grey",
            ),
            serve("green", "10"),
            "green 10 %, grey 90 %",
        ),
        (
            string_flag(everybody("blue"), ""),
            Serving {
                rest: Some("grey".into()),
                ..serve("green", "10")
            },
            "green 10 %, grey 90 %",
        ),
    ];
    for (flag, serving, expected) in cases {
        assert_eq!(shown(&applied(&serving, &flag)), expected);
    }
}

#[test]
fn an_impossible_edit_says_every_reason() {
    let both = Serving {
        allow: vec!["u".into()],
        deny: vec!["u".into()],
        ..serve("onn", "5")
    };
    let same = Serving {
        rest: Some("on".into()),
        ..serve("on", "5")
    };
    let cases = [
        (
            flag(),
            both,
            vec![
                "no variant `onn`; there are off, on",
                "unit `u` is both allowed and denied",
            ],
        ),
        (flag(), same, vec!["the rest gets the same variant"]),
        (
            string_flag(everybody("green"), ""),
            serve("green", "5"),
            vec!["the rest needs another variant; name it with --rest"],
        ),
        (
            string_flag(split("blue", Buckets::parse_percent("50").unwrap(), "grey"), "grey"),
            serve("green", "5"),
            vec!["the default is split over several others (blue 50 %, grey 50 %); name one with --rest"],
        ),
    ];
    for (flag, serving, problems) in cases {
        assert_eq!(Edit::Serve(serving).apply(&flag).unwrap_err(), problems);
    }
}

#[test]
fn a_unit_stands_on_the_list_that_was_said_last() {
    let first = Serving {
        allow: vec!["a".into(), "b".into()],
        deny: vec!["c".into()],
        ..serve("on", "")
    };
    let second = Serving {
        allow: vec!["c".into()],
        deny: vec!["a".into()],
        ..serve("off", "")
    };
    let flag = applied(&second, &applied(&first, &flag()));
    let lists: Vec<_> = flag
        .allow
        .iter()
        .map(|list| (list.variant.as_str(), list.units.join(" ")))
        .collect();
    assert_eq!(lists, [("on", "b".into()), ("off", "c".into())]);
    assert_eq!(flag.deny, ["a"]);
}

#[test]
fn a_rule_takes_the_place_of_the_one_with_its_name() {
    let rules = |lines: &[&str]| lines.iter().map(|line| rule::parse(line).unwrap()).collect();
    let first = Serving {
        rules: rules(&["a: x=1 -> on", "b: x=2 -> on"]),
        ..serve("on", "")
    };
    let second = Serving {
        rules: rules(&["a: x=3 -> off", "c: x=4 -> on"]),
        ..serve("on", "")
    };
    let flag = applied(&second, &applied(&first, &flag()));
    let shown: Vec<_> = flag.rules.iter().map(rule::show).collect();
    assert_eq!(shown, ["a: x=3 -> off", "b: x=2 -> on", "c: x=4 -> on"]);
}

#[test]
fn an_edit_is_repeated_only_on_what_it_was_based_on() {
    let read = flag();
    let described = v1::Flag {
        description: "new".into(),
        deny: vec!["u".into()],
        ..flag()
    };
    let served = applied(&serve("on", ""), &flag());
    let ruled = applied(
        &Serving {
            rules: vec![rule::parse("a: x=1 -> on").unwrap()],
            ..serve("off", "")
        },
        &flag(),
    );
    let plain = Edit::Serve(serve("on", "25"));
    let ruling = Edit::Serve(Serving {
        rules: vec![rule::parse("a: x=2 -> on").unwrap()],
        ..serve("on", "25")
    });
    assert!(plain.still_applies(&read, &described));
    assert!(!plain.still_applies(&read, &served));
    assert!(plain.still_applies(&read, &ruled));
    assert!(!ruling.still_applies(&read, &ruled));
    assert!(Edit::Enable.still_applies(&read, &served));
    assert!(!Edit::Enable.still_applies(
        &read,
        &v1::Flag {
            enabled: false,
            ..flag()
        }
    ));
}

proptest! {
    #[test]
    fn a_percentage_says_shares_and_leaves_the_buckets_to_the_control_plane(low in 1_u32..100_000, high in 1_u32..100_000) {
        let percent = |buckets| Buckets::new(buckets).unwrap();
        let before = v1::Flag { default_serve: Some(split("off", percent(low), "on")), ..flag() };
        let after = applied(&Serving { percent: Some(percent(high)), ..serve("on", "1") }, &before);
        prop_assert_eq!(after.default_serve, Some(split("on", percent(high), "off")));
    }

    #[test]
    fn an_edit_is_the_same_done_twice(percent in 0_u32..=100_000, allow in "[a-c]", deny in "[d-f]") {
        let edit = Edit::Serve(Serving {
            percent: Buckets::new(percent), allow: vec![allow], deny: vec![deny], ..serve("on", "")
        });
        let once = edit.apply(&flag()).unwrap();
        prop_assert_eq!(edit.apply(&once).unwrap(), once);
    }
}
