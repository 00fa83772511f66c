//! Imported flags serve what JsonLogic serves: tables, and a law over any rule and any context.
//!
//! The law compares with a small evaluator of JsonLogic, written from its description and flagd's: loose equality and
//! truth as in JavaScript for single values; lists and objects equal nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use evaluation::{Context, Json, Reason, Snapshot};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value as J, json};

use super::*;
use crate::rule;

const EXAMPLE: &str = include_str!("../../../examples/flags.flagd.json");

fn file(targeting: &J) -> String {
    json!({"flags": {"f": {
        "state": "ENABLED", "variants": {"true": "t", "false": "f", "a": "A", "b": "B", "c": "C"},
        "defaultVariant": "c", "targeting": targeting,
    }}})
    .to_string()
}

fn import(targeting: &J, leniency: Leniency) -> Imported {
    read("f.json", &file(targeting), leniency).unwrap()
}

const STRICT: Leniency = Leniency {
    rebucket: false,
    strict_types: true,
};

fn lines(targeting: &J, leniency: Leniency) -> Vec<String> {
    let imported = import(targeting, leniency);
    assert_eq!(imported.refusals, Vec::<String>::new(), "{targeting}");
    let flag = &imported.flags[0];
    let rules = flag.rules.iter().map(rule::show);
    rules
        .chain([format!("default: {}", crate::print::serve(flag.default_serve.as_ref()))])
        .collect()
}

#[test]
fn the_example_is_mapped_whole() {
    assert!(looks_like(EXAMPLE) && !looks_like("flags: {a: {percent: 5}}"));
    let imported = read("flags.flagd.json", EXAMPLE, Leniency::default()).unwrap();
    assert_eq!(imported.refusals, Vec::<String>::new());
    let keys: Vec<&str> = imported.flags.iter().map(|flag| flag.key.as_str()).collect();
    assert_eq!(
        keys,
        ["new-welcome", "header-color", "split-by-account", "limits", "off-flag"]
    );
    assert!(
        imported.flags.iter().all(|flag| flag.flag_set == "shop"),
        "the file's metadata"
    );
    assert!(!imported.flags[4].enabled && imported.flags[4].off_variant.is_empty());
}

#[test]
fn rules_say_what_the_logic_says() {
    let cases = [
        (
            json!({"if": [{"ends_with": [{"var": "email"}, "@x.com"]}, "a"]}),
            vec!["targeting-1: email ends_with @x.com -> a", "default: c"],
        ),
        (
            json!({"if": [{"==": [{"var": "color"}, "yellow"]}, "a", {"==": [{"var": "color"}, "1"]}, "b", "a"]}),
            vec![
                "targeting-1: color=yellow -> a",
                "targeting-2: color=\"1\",1,true -> b",
                "default: a",
            ],
        ),
        (
            json!({"if": [{"!=": [{"var": "plan"}, "pro"]}, "a", "b"]}),
            vec!["targeting-1: plan=pro -> b", "default: a"],
        ),
        (
            json!({"in": [{"var": "o.c"}, ["x", 1]]}),
            vec!["targeting-1: o.c=x,1 -> true", "default: false"],
        ),
        (
            json!({"if": [{"in": ["@x", {"var": "email"}]}, "a", "b"]}),
            vec![
                "targeting-1: email contains @x -> a",
                "targeting-2: email any_of @x -> a",
                "default: b",
            ],
        ),
        (
            json!({"if": [{"sem_ver": [{"var": "v"}, "^", "2.3.0"]}, "a", "b"]}),
            vec![
                "targeting-1: v version >=2.0.0-0 and v version <3.0.0-0 -> a",
                "default: b",
            ],
        ),
        (
            json!({"if": [{"and": [{"===": [{"var": "x"}, 1]}, {"or": [{"===": [{"var": "y"}, true]}, {"===": [{"var": "y"}, "s"]}]}]}, "a"]}),
            vec![
                "targeting-1: x=1 and y=true -> a",
                "targeting-2: x=1 and y=s -> a",
                "default: c",
            ],
        ),
        (
            json!({"if": [{"!": {"var": "beta"}}, "a", "b"]}),
            vec![
                "targeting-1: beta!=false,0,\"\" -> b",
                "targeting-2: beta size > 0 -> b",
                "targeting-3: beta type_is object -> b",
                "default: a",
            ],
        ),
        (
            json!({"if": [{"===": [{"var": "x"}, null]}, null, "a"]}),
            vec!["targeting-1: not x exists -> c", "default: a"],
        ),
        (
            json!({"fractional": [{"cat": [{"var": "$flagd.flagKey"}, ":", {"var": "targetingKey"}]}, ["a", 25], ["b", 75]]}),
            vec![],
        ),
    ];
    for (targeting, expected) in cases {
        let lines = lines(&targeting, Leniency::default());
        if expected.is_empty() {
            assert_eq!(lines.last().unwrap(), "default: a 25 %, b 75 %");
            assert_eq!(import(&targeting, Leniency::default()).flags[0].salt, "f");
        } else {
            assert_eq!(lines, expected, "{targeting}");
        }
    }
}

