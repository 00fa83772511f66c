//! What an apply deletes on request: what the environment has and the files have not.
//!
//! Archived flags are put away already and stay. A deletion expects the revision that was seen, so that nothing is
//! deleted that somebody wrote meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write as _},
};

use proto::v1::{self, document::Kind};

use crate::{
    args::ApplyArgs,
    bundle::Bundle,
    commands::{
        confirm, flags,
        order::{self, Name},
        segments,
    },
    connect::Session,
    error::Error,
    print,
    view::change,
};

/// What is to be deleted, each before what it reads.
pub(super) async fn deletions(
    session: &Session,
    options: &ApplyArgs,
    bundle: &Bundle,
) -> Result<Vec<v1::Document>, Error> {
    let flags = flags::all(session).await.map_err(|status| session.error(&status))?;
    let segments = match options.flag_set {
        Some(_) => Vec::new(),
        None => segments::all(session).await.map_err(|status| session.error(&status))?,
    };
    let kept: BTreeSet<Name> = bundle
        .flags
        .iter()
        .map(|flag| (v1::DocumentKind::Flag.into(), flag.key.clone()))
        .chain(
            bundle
                .segments
                .iter()
                .map(|segment| (v1::DocumentKind::Segment.into(), segment.key.clone())),
        )
        .collect();
    let (mut reads, mut revisions) = (BTreeMap::new(), BTreeMap::new());
    let tagged = |tags: &[String]| options.tag.iter().all(|tag| tags.contains(tag));
    for stored in flags.into_iter().filter(|stored| stored.archived_at_us == 0) {
        let flag = stored.flag.unwrap_or_default();
        let name = (v1::DocumentKind::Flag.into(), flag.key.clone());
        let of_set = options
            .flag_set
            .as_ref()
            .is_none_or(|set| set.as_str() == flag.flag_set);
        if of_set && tagged(&flag.tags) && !kept.contains(&name) {
            reads.insert(name.clone(), order::of_flag(&flag));
            revisions.insert(name, stored.revision);
        }
    }
    for stored in segments {
        let segment = stored.segment.unwrap_or_default();
        let name = (v1::DocumentKind::Segment.into(), segment.key.clone());
        if tagged(&segment.tags) && !kept.contains(&name) {
            reads.insert(name.clone(), order::of_segment(&segment));
            revisions.insert(name, stored.revision);
        }
    }
    let names = revisions
        .keys()
        .map(|(kind, key)| v1::DocumentName {
            kind: *kind,
            key: key.clone(),
        })
        .collect();
    let ordered = order::order(names, &reads).into_iter().rev();
    Ok(ordered
        .map(|name| v1::Document {
            expected_revision: revisions
                .get(&(name.kind, name.key.clone()))
                .copied()
                .unwrap_or_default(),
            kind: Some(Kind::Deleted(name)),
        })
        .collect())
}

/// Lists what would be deleted and asks.
pub(super) fn confirm(session: &Session, deletions: &[v1::Document], yes: bool) -> Result<(), Error> {
    if deletions.is_empty() {
        return Ok(());
    }
    let environment = session.environment();
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "not in the files, to be deleted from {environment}:");
    for document in deletions {
        if let Some(Kind::Deleted(name)) = &document.kind {
            let _ = writeln!(out, "  - {} {}", change::kind(name.kind()), print::plain(&name.key));
        }
    }
    drop(out);
    let count = deletions.len();
    confirm::confirm(&format!("Delete {count} documents from {environment}?"), yes)
}
