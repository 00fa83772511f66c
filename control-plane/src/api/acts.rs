//! Acts as operators ask for them and see them: the filters of a list or a stream, and the wire form of a record.

use proto::{
    status::{invalid, violation},
    v1,
};
use tonic::Status;
use uuid::Uuid;

use crate::store::model::AuditRecord;

/// Which records are asked for; what is given must all fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    key: String,
    actor: String,
    action: String,
    changeset: Option<Uuid>,
    /// Not older.
    pub(super) since_us: Option<i64>,
    /// Older.
    pub(super) until_us: Option<i64>,
}

impl Filter {
    /// Of a list.
    pub(super) fn of_list(request: &v1::ListAuditRequest) -> Result<Self, Status> {
        let mut violations = Vec::new();
        let changeset = Some(request.changeset.as_str()).filter(|id| !id.is_empty());
        let changeset = changeset.map(Uuid::parse_str).transpose().unwrap_or_else(|_| {
            violations.push(violation("changeset", "must be a UUID, as a record has it"));
            None
        });
        for (field, time_us) in [("since_us", request.since_us), ("until_us", request.until_us)] {
            if time_us < 0 {
                violations.push(violation(field, "must be microseconds since 1970 UTC, or 0"));
            }
        }
        if request.until_us > 0 && request.since_us >= request.until_us {
            violations.push(violation("until_us", "must be later than since_us"));
        }
        if !violations.is_empty() {
            return Err(invalid(&violations));
        }
        Ok(Self {
            key: request.key.clone(),
            actor: request.actor.clone(),
            action: request.action.clone(),
            changeset,
            since_us: Some(request.since_us).filter(|time_us| *time_us > 0),
            until_us: Some(request.until_us).filter(|time_us| *time_us > 0),
        })
    }

    /// Of a stream.
    pub(super) fn of_stream(request: &v1::FollowAuditRequest) -> Self {
        Self {
            key: request.key.clone(),
            actor: request.actor.clone(),
            action: request.action.clone(),
            ..Self::default()
        }
    }

    /// Whether a record is asked for.
    pub(super) fn takes(&self, record: &AuditRecord) -> bool {
        (self.key.is_empty() || is_about(record, &self.key))
            && (self.actor.is_empty() || record.actor == self.actor)
            && (self.action.is_empty() || is_action(record, &self.action))
            && self.changeset.is_none_or(|id| record.changeset == Some(id))
            && self.since_us.is_none_or(|since_us| record.at_us >= since_us)
            && self.until_us.is_none_or(|until_us| record.at_us < until_us)
    }
}

/// Whether a record is about a key, or about a rollout of the flag with that key.
pub(super) fn is_about(record: &AuditRecord, key: &str) -> bool {
    record.key == key || record.key.rsplit_once('#').is_some_and(|(flag, _)| flag == key)
}

/// Whether a record is of an action such as flag.update, or of any action of a kind such as flag.
fn is_action(record: &AuditRecord, asked: &str) -> bool {
    let rest = record.action.strip_prefix(asked);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A record as operators see it.
pub(super) fn wire(id: Uuid, revision: u64, record: AuditRecord) -> v1::AuditRecord {
    v1::AuditRecord {
        id: id.to_string(),
        at_us: record.at_us,
        actor: record.actor,
        authenticated: false,
        action: record.action,
        kind: record.kind,
        key: record.key,
        reason: record.reason,
        before: record.before,
        after: record.after,
        peer: record.peer,
        revision,
        changeset: record.changeset.map(|id| id.to_string()).unwrap_or_default(),
    }
}
