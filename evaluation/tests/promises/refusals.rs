//! What `compile` refuses: each violation by its path, and all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    AttributeType, DateComparison, Flag, FlagType, Json, Literal, NumberTest, OneOf, Quantifier, ReachedStage,
    RolloutStep, Rule, Segment, Serve, Split, Test, TextPart, Value, VersionComparison, Violation, WhenStale, compile,
    compile_segment,
};

use crate::builders::{
    boolean, condition, in_segment, nothing, on_for, prerequisite, reached, rule, segment, serves, shares, split, step,
    string, test, texts, unit, variant,
};

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
    let many: Vec<String> = (0..101).map(|number| format!("v{number}")).collect();
    let mut parts: Vec<(&str, u32)> = many.iter().map(|name| (name.as_str(), 0)).collect();
    parts[100].1 = 100_000;
    let flag = |parts: &[(&str, u32)]| Flag {
        variants: many
            .iter()
            .take(100)
            .map(|name| (name.clone(), Value::Boolean(true)))
            .collect(),
        off_variant: None,
        default: split(parts),
        ..boolean("a")
    };
    assert_eq!(fields(compile(&flag(&parts), None)), ["default.split"]);
    parts[99].1 = 100_000;
    assert!(compile(&flag(&parts[..100]), None).is_ok());
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
    assert_eq!(flag.evaluate(nothing(), &unit("unit-9998")).variant, Some("off"));
    assert_eq!(flag.evaluate(nothing(), &unit("ada")).variant, Some("on"));
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
        let ignore_case = false;
        of_rule(|rule| {
            rule.conditions
                .push(test("age", Test::OneOf(OneOf { literals, ignore_case })))
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
    let stages = |stages: &[u8]| stages.iter().map(|stage| reached(*stage, 1, &[])).collect();
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
fn an_audience_has_sixteen_named_segments_at_most() {
    let of_audience = |audience: Vec<String>| {
        of_step(|step| {
            step.reached.push(ReachedStage {
                audience,
                ..reached(1, 1, &[])
            });
        })
    };
    assert_eq!(of_audience(units(16)), [""; 0]);
    assert_eq!(of_audience(units(17)), ["rollout.reached[1].audience"]);
    assert_eq!(
        of_audience(vec!["staff".into(), String::new(), "x".repeat(201)]),
        ["rollout.reached[1].audience[1]", "rollout.reached[1].audience[2]"]
    );
}

#[test]
fn the_attributes_of_a_step_are_four_different_names_at_most() {
    assert_eq!(of_step(|step| step.bucket_by = units(4)), [""; 0]);
    assert_eq!(of_step(|step| step.bucket_by = units(5)), ["rollout.bucket_by"]);
    assert_eq!(
        of_step(|step| step.bucket_by = texts(&["a", "", "a"])),
        ["rollout.bucket_by[1]", "rollout.bucket_by[2]"]
    );
}

#[test]
fn a_shadow_names_variants_of_the_flag_too() {
    let found = of_step(|step| {
        step.shadow = true;
        step.treatment = "gone".into();
    });
    assert_eq!(found, ["rollout.treatment"]);
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

/// The fields that a rule with this condition is refused for, after `rules[0].conditions[0]`.
fn of_test(attribute: &str, tested: Test) -> Vec<String> {
    let fields = of_rule(|rule| rule.conditions = vec![test(attribute, tested)]);
    fields
        .iter()
        .map(|field| field.strip_prefix("rules[0].conditions[0]").unwrap_or(field).to_owned())
        .collect()
}

fn part(part: TextPart, texts: Vec<String>) -> Test {
    Test::Text {
        part,
        texts,
        ignore_case: false,
    }
}

#[test]
fn every_test_of_an_attribute_names_one_and_no_other_does() {
    assert_eq!(of_test("", Test::Exists), [".attribute"]);
    assert_eq!(of_test(&"x".repeat(201), Test::Exists), [".attribute"]);
    assert_eq!(of_test("a", Test::InSegment(texts(&["s"]))), [".attribute"]);
    let served = Test::Variant {
        flag: "b".into(),
        variants: texts(&["on"]),
    };
    assert_eq!(of_test("a", served), [".attribute"]);
    assert_eq!(
        of_rule(|rule| rule.conditions = vec![in_segment(&["s"]), serves("b", &["on"])]),
        [""; 0]
    );
}

#[test]
fn texts_to_look_for_are_there_and_not_empty() {
    for (kind, field) in [
        (TextPart::Contains, ".contains"),
        (TextPart::StartsWith, ".starts_with"),
        (TextPart::EndsWith, ".ends_with"),
    ] {
        assert_eq!(of_test("a", part(kind, vec![])), [field]);
        assert_eq!(of_test("a", part(kind, texts(&["x", ""]))), [format!("{field}[1]")]);
        assert_eq!(
            of_test("a", part(kind, vec!["x".repeat(64 * 1024 + 1)])),
            [format!("{field}[0]")]
        );
        assert_eq!(of_test("a", part(kind, units(10_001))), [field]);
        assert_eq!(of_test("a", part(kind, units(10_000))), [""; 0]);
    }
}

#[test]
fn what_cannot_be_read_is_refused_where_it_stands() {
    let version = |version: &str| Test::Version {
        comparison: VersionComparison::Caret,
        version: version.into(),
    };
    let date = |date: &str| Test::Date {
        comparison: DateComparison::Before,
        date: date.into(),
    };
    let networks = |networks: &[&str]| Test::InNetwork(texts(networks));
    assert_eq!(of_test("a", version("1.x")), [".version.version"]);
    assert_eq!(of_test("a", date("2026-02-30")), [".date"]);
    assert_eq!(
        of_test("a", networks(&["10.0.0.0/8", "10.0.0.0/33", "x"])),
        [".in_network[1]", ".in_network[2]"]
    );
    assert_eq!(of_test("a", networks(&[])), [".in_network"]);
    for good in [version("v1.2"), date("2026-11-21T09:00:00Z"), networks(&["::/0"])] {
        assert_eq!(of_test("a", good), [""; 0]);
    }
    let refused = compile(
        &Flag {
            rules: vec![rule_with(version("1.x"))],
            ..boolean("a")
        },
        None,
    );
    assert_eq!(
        refused.unwrap_err()[0].to_string(),
        r#"rules[0].conditions[0].version.version: "1.x" is not a version such as 1.2.3"#
    );
}

fn rule_with(tested: Test) -> Rule {
    Rule {
        conditions: vec![test("a", tested)],
        ..rule("r", "plan", &["pro"], variant("on"))
    }
}

#[test]
fn expressions_are_bounded_in_length_size_and_number() {
    let matches = |pattern: &str| Test::Matches(pattern.into());
    for bad in [
        "(",
        "a{2",
        "(?=x)",
        r"\p{Nonsense}",
        &"x".repeat(1_025),
        r"\w{1000}",
        &"(".repeat(300),
    ] {
        assert_eq!(of_test("a", matches(bad)), [".matches"], "{bad}");
    }
    for good in ["", "^a.*z$", r"^\w+@\w+\.[a-z]{2,}$", r"\p{Greek}", &"x".repeat(1_024)] {
        assert_eq!(of_test("a", matches(good)), [""; 0], "{good}");
    }
    let with = |count: usize| {
        let conditions = |from: usize| (from..from + 50).map(|_| test("a", matches("x"))).collect::<Vec<_>>();
        let mut rules: Vec<Rule> = Vec::new();
        for at in 0..count / 50 {
            rules.push(Rule {
                name: at.to_string(),
                conditions: conditions(at),
                ..rule("r", "plan", &["pro"], variant("on"))
            });
        }
        of_flag(|flag| flag.rules = rules)
    };
    assert_eq!(with(100), [""; 0]);
    assert_eq!(
        with(150).first().map(String::as_str),
        Some("rules[2].conditions[0].matches")
    );
}

#[test]
fn an_expression_that_is_none_is_told_in_one_line() {
    let refused = compile(
        &Flag {
            rules: vec![rule_with(Test::Matches("a(b".into()))],
            ..boolean("a")
        },
        None,
    );
    assert_eq!(
        refused.unwrap_err()[0].description,
        r#""a(b" is not a regular expression: unclosed group"#
    );
}

#[test]
fn numbers_are_finite_and_ranges_go_upwards() {
    assert_eq!(of_test("a", Test::Number(NumberTest::Less(f64::NAN))), [".number"]);
    assert_eq!(of_test("a", Test::Size(NumberTest::Equal(f64::INFINITY))), [".size"]);
    assert_eq!(
        of_test("a", Test::Number(NumberTest::Between(2.0, 1.0))),
        [".number.between"]
    );
    assert_eq!(
        of_test("a", Test::Number(NumberTest::Between(f64::NAN, f64::INFINITY))),
        [".number.between.from", ".number.between.to"]
    );
    assert_eq!(of_test("a", Test::Number(NumberTest::Between(1.0, 1.0))), [""; 0]);
}

#[test]
fn lists_of_names_and_literals_are_not_empty() {
    let list = |literals| Test::List {
        quantifier: Quantifier::Any,
        literals: OneOf {
            literals,
            ignore_case: true,
        },
    };
    assert_eq!(of_test("a", list(vec![])), [".list"]);
    assert_eq!(of_test("a", list(vec![Literal::Number(f64::NAN)])), [".list[0]"]);
    assert_eq!(of_test("a", Test::TypeIs(AttributeType::Null)), [""; 0]);
    assert_eq!(of_test("", Test::InSegment(vec![])), [".in_segment"]);
    assert_eq!(of_test("", Test::InSegment(texts(&["a", ""]))), [".in_segment[1]"]);
    assert_eq!(of_test("", Test::InSegment(units(101))), [".in_segment"]);
    let served = |flag: &str, variants| Test::Variant {
        flag: flag.into(),
        variants,
    };
    assert_eq!(of_test("", served("", vec![])), [".variant.flag", ".variant.variants"]);
    assert_eq!(of_test("", served("b", texts(&[""]))), [".variant.variants[0]"]);
}

#[test]
fn prerequisites_are_few_complete_and_others() {
    assert_eq!(
        of_flag(|flag| flag.prerequisites = vec![prerequisite("b", &["on"]), prerequisite("a", &["on"])]),
        ["prerequisites[1].flag"]
    );
    assert_eq!(
        of_flag(|flag| flag.prerequisites = vec![prerequisite("", &[])]),
        ["prerequisites[0].flag", "prerequisites[0].variants"]
    );
    assert_eq!(
        of_flag(|flag| flag.prerequisites = vec![prerequisite("b", &["on"]); 33]),
        ["prerequisites"]
    );
}

#[test]
fn a_unit_is_named_by_up_to_four_different_attributes() {
    assert_eq!(
        of_flag(|flag| flag.bucket_by = texts(&["a", "b", "a"])),
        ["bucket_by[2]"]
    );
    assert_eq!(of_flag(|flag| flag.bucket_by = texts(&["a", ""])), ["bucket_by[1]"]);
    assert_eq!(of_flag(|flag| flag.bucket_by = units(5)), ["bucket_by"]);
    assert_eq!(of_flag(|flag| flag.bucket_by = units(4)), [""; 0]);
}

#[test]
fn what_is_served_when_stale_exists() {
    assert_eq!(
        of_flag(|flag| flag.when_stale = WhenStale::Variant("x".into())),
        ["when_stale.variant"]
    );
    assert_eq!(
        of_flag(|flag| flag.when_stale = WhenStale::Variant("on".into())),
        [""; 0]
    );
}

#[test]
fn a_rules_own_salt_is_a_salt() {
    assert_eq!(of_rule(|rule| rule.salt = "a:b".into()), ["rules[0].salt"]);
    assert_eq!(of_rule(|rule| rule.salt = "a-b".into()), [""; 0]);
}

#[test]
fn ranges_hold_exactly_the_shares() {
    let with = |parts: &[(&str, u32)], ranges: &[(&str, u32)]| {
        let serve = Serve::Split(Split {
            shares: shares(parts),
            ranges: shares(ranges),
        });
        of_flag(|flag| flag.default = serve)
    };
    let halves = [("on", 50_000), ("off", 50_000)];
    assert_eq!(
        with(&halves, &[("on", 25_000), ("off", 50_000), ("on", 25_000)]),
        [""; 0]
    );
    assert_eq!(
        with(&halves, &[("on", 50_000), ("off", 49_999)]),
        ["default.split.ranges"]
    );
    assert_eq!(
        with(&halves, &[("on", 49_999), ("off", 50_001)]),
        ["default.split.ranges"]
    );
    assert_eq!(
        with(&halves, &[("on", 50_000), ("x", 50_000)]),
        ["default.split.ranges[1].variant", "default.split.ranges"]
    );
    assert_eq!(with(&[("on", 1), ("on", 99_999)], &[]), ["default.split[1].variant"]);
    let many: Vec<(&str, u32)> = (0..10_001)
        .map(|at| (if at % 2 == 0 { "on" } else { "off" }, 1))
        .collect();
    assert_eq!(with(&halves, &many)[0], "default.split.ranges");
}

#[test]
fn objects_and_floats_are_bounded_and_finite() {
    let object = |value| {
        let variants = BTreeMap::from([(
            "o".to_owned(),
            Value::Object(BTreeMap::from([("a".to_owned(), value)]).into()),
        )]);
        of_flag(|flag| {
            flag.flag_type = FlagType::Object;
            flag.variants = variants;
            flag.off_variant = None;
            flag.default = variant("o");
        })
    };
    let nested = |levels| (0..levels).fold(Json::Null, |inner, _| Json::List(vec![inner]));
    assert_eq!(object(nested(31)), [""; 0]);
    assert_eq!(object(nested(32)), [r#"variants["o"]"#]);
    assert_eq!(object(Json::Text("x".repeat(64 * 1024))), [r#"variants["o"]"#]);
    assert_eq!(object(Json::Number(f64::NAN)), [r#"variants["o"]"#]);
    let float = |number| {
        of_flag(|flag| {
            flag.flag_type = FlagType::Float;
            flag.variants = BTreeMap::from([("off".to_owned(), Value::Float(number))]);
        })
    };
    assert_eq!(float(0.5), [""; 0]);
    assert_eq!(float(f64::NEG_INFINITY), [r#"variants["off"]"#]);
}

fn of_segment(change: impl FnOnce(&mut Segment)) -> Vec<String> {
    let mut segment = segment("s");
    change(&mut segment);
    fields(compile_segment(&segment))
}

#[test]
fn segments_are_bounded_and_say_where_they_are_wrong() {
    assert_eq!(of_segment(|_| {}), [""; 0]);
    assert_eq!(
        of_segment(|segment| segment.description = "x".repeat(4_097)),
        ["description"]
    );
    assert_eq!(
        of_segment(|segment| segment.groups = vec![vec![]]),
        ["groups[0].conditions"]
    );
    assert_eq!(
        of_segment(|segment| segment.groups = vec![vec![condition("a", &["b"])]; 51]),
        ["groups"]
    );
    assert_eq!(
        of_segment(|segment| segment.groups = vec![vec![condition("a", &["b"]), test("", Test::Exists)]]),
        ["groups[0].conditions[1].attribute"]
    );
    assert_eq!(
        of_segment(|segment| {
            segment.included = texts(&["a", "", "b"]);
            segment.excluded = texts(&["c", "b"]);
        }),
        ["included[1]", "excluded[1]"]
    );
    assert_eq!(
        of_segment(|segment| segment.included = vec!["x".repeat(1_025)]),
        ["included[0]"]
    );
    assert_eq!(of_segment(|segment| segment.included = units(500_001)), ["included"]);
    assert_eq!(
        of_segment(|segment| segment.included = vec!["x".repeat(1_024); 16 * 1_024 + 1]),
        ["included"]
    );
}

#[test]
fn half_a_million_members_are_taken() {
    let large = Segment {
        included: units(500_000),
        ..segment("s")
    };
    assert_eq!(compile_segment(&large).unwrap().members(), 500_000);
    assert_eq!(fields(compile(&boolean("a"), None)), [""; 0]);
    assert!(nothing().segment("s").is_none());
}
