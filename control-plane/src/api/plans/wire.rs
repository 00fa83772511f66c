//! Plans and notes as operators see them.

use evaluation::Key;
use proto::v1;
use rollout::Violation;

use crate::{history::Kept, plan_wire, record::PlanRecord, store::model::Document};

/// A plan as an answer shows it.
pub(in crate::api) fn stored(environment: &Key, record: &PlanRecord) -> v1::StoredPlan {
    v1::StoredPlan {
        environment: environment.to_string(),
        plan: Some(plan_wire::write(&record.plan)),
        version: record.version,
        revision: record.revision,
        created_at_us: record.created_at_us,
        updated_at_us: record.updated_at_us,
        updated_by: record.updated_by.clone(),
        reason: record.reason.clone(),
        hash: format!("{:032x}", plan_wire::hash(&record.plan)),
    }
}

/// A version as a list of them shows it; a deletion has no document.
pub(super) fn version(environment: &Key, kept: Kept) -> v1::StoredPlan {
    match kept.record.document {
        Some(Document::Plan(record)) => stored(environment, &record),
        Some(Document::Flag(_) | Document::Segment(_)) | None => v1::StoredPlan {
            environment: environment.to_string(),
            version: kept.record.version,
            revision: kept.revision,
            updated_at_us: kept.record.at_us,
            updated_by: kept.record.actor,
            reason: kept.record.reason,
            ..v1::StoredPlan::default()
        },
    }
}

/// What is to be said, by the fields of the plan.
pub(super) fn notes(found: Vec<Violation>) -> Vec<v1::LintNote> {
    let note = |found: Violation| v1::LintNote {
        field: found.field,
        description: found.description,
    };
    found.into_iter().map(note).collect()
}
