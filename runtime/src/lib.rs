//! What any Tidegate daemon needs and that knows nothing of flags.
//!
//! Each module is one small idea: when to stop ([`shutdown`]), when to be sent traffic ([`readiness`]), what to show
//! to whoever runs it ([`ops`], [`telemetry`]), and how to meet the machine ([`clock`], [`listen`], [`folder`],
//! [`backoff`]). The one rule: nothing here may name a flag, a rollout or a message of ours, so that both daemons can
//! share it without sharing anything else.

pub mod backoff;
pub mod clock;
pub mod folder;
pub mod listen;
pub mod ops;
pub mod readiness;
pub mod shutdown;
pub mod telemetry;
