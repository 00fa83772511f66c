#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use super::*;
use crate::flag::{HashScheme, Prerequisite, Serve, WhenStale};
use crate::key::Key;
use crate::percentage::Buckets;
use crate::rule::Rule;
use crate::step::ReachedStage;
use crate::value::{FlagType, Value};

#[derive(Default)]
struct All {
    flags: BTreeMap<String, Flag>,
    segments: BTreeMap<String, Segment>,
    /// By flag.
    steps: BTreeMap<String, RolloutStep>,
}

impl Documents for All {
    fn flag(&self, key: &str) -> Option<&Flag> {
        self.flags.get(key)
    }

    fn segment(&self, key: &str) -> Option<&Segment> {
        self.segments.get(key)
    }

    fn step(&self, flag: &str) -> Option<&RolloutStep> {
        self.steps.get(flag)
    }
}

impl All {
    fn with_flag(mut self, flag: Flag) -> All {
        self.flags.insert(flag.key.to_string(), flag);
        self
    }

    fn with_segment(mut self, segment: Segment) -> All {
        self.segments.insert(segment.key.to_string(), segment);
        self
    }

    fn with_step(mut self, flag: &str, audiences: &[&[&str]]) -> All {
        self.steps.insert(flag.to_owned(), step(audiences));
        self
    }

    /// What is wrong with a flag and the step that holds it, as text.
    fn of_flag(&self, key: &str) -> Vec<String> {
        texts(check_references(Written::Flag(&self.flags[key], self.step(key)), self))
    }

    fn of_segment(&self, key: &str) -> Vec<String> {
        texts(check_references(Written::Segment(&self.segments[key]), self))
    }
}

fn texts(violations: Vec<Violation>) -> Vec<String> {
    violations.iter().map(Violation::to_string).collect()
}

/// A rollout that has reached a stage for each of these audiences.
fn step(audiences: &[&[&str]]) -> RolloutStep {
    let reached = (0..).zip(audiences).map(|(stage, audience)| ReachedStage {
        stage,
        share: Buckets::ALL,
        audience: audience.iter().map(ToString::to_string).collect(),
    });
    RolloutStep {
        rollout: 7,
        measuring_key: 1,
        salt: "salt".into(),
        bucket_by: Vec::new(),
        treatment: "on".into(),
        control: "off".into(),
        shadow: false,
        stage: 0,
        reached: reached.collect(),
    }
}

/// A flag with variants off and on that waits for others and asks in its one rule.
fn flag(key: &str, waits_for: &[&str], asks: &[Condition]) -> Flag {
    Flag {
        key: Key::parse(key).unwrap(),
        flag_type: FlagType::Boolean,
        description: String::new(),
        owner: String::new(),
        tags: Default::default(),
        set: None,
        enabled: true,
        killed: false,
        salt: "salt".into(),
        variants: [
            ("off".into(), Value::Boolean(false)),
            ("on".into(), Value::Boolean(true)),
        ]
        .into(),
        off_variant: None,
        default: Serve::CallerDefault,
        deny: Vec::new(),
        allow: BTreeMap::new(),
        rules: vec![Rule {
            name: "r".into(),
            conditions: asks.to_vec(),
            serve: Serve::CallerDefault,
            salt: String::new(),
        }],
        prerequisites: waits_for
            .iter()
            .map(|flag| Prerequisite {
                flag: (*flag).into(),
                variants: vec!["on".into()],
            })
            .collect(),
        hash: HashScheme::Murmur3,
        bucket_by: Vec::new(),
        when_stale: WhenStale::Keep,
    }
}

fn segment(key: &str, asks: &[Condition]) -> Segment {
    Segment {
        key: Key::parse(key).unwrap(),
        description: String::new(),
        owner: String::new(),
        tags: Default::default(),
        included: Vec::new(),
        excluded: Vec::new(),
        groups: vec![asks.to_vec()],
    }
}

fn serves(flag: &str, variants: &[&str]) -> Condition {
    condition(Test::Variant {
        flag: flag.into(),
        variants: variants.iter().map(ToString::to_string).collect(),
    })
}

fn in_segments(segments: &[&str]) -> Condition {
    condition(Test::InSegment(segments.iter().map(ToString::to_string).collect()))
}

fn condition(test: Test) -> Condition {
    Condition {
        attribute: String::new(),
        negated: false,
        test,
    }
}