#[test]
fn what_does_not_map_is_refused_with_its_place_and_operator() {
    let cases = [
        (
            json!({"if": [{"==": [{"var": "age"}, 18]}, "a"]}),
            "targeting.if[0].==: `==` would convert text",
        ),
        (
            json!({"if": [{"==": [{"var": "beta"}, true]}, "a"]}),
            "write `===`, or accept with --strict-types",
        ),
        (
            json!({"if": [{"<": [{"var": "age"}, 18]}, "a"]}),
            "targeting.if[0].<: `<` would convert text",
        ),
        (
            json!({"if": [{">": [{"var": "a"}, {"var": "b"}]}, "a"]}),
            "compares no attribute with a number",
        ),
        (
            json!({"if": [{"some": [{"var": "l"}, {"==": [{"var": ""}, 1]}]}, "a"]}),
            "operator `some` with 2 arguments",
        ),
        (
            json!({"if": [{"==": [{"+": [{"var": "x"}, 1]}, 2]}, "a"]}),
            "the result of `+` is compared",
        ),
        (
            json!({"if": [{"===": [{"var": "x"}, 1]}, "gone"]}),
            "targeting.if[1]: no variant `gone`",
        ),
        (
            json!({"if": [{"===": [{"var": "l.0"}, 1]}, "a"]}),
            "is not the path of an attribute",
        ),
        (
            json!({"if": [{"===": [{"var": ["x", 3]}, 1]}, "a"]}),
            "a default in the place of a missing attribute",
        ),
        (
            json!({"if": [{">": [{"var": "$flagd.timestamp"}, 1]}, "a"]}),
            "a schedule changes a flag at a time",
        ),
        (
            json!({"if": [{"sem_ver": [{"var": "v"}, "=", "2.0.0.0"]}, "a"]}),
            "if[0].sem_ver: write [attribute",
        ),
        (json!({"var": "x"}), "an attribute names the variant"),
        (json!({"and": [{"var": "x"}, "a"]}), "its result is one of its operands"),
        (json!({"merge": []}), "operator `merge` does not map"),
        (
            json!({"fractional": [["a", 1], ["b", 1]]}),
            "units would be drawn anew: it hashes flag key and targeting key",
        ),
        (
            json!({"fractional": [{"var": "email"}, ["a", 1], ["b", 1]]}),
            "it hashes an attribute alone",
        ),
        (
            json!({"fractional": [{"cat": ["s:", {"var": "email"}]}, ["a", 1], ["b", 2]]}),
            "not multiples of 0.001 %",
        ),
        (
            json!({"fractional": [{"cat": ["s:", {"var": "email"}]}, [{"var": "x"}, 1]]}),
            "a variant that is computed",
        ),
        (
            json!({"if": [{"$ref": "gone"}, "a"]}),
            "$ref gone: there is no such evaluator",
        ),
    ];
    for (targeting, part) in cases {
        let imported = import(&targeting, Leniency::default());
        assert!(imported.flags.is_empty(), "{targeting}");
        let refusals = imported.refusals.join("\n");
        assert!(
            refusals.contains(part) && refusals.starts_with("f.json:1:"),
            "{targeting}: {refusals}"
        );
    }
    let accepted = Leniency {
        rebucket: true,
        strict_types: true,
    };
    assert_eq!(
        lines(&json!({"fractional": [["a", 1], ["b", 1]]}), accepted)
            .last()
            .unwrap(),
        "default: a 50 %, b 50 %"
    );
    assert_eq!(
        lines(&json!({"if": [{"<=": [18, {"var": "age"}, 65]}, "a"]}), accepted),
        ["targeting-1: age >= 18 and age <= 65 -> a", "default: c"]
    );
    assert_eq!(
        lines(&json!({"if": [{"==": [{"var": "beta"}, true]}, "a"]}), accepted)[0],
        "targeting-1: beta=true -> a"
    );
}

