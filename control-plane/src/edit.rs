//! The one path of a flag's document from what somebody wants to what is written: checked whole, its splits laid so that
//! the fewest units move, held to what a rollout needs to stay.
//!
//! Every write of a document goes through here: a create, an update, an apply, a copy, a restore, a schedule. What is
//! wrong is said all at once. A kill does not: it changes no document, and must always work. Whether those that read the
//! flag can live with the change is for [`StateDocuments::broken`], once for all that is written together.

mod exposure;
mod lay;
mod life;
mod refusal;
mod size;

use evaluation::{Documents as _, Flag, Key, Violation, Written, check_references, references_of};
use proto::{status::violation, v1};

pub(crate) use self::{
    life::{Edit, Edited, edited, removable},
    refusal::{Precondition, Refusal},
};
use crate::{
    record::FlagRecord,
    references::{Overlay, StateDocuments},
    salt,
    state::State,
};

/// A flag that somebody wants.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The document, as far as it could be read.
    pub(crate) flag: Flag,
    /// What of it could not.
    pub(crate) unreadable: Vec<Violation>,
    /// What its writer knows and wants all the same.
    pub(crate) consent: Consent,
}

/// What the writer of a flag knows and wants all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Consent {
    /// The rollout that holds the flag ends by this write.
    pub(crate) supersede: bool,
    /// The aborted rollout whose treatment more units get by this write; empty: none.
    pub(crate) acknowledge_abort: String,
}

/// A flag that may be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prepared {
    /// As it is to be.
    pub(crate) flag: Flag,
    /// Whether its transaction must guard the references of the environment.
    pub(crate) concerns_references: bool,
}

impl Wanted {
    /// A flag as a request has it.
    pub(crate) fn read(wire: v1::Flag) -> Self {
        let (flag, unreadable) = proto::flag::read(wire);
        Self {
            flag,
            unreadable,
            consent: Consent::default(),
        }
    }
}

impl From<Flag> for Wanted {
    fn from(flag: Flag) -> Self {
        Self {
            flag,
            unreadable: Vec::new(),
            consent: Consent::default(),
        }
    }
}

impl Prepared {
    /// The record to write: the first of a key that was never used has version 1.
    pub(crate) fn record(self, before: Option<&FlagRecord>, version: u32, at_us: i64) -> FlagRecord {
        FlagRecord {
            flag: self.flag,
            version,
            created_at_us: before.map_or(at_us, |before| before.created_at_us),
            updated_at_us: at_us,
            archived_at_us: None,
            revision: 0,
        }
    }
}

/// Checks a flag that is written alone, and makes it ready.
pub(crate) fn prepare_alone(
    state: &State,
    environment: &Key,
    before: Option<&FlagRecord>,
    wanted: Wanted,
) -> Result<Prepared, Refusal> {
    let overlay = Overlay::of_flag(&wanted.flag.key, Some(wanted.flag.clone()));
    let prepared = prepare_flag(state, environment, before, wanted, &overlay)?;
    let mut refusal = Refusal::default();
    if before.is_some_and(|before| moves_readers(&before.flag, &prepared.flag)) {
        refusal.broken(StateDocuments::new(state, environment, &overlay).broken());
    }
    refusal.or(prepared)
}

/// Checks a flag among what is written with it, and makes it ready.
///
/// A salt that is not given is that of the flag before, else a new one; whether the flag is killed stays as it was;
/// splits are laid over those before. `overlay` shows all that is written together, this flag included. The flag before
/// must not be archived.
pub(crate) fn prepare_flag(
    state: &State,
    environment: &Key,
    before: Option<&FlagRecord>,
    wanted: Wanted,
    overlay: &Overlay,
) -> Result<Prepared, Refusal> {
    let Wanted {
        mut flag,
        unreadable,
        consent,
    } = wanted;
    if flag.salt.is_empty() {
        flag.salt = before.map_or_else(salt::draw, |before| before.flag.salt.clone());
    }
    lay::drop_unfitting(&mut flag);
    let mut found = checked(&flag);
    let documents = StateDocuments::new(state, environment, overlay);
    let step = documents.step(&flag.key).filter(|_| !consent.supersede);
    found.extend(check_references(Written::Flag(&flag, step), &documents));
    let mut refusal = Refusal::default();
    if let Some(before) = before {
        // A kill is undone by a revive only, never by a document that was written before it.
        flag.killed = before.flag.killed;
        found.extend(other_type(&before.flag, &flag));
        refusal.archived(before);
    }
    // What could not be read stands in the flag as its empty form; its own rule would only say it again.
    found.retain(|found| !is_known(found, &unreadable));
    refusal.violations.extend(unreadable);
    refusal.violations.append(&mut found);
    if refusal.violations.is_empty() {
        lay::lay(before.map(|before| &before.flag), &mut flag);
        refusal.violations = checked(&flag);
    }
    if let Some(before) = before {
        let found = exposure::stands_against(state, environment, &before.flag, &flag, &consent);
        refusal.preconditions.extend(found);
    }
    let concerns_references = !references_of(Written::Flag(&flag, step)).is_empty()
        || before.is_some_and(|before| moves_readers(&before.flag, &flag));
    refusal.or(Prepared {
        flag,
        concerns_references,
    })
}

/// What was prepared, if everything could be read; else all that is wrong.
///
/// What could not be read stands in the document as its empty form; its own rule would only say it again.
pub(crate) fn with_unreadable<T>(prepared: Result<T, Vec<Violation>>, unreadable: &[Violation]) -> Result<T, Refusal> {
    let found = match prepared {
        Ok(prepared) if unreadable.is_empty() => return Ok(prepared),
        Ok(_) => Vec::new(),
        Err(found) => found,
    };
    let news = found.into_iter().filter(|found| !is_known(found, unreadable));
    Err(Refusal {
        violations: unreadable.iter().cloned().chain(news).collect(),
        preconditions: Vec::new(),
    })
}

fn is_known(found: &Violation, unreadable: &[Violation]) -> bool {
    unreadable.iter().any(|known| is_within(&found.field, &known.field))
}

/// What is wrong with a document by itself.
fn checked(flag: &Flag) -> Vec<Violation> {
    let mut found = size::too_large(flag);
    found.extend(evaluation::compile(flag, None).err().unwrap_or_default());
    found
}

/// Whether an edit can leave somebody who reads the flag with something missing, or with too long a way.
pub(crate) fn moves_readers(before: &Flag, after: &Flag) -> bool {
    before.variants.keys().any(|name| !after.variants.contains_key(name))
        || references_of(Written::Flag(before, None)) != references_of(Written::Flag(after, None))
}

fn other_type(before: &Flag, after: &Flag) -> Option<Violation> {
    let (was, is) = (before.flag_type, after.flag_type);
    let description = format!("is {was} and cannot become {is}; create another flag");
    (was != is).then(|| violation("type", description))
}

/// Whether a field is another one or a part of it: `rules[1].name` is of `rules[1]`, `rules[10]` is not.
fn is_within(field: &str, whole: &str) -> bool {
    field
        .strip_prefix(whole)
        .is_some_and(|part| part.is_empty() || part.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests;
