//! Laws, for any input: deltas lead where they say, digests follow contents, units that are in stay in, the first step
//! that can decide decides, and no flag, however broken, makes `compile` panic.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    Attribute, Change, Condition, Context, Digest, Entry, EntryId, EntryKind, Flag, FlagType, Index, Key, Literal,
    ReachedStage, Reason, RolloutStep, Rule, Serve, Share, Test, Value, apply, between, compile, entry_hash,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::builders::{boolean, buckets, compiled, on_for, rolled_out, rule, step, string, unit, variant};

type Contents = BTreeMap<(EntryKind, String), u8>;

fn kind() -> impl Strategy<Value = EntryKind> {
    (1_u8..=4).prop_map(|number| EntryKind::try_from(number).unwrap())
}

fn change() -> impl Strategy<Value = ((EntryKind, String), Option<u8>)> {
    ((kind(), "[a-d]{1,3}"), proptest::option::weighted(0.7, 0_u8..4))
}

/// An index and its contents, made by `changes` to another.
fn changed(
    index: &Index<u8>,
    contents: &Contents,
    changes: Vec<((EntryKind, String), Option<u8>)>,
) -> (Index<u8>, Contents) {
    let mut contents = contents.clone();
    let mut made = Vec::new();
    for ((kind, key), body) in changes {
        let entry = body.map(|body| Entry {
            hash: entry_hash(kind, &key, &[body]),
            body,
        });
        made.push(Change {
            id: EntryId {
                kind,
                key: key.as_str().into(),
            },
            entry,
        });
        match body {
            Some(body) => contents.insert((kind, key), body),
            None => contents.remove(&(kind, key)),
        };
    }
    (index.with(made), contents)
}

fn contents_of(index: &Index<u8>) -> Contents {
    index
        .iter()
        .map(|(id, entry)| ((id.kind, id.key.to_string()), entry.body))
        .collect()
}

fn digest_of(contents: &Contents) -> Digest {
    let hashes = contents
        .iter()
        .map(|((kind, key), body)| entry_hash(*kind, key, &[*body]));
    Digest(hashes.fold(0, u128::wrapping_add))
}

