//! Arbitrary documents and contexts, most of them nearly right: nothing panics, an explanation decides as an evaluation
//! does, and so does the same document read a second time.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    AttributeType, Condition, Context, DateComparison, Flag, FlagType, HashScheme, Json, Key, Literal, NumberTest,
    OneOf, Prerequisite, Quantifier, ReachedStage, Reason, RolloutStep, Rule, Segment, Serve, Share, Snapshot, Split,
    StepKind, Test, TextPart, Value, VersionComparison, WhenStale, allot, check_references, compile, compile_segment,
    references_of,
};
use evaluation::{Documents, Written};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::builders::{buckets, segment, snapshot, step};

/// A name out of few, so that names meet; now and then one that cannot be.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![98 => "[abc]", 1 => Just(String::new()), 1 => ".{0,300}"]
}

fn names() -> impl Strategy<Value = Vec<String>> {
    vec(name(), 1..3)
}

/// A unit; few stand on two lists.
fn any_unit() -> impl Strategy<Value = String> {
    prop_oneof![98 => "[a-z]{1,2}", 1 => Just(String::new()), 1 => ".{0,1200}"]
}

/// Texts that some test can read.
fn telling_text() -> impl Strategy<Value = String> {
    let known = [
        "1.2.3",
        "1.x",
        "v2",
        "2.0.0-rc.1",
        "2026-11-21",
        "2026-11-21T09:00:00Z",
        "10.0.0.0/8",
        "10.1.2.3",
        "::1",
        "a",
        "A",
        "^[ab]+$",
        "(",
        "",
    ];
    prop_oneof![9 => select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,9}"]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![20 => (-9_i32..9).prop_map(f64::from), 1 => any::<f64>(), 1 => Just(1.8e9)]
}

fn one_of() -> impl Strategy<Value = OneOf> {
    let literal = prop_oneof![
        telling_text().prop_map(Literal::Text),
        name().prop_map(Literal::Text),
        number().prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Boolean)
    ];
    (vec(literal, 1..12), any::<bool>()).prop_map(|(literals, ignore_case)| OneOf { literals, ignore_case })
}

fn number_test() -> impl Strategy<Value = NumberTest> {
    prop_oneof![
        number().prop_map(NumberTest::Equal),
        number().prop_map(NumberTest::Less),
        number().prop_map(NumberTest::LessOrEqual),
        number().prop_map(NumberTest::Greater),
        number().prop_map(NumberTest::GreaterOrEqual),
        (number(), number()).prop_map(|(one, other)| NumberTest::Between(one.min(other), one.max(other))),
    ]
}

fn value_test() -> impl Strategy<Value = Test> {
    use VersionComparison::{Caret, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Tilde};
    let parts = select(&[TextPart::Contains, TextPart::StartsWith, TextPart::EndsWith][..]);
    let comparisons = select(&[Equal, Less, LessOrEqual, Greater, GreaterOrEqual, Tilde, Caret][..]);
    let types = [
        AttributeType::Text,
        AttributeType::Number,
        AttributeType::List,
        AttributeType::Null,
    ];
    prop_oneof![
        one_of().prop_map(Test::OneOf),
        (parts, vec("[abAB]{1,2}", 1..9), any::<bool>()).prop_map(|(part, texts, ignore_case)| Test::Text {
            part,
            texts,
            ignore_case
        }),
        telling_text().prop_map(Test::Matches),
        number_test().prop_map(Test::Number),
        (comparisons, telling_text()).prop_map(|(comparison, version)| Test::Version { comparison, version }),
        (any::<bool>(), telling_text()).prop_map(|(before, date)| Test::Date {
            comparison: if before {
                DateComparison::Before
            } else {
                DateComparison::After
            },
            date
        }),
        vec(telling_text(), 1..3).prop_map(Test::InNetwork),
        Just(Test::Exists),
        select(types.to_vec()).prop_map(Test::TypeIs),
        (
            select(&[Quantifier::Any, Quantifier::All, Quantifier::NoneOf][..]),
            one_of()
        )
            .prop_map(|(quantifier, literals)| Test::List { quantifier, literals }),
        number_test().prop_map(Test::Size),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let attribute = prop_oneof![8 => name(), 1 => Just("targetingKey".to_owned()), 2 => Just("a.b".to_owned())];
    let of_context = prop_oneof![
        names().prop_map(Test::InSegment),
        (name(), names()).prop_map(|(flag, variants)| Test::Variant { flag, variants }),
    ];
    let tested = prop_oneof![4 => (attribute, value_test()), 1 => (Just(String::new()), of_context)];
    (tested, any::<bool>()).prop_map(|((attribute, test), negated)| Condition {
        attribute,
        negated,
        test,
    })
}

/// Mostly the variants that names speak of, sometimes any.
fn any_variants() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let usual = ["a", "b", "c"].map(|name| (name.to_owned(), Value::Boolean(true)));
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        ".{0,9}".prop_map(|text| Value::String(text.into())),
        any::<f64>().prop_map(Value::Float),
    ];
    prop_oneof![9 => Just(BTreeMap::from(usual)), 1 => btree_map("[abc]|.{0,9}", value, 0..6)]
}

