#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

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
    let txn = record(Txn::default(), subject, &actor(), before, after);
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
    assert_eq!(parsed(&record.before), json!({ "killed": false, "flag_set": "shop" }));
    assert_eq!(parsed(&record.after), json!({ "killed": true, "flag_set": null }));
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
    let edits: [fn(&mut Flag); 15] = [
        |flag| flag.description = "x".to_owned(),
        |flag| flag.owner = "x".to_owned(),
        |flag| flag.tags = ["x".to_owned()].into(),
        |flag| flag.set = Some(key("x")),
        |flag| flag.enabled = false,
        |flag| flag.killed = true,
        |flag| flag.salt = "x".to_owned(),
        |flag| flag.variants = BTreeMap::new(),
        |flag| flag.off_variant = Some("old".to_owned()),
        |flag| flag.default = Serve::CallerDefault,
        |flag| flag.deny = vec!["u".to_owned()],
        |flag| flag.allow = [("new".to_owned(), vec!["u".to_owned()])].into(),
        |flag| flag.flag_type = evaluation::FlagType::Boolean,
        |flag| flag.key = key("x"),
        |flag| {
            flag.rules = vec![Rule {
                name: "staff".to_owned(),
                conditions: vec![Condition {
                    attribute: "group".to_owned(),
                    test: Test::OneOf(vec![
                        Literal::Text("staff".to_owned()),
                        Literal::Number(1.5),
                        Literal::Boolean(true),
                    ]),
                }],
                serve: Serve::Split(vec![evaluation::Share {
                    variant: "new".to_owned(),
                    buckets: evaluation::Buckets::ALL,
                }]),
            }];
        },
    ];
    for edit in edits {
        let mut after = before.clone();
        edit(&mut after);
        let record = written(Some(flag(&before)), Some(flag(&after)));
        let fields = parsed(&record.after);
        assert_eq!(fields.as_object().unwrap().len(), 1, "{fields}");
        assert_ne!(record.before, record.after);
    }
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
