//! What a rollout promises, shown through the public interface: tables for single decisions, laws for everything.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod builders;
mod evidence;
mod gate;
mod laws;
mod plan;
mod step;
