//! Golden vectors: buckets, positions and answers that every agent, control plane and replay must reach, for ever. Hashes
//! were computed apart from this crate, from their specifications, and answers were written down from the definitions.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    Arm, AttributeType, Condition, Context, DateComparison, Exposure, Flag, Json, Literal, NumberTest, OneOf, Position,
    Quantifier, ReachedStage, RolloutStep, Segment, Serve, Split, Test, TextPart, VersionComparison, bucket,
};
use serde_json::Value;

use crate::builders::{
    self, boolean, compiled, compiled_segment, nothing, reached, rolled_out, rule_of, shares, snapshot, string, unit,
    variant,
};

fn vectors(json: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(json).unwrap();
    document["vectors"].as_array().unwrap().clone()
}

fn text<'v>(vector: &'v Value, field: &str) -> &'v str {
    vector[field].as_str().unwrap()
}

#[test]
fn buckets_never_change() {
    let vectors = vectors(include_str!("../data/bucket-vectors.json"));
    assert_eq!(vectors.len(), 60);
    for vector in vectors {
        let drawn = bucket(text(&vector, "salt"), text(&vector, "unit"));
        assert_eq!(u64::from(drawn), vector["bucket"].as_u64().unwrap(), "{vector}");
    }
}

#[test]
fn positions_never_change() {
    let vectors = vectors(include_str!("../data/position-vectors.json"));
    assert_eq!(vectors.len(), 60);
    for vector in vectors {
        let measuring_key = u128::from_str_radix(text(&vector, "measuring_key"), 16).unwrap();
        let position = Position::of(measuring_key, text(&vector, "unit"));
        assert_eq!(
            u64::from(position.get()),
            vector["position"].as_u64().unwrap(),
            "{vector}"
        );
    }
}

/// The document of all answers.
fn answers() -> Value {
    serde_json::from_str(include_str!("../data/evaluation-vectors.json")).unwrap()
}

fn list<'v>(document: &'v Value, field: &str) -> &'v Vec<Value> {
    document[field].as_array().unwrap()
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(boolean) => Json::Boolean(*boolean),
        Value::Number(number) => Json::Number(number.as_f64().unwrap()),
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(values) => Json::List(values.iter().map(json).collect()),
        Value::Object(fields) => Json::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect()),
    }
}

fn one_of(literals: &Value, ignore_case: bool) -> OneOf {
    let literal = |value: &Value| match json(value) {
        Json::Text(text) => Literal::Text(text),
        Json::Number(number) => Literal::Number(number),
        Json::Boolean(boolean) => Literal::Boolean(boolean),
        other => panic!("{other:?} is no literal"),
    };
    OneOf {
        literals: literals.as_array().unwrap().iter().map(literal).collect(),
        ignore_case,
    }
}

fn number_test(test: &Value) -> NumberTest {
    let (name, value) = test.as_object().unwrap().iter().next().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    match name.as_str() {
        "equal" => NumberTest::Equal(number(value)),
        "less" => NumberTest::Less(number(value)),
        "less_or_equal" => NumberTest::LessOrEqual(number(value)),
        "greater" => NumberTest::Greater(number(value)),
        "greater_or_equal" => NumberTest::GreaterOrEqual(number(value)),
        "between" => NumberTest::Between(number(&value[0]), number(&value[1])),
        other => panic!("{other} compares no numbers"),
    }
}

fn version_comparison(sign: &str) -> VersionComparison {
    match sign {
        "=" => VersionComparison::Equal,
        "<" => VersionComparison::Less,
        "<=" => VersionComparison::LessOrEqual,
        ">" => VersionComparison::Greater,
        ">=" => VersionComparison::GreaterOrEqual,
        "~" => VersionComparison::Tilde,
        "^" => VersionComparison::Caret,
        other => panic!("{other} compares no versions"),
    }
}

fn attribute_type(name: &str) -> AttributeType {
    match name {
        "text" => AttributeType::Text,
        "number" => AttributeType::Number,
        "boolean" => AttributeType::Boolean,
        "list" => AttributeType::List,
        "object" => AttributeType::Object,
        "null" => AttributeType::Null,
        other => panic!("{other} is no type"),
    }
}

