//! Many documents at once, from files.
//!
//! Everything is read before anything is sent. Documents are sent in parts, what is read before what reads it, so that
//! every part fits what is there by then; members too many for a message follow their segment. What is equal is left
//! alone: an apply that broke off goes on when it is run again.

mod members;
mod parts;
mod prune;

use std::io::{self, Write as _};

use proto::v1;
use serde::Serialize;

pub(super) use self::members::all as members;
use self::parts::Part;
use crate::{
    args::{ApplyArgs, Global},
    bundle::Bundle,
    connect::Session,
    error::{End, Error},
    print::{self, Paint, Tone},
    view::change::{self, DocumentView},
};

/// What was applied, for programs.
#[derive(Debug, Serialize)]
struct Applied {
    environment: String,
    dry_run: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    changeset: String,
    results: Vec<DocumentView>,
    members: Vec<members::Outcome>,
}

/// What has become of the documents so far.
#[derive(Debug, Default)]
struct Progress {
    results: Vec<v1::DocumentResult>,
    members: Vec<members::Outcome>,
    changeset: String,
}

/// Applies files.
pub(super) async fn run(global: &Global, options: &ApplyArgs) -> Result<End, Error> {
    let bundle = Bundle::read(&options.file)?;
    if bundle.flags.is_empty() && bundle.segments.is_empty() {
        return Err(Error::usage("no documents in the files"));
    }
    notes(&bundle.notes);
    let session = Session::open(global).await?;
    let deletions = if options.prune {
        prune::deletions(&session, options, &bundle).await?
    } else {
        Vec::new()
    };
    if !options.dry_run {
        prune::confirm(&session, &deletions, options.yes)?;
    }
    let progress = write(&session, bundle, deletions, options.dry_run, options.changeset.clone()).await?;
    show(global, &session, &progress, options.dry_run)?;
    let changed = progress.changed() > 0;
    Ok(if options.exit_code && changed {
        End::Differs
    } else {
        End::Done
    })
}

/// Imports a bundle from elsewhere.
pub(super) async fn import(global: &Global, bundle: Bundle) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let progress = write(&session, bundle, Vec::new(), false, None).await?;
    show(global, &session, &progress, false)
}

/// What is worth knowing, on standard error: the result stays clean.
pub(super) fn notes(notes: &[String]) {
    let mut out = io::stderr().lock();
    for note in notes {
        let _ = writeln!(out, "note: {}", print::plain(note));
    }
}

impl Progress {
    fn changed(&self) -> usize {
        let unchanged = |result: &&v1::DocumentResult| result.action() != v1::DocumentAction::Unchanged;
        self.results.iter().filter(unchanged).count() + self.members.iter().filter(|one| one.changes()).count()
    }
}

/// Sends part after part. If one is refused, what was written before it is said with the refusal.
async fn write(
    session: &Session,
    bundle: Bundle,
    deletions: Vec<v1::Document>,
    dry_run: bool,
    changeset: Option<String>,
) -> Result<Progress, Error> {
    let (documents, lists) = members::taken_out(bundle);
    let all = documents.len() + deletions.len();
    let mut progress = Progress {
        changeset: changeset.unwrap_or_default(),
        ..Progress::default()
    };
    let parts = if dry_run {
        parts::dry(documents, deletions)
    } else {
        parts::cut(documents, deletions)
    };
    for part in parts {
        let sent = send(session, &part, dry_run, &mut progress).await;
        sent.map_err(|refusal| broken_off(refusal, &progress, all, dry_run))?;
    }
    for list in lists {
        let outcome = members::write(session, &list, dry_run).await;
        progress
            .members
            .push(outcome.map_err(|refusal| broken_off(refusal, &progress, all, dry_run))?);
    }
    Ok(progress)
}

async fn send(session: &Session, part: &Part, dry_run: bool, progress: &mut Progress) -> Result<(), Error> {
    let request = v1::ApplyRequest {
        environment: session.environment(),
        documents: part.documents.clone(),
        validate_only: dry_run,
        changeset: progress.changeset.clone(),
    };
    let response = session.configuration().apply(session.call(request)).await;
    let response = response
        .map_err(|status| part.named(session.error(&status)))?
        .into_inner();
    progress
        .results
        .extend(response.results.into_iter().skip(part.repeated));
    progress.changeset = response.changeset;
    Ok(())
}

fn broken_off(refusal: Error, progress: &Progress, all: usize, dry_run: bool) -> Error {
    let written: Vec<&str> = progress
        .results
        .iter()
        .filter(|result| result.action() != v1::DocumentAction::Unchanged)
        .filter_map(|result| Some(result.name.as_ref()?.key.as_str()))
        .collect();
    let done = progress.results.len();
    match (dry_run, written.as_slice()) {
        (true, _) => refusal,
        (false, []) if done == 0 => refusal.after("nothing was written".into()),
        (false, []) => refusal.after(format!(
            "nothing was written: {done} of {all} documents are as the files say already, the rest was not sent"
        )),
        (false, written) => refusal.after(format!(
            "{done} of {all} documents are as the files say, of which {} were written under changeset {}: {}; the rest was \
             not sent; run it again to go on",
            written.len(),
            progress.changeset,
            print::shortened(&written.join(", "), 400)
        )),
    }
}

fn show(global: &Global, session: &Session, progress: &Progress, dry_run: bool) -> Result<(), Error> {
    let environment = session.environment();
    let value = Applied {
        environment: environment.clone(),
        dry_run,
        changeset: if dry_run {
            String::new()
        } else {
            progress.changeset.clone()
        },
        results: progress.results.iter().map(DocumentView::of_result).collect(),
        members: progress.members.clone(),
    };
    let paint = Paint::of(global);
    print::show(global.output, &value, || {
        let changed = progress
            .results
            .iter()
            .filter(|result| result.action() != v1::DocumentAction::Unchanged);
        let line = |result: &v1::DocumentResult| {
            change::document(result.name.as_ref(), result.action(), &result.changes, paint)
        };
        let mut lines: Vec<String> = changed.map(line).collect();
        let lists = progress.members.iter().filter(|one| one.changes());
        lines.extend(lists.map(|one| paint.tone(Tone::Warning, &one.line())));
        lines.push(summary(progress, &environment, dry_run));
        lines.join("\n")
    })
}

fn summary(progress: &Progress, environment: &str, dry_run: bool) -> String {
    let count = |action| {
        progress
            .results
            .iter()
            .filter(|result| result.action() == action)
            .count()
    };
    let (created, updated) = (count(v1::DocumentAction::Created), count(v1::DocumentAction::Updated));
    let (deleted, equal) = (count(v1::DocumentAction::Deleted), count(v1::DocumentAction::Unchanged));
    match (progress.changed(), dry_run) {
        (0, _) => format!("{equal} unchanged in {environment}: nothing to do"),
        (_, true) => format!(
            "{created} to create, {updated} to update, {deleted} to delete, {equal} unchanged in {environment}; nothing was written"
        ),
        (_, false) => {
            format!("{created} created, {updated} updated, {deleted} deleted, {equal} unchanged in {environment}")
        }
    }
}
