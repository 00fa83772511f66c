//! Versions of flags and segments: listed, shown, compared, written again.

use evaluation::Key;
use proto::v1;
use serde::Serialize;
use tonic::{Code, Status};

use super::{flags, pages};
use crate::{
    args::{DiffArgs, Global, HistoryArgs, RestoreArgs},
    connect::Session,
    error::{End, Error},
    print::{self, Paint},
    view::{
        change::{self, FieldView},
        flag::{self, FlagView},
        segment::{self, SegmentView},
        version::{self, VersionView},
    },
};

/// Versions in one page.
const PAGE: u32 = 100;

/// A version with its document, for programs.
#[derive(Debug, Serialize)]
struct Whole {
    version: VersionView,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<FlagView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<SegmentView>,
}

/// What differs between two versions, for programs.
#[derive(Debug, Serialize)]
struct Difference {
    key: String,
    from: Option<VersionView>,
    to: Option<VersionView>,
    changes: Vec<FieldView>,
}

/// What a restore wrote, for programs.
#[derive(Debug, Serialize)]
struct Restored {
    key: String,
    dry_run: bool,
    version: Option<VersionView>,
    changes: Vec<FieldView>,
}

fn kind(segment: bool) -> String {
    if segment { "segment" } else { "flag" }.into()
}

/// Lists the versions, the newest first, or shows one.
pub(super) async fn history(global: &Global, options: HistoryArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    match options.version {
        Some(version) => one(global, &session, &options, version).await,
        None => list(global, &session, &options).await,
    }
}

async fn list(global: &Global, session: &Session, options: &HistoryArgs) -> Result<(), Error> {
    let most = options.limit as usize;
    let asked = newest(session, options.segment, &options.key, most).await;
    let versions = match asked {
        Ok(versions) => versions,
        Err(status) => return Err(missing(session, &options.key, options.segment, status).await),
    };
    let views: Vec<VersionView> = versions.iter().map(VersionView::of).collect();
    print::show(global.output, &views, || version::list(&versions))
}

/// At most so many versions, the newest first.
async fn newest(session: &Session, segment: bool, key: &Key, most: usize) -> Result<Vec<v1::Version>, Status> {
    pages::collect(most, async |page_token| {
        let request = v1::ListVersionsRequest {
            environment: session.environment(),
            kind: kind(segment),
            key: key.to_string(),
            page_size: u32::try_from(most).unwrap_or(PAGE).min(PAGE),
            page_token,
        };
        let response = session.history().list_versions(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.versions, page.next_page_token))
    })
    .await
}

async fn one(global: &Global, session: &Session, options: &HistoryArgs, version: u32) -> Result<(), Error> {
    let request = v1::GetVersionRequest {
        environment: session.environment(),
        kind: kind(options.segment),
        key: options.key.to_string(),
        version,
    };
    let v1::GetVersionResponse { version, document } = match session.history().get_version(session.call(request)).await
    {
        Ok(response) => response.into_inner(),
        Err(status) => return Err(missing(session, &options.key, options.segment, status).await),
    };
    let version = version.unwrap_or_default();
    let mut whole = Whole {
        version: VersionView::of(&version),
        flag: None,
        segment: None,
    };
    let page = match &document {
        Some(v1::get_version_response::Document::Flag(stored)) => {
            whole.flag = Some(FlagView::of(stored));
            flag::page(stored)
        }
        Some(v1::get_version_response::Document::Segment(stored)) => {
            whole.segment = Some(SegmentView::of(stored));
            segment::page(stored)
        }
        // The console asks for flags and segments only.
        Some(v1::get_version_response::Document::Plan(_)) => "a plan".into(),
        None => "deleted; there is no document".into(),
    };
    print::show(global.output, &whole, || format!("{}\n{page}", version::line(&version)))
}

/// Shows what differs between two versions.
pub(super) async fn diff(global: &Global, key: &Key, options: &DiffArgs) -> Result<End, Error> {
    let session = Session::open(global).await?;
    let request = v1::DiffVersionsRequest {
        environment: session.environment(),
        kind: kind(options.segment),
        key: key.to_string(),
        from: options.from.unwrap_or_default(),
        to: options.to.unwrap_or_default(),
    };
    let v1::DiffVersionsResponse { from, to, changes } =
        match session.history().diff_versions(session.call(request)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Err(missing(&session, key, options.segment, status).await),
        };
    let value = Difference {
        key: key.to_string(),
        from: from.as_ref().map(VersionView::of),
        to: to.as_ref().map(VersionView::of),
        changes: FieldView::all(&changes),
    };
    let paint = Paint::of(global);
    print::show(global.output, &value, || {
        let mut lines = vec![format!("{key}")];
        lines.extend(from.iter().map(|from| format!("from {}", version::line(from))));
        lines.extend(to.iter().map(|to| format!("to   {}", version::line(to))));
        lines.extend(change::fields(&changes, paint));
        if changes.is_empty() {
            lines.push("no difference".into());
        }
        lines.join("\n")
    })?;
    Ok(if options.exit_code && !changes.is_empty() {
        End::Differs
    } else {
        End::Done
    })
}

/// Writes a version again, on condition that nobody writes meanwhile.
pub(super) async fn restore(global: &Global, options: &RestoreArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let newest = match newest(&session, options.segment, &options.key, 1).await {
        Ok(newest) => newest,
        Err(status) => return Err(missing(&session, &options.key, options.segment, status).await),
    };
    // A deleted document has no revision to be at.
    let present = newest.first().filter(|newest| !newest.deleted);
    let wanted = wanted(options, newest.first())?;
    let request = v1::RestoreVersionRequest {
        environment: session.environment(),
        kind: kind(options.segment),
        key: options.key.to_string(),
        version: wanted,
        expected_revision: present.map_or(0, |newest| newest.revision),
        validate_only: options.dry_run,
    };
    let v1::RestoreVersionResponse { version, changes } =
        match session.history().restore_version(session.call(request)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Err(missing(&session, &options.key, options.segment, status).await),
        };
    let value = Restored {
        key: options.key.to_string(),
        dry_run: options.dry_run,
        version: version.as_ref().map(VersionView::of),
        changes: FieldView::all(&changes),
    };
    let paint = Paint::of(global);
    print::show(global.output, &value, || {
        let done = match (options.dry_run, &version) {
            (true, _) => "would be restored; nothing was written".to_owned(),
            (false, Some(version)) => format!("restored as version {}", version.version),
            (false, None) => "restored".to_owned(),
        };
        let mut lines = vec![format!("{}: version {} {done}", options.key, wanted)];
        lines.extend(change::fields(&changes, paint));
        lines.join("\n")
    })
}

/// The version to write again: the one that is named, else the last before the deletion.
fn wanted(options: &RestoreArgs, newest: Option<&v1::Version>) -> Result<u32, Error> {
    let deleted = newest.filter(|newest| newest.deleted).map(|newest| newest.version - 1);
    options.version.or(deleted).ok_or_else(|| {
        let (key, segment) = (&options.key, if options.segment { " --segment" } else { "" });
        Error::usage(format!(
            "{key} is not deleted: say which version of it with --version; they are listed by: tidegate history \
             {key}{segment}"
        ))
    })
}

/// The refusal; of a flag, with the nearest key that exists.
async fn missing(session: &Session, key: &Key, segment: bool, status: Status) -> Error {
    if segment || status.code() != Code::NotFound {
        session.error(&status)
    } else {
        flags::missing(session, key, status).await
    }
}
