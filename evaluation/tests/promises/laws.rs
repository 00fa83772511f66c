//! Laws, for any input: deltas lead where they say, digests follow contents, units that are in stay in, the first step
//! that can decide decides. What holds for arbitrary documents is in `arbitrary`.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{
    Change, Context, Digest, Entry, EntryId, EntryKind, Flag, Index, Json, Reason, RolloutStep, apply, between,
    compile, entry_hash,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::builders::{boolean, compiled, nothing, on_for, rolled_out, rule, step, string, unit, variant};

type Contents = BTreeMap<(EntryKind, String), u8>;

fn kind() -> impl Strategy<Value = EntryKind> {
    (1_u8..=9).prop_map(|number| EntryKind::try_from(number).unwrap())
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
        let by_split = |share| compiled(&Flag { default: on_for(share), ..boolean("a") }).evaluate(nothing(), &context).variant == Some("on");
        let by_rollout = |share| rolled_out(&boolean("a"), &step(share)).evaluate(nothing(), &context).variant == Some("on");
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
        let context = Context::new().with("plan", Json::Text("pro".into()));
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
        let decision = compiled.evaluate(nothing(), &context);
        prop_assert_eq!((decision.variant, decision.reason), (Some(expected.0), expected.1));
        prop_assert_eq!(decision.exposure.is_some(), expected.1 == Reason::Split);
    }
}
