//! Commands that edit a flag: read it, change the document, write it back on condition that it is still what was read.
//!
//! If somebody else wrote in between, the edit is repeated once on the newer flag, and only if what it was based on is
//! still so. Then people decide.

use evaluation::Key;
use proto::v1;
use tonic::{Code, Status};

use super::flags;
use crate::{
    args::{ConsentArgs, Global, SetArgs},
    connect::Session,
    edit::{Edit, Serving},
    error::Error,
    new_flag,
};

/// A flag as it was read, and the revision that a write of it expects.
#[derive(Debug)]
struct Present {
    flag: v1::Flag,
    revision: u64,
}

impl Present {
    async fn read(session: &Session, key: &Key) -> Result<Self, Status> {
        let stored = flags::read(session, key).await?;
        Ok(Self {
            flag: stored.flag.unwrap_or_default(),
            revision: stored.revision,
        })
    }
}

/// Whose flag is edited, and how.
pub(super) fn of(options: SetArgs) -> (Key, Edit) {
    let SetArgs {
        key,
        variant,
        percent,
        rest,
        allow,
        listed,
        create: _,
        consent: _,
    } = options;
    let edit = Edit::Serve(Serving {
        variant,
        percent,
        rest,
        allow,
        deny: listed.deny,
        rules: listed.rule,
    });
    (key, edit)
}

/// Serves a variant; creates the flag first if it is missing and may be.
pub(super) async fn set(global: &Global, options: SetArgs) -> Result<(), Error> {
    let (create, consent) = (options.create, options.consent.clone());
    let (key, edit) = of(options);
    let session = Session::open(global).await?;
    let stored = match Present::read(&session, &key).await {
        Ok(present) => change(&session, &key, &edit, &consent, present).await?,
        Err(status) if status.code() == Code::NotFound && create => {
            let flag = edit.apply(&new_flag::boolean(&key)).map_err(Error::Refused)?;
            flags::create_flag(&session, flag).await?
        }
        Err(status) => return Err(absent(&session, &key, status).await),
    };
    flags::show(global, &stored)
}

/// Without `--create` a missing flag is refused: a misspelt key must not become a flag.
async fn absent(session: &Session, key: &Key, status: Status) -> Error {
    let code = status.code();
    let mut refusal = flags::missing(session, key, status).await;
    if let (Code::NotFound, Error::Refused(problems)) = (code, &mut refusal) {
        problems.push("to create it, add --create".into());
    }
    refusal
}

/// Turns a flag on.
pub(super) async fn enable(global: &Global, key: &Key) -> Result<(), Error> {
    switch(global, key, &Edit::Enable).await
}

/// Turns a flag off.
pub(super) async fn disable(global: &Global, key: &Key) -> Result<(), Error> {
    switch(global, key, &Edit::Disable).await
}

async fn switch(global: &Global, key: &Key, edit: &Edit) -> Result<(), Error> {
    let session = Session::open(global).await?;
    match Present::read(&session, key).await {
        Ok(present) => {
            let consent = ConsentArgs::default();
            flags::show(global, &change(&session, key, edit, &consent, present).await?)
        }
        Err(status) => Err(flags::missing(&session, key, status).await),
    }
}

/// Writes the edited flag if it is still at the revision that was read; once more on the newer one if that is sound.
async fn change(
    session: &Session,
    key: &Key,
    edit: &Edit,
    consent: &ConsentArgs,
    read: Present,
) -> Result<v1::StoredFlag, Error> {
    let refusal = match write(session, edit, consent, &read).await? {
        Ok(stored) => return Ok(stored),
        Err(refusal) if refusal.code() == Code::FailedPrecondition => refusal,
        Err(refusal) => return Err(session.error(&refusal)),
    };
    let now = Present::read(session, key)
        .await
        .map_err(|status| session.error(&status))?;
    if now.revision == read.revision {
        return Err(session.error(&refusal));
    }
    if !edit.still_applies(&read.flag, &now.flag) {
        return Err(Error::refused(format!(
            "{key} was changed by somebody else meanwhile (revision {}, was {}), and in what this edit is based on; \
             look at it and decide again",
            now.revision, read.revision
        )));
    }
    write(session, edit, consent, &now)
        .await?
        .map_err(|refusal| session.error(&refusal))
}

/// The inner result is the control plane's answer; an edit that cannot be applied is not sent.
async fn write(
    session: &Session,
    edit: &Edit,
    consent: &ConsentArgs,
    read: &Present,
) -> Result<Result<v1::StoredFlag, Status>, Error> {
    let flag = Some(edit.apply(&read.flag).map_err(Error::Refused)?);
    let request = v1::UpdateFlagRequest {
        environment: session.environment(),
        flag,
        expected_revision: read.revision,
        update_mask: None,
        validate_only: false,
        supersede: consent.supersede,
        acknowledge_abort: consent.acknowledge_abort.clone().unwrap_or_default(),
    };
    let response = session.flags().update_flag(session.call(request)).await;
    Ok(response.map(|response| response.into_inner().flag.unwrap_or_default()))
}