#[test]
fn what_does_not_exist_is_named_where_it_stands() {
    let all = All::default()
        .with_flag(flag(
            "a",
            &["b", "gone"],
            &[serves("b", &["on", "blue"]), in_segments(&["s", "none"])],
        ))
        .with_flag(flag("b", &[], &[]))
        .with_segment(segment("s", &[serves("lost", &["on"])]));
    assert_eq!(
        all.of_flag("a"),
        [
            r#"prerequisites[1].flag: there is no flag "gone" in this environment"#,
            r#"rules[0].conditions[0].variant.variants[1]: flag b has no variant "blue"; it has off, on"#,
            r#"rules[0].conditions[1].in_segment[1]: there is no segment "none" in this environment"#,
        ]
    );
    assert_eq!(
        all.of_segment("s"),
        [r#"groups[0].conditions[0].variant.flag: there is no flag "lost" in this environment"#]
    );
    assert!(all.of_flag("b").is_empty());
}

#[test]
fn nothing_asks_itself() {
    let all = All::default()
        .with_flag(flag("a", &[], &[serves("a", &["on"])]))
        .with_segment(segment("s", &[in_segments(&["s"])]));
    assert_eq!(
        all.of_flag("a"),
        ["rules[0].conditions[0].variant.flag: a flag cannot ask itself"]
    );
    assert_eq!(
        all.of_segment("s"),
        ["groups[0].conditions[0].in_segment[0]: a segment cannot ask itself"]
    );
}

#[test]
fn every_way_back_is_told_whatever_it_leads_through() {
    let all = All::default()
        .with_flag(flag("a", &["b"], &[in_segments(&["s", "free"])]))
        .with_flag(flag("b", &["a"], &[]))
        .with_flag(flag("c", &["a"], &[]))
        .with_segment(segment("s", &[serves("c", &["on"])]))
        .with_segment(segment("free", &[serves("c", &["on"])]))
        .with_flag(flag("reader", &["a"], &[]));
    assert_eq!(
        all.of_flag("a"),
        [
            "prerequisites[0].flag: leads back to the flag: a -> b -> a",
            "rules[0].conditions[0].in_segment[0]: leads back to the flag: a -> s -> c -> a",
            "rules[0].conditions[0].in_segment[1]: leads back to the flag: a -> free -> c -> a",
        ]
    );
    assert_eq!(
        all.of_segment("s"),
        ["groups[0].conditions[0].variant.flag: leads back to the segment: s -> c -> a -> s"]
    );
}

/// Flags that each wait for the next, `f0` to the last.
fn chain(length: usize) -> All {
    (0..=length).fold(All::default(), |all, at| {
        let next = format!("f{}", at + 1);
        let waits_for: &[&str] = if at < length { &[&next] } else { &[] };
        all.with_flag(flag(&format!("f{at}"), waits_for, &[]))
    })
}

#[test]
fn ways_are_sixteen_long_at_most() {
    assert!(chain(16).of_flag("f0").is_empty());
    let too_long = chain(17).of_flag("f0");
    assert_eq!(too_long.len(), 1);
    assert!(
        too_long[0].starts_with("prerequisites[0].flag: leads through more than 16 others: f0 -> f1 -> f2"),
        "{too_long:?}"
    );
    assert!(chain(17).of_flag("f1").is_empty());
    assert_eq!(chain(5_000).of_flag("f0").len(), 1);
}

#[test]
fn a_circle_among_others_is_not_walked_for_ever() {
    let all = All::default()
        .with_flag(flag("a", &["b"], &[]))
        .with_flag(flag("b", &["c"], &[]))
        .with_flag(flag("c", &["b"], &[]));
    let found = all.of_flag("a");
    assert!(found.len() == 1 && found[0].contains("a -> b -> c -> b"), "{found:?}");
}

#[test]
fn many_ways_to_the_same_flags_cost_what_the_flags_cost() {
    let names: Vec<Vec<String>> = (0..15)
        .map(|level| (0..30).map(|at| format!("f{level}-{at}")).collect())
        .collect();
    let mut all = All::default();
    for (level, keys) in names.iter().enumerate() {
        let next: Vec<&str> = names.get(level + 1).into_iter().flatten().map(String::as_str).collect();
        for key in keys {
            all = all.with_flag(flag(key, &next, &[]));
        }
    }
    assert!(all.of_flag("f0-0").is_empty());
}

#[test]
fn references_are_those_of_the_document_itself() {
    let asking = flag("a", &["b", "c"], &[serves("b", &["on"]), in_segments(&["s", "t"])]);
    let flag = |key: &str| Reference::Flag(key.into());
    let segment = |key: &str| Reference::Segment(key.into());
    let expected = BTreeSet::from([flag("b"), flag("c"), segment("s"), segment("t")]);
    assert_eq!(references_of(Written::Flag(&asking, None)), expected);
    let step = step(&[&["t"], &[], &["u", "s"]]);
    let with_step = references_of(Written::Flag(&asking, Some(&step)));
    assert_eq!(with_step, expected.into_iter().chain([segment("u")]).collect());
}

#[test]
fn segments_of_audiences_must_exist() {
    let all = All::default()
        .with_flag(flag("a", &[], &[]))
        .with_segment(segment("staff", &[]))
        .with_step("a", &[&["staff"], &["staff", "beta"], &[]]);
    assert_eq!(
        all.of_flag("a"),
        [r#"rollout.reached[1].audience[1]: there is no segment "beta" in this environment"#]
    );
    assert!(all.with_segment(segment("beta", &[])).of_flag("a").is_empty());
}

#[test]
fn a_way_that_leads_back_through_an_audience_is_found_from_both_ends() {
    let all = All::default()
        .with_flag(flag("a", &[], &[]))
        .with_segment(segment("s", &[serves("a", &["on"])]))
        .with_step("a", &[&[], &["s"]]);
    assert_eq!(
        all.of_flag("a"),
        ["rollout.reached[1].audience[0]: leads back to the flag: a -> s -> a"]
    );
    let found = all.of_segment("s");
    assert!(
        found.len() == 1 && found[0].contains("leads back to the segment: s -> a -> s"),
        "{found:?}"
    );
}

#[test]
fn an_audience_counts_in_how_deep_a_way_leads() {
    let names: Vec<String> = (0..=16).map(|at| format!("s{at:02}")).collect();
    let mut all = All::default().with_flag(flag("a", &[], &[]));
    for (at, name) in names.iter().enumerate() {
        let next = names.get(at + 1).map(|next| in_segments(&[next]));
        all = all.with_segment(segment(name, next.as_slice()));
    }
    let from = |first: &str| {
        let all = All {
            steps: BTreeMap::from([("a".to_owned(), step(&[&[first]]))]),
            flags: all.flags.clone(),
            segments: all.segments.clone(),
        };
        all.of_flag("a")
    };
    assert!(from("s01").is_empty());
    let found = from("s00");
    assert!(
        found.len() == 1 && found[0].starts_with("rollout.reached[0].audience[0]: leads through more than 16 others"),
        "{found:?}"
    );
}