#[test]
fn flags_that_are_none_are_refused_one_by_one() {
    let text = json!({"flags": {
        "ok": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"},
        "bad key!": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"},
        "state": {"state": "MAYBE", "variants": {"on": true}},
        "mixed": {"state": "ENABLED", "variants": {"on": true, "off": 1}},
        "default": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "off"},
        "list": {"state": "ENABLED", "variants": {"on": [1]}},
        "field": {"state": "ENABLED", "variants": {"on": true}, "targetting": {}},
    }});
    let imported = read("f.json", &text.to_string(), Leniency::default()).unwrap();
    assert_eq!(imported.flags.len(), 1);
    let parts = [
        "flags.bad key!.key:",
        "flags.default.defaultVariant: no variant `off`",
        "did you mean `targeting`?",
        "flags.list.variants.on: a list",
        "flags.mixed.variants: values of several types",
        "neither ENABLED nor DISABLED",
    ];
    let refusals = imported.refusals.join("\n");
    for part in parts {
        assert!(refusals.contains(part), "{part}: {refusals}");
    }
    for text in ["", "[1]", "{\"flags\": 3}", "{\"flag\": {}}", "{"] {
        assert!(read("f.json", text, Leniency::default()).is_err(), "{text}");
    }
}

// A small evaluator of JsonLogic.

/// A context and whether text is left as it is where numbers are compared.
struct Reference<'c> {
    context: &'c J,
    strict: bool,
}

impl Reference<'_> {
    fn eval(&self, node: &J) -> J {
        let J::Object(map) = node else { return node.clone() };
        let (operator, arguments) = map.iter().next().unwrap();
        let arguments = match arguments {
            J::Array(list) => list.clone(),
            other => vec![other.clone()],
        };
        let at = |at: usize| arguments.get(at).map_or(J::Null, |argument| self.eval(argument));
        match operator.as_str() {
            "var" => self.var(arguments[0].as_str().unwrap()),
            "if" => {
                let mut rest = arguments.as_slice();
                loop {
                    match rest {
                        [] => return J::Null,
                        [last] => return self.eval(last),
                        [test, then, ..] if truthy(&self.eval(test)) => return self.eval(then),
                        [_, _, more @ ..] => rest = more,
                    }
                }
            }
            "and" => arguments
                .iter()
                .map(|one| self.eval(one))
                .reduce(|all, one| if truthy(&all) { one } else { all })
                .unwrap(),
            "or" => arguments
                .iter()
                .map(|one| self.eval(one))
                .reduce(|all, one| if truthy(&all) { all } else { one })
                .unwrap(),
            "!" => J::Bool(!truthy(&at(0))),
            "!!" => J::Bool(truthy(&at(0))),
            "===" => J::Bool(same(&at(0), &at(1))),
            "!==" => J::Bool(!same(&at(0), &at(1))),
            "==" => J::Bool(self.loose(&at(0), &at(1))),
            "!=" => J::Bool(!self.loose(&at(0), &at(1))),
            "<" | "<=" | ">" | ">=" => {
                let pairs = (1..arguments.len()).map(|second| (at(second - 1), at(second)));
                J::Bool(
                    pairs
                        .into_iter()
                        .all(|(left, right)| self.ordered(operator, &left, &right)),
                )
            }
            "in" => J::Bool(match (&at(0), &at(1)) {
                (needle, J::Array(list)) => list.iter().any(|one| same(needle, one)),
                (J::String(needle), J::String(text)) => !text.is_empty() && text.contains(needle.as_str()),
                (_, _) => false,
            }),
            "cat" => J::String((0..arguments.len()).map(|one| text(&at(one))).collect()),
            "starts_with" => affix(&at(0), &at(1), |text, part| text.starts_with(part)),
            "ends_with" => affix(&at(0), &at(1), |text, part| text.ends_with(part)),
            "sem_ver" => sem_ver(&at(0), &at(1), &at(2)),
            "fractional" => {
                let total: u64 = arguments[1..].iter().map(|share| share[1].as_u64().unwrap()).sum();
                let J::String(value) = at(0) else { return J::Null };
                let (salt, unit) = value.split_once(':').unwrap();
                // The shares of the generator divide 100,000: the bucket is the same.
                let bucket = u64::from(evaluation::bucket(salt, unit)) * total / 100_000;
                let mut end = 0;
                let held = arguments[1..].iter().find(|share| {
                    end += share[1].as_u64().unwrap();
                    bucket < end
                });
                held.unwrap()[0].clone()
            }
            other => panic!("{other}"),
        }
    }

    fn var(&self, path: &str) -> J {
        match path {
            "$flagd.flagKey" => J::String("f".into()),
            path => path
                .split('.')
                .try_fold(self.context, |at, name| at.get(name))
                .cloned()
                .unwrap_or(J::Null),
        }
    }

    fn number(&self, value: &J) -> Option<f64> {
        match value {
            J::Null => Some(0.0),
            J::Bool(boolean) => Some(f64::from(u8::from(*boolean))),
            J::Number(number) => number.as_f64(),
            J::String(_) if self.strict => None,
            J::String(text) if text.trim().is_empty() => Some(0.0),
            J::String(text) => text.trim().parse().ok(),
            J::Array(_) | J::Object(_) => None,
        }
    }

    fn loose(&self, left: &J, right: &J) -> bool {
        match (left, right) {
            (J::Array(_) | J::Object(_), _) | (_, J::Array(_) | J::Object(_)) => false,
            (J::Null, _) | (_, J::Null) => left.is_null() && right.is_null(),
            (_, _) if self.strict || left.is_string() && right.is_string() => same(left, right),
            (_, _) => matches!((self.number(left), self.number(right)), (Some(left), Some(right)) if left == right),
        }
    }

    fn ordered(&self, operator: &str, left: &J, right: &J) -> bool {
        let (Some(left), Some(right)) = (self.number(left), self.number(right)) else {
            return false;
        };
        match operator {
            "<" => left < right,
            "<=" => left <= right,
            ">" => left > right,
            _ => left >= right,
        }
    }
}

