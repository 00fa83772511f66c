//! Waiting for a condition, never for a time.
//!
//! A condition says what it saw when it does not hold yet; that is what a test that waited in vain prints.

use std::{fmt::Debug, time::Duration};

use tokio::time::Instant;

/// How long anything may take. Generous: it is reached only when a promise is broken.
const DEADLINE: Duration = Duration::from_secs(45);
/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(25);

/// Waits until the condition gives a value. `what` completes "waited for ...".
pub async fn until<T>(what: &str, condition: impl AsyncFnMut() -> Result<T, String>) -> T {
    until_within(DEADLINE, what, condition).await
}

/// The same for what takes longer by its nature.
pub async fn until_within<T>(
    longest: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + longest;
    let mut seen = "nothing: the condition itself did not end".to_owned();
    loop {
        match tokio::time::timeout_at(deadline, condition()).await {
            Ok(Ok(value)) => return value,
            Ok(Err(news)) => seen = news,
            Err(_) => {}
        }
        assert!(
            Instant::now() < deadline,
            "waited {longest:?} for {what}; last seen: {seen}"
        );
        tokio::time::sleep(PACE).await;
    }
}

/// A condition without a value: whether it holds, and what to say if not.
pub fn so(holds: bool, seen: impl Debug) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{seen:#?}")) }
}
