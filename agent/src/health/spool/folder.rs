//! The folder of the spool: a file for each process that left something, the oldest first by their names.
//!
//! Serves one agent, as the data folder does. How much may lie there is bounded by bytes and by files; where it is too
//! much, the oldest file goes first, and what was in it is told. One that is being sent stays: its frames arrive.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use runtime::folder;

use super::{
    Dropped, Shared, Spool,
    dropped::{self, Outcomes},
    file::SpoolFile,
    keeper::Keeper,
    left::Left,
    record::Head,
};
use crate::{
    identity::{self, FolderLock},
    metrics::{self, SpoolResult},
    server_clock::ServerClock,
};

/// Processes of which something is kept.
const FILES: usize = 16;
/// What files of the spool end with.
const EXTENSION: &str = "frames";
/// Where the last file is that could not be used, for whoever wants to know why.
const DAMAGED: &str = "damaged";

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The folder cannot be written to.
    #[error("the spool of what was counted: {0}; --spool names another folder, --spool none keeps nothing")]
    Folder(#[from] folder::FolderError),
    /// Another process uses it.
    #[error("another agent uses the spool {}; choose another folder with --spool", .0.display())]
    InUse(PathBuf),
    /// It cannot be kept for this process.
    #[error("the spool of what was counted: {0}; --spool names another folder, --spool none keeps nothing")]
    Lock(identity::FolderError),
    /// The system refused.
    #[error(
        "cannot use the spool {}: {error}; --spool names another folder, --spool none keeps nothing",
        .path.display()
    )]
    Io {
        /// Which folder or file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

/// The files that former processes left.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    limit: u64,
    left: Mutex<VecDeque<LeftFile>>,
}

#[derive(Debug, Clone)]
struct LeftFile {
    path: PathBuf,
    bytes: u64,
    is_being_sent: bool,
}

/// A spool that is this process's.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What former processes left.
    pub(crate) folder: Arc<Folder>,
    /// For which there was no room.
    dropped: Outcomes,
    lock: FolderLock,
    /// The number of this process's file.
    number: u64,
}

/// Opens the spool in a folder that is created if need be, for `limit` bytes in all.
pub(crate) fn open(path: &Path, limit: u64) -> Result<Opened, OpenError> {
    let path = identity::folder(path)?;
    let lock = identity::lock(&path).map_err(|error| match error {
        identity::FolderError::InUse(path) => OpenError::InUse(path),
        other => OpenError::Lock(other),
    })?;
    let (files, number) = list(&path).map_err(|error| OpenError::Io {
        path: path.clone(),
        error,
    })?;
    let folder = Folder {
        path,
        limit,
        left: Mutex::new(files),
    };
    let mut dropped = Outcomes::new();
    while folder.files() > FILES || folder.bytes() > limit {
        let Some(outcomes) = folder.drop_oldest() else { break };
        dropped::add(&mut dropped, outcomes);
    }
    Ok(Opened {
        folder: Arc::new(folder),
        dropped,
        lock,
        number,
    })
}

impl Opened {
    /// Begins to keep what the process of this name counts: the way in, and the task that writes. `dropped` is told for
    /// what there is no room.
    pub(crate) fn begin(self, head: Head, clock: ServerClock, mut dropped: Dropped) -> (Spool, Keeper) {
        let name = format!("{:08}-{:016x}.{EXTENSION}", self.number, head.epoch);
        let file = SpoolFile::new(self.folder.path.join(name), head);
        dropped.add(self.dropped);
        let shared = Arc::new(Shared::default());
        let keeper = Keeper::new(Arc::clone(&shared), file, self.folder, clock, self.lock, dropped);
        (Spool(Some(shared)), keeper)
    }
}

impl Folder {
    /// The oldest file that is left. Whoever asks sends it: from now on it is not dropped.
    pub(crate) fn to_send(&self) -> Option<PathBuf> {
        let mut left = self.left();
        let oldest = left.front_mut()?;
        oldest.is_being_sent = true;
        Some(oldest.path.clone())
    }

    /// What a file holds.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Left> {
        Ok(Left::read(&fs::read(path)?))
    }

    /// A file is of no use any more.
    pub(crate) fn done(&self, path: &Path) {
        self.left().retain(|file| file.path != path);
        if let Err(error) = fs::remove_file(path) {
            tracing::warn!(?path, %error, "cannot remove a spool file");
        }
    }

    /// A file cannot be used: it is out of the way from now on.
    pub(crate) fn set_aside(&self, path: &Path) {
        self.left().retain(|file| file.path != path);
        if let Err(error) = fs::rename(path, self.path.join(DAMAGED)) {
            tracing::warn!(?path, %error, "cannot rename a damaged spool file");
        }
    }

    /// Drops files until this process may have `useful` bytes, as far as there are any to drop; gives what was in them.
    pub(super) fn make_room(&self, useful: u64) -> Outcomes {
        let mut dropped = Outcomes::new();
        while useful.saturating_add(self.bytes()) > self.limit {
            let Some(outcomes) = self.drop_oldest() else { break };
            dropped::add(&mut dropped, outcomes);
        }
        dropped
    }

    /// How many bytes this process may have on disk.
    pub(super) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.bytes())
    }

    fn bytes(&self) -> u64 {
        self.left().iter().map(|file| file.bytes).sum()
    }

    fn files(&self) -> usize {
        self.left().len()
    }

    /// Removes the oldest file that is not being sent; gives the outcomes in it.
    fn drop_oldest(&self) -> Option<Outcomes> {
        let path = {
            let mut left = self.left();
            let oldest = left.iter().position(|file| !file.is_being_sent)?;
            left.remove(oldest)?.path
        };
        // Of one that cannot be read nobody knows what is lost.
        let left = self.read(&path).unwrap_or_default();
        let outcomes = left.outcomes();
        tracing::error!(
            ?path,
            outcomes = outcomes.values().sum::<u64>(),
            "the spool is full: what a former process counted and could not send is lost"
        );
        metrics::spooled(SpoolResult::Dropped, left.frames());
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(?path, %error, "cannot remove a spool file");
        }
        Some(outcomes)
    }

    fn left(&self) -> MutexGuard<'_, VecDeque<LeftFile>> {
        // Every change leaves the list whole, so a poisoned lock is taken as it is.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files in a folder, the oldest first, and the number of the next. What a crash left half-written is removed.
fn list(folder: &Path) -> io::Result<(VecDeque<LeftFile>, u64)> {
    let mut numbered = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(EXTENSION) => {}
            Some("next") => {
                fs::remove_file(&path)?;
                continue;
            }
            Some(_) | None => continue,
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let number = stem.and_then(|stem| stem.split_once('-')?.0.parse::<u64>().ok());
        let metadata = fs::metadata(&path)?;
        if let Some(number) = number.filter(|_| metadata.is_file()) {
            let bytes = metadata.len();
            let file = LeftFile {
                path,
                bytes,
                is_being_sent: false,
            };
            numbered.push((number, file));
        }
    }
    numbered.sort_by(|one, other| (one.0, &one.1.path).cmp(&(other.0, &other.1.path)));
    let next = numbered.last().map_or(1, |(number, _)| number.saturating_add(1));
    Ok((numbered.into_iter().map(|(_, file)| file).collect(), next))
}

#[cfg(test)]
mod tests;
