//! Two environments: what differs between them, and copying from one to the other.
//!
//! A copy is sent in parts of 50, segments before the flags that read them and prerequisites before the flags that need
//! them, so that every part fits what is there by then. What is equal is left alone: a copy that broke off goes on when
//! it is run again.

use evaluation::Key;
use proto::v1;
use serde::Serialize;
use tonic::Status;

use super::{order, pages};
use crate::{
    args::{CopyArgs, DiffArgs, Global},
    connect::Session,
    error::{End, Error},
    print::{self, Paint, Tone},
    view::change::{self, DocumentView},
};

/// Documents in one part of a copy, at most: they are written together or not at all.
const PART: usize = 50;
/// Differences in one page.
const PAGE: u32 = 100;

/// What differs between two environments, for programs.
#[derive(Debug, Serialize)]
struct Comparison {
    source: String,
    target: String,
    differences: Vec<DocumentView>,
    equal: u32,
}

/// What was copied, for programs.
#[derive(Debug, Serialize)]
struct Copied {
    source: String,
    target: String,
    dry_run: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    changeset: String,
    results: Vec<DocumentView>,
}

fn names(keys: &[Key], kind: v1::DocumentKind) -> Vec<v1::DocumentName> {
    let name = |key: &Key| v1::DocumentName {
        kind: kind.into(),
        key: key.to_string(),
    };
    keys.iter().map(name).collect()
}

/// Shows what a copy from the environment of the command into another would change.
pub(super) async fn diff(global: &Global, target: &Key, options: &DiffArgs) -> Result<End, Error> {
    let session = Session::open(global).await?;
    let kind = match (options.segment, options.key.is_empty()) {
        (true, true) => return Err(Error::usage("--segment: name the segments to compare")),
        (true, false) => v1::DocumentKind::Segment,
        (false, _) => v1::DocumentKind::Flag,
    };
    let source = session.environment();
    let (differences, equal) = compare(&session, &source, target.as_str(), &names(&options.key, kind))
        .await
        .map_err(|status| session.error(&status))?;
    let value = Comparison {
        source: source.clone(),
        target: target.to_string(),
        differences: differences.iter().map(DocumentView::of_difference).collect(),
        equal,
    };
    let paint = Paint::of(global);
    print::show(global.output, &value, || {
        let mut lines = vec![format!("what a copy from {source} would change in {target}")];
        lines.extend(differences.iter().map(|difference| {
            let (name, action) = (difference.name.as_ref(), difference.action());
            match action {
                v1::DocumentAction::Deleted => only_there(name, target.as_str(), paint),
                _ => change::document(name, action, &difference.changes, paint),
            }
        }));
        if differences.is_empty() {
            lines.push("no difference".into());
        }
        if options.key.is_empty() {
            lines.push(format!("{} equal", print::count(equal.into())));
        }
        lines.join("\n")
    })?;
    Ok(if options.exit_code && !differences.is_empty() {
        End::Differs
    } else {
        End::Done
    })
}

fn only_there(name: Option<&v1::DocumentName>, target: &str, paint: Paint) -> String {
    let name = name.cloned().unwrap_or_default();
    let kind = change::kind(name.kind());
    let line = format!(
        "! {kind} {} is only in {target}; a copy leaves it alone",
        print::plain(&name.key)
    );
    paint.tone(Tone::Faint, &line)
}

/// All differences, and how many documents are equal.
async fn compare(
    session: &Session,
    source: &str,
    target: &str,
    names: &[v1::DocumentName],
) -> Result<(Vec<v1::Difference>, u32), Status> {
    let mut equal = 0;
    let differences = pages::collect::<_, Status>(usize::MAX, async |page_token| {
        let request = v1::CompareRequest {
            source: source.into(),
            target: target.into(),
            names: names.to_vec(),
            page_size: PAGE,
            page_token,
        };
        let response = session.configuration().compare(session.call(request)).await?;
        let page = response.into_inner();
        equal = page.equal;
        Ok((page.differences, page.next_page_token))
    })
    .await?;
    Ok((differences, equal))
}

