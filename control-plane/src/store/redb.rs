//! The embedded store: redb, laid out as etcd lays out its own file.
//!
//! One writer thread owns all writes: it drains a queue and commits many transactions with one fsync, each at a revision
//! of its own. Readers never wait for it. Watchers are woken by a number and read the log, so that none of them can
//! hold the writer up or miss a revision. The file's lock is the leadership of this process.

mod writer;

use std::{path::Path, sync::Arc, thread::JoinHandle};

use bytes::Bytes;
use futures::future::BoxFuture;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, WriteTransaction,
};
use tokio::sync::{mpsc, oneshot, watch};

use self::writer::Writer;
use super::{Commit, Error, Event, Item, Order, Outcome, Page, Store, Txn};

/// Key -> (revision of the last write, value).
const LIVE: TableDefinition<'_, &[u8], (u64, &[u8])> = TableDefinition::new("live");
/// (Revision, number within it) -> (key, value; none: deleted).
const LOG: TableDefinition<'_, (u64, u32), Logged<'_>> = TableDefinition::new("log");
/// Revision, oldest revision of the log, lineage.
const META: TableDefinition<'_, &str, u128> = TableDefinition::new("meta");

/// A key and its value after the change.
type Logged<'a> = (&'a [u8], Option<&'a [u8]>);

/// Transactions that wait for the writer.
const QUEUE: usize = 1_024;
/// Memory for pages of the file. What is there now is in memory anyway, so only history, audit and a start read the file;
/// the engine's own default is a gigabyte, which a busy store would fill.
const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Revisions that one answer to a watcher holds at most.
const WATCH_PAGE: usize = 1_024;
/// Bytes after which such an answer ends, at the end of a revision.
const WATCH_BYTES: usize = 8 * 1024 * 1024;

/// The embedded store.
#[derive(Debug)]
pub(crate) struct Redb {
    database: Arc<Database>,
    lineage: u128,
    queue: Option<mpsc::Sender<Request>>,
    head: watch::Receiver<u64>,
    writer: Option<JoinHandle<()>>,
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another process has it open: the lock of the file is held.
    #[error("another process has it open")]
    InUse,
    /// It cannot be read, or is no store.
    #[error(transparent)]
    Store(#[from] Error),
}

#[derive(Debug)]
struct Request {
    txn: Txn,
    reply: oneshot::Sender<Result<Outcome, Error>>,
}

fn engine(error: impl std::fmt::Display) -> Error {
    Error::Engine(error.to_string())
}

impl Redb {
    /// Opens the store in a file, or creates it with the given lineage.
    pub(crate) fn open(path: &Path, new_lineage: u128) -> Result<Self, OpenError> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
                error => engine(error).into(),
            })?;
        let database = Arc::new(database);
        let (lineage, revision) = prepare(&database, new_lineage)?;
        let (queue, requests) = mpsc::channel(QUEUE);
        let (head_sender, head) = watch::channel(revision);
        let writer = Writer {
            database: database.clone(),
            revision,
            head: head_sender,
        };
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(requests))
            .map_err(engine)?;
        Ok(Self {
            database,
            lineage,
            queue: Some(queue),
            head,
            writer: Some(writer),
        })
    }

    fn read(&self) -> Result<ReadTransaction, Error> {
        self.database.begin_read().map_err(engine)
    }

    fn read_range(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize, order: Order) -> Result<Page, Error> {
        let read = self.read()?;
        let live = read.open_table(LIVE).map_err(engine)?;
        let revision = read_meta(&read, "revision")? as u64;
        let from = match (order, after) {
            (Order::Ascending, Some(after)) => [after, &[0]].concat(),
            (Order::Ascending, None) | (Order::Descending, _) => prefix.to_vec(),
        };
        let until = match (order, after) {
            (Order::Descending, Some(after)) => after.to_vec(),
            (Order::Descending, None) | (Order::Ascending, _) => end_of(prefix),
        };
        if from >= until {
            return Ok(Page {
                revision,
                items: Vec::new(),
                more: false,
            });
        }
        let mut found = live.range(from.as_slice()..until.as_slice()).map_err(engine)?;
        let mut items = Vec::new();
        loop {
            let next = match order {
                Order::Ascending => found.next(),
                Order::Descending => found.next_back(),
            };
            let Some(next) = next else {
                return Ok(Page {
                    revision,
                    items,
                    more: false,
                });
            };
            if items.len() == limit {
                return Ok(Page {
                    revision,
                    items,
                    more: true,
                });
            }
            let (key, value) = next.map_err(engine)?;
            items.push(item(key.value(), value.value()));
        }
    }

    fn read_one(&self, key: &[u8]) -> Result<Option<Item>, Error> {
        let read = self.read()?;
        let live = read.open_table(LIVE).map_err(engine)?;
        Ok(live.get(key).map_err(engine)?.map(|found| item(key, found.value())))
    }

    fn read_log(&self, after: u64) -> Result<Vec<Commit>, Error> {
        let read = self.read()?;
        let oldest = read_meta(&read, "compacted")? as u64;
        if after < oldest {
            return Err(Error::Compacted { asked: after, oldest });
        }
        let log = read.open_table(LOG).map_err(engine)?;
        let (mut commits, mut bytes) = (Vec::<Commit>::new(), 0);
        for entry in log.range((after + 1, 0)..).map_err(engine)? {
            let (number, change) = entry.map_err(engine)?;
            let (revision, _) = number.value();
            let (key, value) = change.value();
            let event = Event {
                key: Bytes::copy_from_slice(key),
                value: value.map(Bytes::copy_from_slice),
            };
            let full = commits.len() == WATCH_PAGE || bytes >= WATCH_BYTES;
            bytes += key.len() + value.map_or(0, <[u8]>::len);
            match commits.last_mut().filter(|commit| commit.revision == revision) {
                Some(commit) => commit.events.push(event),
                None if full => break,
                None => commits.push(Commit {
                    revision,
                    events: vec![event],
                }),
            }
        }
        Ok(commits)
    }
}

