//! The harness of the system tests: real processes, real sockets, real faults.
//!
//! A test starts the built binaries in a folder of its own, acts on them as an operator, a service or an OpenFeature
//! client would, breaks something, and waits for what was promised. Nothing here knows an internal type of another
//! crate: only the wire, the command lines and the files.
//!
//! A disappointed expectation of the harness is a failed test, so it panics, with what it saw last; the logs of all
//! processes of the test are printed then.

#![warn(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod acts;
pub mod agent;
pub mod answers;
pub mod binaries;
pub mod catalogue;
pub mod conditions;
pub mod console;
pub mod control_plane;
pub mod crowd;
pub mod draws;
pub mod evaluator;
pub mod flags;
pub mod habit;
pub mod heard;
pub mod http;
pub mod json;
pub mod operator;
pub mod ops;
pub mod plans;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod provider;
pub mod proxy;
pub mod receiver;
pub mod records;
pub mod refusing;
pub mod service;
pub mod small_disk;
pub mod statuses;
pub mod stream;
pub mod system;
pub mod violations;
pub mod wait;
pub mod web;
