//! The command line against a control plane that speaks the wire: the real binary, real sockets, a fake behind them.

mod fake;
mod flags;
mod lists;
mod rollouts;
