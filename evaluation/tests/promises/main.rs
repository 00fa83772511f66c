//! What evaluation promises, through its public face alone: the order in which a flag decides, what `compile` refuses,
//! the laws of delta and digest, and that buckets are even, independent and for ever the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

#[path = "../builders/mod.rs"]
mod builders;

mod arbitrary;
mod attributions;
mod audiences;
mod chance;
mod entries;
mod explanations;
mod laws;
mod order;
mod others;
mod refusals;
mod rollouts;
mod vectors;
