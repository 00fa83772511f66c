//! The changes of a flag, as parts of a transaction, so that one act may write many documents.
//!
//! Whoever writes a document guards the revision that he read of it, and that a rollout still holds it or still does
//! not. What validations read of other documents is guarded once for the whole transaction, by `guard_references`.

use evaluation::Key;
use uuid::Uuid;

use super::{hold_unchanged, put_version};
use crate::{
    audit::{self, Subject},
    identity::Actor,
    record::FlagRecord,
    state::State,
    store::{
        Guard, Txn, keys,
        model::{self, Document, VersionRecord},
    },
};

/// What somebody does to documents of an environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act<'a> {
    /// Where.
    pub(crate) environment: &'a Key,
    /// What, such as flag.update.
    pub(crate) action: &'static str,
    /// Who.
    pub(crate) actor: &'a Actor,
    /// Joins acts that were asked for together.
    pub(crate) changeset: Option<Uuid>,
}

impl<'a> Act<'a> {
    /// An act that stands alone.
    pub(crate) fn alone(environment: &'a Key, action: &'static str, actor: &'a Actor) -> Self {
        Self {
            environment,
            action,
            actor,
            changeset: None,
        }
    }

    /// The same act under another name.
    pub(crate) fn named(self, action: &'static str) -> Self {
        Self { action, ..self }
    }

    fn version(&self, version: u32, document: Option<Document>) -> VersionRecord {
        VersionRecord {
            version,
            at_us: self.actor.at_us,
            actor: self.actor.name.clone(),
            action: self.action.to_owned(),
            reason: self.actor.reason.clone(),
            document,
        }
    }

    fn on<'s>(&'s self, key: &'s str) -> Subject<'s> {
        Subject {
            environment: self.environment,
            action: self.action,
            kind: "flag",
            key,
        }
    }
}

/// Writes a flag's document: a new one, or in the place of one.
pub(crate) fn write(txn: Txn, state: &State, act: Act<'_>, before: Option<&FlagRecord>, after: &FlagRecord) -> Txn {
    let key = &after.flag.key;
    let at = keys::flag(act.environment, key);
    let txn = match before {
        Some(before) => put(guard(txn, state, act, before), act, after),
        // No rollout holds a flag that is not there: its start guards the flag.
        None => {
            let version = act.version(after.version, Some(Document::Flag(after.clone())));
            let txn = txn.guard(Guard::Absent(at.clone())).put(at, model::write_flag(after));
            put_version(txn, act.environment, "flag", key, &version)
        }
    };
    let before = before.map(audited);
    audit::record(txn, act.on(key), act.actor, act.changeset, before, Some(audited(after)))
}

/// Deletes a flag. Its versions stay, and the deletion is one more.
pub(crate) fn delete(txn: Txn, state: &State, act: Act<'_>, before: &FlagRecord) -> Txn {
    let key = &before.flag.key;
    let version = act.version(before.version + 1, None);
    let txn = guard(txn, state, act, before)
        .delete(keys::flag(act.environment, key))
        .put(
            keys::history("flag", act.environment, key, version.version),
            model::write_version(&version),
        );
    audit::record(txn, act.on(key), act.actor, act.changeset, Some(audited(before)), None)
}

/// The document in the place of one that the transaction guards, and its version, without an audit record of their own.
/// Nobody writes a version without the document, so that the one guard is for both.
pub(super) fn put(txn: Txn, act: Act<'_>, record: &FlagRecord) -> Txn {
    let key = &record.flag.key;
    let version = act.version(record.version, Some(Document::Flag(record.clone())));
    txn.put(keys::flag(act.environment, key), model::write_flag(record))
        .put(
            keys::history("flag", act.environment, key, record.version),
            model::write_version(&version),
        )
}

/// Holds a flag as it was read, and whether a rollout holds it.
fn guard(txn: Txn, state: &State, act: Act<'_>, before: &FlagRecord) -> Txn {
    let key = &before.flag.key;
    txn.guard(Guard::Unchanged(keys::flag(act.environment, key), before.revision))
        .guard(hold_unchanged(state, act.environment, key))
}

/// A flag as its audit tells it: the document, and when it was put away.
fn audited(record: &FlagRecord) -> serde_json::Value {
    let mut json = audit::flag(&record.flag);
    if let (Some(at_us), Some(fields)) = (record.archived_at_us, json.as_object_mut()) {
        fields.insert("archived_at_us".to_owned(), at_us.into());
    }
    json
}
