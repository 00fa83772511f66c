//! Changes of webhooks.
//!
//! A webhook is no document of an environment, and its audit is: who hears of an environment's rollouts is that
//! environment's business. So each change is recorded in every environment that the webhook heard of or hears of now,
//! joined by a changeset. No record holds a secret.

use std::collections::BTreeSet;

use evaluation::Key;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    audit::{self, Subject},
    events::Kind,
    identity::Actor,
    state::State,
    store::{Guard, Txn, keys, model},
    webhooks::webhook::WebhookRecord,
};

/// Creates a webhook. Two that are created at once meet, so that there are never more than may be.
pub(crate) fn create(state: &State, record: &WebhookRecord, actor: &Actor) -> Txn {
    let (key, register) = (keys::webhook(&record.key), keys::webhook_register());
    let registered = match state.webhook_register {
        Some(revision) => Guard::Unchanged(register.clone(), revision),
        None => Guard::Absent(register.clone()),
    };
    let txn = Txn::default()
        .guard(Guard::Absent(key.clone()))
        .guard(registered)
        .put(key, model::write_webhook(record))
        .put(register, model::write_count(1));
    audited(txn, state, "webhook.create", actor, None, Some(record))
}

/// Changes a webhook: edited, given another secret, disabled.
pub(crate) fn write(
    state: &State,
    action: &'static str,
    before: &WebhookRecord,
    after: &WebhookRecord,
    actor: &Actor,
) -> Txn {
    let key = keys::webhook(&before.key);
    let txn = Txn::default()
        .guard(Guard::Unchanged(key.clone(), before.revision))
        .put(key, model::write_webhook(after));
    audited(txn, state, action, actor, Some(before), Some(after))
}

/// Deletes a webhook.
pub(crate) fn delete(state: &State, before: &WebhookRecord, actor: &Actor) -> Txn {
    let key = keys::webhook(&before.key);
    let txn = Txn::default()
        .guard(Guard::Unchanged(key.clone(), before.revision))
        .delete(key);
    audited(txn, state, "webhook.delete", actor, Some(before), None)
}

fn audited(
    txn: Txn,
    state: &State,
    action: &'static str,
    actor: &Actor,
    before: Option<&WebhookRecord>,
    after: Option<&WebhookRecord>,
) -> Txn {
    let heard = [before, after]
        .into_iter()
        .flatten()
        .flat_map(|record| heard(state, record));
    let heard = heard.collect::<BTreeSet<_>>();
    let changeset = (heard.len() > 1).then(Uuid::now_v7);
    let key = after.or(before).map_or("", |record| record.key.as_str());
    heard.into_iter().fold(txn, |txn, environment| {
        let subject = Subject {
            environment,
            action,
            kind: "webhook",
            key,
        };
        let (before, after) = (before.map(account), after.map(account));
        audit::record(txn, subject, actor, changeset, before, after)
    })
}

/// The environments of whose events a webhook hears, of those that there are.
fn heard<'s>(state: &'s State, record: &'s WebhookRecord) -> impl Iterator<Item = &'s Key> {
    let all = state.environments.keys();
    all.filter(|key| record.environments.is_empty() || record.environments.contains(*key))
}

/// A webhook as its audit tells it: how many secrets it has had, and none of them.
fn account(record: &WebhookRecord) -> Json {
    json!({
        "id": record.id.to_string(),
        "url": record.url,
        "description": record.description,
        "types": record.kinds.iter().map(|kind: &Kind| kind.name()).collect::<Vec<_>>(),
        "least_severity": record.least_severity.map(|severity| severity.name()),
        "environments": record.environments.iter().map(Key::as_str).collect::<Vec<_>>(),
        "disabled": record.disabled,
        "disabled_reason": record.disabled_reason,
        "secrets": record.secrets,
        "previous_secret_until_us": record.previous.as_ref().map(|previous| previous.until_us),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        builders::{World, actor, production, webhook},
        store::{OPERATIONS_LIMIT, Op, model::Act},
        webhooks::secret::Secret,
    };

    fn acts(txn: &Txn, environment: &Key) -> Vec<crate::store::model::AuditRecord> {
        let prefix = keys::audits(environment);
        let puts = txn.ops.iter().filter_map(|op| match op {
            Op::Put(key, value) if key.starts_with(&prefix) => Some(Act::read(value).unwrap()),
            Op::Put(..) | Op::Delete(_) => None,
        });
        puts.collect()
    }

    #[test]
    fn every_environment_that_is_heard_of_has_the_act_in_its_audit_and_no_secret() {
        let mut world = World::new();
        let record = webhook("pager");
        let txn = create(&world.state, &record, &actor());
        world.commit(&txn);
        for environment in world.state.environments.keys() {
            let acts = acts(&txn, environment);
            assert_eq!(acts.len(), 1, "{environment}");
            assert_eq!(
                (acts[0].action.as_str(), acts[0].key.as_str()),
                ("webhook.create", "pager")
            );
            assert!(acts[0].changeset.is_some());
            assert!(!acts[0].after.contains(&record.secret.text()["whsec_".len()..]));
        }
        // One that now hears of production only: the others are told that it no longer hears of them.
        let before = world.state.webhooks[&record.key].clone();
        let after = WebhookRecord {
            environments: [production()].into(),
            ..WebhookRecord::clone(&before)
        };
        let txn = write(&world.state, "webhook.update", &before, &after, &actor());
        world.commit(&txn);
        assert!(world.state.environments.keys().all(|key| acts(&txn, key).len() == 1));
        let before = world.state.webhooks[&record.key].clone();
        let after = WebhookRecord {
            secret: Secret::draw(),
            secrets: before.secrets + 1,
            ..WebhookRecord::clone(&before)
        };
        let txn = write(&world.state, "webhook.rotate-secret", &before, &after, &actor());
        world.commit(&txn);
        let told = world
            .state
            .environments
            .keys()
            .filter(|key| !acts(&txn, key).is_empty());
        assert_eq!(told.collect::<Vec<_>>(), [&production()]);
        assert_eq!(acts(&txn, &production())[0].changeset, None);
        assert!(world.offer(&txn).is_none(), "who was slower is refused");
    }

    #[test]
    fn two_that_are_created_at_once_meet() {
        let mut world = World::new();
        let (one, other) = (webhook("one"), webhook("other"));
        let txns = [&one, &other].map(|record| create(&world.state, record, &actor()));
        world.commit(&txns[0]);
        assert!(world.offer(&txns[1]).is_none());
        world.commit(&create(&world.state, &other, &actor()));
        world.commit(&delete(&world.state, &world.state.webhooks[&one.key].clone(), &actor()));
        assert_eq!(world.state.webhooks.keys().collect::<Vec<_>>(), [&other.key]);
    }

    #[test]
    fn an_act_that_all_environments_hear_of_is_one_transaction() {
        let mut world = World::new();
        let first = world.state.environments[&production()].clone();
        let all = (0..100).map(|number| (Key::parse(&format!("e-{number}")).unwrap(), first.clone()));
        world.state.environments = std::sync::Arc::new(all.collect());
        assert!(create(&world.state, &webhook("pager"), &actor()).ops.len() <= OPERATIONS_LIMIT);
    }
}
