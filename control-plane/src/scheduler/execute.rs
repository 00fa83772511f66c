//! A scheduled change as a transaction on what is there now, or why it cannot be one.
//!
//! Pure. The same function says when a schedule is taken whether its change could be made, and makes it when it is due:
//! through the one path of a flag's document, so that a schedule can do nothing that a person could not.

use evaluation::Flag;

use crate::{
    change::{
        flag::{self, Act},
        guard_references,
    },
    edit::{Edit, Refusal, edited, removable},
    identity::Actor,
    schedule::{ScheduleRecord, ScheduledChange},
    state::State,
    store::Txn,
};

/// The transaction of a schedule's change; none if nothing differs.
pub(crate) fn prepare(state: &State, record: &ScheduleRecord, actor: &Actor) -> Result<Option<Txn>, Refusal> {
    let environment = &record.environment;
    let Some(before) = state.flag(environment, &record.flag) else {
        let description = format!("{} does not exist in environment {environment}", record.flag);
        return Err(Refusal::of("schedule.flag", description));
    };
    let mut refusal = Refusal::default();
    refusal.stale(&record.flag, record.expected_revision, before.revision);
    refusal.or(())?;
    let (action, edit) = match &record.change {
        ScheduledChange::Patch { flag, fields } => {
            let wanted = patched(&before.flag, flag, fields);
            ("flag.update", Edit::Document(Box::new(wanted.into())))
        }
        ScheduledChange::Enabled(enabled) => {
            let wanted = Flag {
                enabled: *enabled,
                ..before.flag.clone()
            };
            ("flag.update", Edit::Document(Box::new(wanted.into())))
        }
        ScheduledChange::Killed(true) => ("flag.kill", Edit::Killed(true)),
        ScheduledChange::Killed(false) => ("flag.revive", Edit::Killed(false)),
        ScheduledChange::Archived(true) => ("flag.archive", Edit::Archived(true)),
        ScheduledChange::Archived(false) => ("flag.unarchive", Edit::Archived(false)),
        ScheduledChange::Delete => {
            removable(state, environment, before)?;
            let act = Act::alone(environment, "flag.delete", actor);
            let txn = flag::delete(Txn::default(), state, act, before);
            return Ok(Some(guard_references(txn, state, environment)));
        }
    };
    let after = edited(state, environment, before, edit, actor.at_us)?;
    if !after.differs(before) {
        return Ok(None);
    }
    let act = Act::alone(environment, action, actor);
    let txn = flag::write(Txn::default(), state, act, Some(before), &after.record);
    Ok(Some(if after.concerns_references {
        guard_references(txn, state, environment)
    } else {
        txn
    }))
}

/// `before` with some fields of `from`.
fn patched(before: &Flag, from: &Flag, fields: &[String]) -> Flag {
    let mut flag = before.clone();
    for field in fields {
        match field.as_str() {
            "description" => flag.description.clone_from(&from.description),
            "owner" => flag.owner.clone_from(&from.owner),
            "tags" => flag.tags.clone_from(&from.tags),
            "flag_set" => flag.set.clone_from(&from.set),
            "enabled" => flag.enabled = from.enabled,
            "salt" => flag.salt.clone_from(&from.salt),
            "variants" => flag.variants.clone_from(&from.variants),
            "off_variant" => flag.off_variant.clone_from(&from.off_variant),
            "default_serve" => flag.default.clone_from(&from.default),
            "deny" => flag.deny.clone_from(&from.deny),
            "allow" => flag.allow.clone_from(&from.allow),
            "rules" => flag.rules.clone_from(&from.rules),
            "prerequisites" => flag.prerequisites.clone_from(&from.prerequisites),
            "hash_scheme" => flag.hash = from.hash,
            "bucket_by" => flag.bucket_by.clone_from(&from.bucket_by),
            "when_stale" => flag.when_stale.clone_from(&from.when_stale),
            // The door lets no other name in.
            _ => {}
        }
    }
    flag
}