/// Shares that sum to all buckets, of variants that are mostly different.
fn any_shares() -> impl Strategy<Value = Vec<Share>> {
    let names = prop_oneof![9 => Just(vec!["a".into(), "b".into(), "c".into()]).prop_shuffle(), 1 => vec(name(), 0..9)];
    names.prop_flat_map(|names| {
        vec(0_u32..=100_000, names.len()).prop_map(move |counts| {
            let mut left = 100_000;
            let mut taken: Vec<u32> = Vec::new();
            for count in counts {
                taken.push(count.min(left));
                left -= count.min(left);
            }
            if let Some(last) = taken.last_mut() {
                *last += left;
            }
            let shares = names.iter().zip(taken);
            shares
                .map(|(variant, count)| Share {
                    variant: variant.clone(),
                    buckets: buckets(count),
                })
                .collect()
        })
    })
}

fn any_serve() -> impl Strategy<Value = Serve> {
    let split = (option::of(any_shares()), any_shares()).prop_map(|(present, shares)| {
        let present = present.map(|shares| Split {
            shares,
            ranges: Vec::new(),
        });
        let ranges = allot(present.as_ref(), &shares);
        Serve::Split(Split { shares, ranges })
    });
    prop_oneof![name().prop_map(Serve::Variant), split, Just(Serve::CallerDefault)]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let salt = prop_oneof![Just(String::new()), name()];
    (any_unit(), vec(condition(), 1..3), any_serve(), salt).prop_map(|(name, conditions, serve, salt)| Rule {
        name,
        conditions,
        serve,
        salt,
    })
}

fn any_flag(key: &'static str) -> impl Strategy<Value = Flag> {
    let salt = prop_oneof![19 => Just("salt".to_owned()), 1 => ".{0,70}"];
    let head = (proptest::bool::weighted(0.9), proptest::bool::weighted(0.1), salt);
    let served = (any_variants(), option::of(name()), any_serve());
    let listed = (vec(any_unit(), 0..3), btree_map(name(), vec(any_unit(), 0..3), 0..3));
    let prerequisite = (name(), names()).prop_map(|(flag, variants)| Prerequisite { flag, variants });
    let stale = prop_oneof![
        Just(WhenStale::Keep),
        Just(WhenStale::Off),
        name().prop_map(WhenStale::Variant)
    ];
    let labels = (btree_set(name(), 0..3), proptest::bool::weighted(0.95));
    let rest = (
        vec(any_rule(), 0..4),
        vec(prerequisite, 0..2),
        btree_set(name(), 0..2),
        stale,
    );
    (head, served, listed, labels, rest).prop_map(move |(head, served, listed, labels, rest)| Flag {
        key: Key::parse(key).unwrap(),
        flag_type: if labels.1 { FlagType::Boolean } else { FlagType::String },
        description: String::new(),
        owner: String::new(),
        tags: labels.0,
        set: None,
        enabled: head.0,
        killed: head.1,
        salt: head.2,
        variants: served.0,
        off_variant: served.1,
        default: served.2,
        deny: listed.0,
        allow: listed.1,
        rules: rest.0,
        prerequisites: rest.1,
        hash: HashScheme::Murmur3,
        bucket_by: rest.2.into_iter().collect(),
        when_stale: rest.3,
    })
}

fn any_segment(key: &'static str) -> impl Strategy<Value = Segment> {
    let lists = (vec(any_unit(), 0..4), vec(any_unit(), 0..4));
    (lists, vec(vec(condition(), 1..3), 0..3)).prop_map(move |((included, excluded), groups)| Segment {
        included,
        excluded,
        groups,
        ..segment(key)
    })
}

fn any_step() -> impl Strategy<Value = RolloutStep> {
    let stages = prop_oneof![9 => Just(vec![0, 1, 2]), 1 => vec(0_u8..18, 0..20)];
    let reached = stages.prop_flat_map(|stages| {
        stages
            .into_iter()
            .map(|stage| (Just(stage), 0_u32..=100_000, any_audience()))
            .collect::<Vec<_>>()
    });
    let arms = (name(), name(), any::<bool>());
    (name(), btree_set(name(), 0..3), arms, reached, 0_u8..4).prop_map(
        |(salt, bucket_by, (treatment, control, shadow), reached, stage)| RolloutStep {
            salt,
            bucket_by: bucket_by.into_iter().collect(),
            treatment,
            control,
            shadow,
            stage,
            reached: reached
                .into_iter()
                .map(|(stage, share, audience)| ReachedStage {
                    stage,
                    share: buckets(share),
                    audience,
                })
                .collect(),
            ..step(0)
        },
    )
}

