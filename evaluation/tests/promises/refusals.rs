//! What `compile` refuses: each violation by its path, and all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    Condition, Flag, FlagType, Literal, ReachedStage, RolloutStep, Rule, Serve, Test, Value, Violation, compile,
};

use crate::builders::{boolean, buckets, condition, on_for, rule, split, step, string, unit, variant};

fn fields(refused: Result<impl Sized, Vec<Violation>>) -> Vec<String> {
    let violations = refused.err().unwrap_or_default();
    assert!(violations.iter().all(|violation| !violation.description.is_empty()));
    violations.into_iter().map(|violation| violation.field).collect()
}

fn of_flag(change: impl FnOnce(&mut Flag)) -> Vec<String> {
    let mut flag = boolean("a");
    change(&mut flag);
    fields(compile(&flag, None))
}

fn of_rule(change: impl FnOnce(&mut Rule)) -> Vec<String> {
    let mut changed = rule("r", "plan", &["pro"], variant("on"));
    change(&mut changed);
    of_flag(|flag| flag.rules = vec![changed])
}

fn of_step(change: impl FnOnce(&mut RolloutStep)) -> Vec<String> {
    let mut step = step(10_000);
    change(&mut step);
    fields(compile(&boolean("a"), Some(&step)))
}

fn units(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("unit-{number}")).collect()
}

#[test]
fn labels_are_bounded() {
    assert_eq!(of_flag(|flag| flag.description = "x".repeat(4_097)), ["description"]);
    assert_eq!(of_flag(|flag| flag.owner = "x".repeat(201)), ["owner"]);
    assert_eq!(of_flag(|flag| flag.tags = units(51).into_iter().collect()), ["tags"]);
    assert_eq!(
        of_flag(|flag| flag.tags = BTreeSet::from([String::new(), "x".repeat(201)])),
        ["tags[0]", "tags[1]"]
    );
}

#[test]
fn a_salt_is_short_and_has_no_colon() {
    for salt in [String::new(), "a:b".into(), "x".repeat(65)] {
        assert_eq!(of_flag(|flag| flag.salt = salt.clone()), ["salt"]);
        assert_eq!(of_step(|step| step.salt = salt.clone()), ["rollout.salt"]);
    }
}

