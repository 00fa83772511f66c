//! What the agent keeps in its data folder and its spool, and what it starts from.
//!
//! In this order: the last good snapshot in the folder, the one before it, the bootstrap file, nothing. Whatever is
//! found is in use before anything listens, so that the first caller is answered without the control plane. No content
//! of a file keeps the agent from starting.

use std::path::{Path, PathBuf};

use runtime::folder;

use crate::{
    args::Args,
    bootstrap::{self, Missing},
    disk::{self, Disk, Stored, Update, Writer},
    health::spool,
    identity::{self, AgentId, FolderLock},
    metrics::{self, BootstrapResult},
    snapshot::Holder,
    sync::apply::{HeldBack, restore},
};

/// What this agent keeps on disk; nothing of it if diskless.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The data folder.
    pub(crate) folder: Option<PathBuf>,
    /// Keeps the folder for this process.
    pub(crate) lock: Option<FolderLock>,
    /// The agent's id.
    pub(crate) id: Option<AgentId>,
    /// The copy of the snapshot.
    pub(crate) disk: Option<Disk>,
    /// Who writes it.
    pub(crate) writer: Option<Writer>,
    /// Entries of the snapshot in use that are held back.
    pub(crate) held_back: Vec<HeldBack>,
    /// What was counted and not acknowledged; none if it is kept nowhere.
    pub(crate) spool: Option<spool::Opened>,
}

/// Why the agent cannot start with what it was given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The data folder cannot be written to.
    #[error(transparent)]
    Folder(#[from] folder::FolderError),
    /// The data folder is in use, or its id is damaged.
    #[error(transparent)]
    Identity(#[from] identity::FolderError),
    /// There is no bootstrap file where one should be.
    #[error(transparent)]
    Bootstrap(#[from] Missing),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] spool::OpenError),
}

/// Opens the data folder and puts the last good snapshot in use; on a fresh machine, that of the bootstrap file.
pub(crate) fn open(args: &Args, holder: &Holder) -> Result<Kept, KeepError> {
    if args.diskless {
        let held_back = match bootstrap(args)? {
            Some(stored) => start_from("the bootstrap file", &stored, holder),
            None => Vec::new(),
        };
        return Ok(Kept {
            held_back,
            spool: spool(args, None)?,
            ..Kept::default()
        });
    }
    let folder = identity::folder(&args.data)?;
    let lock = identity::lock(&folder)?;
    let id = match &args.id {
        Some(id) => id.clone(),
        None => identity::kept_id(&folder)?,
    };
    let spool = spool(args, Some(&folder))?;
    let (disk, writer, stored) = disk::open(&folder, args.scope());
    let held_back = match stored {
        Some(stored) => {
            if args.bootstrap().is_some() {
                metrics::bootstrap(BootstrapResult::NotNeeded);
            }
            start_from("the data folder", &stored, holder)
        }
        None => match bootstrap(args)? {
            Some(stored) => {
                let held_back = start_from("the bootstrap file", &stored, holder);
                // Deltas change what is on disk, and the bootstrap file may be gone at the next start.
                disk.put(Update::copy(stored));
                held_back
            }
            None => Vec::new(),
        },
    };
    Ok(Kept {
        folder: Some(folder),
        lock: Some(lock),
        id: Some(id),
        disk: Some(disk),
        writer: Some(writer),
        held_back,
        spool,
    })
}

/// The spool, if there is to be one.
fn spool(args: &Args, data: Option<&Path>) -> Result<Option<spool::Opened>, spool::OpenError> {
    let path = args.spool(data);
    path.map(|path| spool::open(&path, args.spool_size)).transpose()
}

/// The snapshot of the bootstrap file, if one is given and can be used.
fn bootstrap(args: &Args) -> Result<Option<Stored>, Missing> {
    match args.bootstrap() {
        Some(path) => bootstrap::load(path, &args.scope()),
        None => Ok(None),
    }
}

/// Puts a stored snapshot in use; gives what of it is held back.
fn start_from(source: &'static str, stored: &Stored, holder: &Holder) -> Vec<HeldBack> {
    let (snapshot, held_back) = restore(stored);
    match holder.install(snapshot, stored.stamp.digest) {
        Ok(()) => {
            tracing::info!(source, revision = %stored.stamp.revision, held_back = held_back.len(), "snapshot in use");
            metrics::revision(stored.stamp.revision.number);
            metrics::held_back(held_back.len());
            held_back
        }
        Err(refusal) => {
            tracing::error!(source, %refusal, "the snapshot is not used");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
