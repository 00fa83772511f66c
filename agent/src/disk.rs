//! The last good snapshot on disk: what an agent serves after a restart without the control plane.
//!
//! Memory keeps hashes and compiled flags only, so a delta is written by reading the file, changing it and writing it
//! anew. One write is under way at a time; what arrives meanwhile is merged, the newest winning, so the pending set is
//! never larger than a snapshot. A full disk never stops anything: it is retried, and "persisted" is not said until
//! then. If the file is gone or damaged there is nothing to change, and a whole snapshot is asked for.

mod files;
mod format;
mod update;

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use runtime::{backoff::Backoff, shutdown::Shutdown};
use tokio::sync::{Notify, watch};

use self::files::Files;
pub(crate) use self::{
    files::{ReadError, read},
    format::{Scope, Stored},
    update::Update,
};
use crate::{
    metrics::{self, DiskResult},
    snapshot::Stamp,
};

const RETRY_BASE: Duration = Duration::from_millis(200);
const RETRY_CAP: Duration = Duration::from_secs(30);

/// Why an update is not on disk.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    /// The file that it changes is not there as it should be.
    #[error("the snapshot file that a change starts from is not usable: {0}")]
    Base(String),
    /// The disk refused.
    #[error("cannot write the snapshot file: {0}")]
    Io(#[from] io::Error),
}

/// A cheap handle to the disk copy.
#[derive(Clone)]
pub(crate) struct Disk {
    shared: Arc<Shared>,
}

struct Shared {
    pending: Mutex<Option<Update>>,
    wake: Notify,
    persisted: watch::Sender<Option<Stamp>>,
    whole_wanted: watch::Sender<bool>,
}

impl Disk {
    /// Takes an update to write; never waits.
    pub(crate) fn put(&self, update: Update) {
        if update.whole {
            self.shared.whole_wanted.send_replace(false);
        }
        let mut pending = self.pending();
        let merged = match pending.take() {
            Some(earlier) => earlier.then(update),
            None => update,
        };
        *pending = Some(merged);
        self.shared.wake.notify_one();
    }

    /// The newest snapshot that would survive a restart.
    pub(crate) fn persisted(&self) -> watch::Receiver<Option<Stamp>> {
        self.shared.persisted.subscribe()
    }

    /// Whether the file is lost and only a whole snapshot helps.
    pub(crate) fn whole_wanted(&self) -> watch::Receiver<bool> {
        self.shared.whole_wanted.subscribe()
    }

    fn pending(&self) -> MutexGuard<'_, Option<Update>> {
        self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The update to write next.
    fn take(&self) -> Option<Update> {
        let whole_wanted = *self.shared.whole_wanted.borrow();
        let mut pending = self.pending();
        if pending.as_ref().is_some_and(|update| update.whole || !whole_wanted) {
            pending.take()
        } else {
            None
        }
    }

    /// Puts an update back under what has arrived since.
    fn put_back(&self, update: Update) {
        let mut pending = self.pending();
        *pending = Some(match pending.take() {
            Some(later) => update.then(later),
            None => update,
        });
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Disk")
            .field("persisted", &*self.shared.persisted.borrow())
            .finish_non_exhaustive()
    }
}

/// The one who writes; a task.
#[derive(Debug)]
pub(crate) struct Writer {
    disk: Disk,
    files: Files,
    scope: Scope,
}

/// Opens the copy in `folder`: a handle, its writer, and the last good snapshot if there is one of `scope`.
pub(crate) fn open(folder: &Path, scope: Scope) -> (Disk, Writer, Option<Stored>) {
    let files = Files::new(folder);
    let stored = files.load(&scope);
    let (persisted, _) = watch::channel(stored.as_ref().map(|stored| stored.stamp));
    let (whole_wanted, _) = watch::channel(false);
    let shared = Shared {
        pending: Mutex::new(None),
        wake: Notify::new(),
        persisted,
        whole_wanted,
    };
    let disk = Disk {
        shared: Arc::new(shared),
    };
    (disk.clone(), Writer { disk, files, scope }, stored)
}

impl Writer {
    /// Writes until the process drains, and then what is pending once more.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(RETRY_BASE, RETRY_CAP);
        loop {
            let Some(update) = self.disk.take() else {
                tokio::select! {
                    () = self.disk.shared.wake.notified() => continue,
                    () = shutdown.draining() => {}
                }
                match self.disk.take() {
                    Some(update) => drop(self.write(update).await),
                    None => return,
                }
                continue;
            };
            if self.write(update).await.is_ok() {
                backoff.reset();
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next()) => {}
                () = shutdown.draining() => return,
            }
        }
    }

    /// Writes one update off the async threads; what fails is pending again.
    async fn write(&self, update: Update) -> Result<(), WriteError> {
        let (files, scope, copy) = (self.files.clone(), self.scope.clone(), update.clone());
        let written = tokio::task::spawn_blocking(move || write(&files, &scope, copy))
            .await
            .unwrap_or_else(|error| Err(WriteError::Io(io::Error::other(error))));
        match &written {
            Ok(()) => {
                metrics::disk(DiskResult::Written);
                self.disk.shared.persisted.send_replace(Some(update.stamp));
            }
            Err(error @ WriteError::Base(_)) => {
                tracing::warn!(%error, "asking for a whole snapshot");
                metrics::disk(DiskResult::Damaged);
                self.disk.put_back(update);
                self.disk.shared.whole_wanted.send_replace(true);
            }
            Err(error @ WriteError::Io(_)) => {
                tracing::error!(%error, revision = %update.stamp.revision, "snapshot is in use, but not on disk");
                metrics::disk(DiskResult::Failed);
                self.disk.put_back(update);
            }
        }
        written
    }
}

fn write(files: &Files, scope: &Scope, update: Update) -> Result<(), WriteError> {
    let base = base_of(files, scope, &update)?;
    let next = update.applied_to(base);
    if next.digest() != next.stamp.digest {
        return Err(WriteError::Base(
            "the change does not lead to the announced digest".into(),
        ));
    }
    Ok(files.write(&next.encode(scope))?)
}

/// What an update changes, or serves from.
fn base_of(files: &Files, scope: &Scope, update: &Update) -> Result<Stored, WriteError> {
    let nothing = Stored::nothing(update.stamp);
    if !update.needs_base() && !update.serves_from_base() {
        return Ok(nothing);
    }
    let refused = match files.read_current() {
        Ok((found, stored)) if found == *scope => return Ok(stored),
        Ok(_) => WriteError::Base("it is of another environment or flag set".into()),
        Err(ReadError::Io(error)) => WriteError::Io(error),
        Err(error @ (ReadError::Missing | ReadError::Format(_) | ReadError::Size(_))) => {
            WriteError::Base(error.to_string())
        }
    };
    if update.needs_base() {
        return Err(refused);
    }
    tracing::warn!(
        error = %refused,
        "after a restart, entries that are held back will not serve what they served before"
    );
    Ok(nothing)
}

#[cfg(test)]
mod tests;
