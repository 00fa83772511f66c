//! The queue between requests, which may never wait, and a stream to the agent, which may.
//!
//! Bounded by count and by bytes: when it is full the newest item is dropped and counted, because a service must not
//! grow while its agent is away. Rule: an item leaves the queue only when a connection takes it, so that one gathered
//! for a stream that never came to be is still here for the next. While a message lingers nobody waits at the queue:
//! an item that comes then wakes no task.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::carried::Carried;

/// The most items in one message.
const BATCH: usize = 500;
/// The most bytes of items in one message, and in one item: names by flag carry whole contexts.
const MESSAGE_BYTES: usize = 1024 * 1024;
/// The most bytes of items that wait, as they will be sent.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;
/// How long the first item of a message waits for others.
const LINGER: Duration = Duration::from_millis(50);

/// The end that requests hold.
#[derive(Debug)]
pub(crate) struct Inlet<T> {
    sender: mpsc::Sender<T>,
    tally: Arc<Tally>,
}

/// The end that the reporter holds.
#[derive(Debug)]
pub(crate) struct Outlet<T> {
    receiver: mpsc::Receiver<T>,
    gathered: Vec<T>,
    closing: watch::Receiver<bool>,
    tally: Arc<Tally>,
}

/// What both ends count.
#[derive(Debug, Default)]
struct Tally {
    /// Items dropped so far.
    dropped: AtomicU64,
    /// Bytes of the items that wait.
    waiting_bytes: AtomicUsize,
}

/// A queue of at most `capacity` items. It takes no more once `closing` says true or its sender is gone.
pub(crate) fn queue<T>(capacity: usize, closing: watch::Receiver<bool>) -> (Inlet<T>, Outlet<T>) {
    let (sender, receiver) = mpsc::channel(capacity.clamp(1, Semaphore::MAX_PERMITS));
    let tally = Arc::new(Tally::default());
    let outlet = Outlet {
        receiver,
        gathered: Vec::new(),
        closing,
        tally: Arc::clone(&tally),
    };
    (Inlet { sender, tally }, outlet)
}

impl<T: Carried> Inlet<T> {
    /// Puts an item in the queue, or counts it as dropped if it is too large or the queue is full or closed.
    pub(crate) fn offer(&self, item: T) {
        let bytes = item.bytes();
        if bytes > MESSAGE_BYTES || !self.tally.admit(bytes) {
            return self.tally.lose(1);
        }
        if self.sender.try_send(item).is_err() {
            self.tally.release(bytes);
            self.tally.lose(1);
        }
    }

    /// Items dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.tally.dropped.load(Ordering::Relaxed)
    }
}

impl<T: Carried> Outlet<T> {
    /// Waits until there is something to send; false when the queue is closed and empty.
    pub(crate) async fn filled(&mut self) -> bool {
        while self.gathered.is_empty() {
            if !self.gather().await {
                return false;
            }
        }
        true
    }

    /// The next message: full, or what came within the linger time of its first item. None when the queue is closed and
    /// empty. Stopped half-way it loses nothing.
    pub(crate) async fn batch(&mut self) -> Option<Bytes> {
        if !self.filled().await {
            return None;
        }
        if self.gathered.len() + self.receiver.len() < BATCH && !self.receiver.is_closed() {
            tokio::select! {
                () = tokio::time::sleep(LINGER) => {}
                // An error says that the client is gone, which closes the queue like its wish does.
                _ = self.closing.wait_for(|closing| *closing) => {}
            }
        }
        while self.gathered.len() < BATCH
            && let Ok(item) = self.receiver.try_recv()
        {
            self.gathered.push(item);
        }
        Some(self.cut())
    }

    /// Whether the queue is closed and empty.
    pub(crate) fn is_spent(&self) -> bool {
        self.gathered.is_empty() && self.receiver.is_closed() && self.receiver.is_empty()
    }

    /// Gives up on what is left and counts it as dropped.
    pub(crate) fn abandon(&mut self) {
        self.receiver.close();
        while let Ok(item) = self.receiver.try_recv() {
            self.gathered.push(item);
        }
        let left = mem::take(&mut self.gathered);
        self.tally.release(left.iter().map(Carried::bytes).sum());
        self.tally.lose(left.len() as u64);
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

    /// Takes the gathered items that fit in one message; the rest is for the next.
    fn cut(&mut self) -> Bytes {
        let mut bytes = 0;
        let mut fitting = 0;
        for item in &self.gathered {
            let more = item.bytes();
            if fitting > 0 && bytes + more > MESSAGE_BYTES {
                break;
            }
            bytes += more;
            fitting += 1;
        }
        self.tally.release(bytes);
        let mut message = BytesMut::with_capacity(bytes);
        self.gathered
            .drain(..fitting)
            .for_each(|item| item.encode(&mut message));
        message.freeze()
    }
}

impl Tally {
    /// Makes room for so many bytes; false if there is none.
    fn admit(&self, bytes: usize) -> bool {
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= QUEUE_BYTES;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    fn release(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn lose(&self, items: u64) {
        self.dropped.fetch_add(items, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