impl Drop for Redb {
    /// Waits for the writer, so that nothing that was queued is left behind and the file is closed.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Store for Redb {
    fn lineage(&self) -> u128 {
        self.lineage
    }

    fn range(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        order: Order,
    ) -> BoxFuture<'_, Result<Page, Error>> {
        let page = self.read_range(prefix, after, limit, order);
        Box::pin(std::future::ready(page))
    }

    fn get(&self, key: &[u8]) -> BoxFuture<'_, Result<Option<Item>, Error>> {
        let found = self.read_one(key);
        Box::pin(std::future::ready(found))
    }

    fn txn(&self, txn: Txn) -> BoxFuture<'_, Result<Outcome, Error>> {
        Box::pin(async move {
            txn.check()?;
            let (reply, answer) = oneshot::channel();
            let queue = self.queue.as_ref().ok_or(Error::Closed)?;
            queue.send(Request { txn, reply }).await.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    fn watch(&self, after: u64) -> BoxFuture<'_, Result<Vec<Commit>, Error>> {
        let mut head = self.head.clone();
        Box::pin(async move {
            head.wait_for(|revision| *revision > after)
                .await
                .map_err(|_| Error::Closed)?;
            self.read_log(after)
        })
    }
}

fn item(key: &[u8], (modified, value): (u64, &[u8])) -> Item {
    Item {
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
        modified,
    }
}

/// The first key behind all that have this prefix.
fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; prefix.len() + 1]
}

fn read_meta(read: &ReadTransaction, name: &str) -> Result<u128, Error> {
    let meta = read.open_table(META).map_err(engine)?;
    Ok(meta.get(name).map_err(engine)?.map_or(0, |value| value.value()))
}

/// Makes the tables if they are missing; the lineage and revision that the file holds.
fn prepare(database: &Database, new_lineage: u128) -> Result<(u128, u64), Error> {
    let write = begin(database)?;
    let (lineage, revision) = {
        write.open_table(LIVE).map_err(engine)?;
        write.open_table(LOG).map_err(engine)?;
        let mut meta = write.open_table(META).map_err(engine)?;
        if meta.is_empty().map_err(engine)? {
            meta.insert("lineage", new_lineage).map_err(engine)?;
            meta.insert("revision", 0).map_err(engine)?;
            meta.insert("compacted", 0).map_err(engine)?;
        }
        let lineage = meta
            .get("lineage")
            .map_err(engine)?
            .map_or(new_lineage, |value| value.value());
        let revision = meta.get("revision").map_err(engine)?.map_or(0, |value| value.value()) as u64;
        (lineage, revision)
    };
    write.commit().map_err(engine)?;
    Ok((lineage, revision))
}

fn begin(database: &Database) -> Result<WriteTransaction, Error> {
    let mut write = database.begin_write().map_err(engine)?;
    write.set_two_phase_commit(true);
    write.set_quick_repair(true);
    Ok(write)
}

#[cfg(test)]
mod tests;
