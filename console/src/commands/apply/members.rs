//! Member lists too long for a message: they follow their segment's document in parts, as a difference from what is
//! there, so that units that stay are never off the list.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write as _},
};

use proto::v1::{self, document::Kind};
use serde::Serialize;
use tonic::{Code, Status};

use crate::{bundle::Bundle, commands::pages, connect::Session, error::Error, print};

/// Lists of up to so many bytes go with their document.
const WITH_DOCUMENT_BYTES: usize = 1024 * 1024;
/// Units of one part.
const PART_UNITS: usize = 10_000;
/// Bytes of units of one part.
const PART_BYTES: usize = 1024 * 1024;
/// Units in one page of a list.
const PAGE: u32 = 10_000;

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
        for (units, add) in parts(&added)
            .map(|part| (part, true))
            .chain(parts(&gone).map(|part| (part, false)))
        {
            send(session, &lists.key, list, units, add).await.map_err(error)?;
            done += units.len();
            progress(&lists.key, done, whole);
        }
    }
    Ok(outcome)
}

async fn send(session: &Session, key: &str, list: v1::MemberList, units: &[String], add: bool) -> Result<(), Status> {
    let (environment, key, list, units) = (session.environment(), key.to_owned(), list.into(), units.to_vec());
    let mut segments = session.segments();
    if add {
        let request = v1::AddSegmentMembersRequest {
            environment,
            key,
            list,
            units,
        };
        segments.add_segment_members(session.call(request)).await?;
    } else {
        let request = v1::RemoveSegmentMembersRequest {
            environment,
            key,
            list,
            units,
        };
        segments.remove_segment_members(session.call(request)).await?;
    }
    Ok(())
}

/// All units of a list.
pub(crate) async fn all(session: &Session, key: &str, list: v1::MemberList) -> Result<Vec<String>, Status> {
    pages::collect(usize::MAX, async |page_token| {
        let request = v1::ListSegmentMembersRequest {
            environment: session.environment(),
            key: key.into(),
            list: list.into(),
            page_size: PAGE,
            page_token,
        };
        let response = session.segments().list_segment_members(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.units, page.next_page_token))
    })
    .await
}

/// Runs of units, each small enough for a message.
fn parts(units: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = units;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |unit: &&String| {
            bytes += unit.len();
            bytes <= PART_BYTES
        };
        let many = rest
            .iter()
            .take(PART_UNITS)
            .take_while(fits)
            .count()
            .max(1)
            .min(rest.len());
        let (part, after) = rest.split_at(many);
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Says how far it has come, to a person who waits.
fn progress(key: &str, done: usize, all: usize) {
    let mut out = io::stderr().lock();
    if all <= PART_UNITS || !out.is_terminal() {
        return;
    }
    let end = if done == all { "\n" } else { "" };
    let (done, all) = (print::count(done as u64), print::count(all as u64));
    let _ = write!(out, "\r{}: {done} of {all} members{end}", print::plain(key));
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_unit_once_and_fit() {
        for (count, length) in [(0, 1), (1, 1), (25_001, 3), (3_000, 1_000)] {
            let units: Vec<String> = (0..count).map(|at| format!("{at:0length$}")).collect();
            let joined: Vec<String> = parts(&units).flat_map(<[String]>::to_vec).collect();
            assert_eq!(joined, units);
            let fits =
                |part: &[String]| part.len() <= PART_UNITS && part.iter().map(String::len).sum::<usize>() <= PART_BYTES;
            assert!(parts(&units).all(fits));
        }
    }
}