proptest! {
    #[test]
    fn applying_the_delta_gives_the_other_index(
        common in vec(change(), 0..60), left in vec(change(), 0..30), right in vec(change(), 0..30), related in any::<bool>(),
    ) {
        let (base, base_contents) = changed(&Index::new(), &Contents::new(), common);
        let (from, from_contents) = changed(&base, &base_contents, left);
        let (to, to_contents) = if related {
            changed(&base, &base_contents, right)
        } else {
            changed(&Index::new(), &Contents::new(), right)
        };
        for (index, contents) in [(&from, &from_contents), (&to, &to_contents)] {
            prop_assert_eq!(&contents_of(index), contents);
            prop_assert_eq!(index.len(), contents.len());
            prop_assert_eq!(index.digest(), digest_of(contents));
        }
        let delta = between(&from, &to);
        let keys: BTreeSet<_> = from_contents.keys().chain(to_contents.keys()).collect();
        let different = keys.into_iter().filter(|key| from_contents.get(key) != to_contents.get(key)).count();
        prop_assert_eq!(delta.changes.len(), different);
        prop_assert!(delta.changes.is_sorted_by(|one, other| one.id < other.id));
        let arrived = apply(&from, delta);
        prop_assert_eq!(contents_of(&arrived), to_contents);
        prop_assert_eq!(arrived.digest(), to.digest());
        prop_assert_eq!(arrived.len(), to.len());
        prop_assert!(between(&arrived, &to).changes.is_empty());
    }

    #[test]
    fn a_digest_does_not_depend_on_the_order_of_changes(
        contents in btree_map((kind(), "[a-z]{1,4}"), any::<u8>(), 0..40), seed in any::<u64>(),
    ) {
        let forwards: Vec<_> = contents.clone().into_iter().map(|(id, body)| (id, Some(body))).collect();
        let mut shuffled = forwards.clone();
        shuffled.sort_by_key(|((_, key), _)| entry_hash(EntryKind::Flag, key, &seed.to_le_bytes()));
        let (one, _) = changed(&Index::new(), &Contents::new(), forwards);
        let (other, _) = changed(&Index::new(), &Contents::new(), shuffled);
        prop_assert_eq!(one.digest(), other.digest());
    }

    #[test]
    fn a_unit_that_is_in_stays_in_as_the_share_grows(unit_name in ".{1,40}", one in 0_u32..=100_000, other in 0_u32..=100_000) {
        let (small, large) = (one.min(other), one.max(other));
        let context = unit(unit_name);
        let by_split = |share| compiled(&Flag { default: on_for(share), ..boolean("a") }).evaluate(&context).variant == Some("on");
        let by_rollout = |share| rolled_out(&boolean("a"), &step(share)).evaluate(&context).variant == Some("on");
        prop_assert!(!by_split(small) || by_split(large));
        prop_assert!(!by_rollout(small) || by_rollout(large));
        // The rollout copies the flag's salt: completing it into a split of the same share moves nobody.
        prop_assert_eq!(by_split(large), by_rollout(large));
    }

    #[test]
    fn the_first_step_that_can_decide_decides(
        off in any::<bool>(), denied in any::<bool>(), allowed in any::<bool>(), ruled in any::<bool>(), rolling in any::<bool>(),
        known in any::<bool>(),
    ) {
        let flag = Flag {
            enabled: !off,
            off_variant: Some("off".into()),
            deny: if denied { vec!["ada".into()] } else { Vec::new() },
            allow: if allowed && !denied { BTreeMap::from([("allow".into(), vec!["ada".into()])]) } else { BTreeMap::new() },
            rules: if ruled { vec![rule("r", "plan", &["pro"], variant("rule"))] } else { Vec::new() },
            ..string("a", &["default", "allow", "off", "rule", "treatment", "control"])
        };
        let step = RolloutStep { treatment: "treatment".into(), control: "control".into(), ..step(100_000) };
        let compiled = compile(&flag, rolling.then_some(&step)).unwrap();
        let context = Context::new().with("plan", Attribute::Text("pro".into()));
        let context = if known { context.with_targeting_key("ada") } else { context };
        let expected = match () {
            () if off => ("off", Reason::Disabled),
            () if denied && known => ("off", Reason::TargetingMatch),
            () if allowed && !denied && known => ("allow", Reason::TargetingMatch),
            () if ruled => ("rule", Reason::TargetingMatch),
            () if rolling && known => ("treatment", Reason::Split),
            () if rolling => ("control", Reason::Default),
            () if denied || allowed => ("default", Reason::Default),
            () => ("default", Reason::Static),
        };
        let decision = compiled.evaluate(&context);
        prop_assert_eq!((decision.variant, decision.reason), (Some(expected.0), expected.1));
        prop_assert_eq!(decision.exposure.is_some(), expected.1 == Reason::Split);
    }

    #[test]
    fn no_flag_makes_compile_or_evaluate_panic(flag in any_flag(), step in proptest::option::of(any_step()), context in any_context()) {
        match compile(&flag, step.as_ref()) {
            Ok(compiled) => {
                let decision = compiled.evaluate(&context);
                prop_assert_eq!(decision.value.is_some(), decision.variant.is_some());
                prop_assert_eq!(decision.error.is_some(), decision.reason == Reason::Error);
                prop_assert!(step.is_none() || decision.reason != Reason::Static);
            }
            Err(violations) => prop_assert!(!violations.is_empty() && violations.len() <= 101),
        }
    }
}

/// A name out of few, so that names meet; now and then one that cannot be.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![98 => "[abc]", 1 => Just(String::new()), 1 => ".{0,300}"]
}