fn truthy(value: &J) -> bool {
    match value {
        J::Null => false,
        J::Bool(boolean) => *boolean,
        J::Number(number) => number.as_f64() != Some(0.0),
        J::String(text) => !text.is_empty(),
        J::Array(list) => !list.is_empty(),
        J::Object(_) => true,
    }
}

fn same(left: &J, right: &J) -> bool {
    match (left, right) {
        (J::Number(left), J::Number(right)) => left.as_f64() == right.as_f64(),
        (J::Array(_) | J::Object(_), _) => false,
        (left, right) => left == right,
    }
}

fn text(value: &J) -> String {
    match value {
        J::Null => String::new(),
        J::String(text) => text.clone(),
        J::Number(number) => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    }
}

fn affix(left: &J, right: &J, holds: impl Fn(&str, &str) -> bool) -> J {
    match (left, right) {
        (J::String(text), J::String(part)) => J::Bool(holds(text, part)),
        (_, _) => J::Null,
    }
}

/// Versions of three numbers and perhaps a pre-release `-rc`, which is all that the generators write.
fn sem_ver(version: &J, operator: &J, other: &J) -> J {
    let parse = |value: &J| {
        let text = value.as_str()?.strip_prefix('v').unwrap_or(value.as_str()?);
        let (core, release) = text.strip_suffix("-rc").map_or((text, true), |core| (core, false));
        let mut numbers = core
            .split('.')
            .map(|part| part.parse::<u64>().ok())
            .collect::<Option<Vec<_>>>()?;
        let short = numbers.len();
        numbers.resize(3, 0);
        ((1..=3).contains(&short)).then_some((numbers, release))
    };
    let (Some(left), Some(right)) = (parse(version), parse(other)) else {
        return J::Null;
    };
    J::Bool(match operator.as_str().unwrap() {
        "=" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        "^" => left.0[0] == right.0[0],
        _ => left.0[..2] == right.0[..2],
    })
}

fn any_attribute() -> impl Strategy<Value = J> {
    select(vec!["x", "y", "o.c", "targetingKey", "$flagd.flagKey"]).prop_map(|name| json!({"var": name}))
}

