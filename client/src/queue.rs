//! The queue between requests, which may never wait, and the stream to the agent, which may.
//!
//! Bounded: when it is full the newest observation is dropped and counted, because a service must not grow while its
//! agent is away. Rule: an observation leaves the queue only when a connection takes it, so that one gathered for a
//! stream that never came to be is still here for the next.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::v1::Observation;
use tokio::sync::{Semaphore, mpsc, watch};

/// The most observations in one message.
const BATCH: usize = 500;
/// How long the first observation of a message waits for others.
const LINGER: Duration = Duration::from_millis(20);

/// The end that requests hold; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Inlet {
    sender: mpsc::Sender<Observation>,
    dropped: Arc<AtomicU64>,
}

/// The end that the reporter holds.
#[derive(Debug)]
pub(crate) struct Outlet {
    receiver: mpsc::Receiver<Observation>,
    gathered: Vec<Observation>,
    closing: watch::Receiver<bool>,
    dropped: Arc<AtomicU64>,
}

/// A queue of at most `capacity` observations. It takes no more once `closing` says true or its sender is gone.
pub(crate) fn queue(capacity: usize, closing: watch::Receiver<bool>) -> (Inlet, Outlet) {
    let (sender, receiver) = mpsc::channel(capacity.clamp(1, Semaphore::MAX_PERMITS));
    let dropped = Arc::new(AtomicU64::new(0));
    let outlet = Outlet {
        receiver,
        gathered: Vec::new(),
        closing,
        dropped: Arc::clone(&dropped),
    };
    (Inlet { sender, dropped }, outlet)
}

impl Inlet {
    /// Puts an observation in the queue, or counts it as dropped if the queue is full or closed.
    pub(crate) fn offer(&self, observation: Option<Observation>) {
        let Some(observation) = observation else { return };
        if self.sender.try_send(observation).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Observations dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Outlet {
    /// Waits until there is something to send; false when the queue is closed and empty.
    pub(crate) async fn filled(&mut self) -> bool {
        while self.gathered.is_empty() {
            if !self.gather().await {
                return false;
            }
        }
        true
    }

    /// The next message: full, or what came within the linger time of its first observation. None when the queue is
    /// closed and empty. Stopped half-way it loses nothing.
    pub(crate) async fn batch(&mut self) -> Option<Vec<Observation>> {
        if !self.filled().await {
            return None;
        }
        let linger = tokio::time::sleep(LINGER);
        tokio::pin!(linger);
        while self.gathered.len() < BATCH {
            tokio::select! {
                more = self.gather() => if !more { break },
                () = &mut linger => break,
            }
        }
        Some(mem::take(&mut self.gathered))
    }

    /// Whether the queue is closed and empty.
    pub(crate) fn is_spent(&self) -> bool {
        self.gathered.is_empty() && self.receiver.is_closed() && self.receiver.is_empty()
    }

    /// Gives up on what is left and counts it as dropped.
    pub(crate) fn abandon(&mut self) {
        self.receiver.close();
        let mut left = self.gathered.len() as u64;
        self.gathered.clear();
        while self.receiver.try_recv().is_ok() {
            left += 1;
        }
        self.dropped.fetch_add(left, Ordering::Relaxed);
    }

    /// Takes what has come, or notices that nothing more may come; false when nothing ever will.
    async fn gather(&mut self) -> bool {
        let room = BATCH.saturating_sub(self.gathered.len());
        tokio::select! {
            taken = self.receiver.recv_many(&mut self.gathered, room) => taken > 0,
            // An error says that the client is gone, which closes the queue like its wish does.
            _ = self.closing.wait_for(|closing| *closing), if !self.receiver.is_closed() => {
                self.receiver.close();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn observed(number: i64) -> Option<Observation> {
        Some(Observation {
            duration_us: Some(number),
            ..Observation::default()
        })
    }

    #[tokio::test]
    async fn a_full_queue_drops_the_newest_and_counts_it() {
        let (_keep, closing) = watch::channel(false);
        let (inlet, mut outlet) = queue(2, closing);
        for number in 0..5 {
            inlet.offer(observed(number));
        }
        assert_eq!(inlet.dropped(), 3);
        let numbers: Vec<_> = outlet
            .batch()
            .await
            .unwrap()
            .into_iter()
            .map(|one| one.duration_us.unwrap())
            .collect();
        assert_eq!(numbers, [0, 1]);
    }

    #[tokio::test]
    async fn a_message_is_never_larger_than_its_limit() {
        let (_keep, closing) = watch::channel(false);
        let (inlet, mut outlet) = queue(2_000, closing);
        for number in 0..1_100 {
            inlet.offer(observed(number));
        }
        let mut sizes = Vec::new();
        for _ in 0..3 {
            sizes.push(outlet.batch().await.unwrap().len());
        }
        assert_eq!(sizes, [500, 500, 100]);
    }

    #[tokio::test]
    async fn a_closed_queue_gives_what_it_holds_and_ends() {
        let (close, closing) = watch::channel(false);
        let (inlet, mut outlet) = queue(10, closing);
        inlet.offer(observed(1));
        close.send(true).unwrap();
        assert_eq!(outlet.batch().await.map(|batch| batch.len()), Some(1));
        assert_eq!(outlet.batch().await, None);
        inlet.offer(observed(2));
        assert_eq!(inlet.dropped(), 1);
    }

    #[tokio::test]
    async fn a_batch_that_nobody_waits_for_any_more_is_not_lost() {
        let (_keep, closing) = watch::channel(false);
        let (inlet, mut outlet) = queue(10, closing);
        inlet.offer(observed(1));
        assert!(outlet.filled().await);
        assert!(tokio::time::timeout(Duration::ZERO, outlet.batch()).await.is_err());
        assert_eq!(outlet.batch().await.map(|batch| batch.len()), Some(1));
    }

    #[tokio::test]
    async fn what_is_abandoned_is_counted() {
        let (_keep, closing) = watch::channel(false);
        let (inlet, mut outlet) = queue(10, closing);
        inlet.offer(observed(1));
        assert!(outlet.filled().await);
        inlet.offer(observed(2));
        outlet.abandon();
        assert_eq!(inlet.dropped(), 2);
    }
}
