//! Who this agent is: its id, what it subscribes to, and the epoch that names its frames.
//!
//! The id is kept beside the snapshot, so that a restarted agent is the same one to the control plane. A data folder
//! serves one process: two with one id would acknowledge for each other, so the folder is locked.

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use uuid::Uuid;

use crate::disk::Scope;

/// The longest id, in bytes; the control plane refuses longer ones.
const ID_LIMIT: usize = 200;

/// An agent's id: printable characters, 1 to 200 bytes of UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentId(String);

/// A text is not an agent's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an agent's id has 1 to {ID_LIMIT} bytes of printable characters")]
pub(crate) struct IdError;

impl FromStr for AgentId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=ID_LIMIT).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError) }
    }
}

impl AgentId {
    /// A new random id.
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Who this process is to the control plane.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its id.
    pub(crate) agent: AgentId,
    /// What it subscribes to.
    pub(crate) scope: Scope,
    /// Random, drawn at the start.
    pub(crate) epoch: u64,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Another process uses it.
    #[error("another agent uses the data folder {}; choose another with --data", .0.display())]
    InUse(PathBuf),
    /// The file is there and holds no id.
    #[error("{} does not hold an agent's id; delete it to draw a new one", .0.display())]
    Id(PathBuf),
    /// The system refused.
    #[error("cannot use {}: {error}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

/// Keeps a data folder for this process for as long as it lives.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

/// A folder of the agent, made if need be. One that is there serves although its disk is full: what it holds is worth
/// more than what cannot be added to it now.
pub(crate) fn folder(path: &Path) -> Result<PathBuf, runtime::folder::FolderError> {
    match runtime::folder::prepare(path) {
        Err(runtime::folder::FolderError::NoSpace(path)) if path.is_dir() => {
            tracing::error!(
                folder = %path.display(),
                "the disk is full: what the folder holds is used, and nothing new is kept until there is room"
            );
            Ok(path)
        }
        prepared => prepared,
    }
}

/// Locks the folder, or says that another process has.
pub(crate) fn lock(folder: &Path) -> Result<FolderLock, FolderError> {
    let path = folder.join("lock");
    let refused = |error| FolderError::Io {
        path: path.clone(),
        error,
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

/// The id that is kept in the folder; a new one is drawn the first time.
pub(crate) fn kept_id(folder: &Path) -> Result<AgentId, FolderError> {
    let path = folder.join("agent-id");
    let refused = |error| FolderError::Io {
        path: path.clone(),
        error,
    };
    match fs::read_to_string(&path) {
        Ok(text) => text.trim_end().parse().map_err(|_| FolderError::Id(path.clone())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = AgentId::random();
            let next = folder.join("agent-id.next");
            let mut file = File::create(&next).map_err(refused)?;
            file.write_all(id.as_str().as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(refused)?;
            fs::rename(&next, &path).map_err(refused)?;
            Ok(id)
        }
        Err(error) => Err(refused(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_agent_keeps_its_id_across_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let id = kept_id(folder.path()).unwrap();
        assert_eq!(kept_id(folder.path()).unwrap(), id);
    }

    #[test]
    fn a_damaged_id_is_said_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("agent-id"), "").unwrap();
        assert!(matches!(kept_id(folder.path()), Err(FolderError::Id(_))));
    }

    #[test]
    fn a_folder_serves_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let lock_held = lock(folder.path()).unwrap();
        assert!(matches!(lock(folder.path()), Err(FolderError::InUse(_))));
        drop(lock_held);
        assert!(lock(folder.path()).is_ok());
    }

    #[test]
    fn ids_are_printable_and_short() {
        for refused in ["", "a\nb", &"x".repeat(201), &"ü".repeat(101)] {
            assert_eq!(refused.parse::<AgentId>(), Err(IdError), "{refused:?}");
        }
        for accepted in ["pod-7/checkout", &"x".repeat(200), &"ü".repeat(100)] {
            assert!(accepted.parse::<AgentId>().is_ok(), "{accepted}");
        }
    }
}
