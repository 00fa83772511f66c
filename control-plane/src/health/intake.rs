//! The way to the collector: a queue that is bounded by the frames that wait in it.
//!
//! It is bounded by frames and not by messages: agents send one frame at a time when all is well, and a place for each of
//! thousands lets them hand over and read on, where a short queue would have them wait for each other. The collector takes
//! what waits at its own pace and is woken when much does: to be woken for each message would cost more than to take it.
//! When there is no room the streams wait, each for itself.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore, mpsc};

use super::{
    frames::{Checked, Reporter},
    sessions::Reply,
};

/// Frames that may wait. One message holds 256 at most.
const PLACES: usize = 16_384;
/// So many that wait are worth waking the collector for; few enough to be at hand when it takes them.
const MANY: usize = 1_024;

/// A way in and its end.
pub(super) fn queue() -> (Intake, Waiting) {
    // Messages without frames take no places, so their number is bounded too.
    let (sender, messages) = mpsc::channel(PLACES);
    let room = Arc::new(Room {
        places: Semaphore::new(PLACES),
        filling: Notify::new(),
    });
    let intake = Intake {
        queue: sender,
        room: room.clone(),
    };
    (intake, Waiting { messages, room })
}

/// The way in; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    queue: mpsc::Sender<Message>,
    room: Arc<Room>,
}

/// What waits; held by the collector alone.
#[derive(Debug)]
pub(super) struct Waiting {
    messages: mpsc::Receiver<Message>,
    room: Arc<Room>,
}

/// The room for frames that wait.
#[derive(Debug)]
struct Room {
    places: Semaphore,
    /// Many wait: the collector should not leave them until its next look.
    filling: Notify,
}

/// The collector has stopped, so this process is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the control plane is stopping")]
pub(crate) struct Stopped;

/// What a stream has to say.
#[derive(Debug)]
pub(super) enum Message {
    /// Frames came.
    Frames {
        /// Whose.
        reporter: Reporter,
        /// In their order.
        frames: Vec<Checked>,
        /// Where answers go; of a stream the first message alone says it.
        reply: Option<mpsc::Sender<Reply>>,
    },
    /// Nothing more comes.
    Leaving {
        /// Whose stream.
        reporter: Reporter,
        /// Where its answers go.
        reply: mpsc::Sender<Reply>,
    },
}

impl Intake {
    /// Hands checked frames over; waits while there is no room. Answers go to the `reply` of the stream's first message
    /// once the frames are durable.
    pub(super) async fn submit(
        &self,
        reporter: Reporter,
        frames: Vec<Checked>,
        reply: Option<mpsc::Sender<Reply>>,
    ) -> Result<(), Stopped> {
        self.room.take(frames.len()).await?;
        let message = Message::Frames {
            reporter,
            frames,
            reply,
        };
        self.queue.send(message).await.map_err(|_| Stopped)
    }

    /// Says that nothing more comes over a stream; it ends when its last frames are acknowledged.
    pub(super) async fn leave(&self, reporter: Reporter, reply: mpsc::Sender<Reply>) -> Result<(), Stopped> {
        let message = Message::Leaving { reporter, reply };
        self.queue.send(message).await.map_err(|_| Stopped)
    }
}

impl Waiting {
    /// Returns when much waits.
    pub(super) async fn is_much(&self) {
        self.room.filling.notified().await;
    }

    /// Moves all that waits at this moment behind what is in `messages`. Their places are free again when they are freed.
    pub(super) async fn take(&mut self, messages: &mut Vec<Message>) {
        let waiting = self.messages.len();
        if waiting > 0 {
            self.messages.recv_many(messages, waiting).await;
        }
    }

    /// Gives up the places of so many frames.
    pub(super) fn free(&self, frames: usize) {
        self.room.places.add_permits(frames);
    }
}

impl Room {
    /// Takes places; waits until there are as many.
    async fn take(&self, places: usize) -> Result<(), Stopped> {
        // No message has more frames than there is room for.
        let places = u32::try_from(places).map_err(|_| Stopped)?;
        self.places.acquire_many(places).await.map_err(|_| Stopped)?.forget();
        if PLACES - self.places.available_permits().min(PLACES) >= MANY {
            self.filling.notify_one();
        }
        Ok(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Whoever waits for room waits no longer.
        self.room.places.close();
    }
}