/// Copies documents.
pub(super) async fn copy(global: &Global, options: &CopyArgs) -> Result<(), Error> {
    if options.from == options.to {
        return Err(Error::usage(format!("--from and --to are both {}", options.from)));
    }
    let session = Session::open(global).await?;
    let names = match options.all {
        true => differing(&session, options).await?,
        false => [
            names(&options.segment, v1::DocumentKind::Segment),
            names(&options.key, v1::DocumentKind::Flag),
        ]
        .concat(),
    };
    let parts = if names.len() <= PART {
        let own = (0..names.len()).collect();
        Vec::from([(names, own)])
    } else {
        let (names, reads) = order::sorted(&session, options.from.as_str(), names).await?;
        match options.dry_run {
            true => order::closed(&names, &reads, PART),
            false => names
                .chunks(PART)
                .map(|part| (part.to_vec(), (0..part.len()).collect()))
                .collect(),
        }
    };
    let (results, changeset) = send(&session, options, parts).await?;
    show(global, options, &results, changeset)
}

/// What the source has and the target has not, or otherwise.
async fn differing(session: &Session, options: &CopyArgs) -> Result<Vec<v1::DocumentName>, Error> {
    let compared = compare(session, options.from.as_str(), options.to.as_str(), &[]).await;
    let (differences, _) = compared.map_err(|status| session.error(&status))?;
    let wanted = differences
        .into_iter()
        .filter(|difference| difference.action() != v1::DocumentAction::Deleted);
    Ok(wanted.filter_map(|difference| difference.name).collect())
}

/// Documents that are sent together, and the places of those whose results are wanted.
type Part = (Vec<v1::DocumentName>, Vec<usize>);

/// Copies part after part. If one is refused, what was written before it is said with the refusal.
async fn send(
    session: &Session,
    options: &CopyArgs,
    parts: Vec<Part>,
) -> Result<(Vec<v1::DocumentResult>, String), Error> {
    let mut results: Vec<v1::DocumentResult> = Vec::new();
    let mut changeset = options.changeset.clone().unwrap_or_default();
    let all: usize = parts.iter().map(|(_, own)| own.len()).sum();
    for (names, own) in parts.into_iter().filter(|(names, _)| !names.is_empty()) {
        let request = v1::CopyRequest {
            source: options.from.to_string(),
            target: options.to.to_string(),
            names,
            validate_only: options.dry_run,
            changeset: changeset.clone(),
        };
        match session.configuration().copy(session.call(request)).await {
            Ok(response) => {
                let response = response.into_inner();
                let wanted = response.results.into_iter().enumerate();
                results.extend(wanted.filter(|(at, _)| own.contains(at)).map(|(_, result)| result));
                changeset = response.changeset;
            }
            Err(status) => {
                let refusal = session.error(&status);
                return Err(match (results.len(), options.dry_run) {
                    (0, _) | (_, true) => refusal,
                    (done, false) => refusal.after(format!(
                        "{done} of {all} documents were copied before, under changeset {changeset}; run it again to go on"
                    )),
                });
            }
        }
    }
    Ok((results, changeset))
}

fn show(global: &Global, options: &CopyArgs, results: &[v1::DocumentResult], changeset: String) -> Result<(), Error> {
    let value = Copied {
        source: options.from.to_string(),
        target: options.to.to_string(),
        dry_run: options.dry_run,
        changeset,
        results: results.iter().map(DocumentView::of_result).collect(),
    };
    let paint = Paint::of(global);
    print::show(global.output, &value, || {
        let line = |result: &v1::DocumentResult| {
            change::document(result.name.as_ref(), result.action(), &result.changes, paint)
        };
        let mut lines: Vec<String> = results.iter().map(line).collect();
        let unchanged = |result: &&v1::DocumentResult| result.action() == v1::DocumentAction::Unchanged;
        let equal = results.iter().filter(unchanged).count();
        let changed = results.len() - equal;
        if results.is_empty() {
            return format!("nothing to copy: {} has all that {} has", options.to, options.from);
        }
        lines.push(match options.dry_run {
            true => format!(
                "{changed} to copy from {} to {}, {equal} equal; nothing was written",
                options.from, options.to
            ),
            false => format!(
                "{changed} copied from {} to {}, {equal} were equal",
                options.from, options.to
            ),
        });
        lines.join("\n")
    })
}
