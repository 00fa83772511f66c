//! The folder in which everything lies that the demo stores.
//!
//! A marker file says that the demo made it. Nothing is ever written into, or deleted from, a folder that has other
//! things and no marker. The marker is locked while a demo runs, so that a second one does not delete its data.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// The marker's name.
const MARKER: &str = ".tidegate-demo";
/// What it says to whoever opens it.
const MARKER_TEXT: &str = "This folder belongs to tidegate-demo; tidegate-demo --reset deletes what is in it.\n";

/// The demo's folder, held by this process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked; the lock ends with the process, however it ends.
    _marker: File,
}

impl Folder {
    /// Opens or makes it; with `reset` it is empty afterwards.
    pub(crate) fn open(path: &Path, reset: bool) -> anyhow::Result<Self> {
        let shown = path.display();
        if !is_ours_to_use(path)
            .with_context(|| format!("cannot look into {shown}: choose another folder with --data"))?
        {
            bail!("{shown} holds other things than a demo's: choose another folder with --data");
        }
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make the folder {shown}: choose another with --data"))?;
        let path = path.canonicalize().with_context(|| format!("cannot find {shown}"))?;
        let marker = claim(&path)?;
        if reset {
            empty(&path).with_context(|| format!("cannot empty {shown}"))?;
        }
        fs::write(path.join(MARKER), MARKER_TEXT).with_context(|| format!("cannot write into {shown}"))?;
        Ok(Self { path, _marker: marker })
    }

    /// Its path, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether it is missing, empty, or a demo's.
fn is_ours_to_use(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(path.join(MARKER).is_file() || entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// The marker, locked for as long as it is open.
fn claim(folder: &Path) -> anyhow::Result<File> {
    let shown = folder.display();
    let opened = File::options().create(true).append(true).open(folder.join(MARKER));
    let marker = opened.with_context(|| format!("cannot write into {shown}: choose another folder with --data"))?;
    match marker.try_lock() {
        Ok(()) => Ok(marker),
        Err(TryLockError::WouldBlock) => bail!("another demo runs on {shown}: stop it, or choose another with --data"),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {shown}")),
    }
}

/// Deletes all but the marker.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        // Not of what a link points to: only the link goes.
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_neither_used_nor_emptied() {
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("thesis.txt"), "years of work").unwrap();
        for reset in [false, true] {
            let refusal = Folder::open(other.path(), reset).unwrap_err().to_string();
            assert!(refusal.contains("choose another folder with --data"), "{refusal}");
        }
        assert!(other.path().join("thesis.txt").is_file());
        assert!(!other.path().join(MARKER).exists());
    }

    #[test]
    fn a_reset_empties_a_folder_that_a_demo_made_and_nothing_else_does() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("deep").join("demo");
        let first = Folder::open(&path, false).unwrap();
        fs::create_dir(first.path().join("agent-one")).unwrap();
        fs::write(first.path().join("agent-one").join("snapshot"), "s").unwrap();
        drop(first);
        let second = Folder::open(&path, false).unwrap();
        assert!(second.path().join("agent-one").join("snapshot").is_file());
        drop(second);
        let third = Folder::open(&path, true).unwrap();
        assert_eq!(fs::read_dir(third.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(third.path().join(MARKER)).unwrap(), MARKER_TEXT);
    }

    #[test]
    fn a_running_demo_keeps_its_folder() {
        let place = tempfile::tempdir().unwrap();
        let running = Folder::open(place.path(), false).unwrap();
        fs::write(running.path().join("store"), "s").unwrap();
        let refusal = Folder::open(place.path(), true).unwrap_err().to_string();
        assert!(refusal.contains("another demo runs"), "{refusal}");
        assert!(running.path().join("store").is_file());
    }
}