/// Mostly the variants that names speak of, sometimes any.
fn any_variants() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let usual = ["a", "b", "c"].map(|name| (name.to_owned(), Value::Boolean(true)));
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        ".{0,9}".prop_map(|text| Value::String(text.into()))
    ];
    prop_oneof![9 => Just(BTreeMap::from(usual)), 1 => btree_map("[abc]|.{0,9}", value, 0..6)]
}

/// A unit; few stand on two lists.
fn any_unit() -> impl Strategy<Value = String> {
    prop_oneof![98 => "[a-z]{1,2}", 1 => Just(String::new()), 1 => ".{0,1200}"]
}

fn any_serve() -> impl Strategy<Value = Serve> {
    let shares = vec((name(), 0_u32..=100_000), 0..12);
    let split = shares.prop_map(|shares| {
        let mut left = 100_000;
        let mut shares: Vec<Share> = shares
            .into_iter()
            .map(|(variant, count)| {
                let taken = count.min(left);
                left -= taken;
                Share {
                    variant,
                    buckets: buckets(taken),
                }
            })
            .collect();
        if let Some(last) = shares.last_mut() {
            last.buckets = buckets(last.buckets.get() + left);
        }
        Serve::Split(shares)
    });
    prop_oneof![name().prop_map(Serve::Variant), split, Just(Serve::CallerDefault)]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let literal = prop_oneof![
        name().prop_map(Literal::Text),
        prop_oneof![20 => -9.0..9.0, 1 => any::<f64>()].prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Boolean)
    ];
    let test = prop_oneof![20 => vec(literal.clone(), 1..12), 1 => vec(literal, 0..2)].prop_map(Test::OneOf);
    let attribute = prop_oneof![name(), Just("targetingKey".to_owned())];
    let condition = (attribute, test).prop_map(|(attribute, test)| Condition { attribute, test });
    (any_unit(), vec(condition, 1..3), any_serve()).prop_map(|(name, conditions, serve)| Rule {
        name,
        conditions,
        serve,
    })
}

fn any_flag() -> impl Strategy<Value = Flag> {
    let head = (
        any::<bool>(),
        any::<bool>(),
        prop_oneof![19 => Just("salt".to_owned()), 1 => ".{0,70}"],
    );
    let served = (any_variants(), proptest::option::of(name()), any_serve());
    let listed = (vec(any_unit(), 0..3), btree_map(name(), vec(any_unit(), 0..3), 0..3));
    let labels = (btree_set(name(), 0..3), proptest::bool::weighted(0.95));
    (head, served, listed, labels, vec(any_rule(), 0..4)).prop_map(|(head, served, listed, labels, rules)| Flag {
        key: Key::parse("a").unwrap(),
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
        rules,
    })
}

fn any_step() -> impl Strategy<Value = RolloutStep> {
    let stages = prop_oneof![9 => Just(vec![0, 1, 2]), 1 => vec(0_u8..18, 0..20)];
    let reached = stages.prop_flat_map(|stages| {
        stages
            .into_iter()
            .map(|stage| (Just(stage), 0_u32..=100_000))
            .collect::<Vec<_>>()
    });
    (name(), name(), name(), reached, 0_u8..4).prop_map(|(salt, treatment, control, reached, stage)| RolloutStep {
        salt,
        treatment,
        control,
        stage,
        reached: reached
            .into_iter()
            .map(|(stage, share)| ReachedStage {
                stage,
                share: buckets(share),
            })
            .collect(),
        ..step(0)
    })
}

fn any_context() -> impl Strategy<Value = Context> {
    let attribute = prop_oneof![
        name().prop_map(Attribute::Text),
        any::<f64>().prop_map(Attribute::Number),
        any::<bool>().prop_map(Attribute::Boolean),
        Just(Attribute::Other)
    ];
    (proptest::option::of(any_unit()), btree_map(name(), attribute, 0..4)).prop_map(|(unit, attributes)| {
        let context = attributes
            .into_iter()
            .fold(Context::new(), |context, (name, value)| context.with(name, value));
        match unit {
            Some(unit) => context.with_targeting_key(unit),
            None => context,
        }
    })
}
