//! Sweeps old events: the newest stay, by the revision that brought them.
//!
//! The events of a revision go together, so that what is left keeps its place in the stream; how far was swept is written
//! in the same transaction, so that a reader who comes too late is told and skips nothing unawares. What was not put before
//! webhooks yet stays, however much it is.

use std::time::Duration;

use runtime::shutdown::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use super::reader::{ReadError, kept, swept};
use crate::{
    store::{Store, Txn, keys, model},
    truth::Truth,
    webhooks,
};

/// Keys of events that are kept, each of one moment of a rollout.
const KEPT: usize = 100_000;
/// How often there is a sweep.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// Keys that one transaction takes away, and then to the end of their revision; one transaction cannot have brought more
/// than a third of its operations.
const AT_ONCE: usize = 60;

/// Sweeps at the start and then again and again, until the process drains.
pub(crate) async fn run(truth: Truth, shutdown: Shutdown) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.draining() => return,
        }
        let swept = tokio::select! {
            swept = sweep_unneeded(&truth) => swept,
            () = shutdown.draining() => return,
        };
        match swept {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "swept old events"),
            Err(error) => tracing::warn!(%error, "old events were not swept; they will be"),
        }
    }
}

async fn sweep_unneeded(truth: &Truth) -> Result<usize, ReadError> {
    let needed_after = webhooks::needed_after(truth).await?;
    sweep(truth.store(), KEPT, needed_after).await
}

/// Takes away the oldest events until no more than so many keys are left, or those of one revision more; none that came
/// after a revision. How many went.
pub(super) async fn sweep(store: &dyn Store, most: usize, needed_after: u64) -> Result<usize, ReadError> {
    let mut found = kept(store).await?;
    found.sort_unstable();
    let unneeded = found.partition_point(|kept| kept.revision <= needed_after);
    let mut surplus = found.len().saturating_sub(most).min(unneeded);
    // A revision that is not surplus as a whole stays.
    while surplus > 0
        && found
            .get(surplus)
            .is_some_and(|next| next.revision == found[surplus - 1].revision)
    {
        surplus -= 1;
    }
    found.truncate(surplus);
    let mut gone = 0;
    while gone < found.len() {
        let mut end = (gone + AT_ONCE).min(found.len());
        while found
            .get(end)
            .is_some_and(|next| next.revision == found[end - 1].revision)
        {
            end += 1;
        }
        let until = found[end - 1].revision.max(swept(store).await?);
        let txn = Txn::default().put(keys::swept(), model::write_revision(until));
        let txn = found[gone..end]
            .iter()
            .fold(txn, |txn, kept| txn.delete(kept.key.clone()));
        store.txn(txn).await?;
        gone = end;
    }
    Ok(gone)
}

#[cfg(test)]
mod tests;