/// A test as the vectors write it: its one field names the operator.
fn operator(test: &Value) -> Test {
    let ignore_case = test["ignore_case"] == true;
    let (name, value) = test
        .as_object()
        .unwrap()
        .iter()
        .find(|(name, _)| !is_option(name))
        .unwrap();
    let part = |part| Test::Text {
        part,
        texts: texts(value),
        ignore_case,
    };
    let date = |comparison| Test::Date {
        comparison,
        date: text(test, name).to_owned(),
    };
    match name.as_str() {
        "one_of" => Test::OneOf(one_of(value, ignore_case)),
        "contains" => part(TextPart::Contains),
        "starts_with" => part(TextPart::StartsWith),
        "ends_with" => part(TextPart::EndsWith),
        "matches" => Test::Matches(text(test, name).to_owned()),
        "number" => Test::Number(number_test(value)),
        "version" => Test::Version {
            comparison: version_comparison(value[0].as_str().unwrap()),
            version: value[1].as_str().unwrap().to_owned(),
        },
        "before" => date(DateComparison::Before),
        "after" => date(DateComparison::After),
        "in_network" => Test::InNetwork(texts(value)),
        "exists" => Test::Exists,
        "type_is" => Test::TypeIs(attribute_type(text(test, name))),
        "list" => Test::List {
            quantifier: match text(test, name) {
                "any" => Quantifier::Any,
                "all" => Quantifier::All,
                _ => Quantifier::NoneOf,
            },
            literals: one_of(&test["literals"], ignore_case),
        },
        "size" => Test::Size(number_test(value)),
        "in_segment" => Test::InSegment(texts(value)),
        "variant" => Test::Variant {
            flag: value[0].as_str().unwrap().to_owned(),
            variants: texts(value)[1..].to_vec(),
        },
        other => panic!("{other} is no operator"),
    }
}

fn is_option(name: &str) -> bool {
    ["ignore_case", "literals"].contains(&name)
}

/// Whether the plain and the negated condition are met, in a snapshot with a flag and a segment to ask.
fn met(attribute: &str, test: &Test, context: &Context) -> [bool; 2] {
    let staff = Segment {
        groups: vec![vec![builders::test("a", Test::Exists)]],
        ..builders::segment("staff")
    };
    [false, true].map(|negated| {
        let condition = Condition {
            attribute: attribute.to_owned(),
            negated,
            test: test.clone(),
        };
        let asking = Flag {
            rules: vec![rule_of("r", vec![condition], variant("on"))],
            ..boolean("asking")
        };
        let colour = compiled(&string("colour", &["blue", "red"]));
        let all = snapshot(vec![compiled(&asking), colour], vec![compiled_segment(&staff)]);
        all.flag("asking").unwrap().evaluate(&all, context).rule.is_some()
    })
}

#[test]
fn every_operator_answers_as_written_down() {
    let answers = answers();
    let mut operators = BTreeSet::new();
    for vector in list(&answers, "operators") {
        let test = operator(&vector["test"]);
        let attribute = match test {
            Test::InSegment(_) | Test::Variant { .. } => "",
            _ => "a",
        };
        operators.extend(
            vector["test"]
                .as_object()
                .unwrap()
                .keys()
                .filter(|name| !is_option(name)),
        );
        for case in list(vector, "cases") {
            let context = match case.get("value") {
                Some(value) => Context::new().with("a", json(value)),
                None => Context::new(),
            };
            let expected = case["answer"].as_bool().map_or([false; 2], |answer| [answer, !answer]);
            assert_eq!(met(attribute, &test, &context), expected, "{} {case}", vector["test"]);
        }
    }
    assert_eq!(operators.len(), 16, "{operators:?}");
}

#[test]
fn every_path_leads_where_it_is_written_down() {
    for vector in list(&answers(), "paths") {
        let fields = vector["context"].as_object().unwrap().iter();
        let context = fields.fold(Context::new(), |context, (name, value)| {
            context.with(name.as_str(), json(value))
        });
        let is_x = Test::OneOf(one_of(&serde_json::json!(["x"]), false));
        assert_eq!(
            met(text(vector, "attribute"), &is_x, &context)[0],
            vector["found"] == true,
            "{vector}"
        );
    }
}

