//! The command line against a control plane that speaks the wire: the real binary, real sockets, a fake behind them.

mod acts;
mod apply;
mod baselines;
mod contexts;
mod documents;
mod fake;
mod flags;
mod inspection;
mod lists;
mod offline;
mod plans;
mod push;
mod replays;
mod rollout_server;
mod rollouts;
mod schedules;
mod segments;
mod status;
mod streams;
mod webhooks;
