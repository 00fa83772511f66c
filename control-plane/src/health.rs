//! Health: from the frames of agents to evidence in the store.
//!
//! A frame comes in at the door (`service`), is checked once (`check`), waits for its turn (`intake`), and meets the ledger
//! of its rollout (`ledger`), where a dot that is known (`dots`) is dropped and the rest is added to an open batch (`cells`). Sealing (`seal`) makes one
//! transaction of a batch's inputs, the marks of its dots and the evidence after it; only then are agents told that
//! they may forget. One task (`collector`) owns all ledgers. The rule: a frame counts once or not yet, whatever dies.
//! What the evidence means for a rollout is not decided here.

mod cells;
mod check;
pub(crate) mod collector;
pub(crate) mod coverage;
mod dots;
pub(crate) mod fold;
mod frames;
pub(crate) mod intake;
mod ledger;
mod load;
mod marks;
pub(crate) mod metrics;
mod pace;
mod pushes;
mod seal;
pub(crate) mod service;
mod sessions;

pub(crate) use check::is_judged;

#[cfg(test)]
pub(crate) mod builders;
