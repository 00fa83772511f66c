//! The promises of Tidegate, kept by the real binaries over real sockets under real faults.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod aborts;
mod bad_input;
mod console;
mod crashes;
mod delivery;
mod interrupted_aborts;
mod outage;
mod providers;
mod reports;
mod rollouts;
mod starts;
mod startup;