/// Mostly everybody or a few, sometimes too many.
fn any_audience() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![10 => Just(Vec::new()), 10 => names(), 1 => vec(name(), 0..20)]
}

fn any_json() -> impl Strategy<Value = Json> {
    let simple = prop_oneof![
        4 => telling_text().prop_map(Json::Text),
        4 => name().prop_map(Json::Text),
        3 => number().prop_map(Json::Number),
        2 => any::<bool>().prop_map(Json::Boolean),
        1 => Just(Json::Null),
    ];
    simple.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::List),
            btree_map("[abc]", inner, 0..4).prop_map(Json::Object)
        ]
    })
}

fn any_context() -> impl Strategy<Value = Context> {
    (option::of(any_unit()), btree_map(name(), any_json(), 0..20)).prop_map(|(unit, attributes)| {
        let context = attributes
            .into_iter()
            .fold(Context::new(), |context, (name, value)| context.with(name, value));
        match unit {
            Some(unit) => context.with_targeting_key(unit),
            None => context,
        }
    })
}

/// Documents that name each other by the names that are tried.
#[derive(Clone, Debug)]
struct All {
    /// The first is held by the rollout.
    flags: Vec<Flag>,
    segments: Vec<Segment>,
    step: Option<RolloutStep>,
}

impl Documents for All {
    fn flag(&self, key: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| *flag.key == *key)
    }

    fn segment(&self, key: &str) -> Option<&Segment> {
        self.segments.iter().find(|segment| *segment.key == *key)
    }

    fn step(&self, flag: &str) -> Option<&RolloutStep> {
        self.step.as_ref().filter(|_| *self.flags[0].key == *flag)
    }
}

impl All {
    /// Those that compile.
    fn snapshot(&self) -> Snapshot {
        let flags = self.flags.iter();
        let flags = flags.filter_map(|flag| compile(flag, self.step(&flag.key)).ok());
        let segments = self.segments.iter().filter_map(|segment| compile_segment(segment).ok());
        snapshot(flags.collect(), segments.collect())
    }
}

fn any_documents() -> impl Strategy<Value = All> {
    let flags = (any_flag("a"), any_flag("b"), any_flag("c"));
    let segments = (any_segment("a"), any_segment("b"));
    (flags, segments, option::of(any_step())).prop_map(|((a, b, c), (one, other), step)| All {
        flags: vec![a, b, c],
        segments: vec![one, other],
        step,
    })
}

proptest! {
    #[test]
    fn no_documents_make_anything_panic_and_explaining_agrees_with_evaluating(
        documents in any_documents(), context in any_context(),
    ) {
        for flag in &documents.flags {
            let step = documents.step(&flag.key);
            if let Err(violations) = compile(flag, step) {
                prop_assert!(!violations.is_empty() && violations.len() <= 101);
            }
            let named = references_of(Written::Flag(flag, step));
            let wrong = check_references(Written::Flag(flag, step), &documents);
            prop_assert!(!named.is_empty() || wrong.is_empty());
        }
        for segment in &documents.segments {
            check_references(Written::Segment(segment), &documents);
        }
        let (snapshot, again) = (documents.snapshot(), documents.snapshot());
        for flag in snapshot.flags() {
            let decision = flag.evaluate(&snapshot, &context);
            prop_assert_eq!(decision.value.is_some(), decision.variant.is_some());
            prop_assert_eq!(decision.error.is_some(), decision.reason == Reason::Error);
            prop_assert!(decision.exposure.is_none() || flag.under_rollout());
            prop_assert!(!decision.shadow || decision.exposure.is_some());
            prop_assert!(!flag.under_rollout() || decision.reason != Reason::Static);
            let explanation = flag.explain(&snapshot, &context);
            prop_assert_eq!(explanation.decision, decision);
            let decided: BTreeSet<bool> = explanation.steps.iter().rev().skip(1).map(|step| step.decided).collect();
            prop_assert!(!decided.contains(&true) && explanation.steps.last().is_some_and(|step| step.decided));
            let first_match = explanation.rules.iter().find(|rule| rule.matched);
            if explanation.steps.iter().any(|step| step.kind == StepKind::Rules) {
                prop_assert_eq!(first_match.map(|rule| rule.name.as_str()), decision.rule);
            }
            let again_flag = again.flag(flag.key()).unwrap();
            prop_assert_eq!(again_flag.evaluate(&again, &context), decision);
            let stale = flag.evaluate_stale(&snapshot, &context);
            prop_assert!(stale.reason != Reason::Stale || stale.exposure.is_none());
        }
    }
}
