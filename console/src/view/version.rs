//! Versions of a document: who wrote which, when and why.

use proto::v1;
use serde::Serialize;

use crate::print;

/// A version without its document, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct VersionView {
    version: u32,
    at: Option<String>,
    actor: String,
    action: String,
    reason: String,
    revision: u64,
    deleted: bool,
}

impl VersionView {
    /// Of a version that the control plane sent.
    pub(crate) fn of(version: &v1::Version) -> Self {
        Self {
            version: version.version,
            at: print::timestamp(version.at_us),
            actor: version.actor.clone(),
            action: version.action.clone(),
            reason: version.reason.clone(),
            revision: version.revision,
            deleted: version.deleted,
        }
    }
}

/// A table, one version a row.
pub(crate) fn list(versions: &[v1::Version]) -> String {
    let rows = versions.iter().map(|version| {
        [
            version.version.to_string(),
            print::moment(version.at_us),
            version.actor.clone(),
            version.action.clone(),
            version.reason.clone(),
            version.revision.to_string(),
        ]
    });
    print::table(["VERSION", "AT", "ACTOR", "ACTION", "REASON", "REVISION"], rows)
}

/// `version 3 (2026-03-01 12:00:00Z, ann@desk, flag.update: first users)`.
pub(crate) fn line(version: &v1::Version) -> String {
    let reason = if version.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", version.reason)
    };
    print::plain(&format!(
        "version {} ({}, {}, {}{reason})",
        version.version,
        print::moment(version.at_us),
        version.actor,
        version.action,
    ))
}
