//! The folder in which a daemon keeps its data.
//!
//! Checked at the start, so that a wrong owner or a read-only disk is a plain message before anything listens, and not
//! a failed write an hour later. Rule: the check writes and removes one small file, because permission bits alone do
//! not tell about read-only mounts, full disks and root.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// This user may not create it, enter it or write in it.
    #[error("no permission to write in the data folder {}; choose one that this user may write to, or change its owner", .0.display())]
    NoPermission(PathBuf),
    /// A file, or a file in the place of one of its parents.
    #[error("{} is not a folder; choose another data folder or remove the file", .0.display())]
    NotAFolder(PathBuf),
    /// The disk is full, or this user's share of it.
    #[error("no space left for the data folder {}; free some or choose another folder", .0.display())]
    NoSpace(PathBuf),
    /// The file system takes no writes.
    #[error("the data folder {} is on a read-only file system; choose another folder", .0.display())]
    ReadOnly(PathBuf),
    /// Anything else, in the system's words.
    #[error("cannot use the data folder {}: {source}", path.display())]
    Failed {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Creates the folder and its parents if need be, checks that it can be written to, and answers its absolute path.
///
/// # Errors
/// In words that say what to change.
pub fn prepare(path: &Path) -> Result<PathBuf, FolderError> {
    create_and_try(path).map_err(|source| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match source.kind() {
            ErrorKind::PermissionDenied => FolderError::NoPermission(path),
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => FolderError::NotAFolder(path),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FolderError::NoSpace(path),
            ErrorKind::ReadOnlyFilesystem => FolderError::ReadOnly(path),
            _ => FolderError::Failed { path, source },
        }
    })
}

fn create_and_try(path: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(path)?;
    let folder = path.canonicalize()?;
    let trial = folder.join(format!(".writable-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&trial)
        .and_then(|mut file| file.write_all(b"written to see that it can be\n"));
    let removed = fs::remove_file(&trial);
    written.and(removed).map(|()| folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_is_created_with_its_parents_and_left_empty() {
        let base = tempfile::tempdir().unwrap();
        let made = prepare(&base.path().join("a/b/c")).unwrap();
        assert!(made.is_absolute());
        assert_eq!(fs::read_dir(&made).unwrap().count(), 0);
        assert_eq!(prepare(&made).unwrap(), made);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let refused = prepare(&path).unwrap_err();
            assert!(matches!(refused, FolderError::NotAFolder(_)), "{refused}");
        }
    }

    #[test]
    fn a_folder_that_takes_no_files_is_a_plain_message() {
        // The kernel's own tree refuses new files to everyone, root included.
        let refused = prepare(Path::new("/proc/self/tidegate")).unwrap_err();
        assert!(refused.to_string().contains("/proc/self/tidegate"), "{refused}");
    }
}
