//! Where what is known of agents lies.

use bytes::Bytes;
use evaluation::Key;

use super::{ROOT, path};

/// The prefix of what is known of agents.
pub(crate) fn agents() -> Vec<u8> {
    format!("{ROOT}agent/").into_bytes()
}

/// What is known of an agent.
pub(crate) fn agent(environment: &Key, id: &str) -> Bytes {
    path("agent", environment, id.as_bytes()).into()
}
