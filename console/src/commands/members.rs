//! The members of a segment: put on a list, taken off it, written out.
//!
//! They are sent in parts of at most 10,000 units and 1 MiB, so that a list of any length fits; each part is durable
//! when it is answered, and giving the whole list again does no harm. What is said to a terminal on the way is not the
//! result and goes to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use evaluation::Key;
use proto::v1;
use serde::Serialize;
use tonic::Status;

use super::segments::missing;
use crate::{
    args::{Global, MembersArgs, UnitsArgs},
    connect::Session,
    document,
    error::Error,
    print::{self, Format},
    view::segment::{self, SegmentView},
};

/// Units in one page of a list.
const PAGE: u32 = 10_000;
/// Units in one part of a change.
const PART_UNITS: usize = 10_000;
/// Bytes of units in one part of a change.
const PART_BYTES: usize = 1024 * 1024;

/// What became of a list of units, for programs.
#[derive(Debug, Serialize)]
struct Changed {
    segment: SegmentView,
    list: &'static str,
    given: usize,
    changed: u64,
}

/// What happens to the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They are put on the list.
    Add,
    /// They are taken off it.
    Remove,
}

/// One of a segment's lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'k> {
    /// The segment's.
    pub(super) key: &'k Key,
    /// Of the units that are out, not of those that are in.
    pub(super) excluded: bool,
}

/// Changes a list by the units of the command line and a file.
pub(super) async fn change(global: &Global, options: &UnitsArgs, change: Change) -> Result<(), Error> {
    let units = units(options)?;
    let session = Session::open(global).await?;
    let list = List {
        key: &options.key,
        excluded: options.excluded,
    };
    let (stored, changed) = send_all(&session, list, change, &units).await?;
    let stored = stored.unwrap_or_default();
    let value = Changed {
        segment: SegmentView::of(&stored),
        list: if options.excluded { "excluded" } else { "included" },
        given: units.len(),
        changed,
    };
    print::show(global.output, &value, || {
        let verb = match change {
            Change::Add => "added",
            Change::Remove => "removed",
        };
        format!(
            "{}: {verb} {} of {} units",
            segment::summary(&stored),
            print::count(changed),
            print::count(units.len() as u64)
        )
    })
}

/// Sends the units part after part: the segment as it is then, and how many units were not so before. If a part is
/// refused, what was sent before it is said with the refusal.
pub(super) async fn send_all(
    session: &Session,
    list: List<'_>,
    change: Change,
    units: &[String],
) -> Result<(Option<v1::StoredSegment>, u64), Error> {
    let (mut stored, mut changed, mut done) = (None, 0, 0);
    for part in parts(units) {
        match send(session, list.key.as_str(), member_list(list.excluded), change, part).await {
            Ok((now, number)) => (stored, changed) = (now, changed + u64::from(number)),
            Err(status) => {
                let refusal = missing(session, list.key, &status).await;
                let all = units.len();
                return Err(match done {
                    0 => refusal,
                    done => refusal.after(format!("{done} of {all} units were sent before; run it again to go on")),
                });
            }
        }
        done += part.len();
        progress(list.key.as_str(), done, units.len());
    }
    Ok((stored, changed))
}

/// Sends one part: the segment as it is then, and how many units were not so before.
pub(super) async fn send(
    session: &Session,
    key: &str,
    list: v1::MemberList,
    change: Change,
    units: &[String],
) -> Result<(Option<v1::StoredSegment>, u32), Status> {
    let (environment, key, list, units) = (session.environment(), key.to_owned(), list.into(), units.to_vec());
    let mut segments = session.segments();
    Ok(match change {
        Change::Add => {
            let request = v1::AddSegmentMembersRequest {
                environment,
                key,
                list,
                units,
            };
            let response = segments.add_segment_members(session.call(request)).await?.into_inner();
            (response.segment, response.added)
        }
        Change::Remove => {
            let request = v1::RemoveSegmentMembersRequest {
                environment,
                key,
                list,
                units,
            };
            let response = segments
                .remove_segment_members(session.call(request))
                .await?
                .into_inner();
            (response.segment, response.removed)
        }
    })
}

fn member_list(excluded: bool) -> v1::MemberList {
    if excluded {
        v1::MemberList::Excluded
    } else {
        v1::MemberList::Included
    }
}

/// The units of the command line, then those of the file, one a line; empty lines are nothing.
fn units(options: &UnitsArgs) -> Result<Vec<String>, Error> {
    let mut units = options.unit.clone();
    if let Some(file) = &options.file {
        let text = document::text(file)?;
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        units.extend(lines.map(str::to_owned));
    }
    if units.is_empty() {
        return Err(Error::usage("no units: the file is empty"));
    }
    Ok(units)
}

/// Runs of units, each small enough for a message.
pub(super) fn parts(units: &[String]) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, unit) in units.iter().enumerate() {
        if at > from && (at - from == PART_UNITS || bytes + unit.len() > PART_BYTES) {
            parts.push(&units[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += unit.len();
    }
    if from < units.len() {
        parts.push(&units[from..]);
    }
    parts
}

/// Says how far the units of a segment have come, to a person who waits.
pub(super) fn progress(key: &str, done: usize, all: usize) {
    let mut out = io::stderr().lock();
    if all <= PART_UNITS || !out.is_terminal() {
        return;
    }
    let end = if done == all { "\n" } else { "" };
    let (done, all) = (print::count(done as u64), print::count(all as u64));
    let _ = write!(out, "\r{}: {done} of {all} units{end}", print::plain(key));
    let _ = out.flush();
}

/// Writes the units of a list: as text one a line, page by page as they come.
pub(super) async fn list(global: &Global, options: &MembersArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let list = member_list(options.excluded);
        let page = match page(&session, options.key.as_str(), list, page_token).await {
            Ok(page) => page,
            Err(status) => return Err(missing(&session, &options.key, &status).await),
        };
        if global.output == Format::Table && !page.units.is_empty() {
            let lines: Vec<String> = page.units.iter().map(|unit| print::plain(unit)).collect();
            print::line(&lines.join("\n"))?;
        } else {
            all.extend(page.units);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    match global.output {
        Format::Table => Ok(()),
        Format::Json | Format::Yaml => print::show(global.output, &all, String::new),
    }
}

/// One page of the units of a list.
pub(super) async fn page(
    session: &Session,
    key: &str,
    list: v1::MemberList,
    page_token: String,
) -> Result<v1::ListSegmentMembersResponse, Status> {
    let request = v1::ListSegmentMembersRequest {
        environment: session.environment(),
        key: key.into(),
        list: list.into(),
        page_size: PAGE,
        page_token,
    };
    let response = session.segments().list_segment_members(session.call(request)).await?;
    Ok(response.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_all_units_in_order_and_fit_a_message() {
        let units: Vec<String> = (0..25_000).map(|number| format!("user-{number}")).collect();
        let sent = parts(&units);
        assert_eq!(
            sent.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [10_000, 10_000, 5_000]
        );
        assert_eq!(sent.concat(), units);
        let long: Vec<String> = (0..3_000).map(|_| "x".repeat(1_024)).collect();
        assert_eq!(parts(&[]), Vec::<&[String]>::new());
        let sent = parts(&long);
        assert_eq!(sent.concat().len(), 3_000);
        assert!(
            sent.iter()
                .all(|part| part.iter().map(String::len).sum::<usize>() <= PART_BYTES)
        );
    }
}
