//! Streams of what is done, as audits and consoles follow it: messages when there are any, signs of life when not.
//!
//! The stream is pulled by its client: nothing is queued for one that does not read. It ends when the process drains,
//! and says so.

use std::time::Duration;

use futures::stream::{self, BoxStream};
use runtime::shutdown::Shutdown;
use tokio::time::Instant;
use tonic::Status;

use crate::follow::{Follower, Seen};

/// After so long without a message a sign of life is sent.
const QUIET: Duration = Duration::from_secs(15);

/// One stream: its follower, and what its messages look like.
struct Following<M> {
    follower: Follower,
    shutdown: Shutdown,
    has_begun: bool,
    message: Box<dyn Fn(Seen) -> Option<M> + Send>,
    alive: fn(u64) -> M,
}

/// A sign of life, then a message for each record that has one (`message`), in order, and signs of life between
/// (`alive`, of the revision up to which nothing was left out).
pub(super) fn stream<M: Send + 'static>(
    follower: Follower,
    shutdown: Shutdown,
    message: impl Fn(Seen) -> Option<M> + Send + 'static,
    alive: fn(u64) -> M,
) -> BoxStream<'static, Result<M, Status>> {
    let following = Following {
        follower,
        shutdown,
        has_begun: false,
        message: Box::new(message),
        alive,
    };
    Box::pin(stream::try_unfold(following, |mut following| async move {
        let message = following.next().await?;
        Ok(Some((message, following)))
    }))
}

impl<M> Following<M> {
    async fn next(&mut self) -> Result<M, Status> {
        if !self.has_begun {
            self.has_begun = true;
            return Ok((self.alive)(self.follower.told()));
        }
        let quiet = Instant::now() + QUIET;
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.draining() => {
                    return Err(Status::unavailable("the control plane is stopping; follow again"));
                }
                () = tokio::time::sleep_until(quiet) => return Ok((self.alive)(self.follower.told())),
                seen = self.follower.next() => {
                    if let Some(message) = (self.message)(seen?) {
                        return Ok(message);
                    }
                }
            }
        }
    }
}
