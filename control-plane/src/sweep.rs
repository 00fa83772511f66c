//! Sweeps chunks of member lists that no document came to name: what a crash or a lost race left of an upload.
//!
//! An upload that is older than an hour is looked at; one that is under way is far younger, because a document follows
//! its chunks at once. A chunk goes if no version of any segment names it and no other upload brings it. It is read
//! before those, so that whoever brings the same chunk meanwhile either is seen or makes the deletion be refused.

use std::{collections::BTreeSet, time::Duration};

use evaluation::Key;
use runtime::shutdown::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    members::ChunkId,
    store::{
        self, Guard, Item, Order, Store, Txn, keys,
        model::{self, Document, ModelError},
    },
    truth::Truth,
};

/// How often uploads are looked at.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// How old an upload is that no document will follow any more.
const STALE_US: i64 = 60 * 60 * 1_000_000;
/// Items read at once.
const PAGE: usize = 100;
/// Chunks that one transaction takes away.
const AT_ONCE: usize = 100;

/// Why a sweep was not finished; the next one goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A value cannot be read.
    #[error("a value cannot be read: it {0}")]
    Model(#[from] ModelError),
}

/// Sweeps at the start and then again and again, until the process drains.
pub(crate) async fn run(truth: Truth, shutdown: Shutdown) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.draining() => return,
        }
        let environments = truth.state().environments.keys().cloned().collect::<Vec<_>>();
        for environment in environments {
            let swept = tokio::select! {
                swept = sweep(truth.store(), &environment, runtime::clock::now_us()) => swept,
                () = shutdown.draining() => return,
            };
            match swept {
                Ok(0) => {}
                Ok(chunks) => tracing::info!(%environment, chunks, "swept chunks that no segment names"),
                Err(error) => tracing::warn!(%environment, %error, "chunks were not swept; they will be"),
            }
        }
    }
}

/// Takes away what stale uploads of an environment left; how many chunks that were.
pub(crate) async fn sweep(store: &dyn Store, environment: &Key, now_us: i64) -> Result<usize, SweepError> {
    let uploads = uploads(store, environment).await?;
    let mut swept = 0;
    for upload in uploads.iter().filter(|upload| now_us - upload.at_us > STALE_US) {
        swept += sweep_upload(store, environment, upload).await?;
    }
    Ok(swept)
}

/// An upload that is still there.
struct Upload {
    item: Item,
    at_us: i64,
    chunks: Vec<ChunkId>,
}

async fn sweep_upload(store: &dyn Store, environment: &Key, upload: &Upload) -> Result<usize, SweepError> {
    let mut left = Vec::new();
    for id in &upload.chunks {
        let key = keys::chunk(environment, *id);
        left.extend(store.get(&key).await?.map(|item| (*id, key, item.modified)));
    }
    // Those that are needed are read after the chunks: see above.
    let mut needed = named(store, environment).await?;
    let others = uploads(store, environment).await?;
    let others = others.into_iter().filter(|other| other.item.key != upload.item.key);
    needed.extend(others.flat_map(|other| other.chunks));
    left.retain(|(id, ..)| !needed.contains(id));
    for some in left.chunks(AT_ONCE) {
        let deletion = some.iter().fold(Txn::default(), |txn, (_, key, modified)| {
            txn.guard(Guard::Unchanged(key.clone(), *modified)).delete(key.clone())
        });
        // Refused: somebody brings one of them just now. The next sweep looks again.
        if let store::Outcome::Refused { .. } = store.txn(deletion).await? {
            return Ok(0);
        }
    }
    let done = Guard::Unchanged(upload.item.key.clone(), upload.item.modified);
    store
        .txn(Txn::default().guard(done).delete(upload.item.key.clone()))
        .await?;
    Ok(left.len())
}

/// The uploads of an environment.
async fn uploads(store: &dyn Store, environment: &Key) -> Result<Vec<Upload>, SweepError> {
    let mut uploads = Vec::new();
    let mut pages = Pages::of(keys::uploads(environment).to_vec());
    while let Some(items) = pages.next(store).await? {
        for item in items {
            let (at_us, chunks) = model::read_upload(&item.value)?;
            uploads.push(Upload { item, at_us, chunks });
        }
    }
    Ok(uploads)
}

/// The chunks that any version of any segment names.
async fn named(store: &dyn Store, environment: &Key) -> Result<BTreeSet<ChunkId>, SweepError> {
    let mut named = BTreeSet::new();
    let mut pages = Pages::of(keys::histories("segment", environment).to_vec());
    while let Some(items) = pages.next(store).await? {
        for item in items {
            match model::read_version(&item.value, item.modified)?.document {
                Some(Document::Segment(record)) => named.extend(record.chunks()),
                Some(Document::Flag(_) | Document::Plan(_)) | None => {}
            }
        }
    }
    Ok(named)
}

/// A walk through all keys with a prefix.
struct Pages {
    prefix: Vec<u8>,
    after: Option<Vec<u8>>,
    ended: bool,
}

impl Pages {
    fn of(prefix: Vec<u8>) -> Self {
        Self {
            prefix,
            after: None,
            ended: false,
        }
    }

    async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<Item>>, store::Error> {
        if self.ended {
            return Ok(None);
        }
        let page = store
            .range(&self.prefix, self.after.as_deref(), PAGE, Order::Ascending)
            .await?;
        self.after = page.items.last().map(|item| item.key.to_vec());
        self.ended = !page.more;
        Ok(Some(page.items))
    }
}

#[cfg(test)]
mod tests;
