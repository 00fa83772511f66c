//! What a rollout promises, shown through the public interface: tables for single decisions, laws for everything.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod acts;
mod builders;
mod certify;
mod criteria;
mod dismissals;
mod ends;
mod evidence;
mod extremes;
mod gate;
mod invariants;
mod laws;
mod people;
mod plan;
mod random;
mod rebased;
mod robust;
mod step;
mod transitions;
mod violations;
mod weeks;
mod windows;
