//! The files of the last good snapshot in a data folder: `snapshot`, and the one before it, `snapshot.previous`.
//!
//! A write goes to a third file, is flushed, and takes the place of the current one only then; the current one becomes
//! the previous. So a crash at any point leaves a whole file. A file that cannot be read is renamed to
//! `snapshot.damaged` for whoever wants to know why, and the previous one is used.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::format::{FormatError, MAGIC_BYTES, Scope, Stored, begins_one};
use crate::{
    args::LARGEST_SNAPSHOT,
    metrics::{self, DiskResult},
};

/// A larger file is not read: it cannot be one of ours. An entry that is held back is there twice, and a header is
/// small.
const FILE_LIMIT_BYTES: u64 = 3 * LARGEST_SNAPSHOT;

/// Why a file gave no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// There is none.
    #[error("there is no snapshot file")]
    Missing,
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Io(#[source] io::Error),
    /// It was read, and is no snapshot.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// It is too large to be one.
    #[error("has {0} bytes, more than any snapshot")]
    Size(u64),
}

/// The snapshot files of one data folder, which must exist.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Of this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn current(&self) -> PathBuf {
        self.folder.join("snapshot")
    }

    fn previous(&self) -> PathBuf {
        self.folder.join("snapshot.previous")
    }

    /// The newest whole snapshot of `scope`, which is the current one from now on. Damaged files are set aside.
    pub(crate) fn load(&self, scope: &Scope) -> Option<Stored> {
        for path in [self.current(), self.previous()] {
            match self.read(&path) {
                Ok((found, stored)) if found == *scope => {
                    if path != self.current() {
                        tracing::warn!(revision = %stored.stamp.revision, "using the previous snapshot file");
                        metrics::disk(DiskResult::FellBack);
                        self.promote_previous();
                    }
                    return Some(stored);
                }
                Ok((found, _)) => tracing::info!(
                    ?path,
                    environment = found.environment,
                    flag_set = found.flag_set,
                    "ignoring the snapshot file of another environment or flag set"
                ),
                Err(ReadError::Missing | ReadError::Format(_) | ReadError::Size(_)) => {}
                Err(error @ ReadError::Io(_)) => {
                    tracing::error!(?path, %error, "the snapshot file is not used");
                    metrics::disk(DiskResult::Damaged);
                }
            }
        }
        None
    }

    /// The current file, whatever it is of. A damaged one is set aside, so that it never takes the previous one's
    /// place.
    pub(crate) fn read_current(&self) -> Result<(Scope, Stored), ReadError> {
        self.read(&self.current())
    }

    /// Reads a file of the folder, and sets it aside if it is damaged.
    fn read(&self, path: &Path) -> Result<(Scope, Stored), ReadError> {
        let read = read(path);
        if let Err(error @ (ReadError::Format(_) | ReadError::Size(_))) = &read {
            self.set_aside(path, error);
        }
        read
    }

    /// Makes `bytes` the current file; returns when they survive a crash of the machine.
    pub(crate) fn write(&self, bytes: &Bytes) -> io::Result<()> {
        let next = self.folder.join("snapshot.next");
        let mut file = File::create(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        match fs::rename(self.current(), self.previous()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::rename(&next, self.current())?;
        File::open(&self.folder)?.sync_all()
    }

    fn promote_previous(&self) {
        if let Err(error) = fs::rename(self.previous(), self.current()) {
            tracing::warn!(%error, "cannot rename the previous snapshot file");
        }
    }

    fn set_aside(&self, path: &Path, error: &ReadError) {
        tracing::error!(?path, %error, "the snapshot file cannot be used, setting it aside");
        metrics::disk(DiskResult::Damaged);
        if let Err(error) = fs::rename(path, self.folder.join("snapshot.damaged")) {
            tracing::warn!(%error, ?path, "cannot rename the damaged snapshot file");
        }
    }
}

/// The snapshot in a file, and what it is of.
pub(crate) fn read(path: &Path) -> Result<(Scope, Stored), ReadError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(ReadError::Missing),
        Err(error) => return Err(ReadError::Io(error)),
    };
    // Opening a pipe would wait for whoever writes to it.
    if !metadata.is_file() {
        return Err(ReadError::Io(io::Error::other("it is not a regular file")));
    }
    if metadata.len() > FILE_LIMIT_BYTES {
        return Err(ReadError::Size(metadata.len()));
    }
    // Something else than a snapshot may be large: it is not read to find that out.
    let mut file = File::open(path).map_err(ReadError::Io)?;
    let mut bytes = Vec::new();
    let beginning = MAGIC_BYTES as u64;
    (&mut file)
        .take(beginning)
        .read_to_end(&mut bytes)
        .map_err(ReadError::Io)?;
    if !begins_one(&bytes) {
        return Err(FormatError::Magic.into());
    }
    bytes.reserve_exact(usize::try_from(metadata.len()).unwrap_or(0));
    file.read_to_end(&mut bytes).map_err(ReadError::Io)?;
    Ok(Stored::decode(bytes.into())?)
}
