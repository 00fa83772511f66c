#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use evaluation::{Buckets, FlagType, Prerequisite, Rule, Serve, Share, Split, WhenStale};

use super::*;
use crate::{
    builders::{actor, key, production, rollout},
    store::{Op, VALUE_LIMIT},
};

/// The one record that an act writes.
fn written(before: Option<Json>, after: Option<Json>) -> AuditRecord {
    let subject = Subject {
        environment: &production(),
        action: "flag.update",
        kind: "flag",
        key: "checkout",
    };
    let txn = record(Txn::default(), subject, &actor(), None, before, after);
    assert_eq!(txn.ops.len(), 1);
    let Op::Put(at, value) = &txn.ops[0] else {
        panic!("a record is put");
    };
    assert!(at.starts_with(&keys::audits(&production())));
    Act::read(value).unwrap()
}

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_record_says_who_did_what_to_which_and_why() {
    let record = written(None, Some(json!({ "key": "checkout" })));
    assert_eq!((record.actor.as_str(), record.reason.as_str()), ("ada", "because"));
    assert_eq!(record.action, "flag.update");
    assert_eq!((record.kind.as_str(), record.key.as_str()), ("flag", "checkout"));
    assert_eq!(record.at_us, actor().at_us);
}

#[test]
fn of_before_and_after_only_what_differs_is_held() {
    let mut before = crate::builders::flag("checkout");
    before.set = Some(key("shop"));
    let mut after = before.clone();
    after.killed = true;
    after.set = None;
    let record = written(Some(flag(&before)), Some(flag(&after)));
    // A text that is gone is left out, a switch is on or off.
    assert_eq!(parsed(&record.before), json!({ "flag_set": "shop", "killed": false }));
    assert_eq!(parsed(&record.after), json!({ "killed": true }));
}

#[test]
fn what_is_created_is_held_whole() {
    let record = written(None, Some(flag(&crate::builders::flag("checkout"))));
    assert_eq!(record.before, "");
    assert_eq!(parsed(&record.after), flag(&crate::builders::flag("checkout")));
}

#[test]
fn a_record_is_bounded_whatever_the_document_holds() {
    let mut before = crate::builders::flag("checkout");
    before.deny = (0..10_000)
        .map(|unit| format!("unit-with-a-long-name-{unit}"))
        .collect();
    let mut after = before.clone();
    after.deny.pop();
    let record = written(Some(flag(&before)), Some(flag(&after)));
    for account in [&record.before, &record.after] {
        assert!(account.len() <= LONGEST);
        assert_eq!(parsed(account)["see"], "history");
    }
    // A large document of which little changes is told all the same.
    after = before.clone();
    after.enabled = false;
    let record = written(Some(flag(&before)), Some(flag(&after)));
    assert_eq!(parsed(&record.after), json!({ "enabled": false }));
    const { assert!(2 * LONGEST < VALUE_LIMIT / 10) };
}

#[test]
fn every_field_of_a_flag_that_can_be_edited_is_told() {
    let before = crate::builders::flag("checkout");
    let edits: [(&str, Edit); 19] = [
        ("description", |flag| flag.description = "x".to_owned()),
        ("owner", |flag| flag.owner = "x".to_owned()),
        ("tags", |flag| flag.tags = ["x".to_owned()].into()),
        ("flag_set", |flag| flag.set = Some(key("x"))),
        ("enabled", |flag| flag.enabled = false),
        ("killed", |flag| flag.killed = true),
        ("salt", |flag| flag.salt = "x".to_owned()),
        ("variants", |flag| flag.variants = BTreeMap::new()),
        ("off_variant", |flag| flag.off_variant = Some("old".to_owned())),
        ("default_serve", |flag| flag.default = Serve::CallerDefault),
        ("deny", |flag| flag.deny = vec!["u".to_owned()]),
        ("allow", |flag| {
            flag.allow = [("new".to_owned(), vec!["u".to_owned()])].into()
        }),
        ("type", |flag| flag.flag_type = FlagType::Boolean),
        ("key", |flag| flag.key = key("x")),
        ("bucket_by", |flag| flag.bucket_by = vec!["account".to_owned()]),
        ("when_stale", |flag| flag.when_stale = WhenStale::Off),
        ("default_serve", |flag| flag.default = Serve::Split(split())),
        ("prerequisites", |flag| {
            flag.prerequisites = vec![Prerequisite {
                flag: "billing".to_owned(),
                variants: vec!["on".to_owned()],
            }];
        }),
        ("rules", |flag| {
            flag.rules = vec![Rule {
                name: "staff".to_owned(),
                conditions: Vec::new(),
                serve: Serve::Split(split()),
                salt: String::new(),
            }];
        }),
    ];
    for (field, edit) in edits {
        let mut after = before.clone();
        edit(&mut after);
        let record = written(Some(flag(&before)), Some(flag(&after)));
        let (was, is) = (parsed(&record.before), parsed(&record.after));
        let told = was.as_object().unwrap().keys().chain(is.as_object().unwrap().keys());
        assert!(
            told.clone().count() > 0 && told.into_iter().all(|told| told == field),
            "{was} {is}"
        );
        assert_ne!(record.before, record.after);
    }
}

/// What somebody does to a flag.
type Edit = fn(&mut Flag);

/// All buckets for one variant.
fn split() -> Split {
    Split {
        shares: vec![Share {
            variant: "new".to_owned(),
            buckets: Buckets::ALL,
        }],
        ranges: Vec::new(),
    }
}

#[test]
fn a_changeset_joins_acts() {
    let environment = production();
    let subject = |key| Subject {
        environment: &environment,
        action: "flag.update",
        kind: "flag",
        key,
    };
    let id = Uuid::from_u128(7);
    let txn = record(Txn::default(), subject("a"), &actor(), Some(id), None, None);
    let txn = record(txn, subject("b"), &actor(), Some(id), None, None);
    let changesets = txn.ops.iter().map(|op| match op {
        Op::Put(_, value) => Act::read(value).unwrap().changeset,
        Op::Delete(_) => None,
    });
    assert_eq!(changesets.collect::<Vec<_>>(), [Some(id), Some(id)]);
    assert_eq!(written(None, None).changeset, None);
}

#[test]
fn of_a_rollout_is_told_what_a_person_decides_about() {
    let (before, mut after) = (rollout(), rollout());
    after.state.sequence += 1;
    after.state.phase = ::rollout::Phase::Aborting;
    let record = written(Some(super::rollout(&before)), Some(super::rollout(&after)));
    assert_eq!(parsed(&record.after), json!({ "phase": "aborting", "sequence": 1 }));
}

/// Objects with a few fields out of a few values.
fn object() -> impl Strategy<Value = Json> {
    proptest::collection::btree_map("[a-d]", 0..3u8, 0..4).prop_map(|fields| json!(fields))
}

proptest! {
    #[test]
    fn after_can_be_told_from_before_and_what_differs(before in object(), after in object()) {
        let record = written(Some(before.clone()), Some(after.clone()));
        let (left, came) = (parsed(&record.before), parsed(&record.after));
        let mut told = before.as_object().unwrap().clone();
        told.retain(|field, _| left.get(field).is_none());
        told.extend(came.as_object().unwrap().clone());
        prop_assert_eq!(Json::Object(told), after.clone());
        for (field, value) in came.as_object().unwrap() {
            prop_assert_ne!(before.get(field), Some(value));
        }
    }
}
