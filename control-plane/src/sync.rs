//! Delivery to agents: the stream of each, and what is known of all of them.
//!
//! Sees published snapshots, never the store.

pub(crate) mod fleet;
pub(crate) mod service;
mod session;

#[cfg(test)]
mod builders;
