//! Health as the agent sees it: reports in, frames out.
//!
//! `observe` names what a report belongs to, `otlp` makes reports of what services trace, `counting` says what a report
//! adds to each metric, `counters` add it, `frame` cuts counts into frames that never change, `reporter` sends them
//! until they are durable, `spool` keeps them on disk meanwhile, `backlog` sends what a former process left there. Only
//! rollouts that the held snapshot measures are counted.

pub(crate) mod backlog;
pub(crate) mod caller;
pub(crate) mod carried;
mod classes;
pub(crate) mod counters;
mod counting;
pub(crate) mod exposed;
#[cfg(test)]
mod fake_control_plane;
mod frame;
mod histogram;
mod hurry;
pub(crate) mod observe;
pub(crate) mod otlp;
pub(crate) mod outboxes;
mod pending;
pub(crate) mod received;
pub(crate) mod report;
pub(crate) mod reporter;
mod reporting;
mod seen;
mod slice;
pub(crate) mod spool;
mod stream;
mod sums;
pub(crate) mod tally;
mod told;
mod wire;
