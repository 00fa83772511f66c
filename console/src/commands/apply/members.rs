//! Member lists too long for a message: they follow their segment's document in parts, as a difference from what is
//! there, so that units that stay are never off the list.

use std::collections::BTreeSet;

use proto::v1::{self, document::Kind};
use serde::Serialize;
use tonic::{Code, Status};

use crate::{
    bundle::Bundle,
    commands::{
        members::{Change, page, parts, progress, send},
        pages,
    },
    connect::Session,
    error::Error,
    print,
};

/// Lists of up to so many bytes go with their document.
const WITH_DOCUMENT_BYTES: usize = 1024 * 1024;

/// The wanted members of a segment.
#[derive(Debug)]
pub(super) struct Lists {
    key: String,
    included: Vec<String>,
    excluded: Vec<String>,
}

/// What became of the members of a segment.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Outcome {
    segment: String,
    added: u64,
    removed: u64,
}

impl Outcome {
    /// Whether anything differed.
    pub(super) fn changes(&self) -> bool {
        self.added + self.removed > 0
    }

    /// In a line.
    pub(super) fn line(&self) -> String {
        let Self {
            segment,
            added,
            removed,
        } = self;
        format!(
            "~ members of {segment}: {} added, {} removed",
            print::count(*added),
            print::count(*removed)
        )
    }
}

/// The documents, without the lists that are too long to go with them.
pub(super) fn taken_out(bundle: Bundle) -> (Vec<v1::Document>, Vec<Lists>) {
    let mut lists = Vec::new();
    let document = |kind| v1::Document {
        kind: Some(kind),
        expected_revision: 0,
    };
    let segments = bundle.segments.into_iter().map(|mut segment| {
        let members = segment.included.iter().chain(&segment.excluded);
        if members.map(String::len).sum::<usize>() > WITH_DOCUMENT_BYTES {
            lists.push(Lists {
                key: segment.key.clone(),
                included: std::mem::take(&mut segment.included),
                excluded: std::mem::take(&mut segment.excluded),
            });
        }
        document(Kind::Segment(segment))
    });
    let mut documents: Vec<v1::Document> = segments.collect();
    documents.extend(bundle.flags.into_iter().map(|flag| document(Kind::Flag(flag))));
    (documents, lists)
}

/// Makes the members of a segment those that are wanted.
pub(super) async fn write(session: &Session, lists: &Lists, dry_run: bool) -> Result<Outcome, Error> {
    let error = |status: Status| session.error(&status);
    let mut outcome = Outcome {
        segment: lists.key.clone(),
        added: 0,
        removed: 0,
    };
    for (list, wanted) in [
        (v1::MemberList::Included, &lists.included),
        (v1::MemberList::Excluded, &lists.excluded),
    ] {
        let present = match all(session, &lists.key, list).await {
            Ok(present) => present,
            // A dry run has not created it.
            Err(status) if dry_run && status.code() == Code::NotFound => Vec::new(),
            Err(status) => return Err(error(status)),
        };
        let (there, wanted): (BTreeSet<&String>, BTreeSet<&String>) =
            (present.iter().collect(), wanted.iter().collect());
        let added: Vec<String> = wanted.difference(&there).map(|unit| (*unit).clone()).collect();
        let gone: Vec<String> = there.difference(&wanted).map(|unit| (*unit).clone()).collect();
        outcome.added += added.len() as u64;
        outcome.removed += gone.len() as u64;
        if dry_run {
            continue;
        }
        let (mut done, whole) = (0, added.len() + gone.len());
        for (change, units) in [(Change::Add, &added), (Change::Remove, &gone)] {
            for part in parts(units) {
                send(session, &lists.key, list, change, part).await.map_err(error)?;
                done += part.len();
                progress(&lists.key, done, whole);
            }
        }
    }
    Ok(outcome)
}

/// All units of a list.
pub(crate) async fn all(session: &Session, key: &str, list: v1::MemberList) -> Result<Vec<String>, Status> {
    pages::collect(usize::MAX, async |page_token| {
        let page = page(session, key, list, page_token).await?;
        Ok((page.units, page.next_page_token))
    })
    .await
}
