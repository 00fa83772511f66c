//! Delivery as the agent sees it: one stream to the control plane, over which snapshots and deltas arrive.
//!
//! `client` keeps a stream open, `session` speaks on one open stream, `transfer` joins parts, `apply` builds the next
//! snapshot aside, `trouble` says what keeps it from its control plane. None of them touches what evaluations read
//! except through `Holder::install`.

pub(crate) mod apply;
pub(crate) mod client;
mod session;
pub(crate) mod transfer;
pub(crate) mod trouble;

#[cfg(test)]
mod tests;