#[test]
fn every_split_serves_what_is_written_down() {
    for vector in list(&answers(), "splits") {
        let run = |run: &Value| (run[0].as_str().unwrap().to_owned(), run[1].as_u64().unwrap() as u32);
        let ranges: Vec<(String, u32)> = list(vector, "ranges").iter().map(run).collect();
        let ranges: Vec<(&str, u32)> = ranges.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let mut totals: BTreeMap<&str, u32> = BTreeMap::new();
        ranges
            .iter()
            .for_each(|(name, count)| *totals.entry(name).or_default() += count);
        let names: Vec<&str> = totals.keys().copied().collect();
        let flag = compiled(&Flag {
            salt: text(vector, "salt").to_owned(),
            default: Serve::Split(Split {
                shares: shares(&totals.into_iter().collect::<Vec<_>>()),
                ranges: shares(&ranges),
            }),
            ..string("a", &names)
        });
        for case in list(vector, "cases") {
            let decision = flag.evaluate(nothing(), &unit(text(case, "unit")));
            assert_eq!(decision.bucket.map(u64::from), case["bucket"].as_u64(), "{case}");
            assert_eq!(decision.variant, Some(text(case, "variant")), "{case}");
        }
    }
}

fn reached_stage(stage: &Value) -> ReachedStage {
    let number = |at: usize| u32::try_from(stage[at].as_u64().unwrap()).unwrap();
    ReachedStage {
        audience: texts(&stage[2]),
        ..reached(u8::try_from(number(0)).unwrap(), number(1), &[])
    }
}

#[test]
fn every_rollout_gives_what_is_written_down() {
    let document = answers();
    let measuring_key = u128::from_str_radix(text(&document, "measuring_key"), 16).unwrap();
    let segments = document["segments"].as_object().unwrap().iter();
    let segments: Vec<Segment> = segments
        .map(|(key, members)| Segment {
            included: texts(members),
            ..builders::segment(key)
        })
        .collect();
    let flag = string("a", &["default", "treatment", "control"]);
    for vector in list(&document, "rollouts") {
        let step = RolloutStep {
            rollout: 7,
            measuring_key,
            salt: text(vector, "salt").to_owned(),
            bucket_by: texts(&vector["bucket_by"]),
            treatment: "treatment".to_owned(),
            control: "control".to_owned(),
            shadow: vector["shadow"] == true,
            stage: u8::try_from(vector["stage"].as_u64().unwrap()).unwrap(),
            reached: list(vector, "reached").iter().map(reached_stage).collect(),
        };
        let all = snapshot(
            vec![rolled_out(&flag, &step)],
            segments.iter().map(compiled_segment).collect(),
        );
        for case in list(vector, "cases") {
            let fields = case["context"].as_object().unwrap().iter();
            let context = fields.fold(Context::new(), |context, (name, value)| {
                context.with(name.as_str(), json(value))
            });
            let decision = all.flag("a").unwrap().evaluate(&all, &context);
            assert_eq!(decision.variant, Some(text(case, "variant")), "{case}");
            assert_eq!(decision.reason.as_str(), text(case, "reason"), "{case}");
            assert_eq!(decision.bucket.map(u64::from), case["bucket"].as_u64(), "{case}");
            let expected = case["stratum"].as_u64().map(|stratum| Exposure {
                rollout: 7,
                stage: step.stage,
                stratum: u8::try_from(stratum).unwrap(),
                arm: if case["arm"] == "treatment" {
                    Arm::Treatment
                } else {
                    Arm::Control
                },
                position: Position::new(u32::try_from(case["position"].as_u64().unwrap()).unwrap()).unwrap(),
            });
            assert_eq!(decision.exposure, expected, "{case}");
            assert_eq!(decision.shadow, step.shadow && expected.is_some(), "{case}");
        }
    }
}
