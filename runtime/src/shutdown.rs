//! When and how a daemon stops.
//!
//! One [`Shutdown`] is created in `main` and cloned to everyone: tasks are spawned through it, streams select on
//! [`Shutdown::draining`], and `main` waits for [`Shutdown::finished`]. Rule: a daemon with a dead task does not live
//! on half-working; a panic drains the whole process, and whoever supervises it starts it again. Draining is a request,
//! not an abort: a task ends itself, and what outlives the deadline is named in the log.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A handle to the stop of this process; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
    running: Arc<Running>,
    panicked: Arc<OnceLock<&'static str>>,
}

/// How many tasks of each name are running, for the log line about those that outlive the deadline.
#[derive(Debug, Default)]
struct Running(Mutex<BTreeMap<&'static str, usize>>);

/// One running task; dropping it strikes the task off.
struct Entry {
    running: Arc<Running>,
    name: &'static str,
}

impl Shutdown {
    /// A process that is not draining and runs no tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `task` under a name that logs can show. It is expected to end soon after [`Self::draining`] does. If it
    /// panics, the panic is logged and the process drains.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let shutdown = self.clone();
        let entry = self.running.enter(name);
        self.tracker.spawn(async move {
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            drop(entry);
            if let Err(payload) = outcome {
                let message = panic_message(payload.as_ref());
                tracing::error!(task = name, message, "task panicked, draining the process");
                let _ = shutdown.panicked.set(name);
                shutdown.drain();
            }
        });
    }

    /// Asks everyone to finish. Asking again changes nothing.
    pub fn drain(&self) {
        self.token.cancel();
    }

    /// Ends when draining has begun; at once if it already has.
    pub async fn draining(&self) {
        self.token.cancelled().await;
    }

    /// Whether draining has begun.
    pub fn is_draining(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until every task has ended, at most `deadline`; says whether they did. Call it after [`Self::drain`]:
    /// tasks that were never asked to end do not.
    pub async fn finished(&self, deadline: Duration) -> bool {
        self.tracker.close();
        let all_ended = tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok();
        if !all_ended {
            tracing::warn!(tasks = ?self.running.names(), ?deadline, "tasks still running at the deadline");
        }
        all_ended
    }

    /// The first task that panicked, so that `main` can end with a failure code.
    pub fn panicked(&self) -> Option<&'static str> {
        self.panicked.get().copied()
    }

    /// Waits for SIGTERM or SIGINT, then drains. Ends too when something else began to drain.
    pub async fn on_signals(&self) {
        tokio::select! {
            received = first_signal() => match received {
                Ok(name) => tracing::info!(signal = name, "draining"),
                Err(error) => {
                    tracing::error!(%error, "signals cannot be received, a kill will not drain");
                    self.draining().await;
                }
            },
            () = self.draining() => {}
        }
        self.drain();
    }
}

impl Running {
    fn enter(self: &Arc<Self>, name: &'static str) -> Entry {
        *self.lock().entry(name).or_default() += 1;
        Entry {
            running: Arc::clone(self),
            name,
        }
    }

    fn names(&self) -> Vec<&'static str> {
        self.lock().keys().copied().collect()
    }

    /// A map of counters is whole after any panic, so a poisoned lock is taken as it is.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut tasks = self.running.lock();
        match tasks.get_mut(self.name) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                tasks.remove(self.name);
            }
        }
    }
}

/// The name of the first of the two signals to arrive.
async fn first_signal() -> io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// What a panic said, if it said it as text.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough that only a broken test reaches it.
    const FAR: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn drained_tasks_end_and_are_waited_for() {
        let shutdown = Shutdown::new();
        let inside = shutdown.clone();
        shutdown.spawn("waiting", async move { inside.draining().await });
        assert!(!shutdown.is_draining());
        shutdown.drain();
        assert!(shutdown.finished(FAR).await);
        assert!(shutdown.running.names().is_empty());
        assert_eq!(shutdown.panicked(), None);
    }

    #[tokio::test]
    async fn a_panic_drains_the_process_and_is_named() {
        let shutdown = Shutdown::new();
        shutdown.spawn("fragile", async { panic!("on purpose") });
        shutdown.draining().await;
        assert!(shutdown.finished(FAR).await);
        assert_eq!(shutdown.panicked(), Some("fragile"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ignores_draining_does_not_hold_the_process_for_ever() {
        let shutdown = Shutdown::new();
        shutdown.spawn("stubborn", std::future::pending());
        shutdown.drain();
        assert!(!shutdown.finished(FAR).await);
        assert_eq!(shutdown.running.names(), ["stubborn"]);
    }

    #[tokio::test]
    async fn waiting_for_signals_ends_when_something_else_drains() {
        let shutdown = Shutdown::new();
        shutdown.drain();
        shutdown.on_signals().await;
        assert!(shutdown.is_draining());
    }
}
