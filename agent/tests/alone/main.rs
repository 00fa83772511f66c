//! An agent that has no control plane: what it starts from, and what it costs. On the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bootstrap;
mod machine;
mod memory;
