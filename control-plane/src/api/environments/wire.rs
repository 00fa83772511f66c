//! Requests and answers about environments, between the wire and what is written.

use std::collections::BTreeSet;

use evaluation::{Environment, EnvironmentKind, Key, Violation};
use proto::{
    status::{invalid, violation},
    v1,
};
use tonic::Status;

use super::super::mask;
use crate::record::EnvironmentRecord;

/// The fields that a mask may name; the key says which environment, and cannot be changed.
const FIELDS: [&str; 4] = ["key", "kind", "order", "description"];
/// Bytes of a description.
const DESCRIPTION_BYTES: usize = 4_096;

/// A wanted environment.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) key: Key,
    pub(super) kind: EnvironmentKind,
    /// 0: the last.
    pub(super) order: u32,
    pub(super) description: String,
}

/// An update as it was asked for.
#[derive(Debug)]
pub(super) struct Update {
    key: String,
    kind: Option<EnvironmentKind>,
    order: Option<u32>,
    description: Option<String>,
}

/// Reads an environment to be created; every violation at once.
pub(super) fn create(wire: v1::Environment) -> Result<Wanted, Status> {
    let mut violations = Vec::new();
    let key = Key::parse(&wire.key).map_err(|error| violations.push(wrong("key", error.to_string())));
    let kind = kind(&mut violations, wire.kind);
    describe(&mut violations, &wire.description);
    match (key, kind) {
        (Ok(key), Some(kind)) if violations.is_empty() => Ok(Wanted {
            key,
            kind,
            order: wire.order,
            description: wire.description,
        }),
        _ => Err(invalid(&violations)),
    }
}

impl Update {
    /// Reads an update; fields that its mask does not name are not looked at.
    pub(super) fn read(wire: v1::Environment, mask: Option<prost_types::FieldMask>) -> Result<Self, Status> {
        let fields: Option<BTreeSet<_>> = mask::fields(mask, &FIELDS)?;
        let takes = |field: &str| fields.as_ref().is_none_or(|fields| fields.contains(field));
        let mut violations = Vec::new();
        let kind = takes("kind").then(|| kind(&mut violations, wire.kind)).flatten();
        if takes("order") && wire.order == 0 {
            violations.push(wrong("order", "is 1 or more"));
        }
        if takes("description") {
            describe(&mut violations, &wire.description);
        }
        if !violations.is_empty() {
            return Err(invalid(&violations));
        }
        Ok(Self {
            kind,
            order: takes("order").then_some(wire.order),
            description: takes("description").then_some(wire.description),
            key: wire.key,
        })
    }

    /// Which environment, as the request names it.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// What it makes of an environment.
    pub(super) fn of(&self, before: &EnvironmentRecord) -> EnvironmentRecord {
        EnvironmentRecord {
            environment: Environment {
                kind: self.kind.unwrap_or(before.environment.kind),
                order: self.order.unwrap_or(before.environment.order),
                ..before.environment.clone()
            },
            description: self.description.clone().unwrap_or_else(|| before.description.clone()),
            revision: before.revision,
        }
    }
}

fn kind(violations: &mut Vec<Violation>, number: i32) -> Option<EnvironmentKind> {
    match v1::EnvironmentKind::try_from(number) {
        Ok(v1::EnvironmentKind::Development) => Some(EnvironmentKind::Development),
        Ok(v1::EnvironmentKind::Staging) => Some(EnvironmentKind::Staging),
        Ok(v1::EnvironmentKind::Production) => Some(EnvironmentKind::Production),
        Ok(v1::EnvironmentKind::Unspecified) | Err(_) => {
            violations.push(wrong("kind", "must be development, staging or production"));
            None
        }
    }
}

fn describe(violations: &mut Vec<Violation>, description: &str) {
    if description.len() > DESCRIPTION_BYTES {
        let bytes = description.len();
        let too_long = format!("has {bytes} bytes, at most {DESCRIPTION_BYTES} are allowed");
        violations.push(wrong("description", too_long));
    }
}

fn wrong(field: &str, description: impl Into<String>) -> Violation {
    violation(format!("environment.{field}"), description)
}

/// An environment as an answer shows it.
pub(super) fn environment(record: &EnvironmentRecord) -> v1::Environment {
    v1::Environment {
        key: record.environment.key.to_string(),
        kind: v1::EnvironmentKind::from(record.environment.kind).into(),
        order: record.environment.order,
        description: record.description.clone(),
        revision: record.revision,
    }
}
