//! Kill, revive, archive, unarchive, delete: one call each about one flag, the flag as it is then in one line.
//!
//! A kill asks nothing and expects nothing: it is right whatever somebody else wrote meanwhile. A delete is confirmed
//! by whoever saw the flag, and only of the flag that was seen.

use evaluation::Key;
use proto::v1;
use tonic::Status;

use super::{confirm::confirm, flags};
use crate::{
    args::{DeleteArgs, Global},
    connect::Session,
    error::Error,
    print,
    view::flag::{self, FlagView},
};

/// What happens to the flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Everybody gets the off variant, until revived.
    Kill,
    /// A kill is undone.
    Revive,
    /// Agents no longer hold it.
    Archive,
    /// Agents hold it again.
    Unarchive,
}

/// Does it, and shows the flag.
pub(super) async fn act(global: &Global, key: &Key, act: Act) -> Result<(), Error> {
    let session = Session::open(global).await?;
    match call(&session, key, act).await {
        Ok(stored) => {
            let stored = stored.unwrap_or_default();
            print::show(global.output, &FlagView::of(&stored), || flag::summary(&stored))
        }
        Err(status) => Err(flags::missing(&session, key, status).await),
    }
}

async fn call(session: &Session, key: &Key, act: Act) -> Result<Option<v1::StoredFlag>, Status> {
    let (environment, key, expected_revision) = (session.environment(), key.to_string(), 0);
    let mut flags = session.flags();
    Ok(match act {
        Act::Kill => {
            let request = v1::KillFlagRequest {
                environment,
                key,
                expected_revision,
            };
            flags.kill_flag(session.call(request)).await?.into_inner().flag
        }
        Act::Revive => {
            let request = v1::ReviveFlagRequest {
                environment,
                key,
                expected_revision,
            };
            flags.revive_flag(session.call(request)).await?.into_inner().flag
        }
        Act::Archive => {
            let request = v1::ArchiveFlagRequest {
                environment,
                key,
                expected_revision,
            };
            flags.archive_flag(session.call(request)).await?.into_inner().flag
        }
        Act::Unarchive => {
            let request = v1::UnarchiveFlagRequest {
                environment,
                key,
                expected_revision,
            };
            flags.unarchive_flag(session.call(request)).await?.into_inner().flag
        }
    })
}

/// Deletes a flag, if whoever asks means it.
pub(super) async fn delete(global: &Global, options: &DeleteArgs) -> Result<(), Error> {
    let session = Session::open(global).await?;
    let seen = match flags::read(&session, &options.key).await {
        Ok(seen) => seen,
        Err(status) => return Err(flags::missing(&session, &options.key, status).await),
    };
    let question = format!("Delete {} in {}?", flag::summary(&seen), session.environment());
    confirm(&question, options.yes)?;
    let request = v1::DeleteFlagRequest {
        environment: session.environment(),
        key: options.key.to_string(),
        expected_revision: seen.revision,
    };
    let response = session.flags().delete_flag(session.call(request)).await;
    let deleted = response
        .map_err(|status| session.error(&status))?
        .into_inner()
        .flag
        .unwrap_or(seen);
    print::show(global.output, &FlagView::of(&deleted), || {
        format!(
            "{key}: deleted; bring it back with: tidegate restore {key} --version {} -e {}",
            deleted.version,
            session.environment(),
            key = options.key,
        )
    })
}