#[test]
fn variants_have_names_and_values_of_the_flags_type() {
    assert_eq!(
        fields(compile(
            &Flag {
                default: Serve::CallerDefault,
                ..string("a", &[""])
            },
            None
        )),
        [r#"variants[""]"#]
    );
    assert_eq!(
        of_flag(|flag| _ = flag.variants.insert("text".into(), Value::String("x".into()))),
        [r#"variants["text"]"#]
    );
    assert_eq!(
        of_flag(|flag| flag.flag_type = FlagType::String),
        [r#"variants["off"]"#, r#"variants["on"]"#]
    );
    let mut flag = string("a", &["long"]);
    flag.variants
        .insert("long".into(), Value::String("x".repeat(64 * 1024 + 1).into()));
    assert_eq!(fields(compile(&flag, None)), [r#"variants["long"]"#]);
    flag.variants
        .insert("long".into(), Value::String("x".repeat(64 * 1024).into()));
    assert!(compile(&flag, None).is_ok());
}

#[test]
fn a_flag_has_one_to_a_hundred_variants() {
    let with = |count| {
        let variants = (0..count)
            .map(|number| (format!("v{number:03}"), Value::Boolean(true)))
            .collect();
        Flag {
            variants,
            off_variant: None,
            default: Serve::CallerDefault,
            ..boolean("a")
        }
    };
    assert_eq!(fields(compile(&with(0), None)), ["variants"]);
    assert!(compile(&with(100), None).is_ok());
    assert_eq!(fields(compile(&with(101), None)), ["variants"]);
}

#[test]
fn every_named_variant_exists() {
    let flag = Flag {
        off_variant: Some("a".into()),
        default: variant("b"),
        allow: BTreeMap::from([("c".into(), vec![])]),
        rules: vec![rule("r", "plan", &["pro"], split(&[("on", 50_000), ("d", 50_000)]))],
        ..boolean("a")
    };
    let step = RolloutStep {
        treatment: "e".into(),
        control: "f".into(),
        ..step(1)
    };
    let expected = [
        "off_variant",
        "default.variant",
        r#"allow["c"]"#,
        "rules[0].serve.split[1].variant",
        "rollout.treatment",
        "rollout.control",
    ];
    assert_eq!(fields(compile(&flag, Some(&step))), expected);
}

#[test]
fn the_shares_of_a_split_sum_to_all_buckets() {
    for serve in [
        split(&[]),
        split(&[("on", 99_999)]),
        split(&[("on", 100_000), ("off", 1)]),
    ] {
        assert_eq!(of_flag(|flag| flag.default = serve.clone()), ["default.split"]);
        assert_eq!(of_rule(|rule| rule.serve = serve), ["rules[0].serve.split"]);
    }
    let many: Vec<(&str, u32)> = std::iter::repeat_n(("on", 0), 100).chain([("on", 100_000)]).collect();
    assert_eq!(of_flag(|flag| flag.default = split(&many)), ["default.split"]);
    assert_eq!(of_flag(|flag| flag.default = split(&many[1..])), [""; 0]);
}

#[test]
fn a_unit_stands_in_one_list() {
    let listed = |deny: &[&str], on: &[&str], off: &[&str]| {
        let list = |units: &[&str]| units.iter().map(ToString::to_string).collect::<Vec<_>>();
        let allow = BTreeMap::from([("on".into(), list(on)), ("off".into(), list(off))]);
        fields(compile(
            &Flag {
                deny: list(deny),
                allow,
                ..boolean("a")
            },
            None,
        ))
    };
    assert_eq!(listed(&["a", "a"], &["b", "b"], &["c"]), [""; 0]);
    assert_eq!(listed(&["a"], &["b", "a"], &[]), [r#"allow["on"][1]"#]);
    assert_eq!(listed(&[], &["a"], &["a"]), [r#"allow["on"][0]"#]);
    assert_eq!(
        listed(&["", "a"], &[&"x".repeat(1_025)], &[]),
        ["deny[0]", r#"allow["on"][0]"#]
    );
}

#[test]
fn ten_thousand_units_may_be_listed() {
    let with = |denied| {
        let allow = BTreeMap::from([("on".into(), vec!["ada".into()])]);
        Flag {
            deny: units(denied),
            allow,
            ..boolean("a")
        }
    };
    let flag = compile(&with(9_999), None).unwrap();
    assert_eq!(flag.evaluate(&unit("unit-9998")).variant, Some("off"));
    assert_eq!(flag.evaluate(&unit("ada")).variant, Some("on"));
    assert_eq!(fields(compile(&with(10_000), None)), ["allow"]);
}

#[test]
fn rules_are_named_once_and_have_conditions() {
    assert_eq!(of_rule(|rule| rule.name.clear()), ["rules[0].name"]);
    assert_eq!(of_rule(|rule| rule.name = "x".repeat(201)), ["rules[0].name"]);
    assert_eq!(of_rule(|rule| rule.conditions.clear()), ["rules[0].conditions"]);
    assert_eq!(
        of_rule(|rule| rule.conditions = vec![condition("plan", &["pro"]); 51]),
        ["rules[0].conditions"]
    );
    let numbered = |number| rule(&format!("r{number}"), "plan", &["pro"], variant("on"));
    assert_eq!(
        of_flag(|flag| flag.rules = vec![numbered(0), numbered(1), numbered(0)]),
        ["rules[2].name"]
    );
    assert_eq!(of_flag(|flag| flag.rules = (0..200).map(numbered).collect()), [""; 0]);
    assert_eq!(of_flag(|flag| flag.rules = (0..201).map(numbered).collect()), ["rules"]);
}

#[test]
fn a_condition_names_an_attribute_and_finite_literals() {
    let of_literals = |literals| {
        let test = Test::OneOf(literals);
        of_rule(|rule| {
            rule.conditions.push(Condition {
                attribute: "age".into(),
                test,
            })
        })
    };
    assert_eq!(
        of_rule(|rule| rule.conditions = vec![condition("", &["pro"])]),
        ["rules[0].conditions[0].attribute"]
    );
    assert_eq!(of_literals(vec![]), ["rules[0].conditions[1].one_of"]);
    assert_eq!(
        of_literals(vec![Literal::Boolean(true); 10_001]),
        ["rules[0].conditions[1].one_of"]
    );
    let literals = vec![
        Literal::Number(1.0),
        Literal::Number(f64::NAN),
        Literal::Number(f64::INFINITY),
    ];
    assert_eq!(
        of_literals(literals),
        ["rules[0].conditions[1].one_of[1]", "rules[0].conditions[1].one_of[2]"]
    );
    assert_eq!(
        of_literals(vec![Literal::Text("x".repeat(64 * 1024 + 1))]),
        ["rules[0].conditions[1].one_of[0]"]
    );
}

#[test]
fn the_stages_of_a_step_are_different_in_range_and_hold_the_current_one() {
    let stages = |stages: &[u8]| {
        stages
            .iter()
            .map(|stage| ReachedStage {
                stage: *stage,
                share: buckets(1),
            })
            .collect()
    };
    let all: Vec<u8> = (0..16).collect();
    assert_eq!(of_step(|step| step.reached = stages(&all)), [""; 0]);
    assert_eq!(of_step(|step| step.reached = stages(&[])), ["rollout.stage"]);
    assert_eq!(of_step(|step| step.stage = 1), ["rollout.stage"]);
    assert_eq!(
        of_step(|step| step.reached = stages(&[0, 0])),
        ["rollout.reached[1].stage"]
    );
    assert_eq!(
        of_step(|step| step.reached = stages(&[0, 16])),
        ["rollout.reached[1].stage"]
    );
    let too_many: Vec<u8> = (0..17).collect();
    assert_eq!(of_step(|step| step.reached = stages(&too_many)), ["rollout.reached"]);
}

#[test]
fn violations_beyond_a_hundred_are_counted() {
    let empty_units = vec![String::new(); 5_000];
    let violations = compile(
        &Flag {
            deny: empty_units,
            default: on_for(1),
            ..boolean("a")
        },
        None,
    )
    .unwrap_err();
    assert_eq!(violations.len(), 101);
    assert_eq!(violations[100].field, "");
    assert_eq!(violations[100].to_string(), "4900 more violations are not listed");
    assert_eq!(violations[0].to_string(), "deny[0]: cannot be empty");
}

#[test]
fn a_long_name_is_cut_where_it_is_quoted() {
    let violations = compile(
        &Flag {
            default: variant(&"ü".repeat(100_000)),
            ..boolean("a")
        },
        None,
    )
    .unwrap_err();
    assert!(violations[0].to_string().len() < 300);
}
