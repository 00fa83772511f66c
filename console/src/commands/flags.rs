//! Flags are created, shown and listed. Edits are in `edit.rs`, switches and ends in `lifecycle.rs`.
//!
//! A key that does not exist is answered with the nearest one that does: most missing flags are misspelt.

use evaluation::Key;
use proto::v1;
use tonic::{Code, Status};

use super::pages;
use crate::{
    args::{ArchivedArg, CreateArgs, Global, ListFlagsArgs},
    connect::Session,
    document,
    error::Error,
    flag_document,
    nearest::nearest,
    new_flag, print,
    view::flag::{self, FlagView},
};

/// Flags in one page of a list: documents are up to 256 KiB, and a page is one message.
const PAGE: u32 = 100;

/// Creates a flag from options or from a document.
pub(super) async fn create(global: &Global, options: &CreateArgs) -> Result<(), Error> {
    let flag = new_flag(options)?;
    let session = Session::open(global).await?;
    let stored = create_flag(&session, flag).await?;
    show(global, &stored)
}

fn new_flag(options: &CreateArgs) -> Result<v1::Flag, Error> {
    match (&options.file, &options.key) {
        (Some(file), key) => {
            let text = document::text(file)?;
            let flag = flag_document::parse(&file.display().to_string(), &text).map_err(Error::Usage)?;
            match key {
                Some(key) if key.as_str() != flag.key => Err(Error::usage(format!(
                    "{}: the document's key is {}, not {key}",
                    file.display(),
                    flag.key
                ))),
                Some(_) | None => Ok(flag),
            }
        }
        (None, Some(key)) => new_flag::from_options(key, options).map_err(Error::Usage),
        (None, None) => Err(Error::usage("a key or a document is needed")),
    }
}

/// Creates a flag as it is.
pub(super) async fn create_flag(session: &Session, flag: v1::Flag) -> Result<v1::StoredFlag, Error> {
    let request = v1::CreateFlagRequest {
        environment: session.environment(),
        flag: Some(flag),
        validate_only: false,
    };
    let response = session.flags().create_flag(session.call(request)).await;
    Ok(response
        .map_err(|status| session.error(&status))?
        .into_inner()
        .flag
        .unwrap_or_default())
}

/// Shows a flag.
pub(super) async fn get(global: &Global, key: &Key) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let stored = match read(&session, key).await {
        Ok(stored) => stored,
        Err(status) => return Err(missing(&session, key, status).await),
    };
    print::show(global.output, &FlagView::of(&stored), || flag::page(&stored))
}

/// One flag as the control plane holds it.
pub(super) async fn read(session: &Session, key: &Key) -> Result<v1::StoredFlag, Status> {
    let request = v1::GetFlagRequest {
        environment: session.environment(),
        key: key.as_str().into(),
    };
    let response = session.flags().get_flag(session.call(request)).await?;
    Ok(response.into_inner().flag.unwrap_or_default())
}

/// Lists the flags of the environment that fit, all pages.
pub(super) async fn list(global: &Global, options: &ListFlagsArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let flags = matching(&session, options)
        .await
        .map_err(|status| session.error(&status))?;
    let views: Vec<FlagView> = flags.iter().map(FlagView::of).collect();
    print::show(global.output, &views, || match flags.as_slice() {
        [] => format!("no such flags in {}", session.environment()),
        flags => flag::list(flags),
    })
}

/// All flags of the environment, archived ones too.
pub(super) async fn all(session: &Session) -> Result<Vec<v1::StoredFlag>, Status> {
    let options = ListFlagsArgs {
        archived: Some(ArchivedArg::Included),
        ..ListFlagsArgs::default()
    };
    matching(session, &options).await
}

async fn matching(session: &Session, options: &ListFlagsArgs) -> Result<Vec<v1::StoredFlag>, Status> {
    let request = |page_token| v1::ListFlagsRequest {
        environment: session.environment(),
        page_size: PAGE,
        page_token,
        tags: options.tag.clone(),
        owner: options.owner.clone().unwrap_or_default(),
        text: options.text.clone().unwrap_or_default(),
        r#type: options
            .flag_type
            .map_or(v1::FlagType::Unspecified, new_flag::flag_type)
            .into(),
        flag_set: options.flag_set.as_ref().map(Key::to_string).unwrap_or_default(),
        archived: match options.archived {
            None => v1::ArchivedFilter::Unspecified,
            Some(ArchivedArg::Included) => v1::ArchivedFilter::Included,
            Some(ArchivedArg::Only) => v1::ArchivedFilter::Only,
        }
        .into(),
    };
    pages::collect(usize::MAX, async |token| {
        let response = session.flags().list_flags(session.call(request(token))).await?;
        let page = response.into_inner();
        Ok((page.flags, page.next_page_token))
    })
    .await
}

/// Shows a flag after a change, in one line.
pub(super) fn show(global: &Global, stored: &v1::StoredFlag) -> Result<(), Error> {
    print::show(global.output, &FlagView::of(stored), || flag::summary(stored))
}

/// The refusal of a call about `key`; if there is no such flag, with the nearest key that exists. A failed look for it
/// is no reason to hide the refusal.
pub(super) async fn missing(session: &Session, key: &Key, status: Status) -> Error {
    let refusal = session.error(&status);
    let Error::Refused(mut problems) = refusal else {
        return refusal;
    };
    if status.code() == Code::NotFound {
        let flags = all(session).await.unwrap_or_default();
        let keys = flags
            .iter()
            .filter_map(|stored| stored.flag.as_ref())
            .map(|flag| flag.key.as_str());
        // What is missing may be an old version of a flag that is there.
        if let Some(near) = nearest(key.as_str(), keys)
            && near != key.as_str()
        {
            problems.push(format!("did you mean {near}?"));
        }
    }
    Error::Refused(problems)
}