fn any_literal() -> impl Strategy<Value = J> {
    let texts = select(vec!["", "x", "xy", "1", "0", "f", "1.2.3", "true"]).prop_map(|text| json!(text));
    prop_oneof![4 => texts, 1 => select(vec![json!(0), json!(1), json!(2.5), json!(-1), json!(true), json!(false), json!(null)])]
}

fn any_test() -> impl Strategy<Value = J> {
    let pair = |operators: Vec<&'static str>| {
        (select(operators), any_attribute(), any_literal(), any::<bool>()).prop_map(
            |(operator, attribute, literal, flip)| {
                let sides = if flip {
                    json!([literal, attribute])
                } else {
                    json!([attribute, literal])
                };
                json!({operator: sides})
            },
        )
    };
    let version = select(vec!["1.2.3", "1.2.0", "2.0.0", "1.3.0-rc", "v1.2", "1"]);
    let operator = select(vec!["=", "!=", "<", "<=", ">", ">=", "^", "~"]);
    let leaf = prop_oneof![
        4 => pair(vec!["==", "!=", "===", "!=="]),
        2 => pair(vec!["<", "<=", ">", ">="]),
        1 => (any_attribute(), -1..3, -1..3).prop_map(|(x, low, high)| json!({"<=": [low, x, high]})),
        2 => (any_attribute(), vec(any_literal(), 0..3)).prop_map(|(attribute, list)| json!({"in": [attribute, list]})),
        1 => (any_literal(), any_attribute()).prop_map(|(needle, attribute)| json!({"in": [needle, attribute]})),
        1 => (any_attribute(), any_literal()).prop_map(|(attribute, part)| json!({"starts_with": [attribute, part]})),
        1 => (any_attribute(), any_literal()).prop_map(|(attribute, part)| json!({"ends_with": [attribute, part]})),
        2 => (any_attribute(), operator, version).prop_map(|(x, operator, version)| json!({"sem_ver": [x, operator, version]})),
        1 => any_attribute(),
        1 => any_literal(),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| json!({"!": [one]})),
            inner.clone().prop_map(|one| json!({"!!": [one]})),
            vec(inner.clone(), 1..3).prop_map(|some| json!({"and": some})),
            vec(inner.clone(), 1..3).prop_map(|some| json!({"or": some})),
            vec(inner, 1..4).prop_map(|some| json!({"if": some})),
        ]
    })
}

fn any_targeting() -> impl Strategy<Value = J> {
    let weights = select(vec![(25, 75), (1, 99), (50, 50), (1, 3), (0, 1), (500, 99_500)]);
    let unit = select(vec!["targetingKey", "x", "o.c"]);
    let fractional = (unit, weights).prop_map(
        |(unit, (one, other))| json!({"fractional": [{"cat": ["salt:", {"var": unit}]}, ["a", one], ["b", other]]}),
    );
    let variant = select(vec![
        json!("a"),
        json!("b"),
        json!("c"),
        json!(null),
        json!(true),
        json!(false),
    ]);
    let leaf = prop_oneof![3 => variant, 1 => fractional, 2 => any_test()];
    leaf.prop_recursive(2, 8, 4, |inner| {
        (any_test(), inner.clone(), any_test(), inner.clone(), inner)
            .prop_map(|(one, then, two, second, last)| json!({"if": [one, then, two, second, last]}))
    })
}

fn any_value() -> impl Strategy<Value = J> {
    let texts = vec![
        "",
        "x",
        "xy",
        "yx",
        "1",
        "0",
        "f",
        "1.2.3",
        "1.2.4-rc",
        "2.0.0",
        "1.3.0",
        "v1.2.0",
        "no version",
        "true",
        " ",
    ];
    prop_oneof![
        5 => select(texts).prop_map(|text| json!(text)),
        2 => select(vec![json!(0), json!(1), json!(2.5), json!(-1), json!(12)]),
        2 => any::<bool>().prop_map(|boolean| json!(boolean)),
        1 => Just(json!(null)),
        1 => select(vec![json!([]), json!(["x"]), json!([1, "1"]), json!({}), json!({"k": 1})]),
    ]
}

