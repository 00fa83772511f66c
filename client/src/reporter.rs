//! The background task that carries reported requests, or events, to the agent.
//!
//! It holds one client stream at a time and opens the next with backoff when the agent ends it. A stream is opened only
//! when there is something to say. Rule: nothing is sent twice. What a connection had taken when it broke may or may
//! not have been counted, and is left at that: a lost outcome costs evidence, a repeated one would forge it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream};
use rand::Rng;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot, watch};
use tokio::time::Instant;

use crate::agent::Agent;
use crate::carried::Carried;
use crate::queue::Outlet;

/// How long closing may take; what has not been taken by then is dropped and counted.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);
/// The first wait before a stream is opened again is at most this.
const BACKOFF_BASE: Duration = Duration::from_millis(50);
/// No wait is longer than this.
const BACKOFF_CAP: Duration = Duration::from_secs(5);
/// A stream that lived this long worked: the next starts with a short wait again.
const HEALTHY: Duration = Duration::from_secs(1);

/// Runs until the queue is closed and empty, or the flush deadline after `closing`.
pub(crate) async fn run<T: Carried>(agent: Agent, outlet: Outlet<T>, mut closing: watch::Receiver<bool>) {
    let outlet = Arc::new(Mutex::new(outlet));
    let out_of_time = async {
        // An error says that the client is gone, which closes like its wish does.
        let _ = closing.wait_for(|closing| *closing).await;
        tokio::time::sleep(FLUSH_DEADLINE).await;
    };
    tokio::select! {
        () = report(agent, &outlet) => {}
        () = out_of_time => {}
    }
    // A stream that the deadline cut off lets go of the queue when its connection next looks at it, and a connection to
    // a frozen agent may not look for a long time.
    if let Ok(mut outlet) = tokio::time::timeout(FLUSH_DEADLINE, outlet.lock()).await {
        outlet.abandon();
    }
}

/// Stream after stream, until the queue is closed and empty.
async fn report<T: Carried>(agent: Agent, outlet: &Arc<Mutex<Outlet<T>>>) {
    let mut ceiling = BACKOFF_BASE;
    loop {
        let mut held = Arc::clone(outlet).lock_owned().await;
        if !held.filled().await {
            return;
        }
        let opened = Instant::now();
        let (stop, stopped) = oneshot::channel();
        agent.carry(T::PATH, messages(held, stopped)).await;
        drop(stop);
        if opened.elapsed() >= HEALTHY {
            ceiling = BACKOFF_BASE;
        }
        if outlet.lock().await.is_spent() {
            return;
        }
        let wait = rand::rng().random_range(Duration::ZERO..=ceiling);
        tokio::time::sleep(wait).await;
        ceiling = (ceiling * 2).min(BACKOFF_CAP);
    }
}

/// The messages of one stream. It ends when the queue does, or when `stopped` fires or its sender is dropped: the
/// connection may hold on to a stream that the agent has ended, and must not eat what is meant for the next.
fn messages<T: Carried>(
    outlet: OwnedMutexGuard<Outlet<T>>,
    stopped: oneshot::Receiver<()>,
) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold((outlet, stopped), |(mut outlet, mut stopped)| async move {
        let batch = tokio::select! {
            biased;
            _ = &mut stopped => None,
            batch = outlet.batch() => batch,
        };
        batch.map(|batch| (batch, (outlet, stopped)))
    })
}
