//! Health as the agent sees it: observations in, frames out.
//!
//! `observe` names what an observation belongs to, `counters` count it, `frame` cuts counts into frames that never
//! change, `reporter` sends them until they are durable. Only rollouts that the held snapshot measures are counted.

pub(crate) mod carried;
pub(crate) mod counters;
mod frame;
pub(crate) mod observe;
pub(crate) mod reporter;
mod seen;
mod slice;