prop_compose! {
    fn any_context()(
        x in proptest::option::of(any_value()), y in proptest::option::of(any_value()),
        c in proptest::option::of(proptest::option::of(any_value())),
        unit in proptest::option::of(select(vec!["x", "", "user-1", "user-2", "1.2.3", "f", "1"])),
    ) -> J {
        let mut context = json!({});
        if let Some(x) = x { context["x"] = x; }
        if let Some(y) = y { context["y"] = y; }
        match c {
            Some(Some(c)) => context["o"] = json!({"c": c}),
            Some(None) => context["o"] = json!({}),
            None => {}
        }
        if let Some(unit) = unit { context["targetingKey"] = json!(unit); }
        context
    }
}

fn json_of(value: &J) -> Json {
    match value {
        J::Null => Json::Null,
        J::Bool(boolean) => Json::Boolean(*boolean),
        J::Number(number) => Json::Number(number.as_f64().unwrap()),
        J::String(text) => Json::Text(text.clone()),
        J::Array(list) => Json::List(list.iter().map(json_of).collect()),
        J::Object(map) => Json::Object(map.iter().map(|(name, value)| (name.clone(), json_of(value))).collect()),
    }
}

/// The variant that our own evaluation serves.
fn ours(flag: &v1::Flag, context: &J) -> Option<String> {
    let mut flag = evaluation::Flag::try_from(flag.clone()).unwrap();
    if flag.salt.is_empty() {
        flag.salt = "drawn".into();
    }
    let flag = evaluation::compile(&flag, None).unwrap();
    let mut ours = Context::new();
    for (name, value) in context.as_object().unwrap() {
        ours = match value {
            J::String(unit) if name == "targetingKey" => ours.with_targeting_key(unit.clone()),
            value => ours.with(name.clone(), json_of(value)),
        };
    }
    let snapshot = Snapshot::empty();
    let decision = flag.evaluate(&snapshot, &ours);
    assert_ne!(decision.reason, Reason::Error, "{flag:?}");
    decision.variant.map(str::to_owned)
}

/// Whether a list or an object is drawn by a split: the one thing that the table leaves out.
fn draws_odd(targeting: &J, context: &J) -> bool {
    let odd = |value: &J| value.is_array() || value.is_object();
    let text = targeting.to_string();
    (text.contains("fractional") && context.get("x").is_some_and(odd))
        || (text.contains("fractional") && context.pointer("/o/c").is_some_and(odd))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]
    #[test]
    fn an_imported_flag_serves_what_it_served(targeting in any_targeting(), contexts in vec(any_context(), 8), strict: bool) {
        let leniency = Leniency { rebucket: false, strict_types: strict };
        let imported = import(&targeting, leniency);
        prop_assert_eq!(imported.flags.is_empty(), !imported.refusals.is_empty());
        for flag in &imported.flags {
            for context in contexts.iter().filter(|context| !draws_odd(&targeting, context)) {
                let expected = match (Reference { context, strict }).eval(&targeting) {
                    J::Null => "c".to_owned(),
                    J::String(text) => text,
                    J::Bool(boolean) => boolean.to_string(),
                    other => { prop_assert!(false, "{}", other); String::new() }
                };
                prop_assert_eq!(ours(flag, context), Some(expected), "{} in {}", targeting, context);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = J> {
    let words = vec![
        "if",
        "==",
        "var",
        "fractional",
        "cat",
        "in",
        "and",
        "!",
        "sem_ver",
        "$ref",
        "flags",
        "a",
        "x",
        "state",
        "variants",
        "targeting",
        "defaultVariant",
        "ENABLED",
        "metadata",
        "flagSetId",
        "$evaluators",
        "",
        "^",
    ];
    let leaf = prop_oneof![
        select(words.clone()).prop_map(|word| json!(word)),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|boolean| json!(boolean)),
        Just(json!(null)),
        ".{0,5}".prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|list| json!(list)),
            vec((select(words.clone()), inner), 0..4)
                .prop_map(|map| J::Object(map.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_a_flag_or_a_refusal(json in any_json()) {
        let _ = read("any.json", &json.to_string(), Leniency { rebucket: true, strict_types: true });
        let _ = read("any.json", &json!({"flags": json}).to_string(), Leniency::default());
        let imported = import(&json, STRICT);
        prop_assert_eq!(imported.flags.is_empty(), !imported.refusals.is_empty());
    }

    #[test]
    fn any_text_is_a_flag_or_a_refusal(text in "\\PC{0,60}") {
        let _ = read("any.json", &text, Leniency::default());
        let _ = looks_like(&text);
    }
}
