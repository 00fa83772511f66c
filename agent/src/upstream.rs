//! How the control plane is dialled, and what is said when that fails: the same for delivery and for health.
//!
//! Each of the two keeps a connection of its own, so that a stream of large snapshots never delays a frame.

use std::{error::Error, time::Duration};

use tonic::transport::{Endpoint, Uri};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A control plane that vanished without a word is noticed after twice this long.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The control plane at this address.
pub(crate) fn endpoint(address: &Uri) -> Endpoint {
    Endpoint::from(address.clone())
        .connect_timeout(CONNECT_DEADLINE)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
}

/// An error with its causes, because a transport error alone says "transport error". A cause that repeats the one
/// before it is left out.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !words.ends_with(&next) {
            words.push_str(": ");
            words.push_str(&next);
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_control_plane_that_cannot_be_reached_is_said_with_the_cause() {
        // Port 1 of this machine: nobody listens there without being root.
        let error = endpoint(&Uri::from_static("http://127.0.0.1:1"))
            .connect()
            .await
            .map(drop)
            .err();
        let words = error.map(|error| with_causes(&error)).unwrap_or_default();
        assert!(words.contains("tcp connect error"), "{words}");
    }
}
