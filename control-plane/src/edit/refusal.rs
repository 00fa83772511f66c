//! Why documents were not written: all that is wrong with them, and all that stands against writing them now.
//!
//! Free of the wire; `api/refusal.rs` makes a status of it, and a schedule tells it in words.

use std::fmt;

use evaluation::Violation;
use proto::status::violation;

use crate::{
    record::FlagRecord,
    references::{self, Broken},
};

/// What is wrong and what stands against it; nothing was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is wrong with the documents, whatever else there is.
    pub(crate) violations: Vec<Violation>,
    /// What stands against writing them now.
    pub(crate) preconditions: Vec<Precondition>,
}

/// Something that must change before the write can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Precondition {
    /// REVISION, ROLLOUT, REFERENCED or ARCHIVED.
    pub(crate) kind: &'static str,
    /// What it is about.
    pub(crate) subject: String,
    /// In words, with what to do.
    pub(crate) description: String,
}

impl Refusal {
    /// One violation and nothing else.
    pub(crate) fn of(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            violations: vec![violation(field, description)],
            preconditions: Vec::new(),
        }
    }

    /// The value, if nothing was noted.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.violations.is_empty() && self.preconditions.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    /// The violations as those of a part of the request: `name` is `flag.name` within `flag`.
    pub(crate) fn within(mut self, whole: &str) -> Self {
        for violation in &mut self.violations {
            let field = std::mem::take(&mut violation.field);
            violation.field = format!("{whole}.{field}").trim_end_matches('.').to_owned();
        }
        self
    }

    /// Takes in what was noted elsewhere.
    pub(crate) fn join(&mut self, other: Self) {
        self.violations.extend(other.violations);
        self.preconditions.extend(other.preconditions);
    }

    /// Notes readers that would be left with something missing.
    pub(crate) fn broken(&mut self, broken: Vec<Broken>) {
        self.preconditions.extend(broken.into_iter().map(Precondition::from));
    }

    /// Notes a flag that is put away.
    pub(crate) fn archived(&mut self, record: &FlagRecord) {
        if record.archived_at_us.is_some() {
            let key = record.flag.key.to_string();
            self.preconditions.push(Precondition {
                kind: "ARCHIVED",
                description: format!("flag {key} is archived; unarchive it first"),
                subject: key,
            });
        }
    }

    /// Notes a document that is not the one that a write was based on (0: whatever is there).
    pub(crate) fn stale(&mut self, key: &str, expected: u64, current: u64) {
        if expected != 0 && expected != current {
            self.preconditions.push(Precondition::stale(key, expected, current));
        }
    }
}

impl Precondition {
    /// A document that has changed since it was read; 0: it is gone.
    pub(crate) fn stale(key: &str, expected: u64, current: u64) -> Self {
        let description = match current {
            0 => format!("{key} is not there any more (expected at revision {expected}); read again what there is"),
            current => format!(
                "{key} has changed: it is at revision {current}, not {expected}; read it again and repeat the edit"
            ),
        };
        Self {
            kind: "REVISION",
            subject: key.to_owned(),
            description,
        }
    }

    /// A rollout that needs something to stay.
    pub(crate) fn rollout(name: String, description: String) -> Self {
        Self {
            kind: "ROLLOUT",
            subject: name,
            description,
        }
    }
}

impl From<Broken> for Precondition {
    fn from(broken: Broken) -> Self {
        let read = references::words(&broken.read);
        let readers = broken.readers.join(", ");
        let also = if broken.by_rollout { ", or end the rollout" } else { "" };
        Self {
            kind: "REFERENCED",
            description: format!(
                "{read} is read by {readers}, which could not be evaluated any more ({}); change them first or together{also}",
                broken.why
            ),
            subject: read,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let violations = self.violations.iter().map(Violation::to_string);
        let preconditions = self.preconditions.iter().map(|found| found.description.clone());
        let all = violations.chain(preconditions).collect::<Vec<_>>();
        out.write_str(&all.join("; "))
    }
}

impl std::error::Error for Refusal {}
