//! The one thread that writes: drains the queue, checks guards, and commits a group with one fsync.
//!
//! Each transaction has a revision of its own, whole or not at all. An engine that failed is not written to again.

use std::sync::Arc;

use redb::{Database, ReadableTable as _, Table};
use tokio::sync::{mpsc, watch};

use super::{LIVE, LOG, Logged, META, Request, begin, engine};
use crate::store::{Error, Guard, Op, Outcome, Txn};

/// Transactions that share one fsync at most.
const GROUP: usize = 256;
/// Revisions that the log keeps.
const LOG_KEPT: u64 = 10_000;

/// The one thread that writes.
pub(super) struct Writer {
    /// The engine.
    pub(super) database: Arc<Database>,
    /// The last that was committed.
    pub(super) revision: u64,
    /// Wakes watchers.
    pub(super) head: watch::Sender<u64>,
}

impl Writer {
    /// Commits what comes until the queue is closed or the engine fails.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = requests.try_recv()
            {
                group.push(next);
            }
            if !self.commit(group) {
                tracing::error!("the store takes no more writes; the process must be started again");
                return;
            }
        }
    }

    /// Commits a group with one fsync and answers each of its transactions; false if the engine failed.
    ///
    /// After a failure nobody knows what the file holds, and the engine refuses everything until it is opened again. So
    /// the writer ends, watchers learn that the store is closed, and the process stops instead of limping on.
    fn commit(&mut self, group: Vec<Request>) -> bool {
        let (txns, replies): (Vec<_>, Vec<_>) = group.into_iter().map(|request| (request.txn, request.reply)).unzip();
        let written = self.write(&txns);
        let is_sound = written.is_ok();
        let answers = match written {
            Ok((revision, outcomes)) => {
                if revision > self.revision {
                    self.revision = revision;
                    self.head.send_replace(revision);
                }
                outcomes.into_iter().map(Ok).collect::<Vec<_>>()
            }
            Err(error) => {
                tracing::error!(%error, "a group of transactions was not committed");
                let message = error.to_string();
                replies.iter().map(|_| Err(Error::Engine(message.clone()))).collect()
            }
        };
        for (reply, answer) in replies.into_iter().zip(answers) {
            // A caller that went away does not need its answer; what it asked for is done all the same.
            let _ = reply.send(answer);
        }
        is_sound
    }

    fn write(&self, txns: &[Txn]) -> Result<(u64, Vec<Outcome>), Error> {
        let write = begin(&self.database)?;
        let mut revision = self.revision;
        let mut outcomes = Vec::with_capacity(txns.len());
        {
            let mut live = write.open_table(LIVE).map_err(engine)?;
            let mut log = write.open_table(LOG).map_err(engine)?;
            for txn in txns {
                let outcome = match refusal(&live, &txn.guards)? {
                    Some(refused) => refused,
                    None => {
                        revision += 1;
                        apply(&mut live, &mut log, revision, &txn.ops)?;
                        Outcome::Committed(revision)
                    }
                };
                outcomes.push(outcome);
            }
            let mut meta = write.open_table(META).map_err(engine)?;
            meta.insert("revision", u128::from(revision)).map_err(engine)?;
            let oldest = revision.saturating_sub(LOG_KEPT);
            if oldest > 0 {
                log.retain_in(..(oldest + 1, 0), |_, _| false).map_err(engine)?;
                meta.insert("compacted", u128::from(oldest)).map_err(engine)?;
            }
        }
        if revision == self.revision {
            write.abort().map_err(engine)?;
        } else {
            write.commit().map_err(engine)?;
        }
        Ok((revision, outcomes))
    }
}

/// The first guard that does not hold.
fn refusal(live: &Table<'_, &[u8], (u64, &[u8])>, guards: &[Guard]) -> Result<Option<Outcome>, Error> {
    for guard in guards {
        let (key, wanted) = match guard {
            Guard::Absent(key) => (key, None),
            Guard::Unchanged(key, revision) => (key, Some(*revision)),
        };
        let found = live.get(key.as_ref()).map_err(engine)?.map(|found| found.value().0);
        if found != wanted {
            return Ok(Some(Outcome::Refused {
                key: key.clone(),
                found,
            }));
        }
    }
    Ok(None)
}

fn apply(
    live: &mut Table<'_, &[u8], (u64, &[u8])>,
    log: &mut Table<'_, (u64, u32), Logged<'static>>,
    revision: u64,
    ops: &[Op],
) -> Result<(), Error> {
    for (number, op) in (0u32..).zip(ops) {
        match op {
            Op::Put(key, value) => {
                live.insert(key.as_ref(), (revision, value.as_ref())).map_err(engine)?;
                log.insert((revision, number), (key.as_ref(), Some(value.as_ref())))
                    .map_err(engine)?;
            }
            Op::Delete(key) => {
                live.remove(key.as_ref()).map_err(engine)?;
                log.insert((revision, number), (key.as_ref(), None)).map_err(engine)?;
            }
        }
    }
    Ok(())
}
