//! What happens to a flag that is there: another document, a kill, an archive, a deletion; what stands against it.
//!
//! A kill and a revive look at nothing but the flag: an emergency must not wait for what is wrong elsewhere.

use evaluation::{Flag, Key};

use super::{Precondition, Refusal, Wanted, prepare_alone};
use crate::{
    record::FlagRecord,
    references::{Overlay, StateDocuments},
    state::State,
};

/// What somebody does to a flag.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// Gives it another document.
    Document(Box<Wanted>),
    /// Kills it, or revives it.
    Killed(bool),
    /// Puts it away, or takes it back into use.
    Archived(bool),
}

/// A flag after an edit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edited {
    /// As it is to be; its revision is 0.
    pub(crate) record: FlagRecord,
    /// Whether its transaction must guard the references of the environment.
    pub(crate) concerns_references: bool,
}

impl Edited {
    /// Whether anything that a person wrote differs.
    pub(crate) fn differs(&self, before: &FlagRecord) -> bool {
        self.record.flag != before.flag || self.record.archived_at_us.is_some() != before.archived_at_us.is_some()
    }
}

/// The flag after an edit, or everything that stands against it.
pub(crate) fn edited(
    state: &State,
    environment: &Key,
    before: &FlagRecord,
    edit: Edit,
    at_us: i64,
) -> Result<Edited, Refusal> {
    match edit {
        Edit::Document(wanted) => {
            let prepared = prepare_alone(state, environment, Some(before), *wanted)?;
            let concerns_references = prepared.concerns_references;
            let record = prepared.record(Some(before), before.version + 1, at_us);
            Ok(Edited {
                record,
                concerns_references,
            })
        }
        Edit::Killed(killed) => {
            let mut refusal = Refusal::default();
            refusal.archived(before);
            let flag = Flag {
                killed,
                ..before.flag.clone()
            };
            refusal.or(rewritten(before, flag, None, false, at_us))
        }
        Edit::Archived(true) => {
            if before.archived_at_us.is_none() {
                removable(state, environment, before)?;
            }
            let archived_at_us = before.archived_at_us.or(Some(at_us));
            Ok(rewritten(before, before.flag.clone(), archived_at_us, true, at_us))
        }
        Edit::Archived(false) => {
            let flag = returned(state, environment, before)?;
            Ok(rewritten(before, flag, None, true, at_us))
        }
    }
}

/// The document of an archived flag that is taken back: what it reads may have gone while it was away.
fn returned(state: &State, environment: &Key, before: &FlagRecord) -> Result<Flag, Refusal> {
    if before.archived_at_us.is_none() {
        return Ok(before.flag.clone());
    }
    let used = FlagRecord {
        archived_at_us: None,
        ..before.clone()
    };
    let wanted = Wanted::from(before.flag.clone());
    Ok(prepare_alone(state, environment, Some(&used), wanted)?.flag)
}

fn rewritten(
    before: &FlagRecord,
    flag: Flag,
    archived_at_us: Option<i64>,
    concerns_references: bool,
    at_us: i64,
) -> Edited {
    let record = FlagRecord {
        flag,
        version: before.version + 1,
        created_at_us: before.created_at_us,
        updated_at_us: at_us,
        archived_at_us,
        revision: 0,
    };
    Edited {
        record,
        concerns_references,
    }
}

/// Refuses to take a flag away that a rollout holds or that others read. Whoever takes it away guards the references.
pub(crate) fn removable(state: &State, environment: &Key, before: &FlagRecord) -> Result<(), Refusal> {
    let key = &before.flag.key;
    let mut refusal = Refusal::default();
    refusal.held(state, environment, key);
    let overlay = Overlay::of_flag(key, None);
    refusal.broken(StateDocuments::new(state, environment, &overlay).broken());
    refusal.or(())
}

impl Refusal {
    /// Notes a rollout that holds a flag which is to go.
    pub(crate) fn held(&mut self, state: &State, environment: &Key, flag: &Key) {
        if let Some(rollout) = state.holder(environment, flag) {
            let name = rollout.name();
            let description = format!("flag {flag} is held by rollout {name}, which is under way; abort it first");
            self.preconditions.push(Precondition::rollout(name, description));
        }
    }
}
