//! Segments: listed, shown, created, deleted. Their members are in `members.rs`.

use std::mem;

use evaluation::Key;
use proto::v1;
use tonic::{Code, Status};

use super::{
    confirm::confirm,
    members::{self, Change, List, parts, send_all},
    pages,
};
use crate::{
    args::{Global, SegmentCommand, SegmentCreateArgs, SegmentListArgs},
    connect::Session,
    document::{self, Node, Problems},
    error::Error,
    nearest::nearest,
    print, segment_document,
    view::segment::{self, SegmentView},
};

/// Segments in one page of a list.
const PAGE: u32 = 100;

/// Runs one of the commands.
pub(super) async fn run(global: &Global, command: SegmentCommand) -> Result<(), Error> {
    match command {
        SegmentCommand::List(options) => list(global, &options).await,
        SegmentCommand::Get(segment) => get(global, &segment.key).await,
        SegmentCommand::Create(options) => create(global, &options).await,
        SegmentCommand::Delete(options) => delete(global, &options.key, options.yes).await,
        SegmentCommand::Add(options) => members::change(global, &options, Change::Add).await,
        SegmentCommand::Remove(options) => members::change(global, &options, Change::Remove).await,
        SegmentCommand::Members(options) => members::list(global, &options).await,
    }
}

async fn list(global: &Global, options: &SegmentListArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let segments = matching(&session, options)
        .await
        .map_err(|status| session.error(&status))?;
    let views: Vec<SegmentView> = segments.iter().map(SegmentView::of).collect();
    print::show(global.output, &views, || match segments.as_slice() {
        [] => format!("no such segments in {}", session.environment()),
        segments => segment::list(segments),
    })
}

/// All segments of the environment.
pub(super) async fn all(session: &Session) -> Result<Vec<v1::StoredSegment>, Status> {
    let everything = SegmentListArgs {
        tag: Vec::new(),
        owner: None,
        text: None,
    };
    matching(session, &everything).await
}

async fn matching(session: &Session, options: &SegmentListArgs) -> Result<Vec<v1::StoredSegment>, Status> {
    pages::collect(usize::MAX, async |page_token| {
        let request = v1::ListSegmentsRequest {
            environment: session.environment(),
            page_size: PAGE,
            page_token,
            tags: options.tag.clone(),
            owner: options.owner.clone().unwrap_or_default(),
            text: options.text.clone().unwrap_or_default(),
        };
        let response = session.segments().list_segments(session.call(request)).await?;
        let page = response.into_inner();
        Ok((page.segments, page.next_page_token))
    })
    .await
}

async fn read(session: &Session, key: &Key) -> Result<v1::StoredSegment, Error> {
    let request = v1::GetSegmentRequest {
        environment: session.environment(),
        key: key.to_string(),
    };
    match session.segments().get_segment(session.call(request)).await {
        Ok(response) => Ok(response.into_inner().segment.unwrap_or_default()),
        Err(status) => Err(missing(session, key, &status).await),
    }
}

async fn get(global: &Global, key: &Key) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let stored = read(&session, key).await?;
    print::show(global.output, &SegmentView::of(&stored), || segment::page(&stored))
}

/// Creates a segment. Members that do not fit one message are added after it, in parts.
async fn create(global: &Global, options: &SegmentCreateArgs) -> Result<(), Error> {
    let mut segment = new_segment(options)?;
    let key = Key::parse(&segment.key).map_err(|error| Error::usage(error.to_string()))?;
    let fits = parts(&[segment.included.as_slice(), segment.excluded.as_slice()].concat()).len() <= 1;
    let later = match fits {
        true => [Vec::new(), Vec::new()],
        false => [mem::take(&mut segment.included), mem::take(&mut segment.excluded)],
    };
    let session = Session::open(global).await?;
    let request = v1::CreateSegmentRequest {
        environment: session.environment(),
        segment: Some(segment),
        validate_only: false,
    };
    let response = session.segments().create_segment(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    let mut stored = response.into_inner().segment;
    for (units, excluded) in later.iter().zip([false, true]).filter(|(units, _)| !units.is_empty()) {
        let list = List { key: &key, excluded };
        stored = send_all(&session, list, Change::Add, units).await?.0;
    }
    let stored = stored.unwrap_or_default();
    print::show(global.output, &SegmentView::of(&stored), || segment::summary(&stored))
}

fn new_segment(options: &SegmentCreateArgs) -> Result<v1::Segment, Error> {
    match (&options.file, &options.key) {
        (Some(file), key) => {
            let segment = from_document(&file.display().to_string(), &document::text(file)?)?;
            match key {
                Some(key) if key.as_str() != segment.key => Err(Error::usage(format!(
                    "{}: the document's key is {}, not {key}",
                    file.display(),
                    segment.key
                ))),
                Some(_) | None => Ok(segment),
            }
        }
        (None, Some(key)) => Ok(v1::Segment {
            key: key.to_string(),
            description: options.description.clone(),
            owner: options.owner.clone(),
            tags: options.tag.clone(),
            included: options.include.clone(),
            excluded: options.exclude.clone(),
            groups: options.when.clone(),
        }),
        (None, None) => Err(Error::usage("a key or a document is needed")),
    }
}

/// One segment from a text, or every problem as `file:line:column: field: what is wrong`.
fn from_document(file: &str, text: &str) -> Result<v1::Segment, Error> {
    let mut problems = Problems::of(file);
    let mut segment = v1::Segment::default();
    match Node::parse(text) {
        Ok(nodes) => match nodes.as_slice() {
            [node] => segment = segment_document::read(node, "", None, &mut problems),
            nodes => {
                let place = nodes.get(1).map(|node| node.place).unwrap_or_default();
                let what = format!("{} documents; one segment is wanted (apply -f takes many)", nodes.len());
                problems.wrong(place, "", what);
            }
        },
        Err(error) => problems.syntax(&error),
    }
    match problems.into_lines() {
        (problems, _) if problems.is_empty() => Ok(segment),
        (problems, _) => Err(Error::Usage(problems)),
    }
}

async fn delete(global: &Global, key: &Key, yes: bool) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let seen = read(&session, key).await?;
    let environment = session.environment();
    confirm(
        &format!("Delete segment {} in {environment}?", segment::summary(&seen)),
        yes,
    )?;
    let request = v1::DeleteSegmentRequest {
        environment: environment.clone(),
        key: key.to_string(),
        expected_revision: seen.revision,
    };
    let response = session.segments().delete_segment(session.call(request)).await;
    let response = response.map_err(|status| session.error(&status))?;
    let deleted = response.into_inner().segment.unwrap_or(seen);
    print::show(global.output, &SegmentView::of(&deleted), || {
        format!(
            "{key}: deleted; bring it back with: tidegate restore {key} --segment --version {} -e {environment}",
            deleted.version
        )
    })
}

/// The refusal; if there is no such segment, with the nearest one that exists.
pub(super) async fn missing(session: &Session, key: &Key, status: &Status) -> Error {
    let refusal = session.error(status);
    let Error::Refused(mut problems) = refusal else {
        return refusal;
    };
    if status.code() == Code::NotFound {
        let segments = all(session).await.unwrap_or_default();
        let keys = segments.iter().filter_map(|stored| stored.segment.as_ref());
        if let Some(near) = nearest(key.as_str(), keys.map(|segment| segment.key.as_str())) {
            problems.push(format!("did you mean {near}?"));
        }
    }
    Error::Refused(problems)
}
