//! What a service may rely on: a value whatever happens, and reports that reach the agent or are counted.

#![allow(clippy::unwrap_used)]

mod evaluate;
mod fake;
mod grpc;
mod layer;
mod openfeature;
mod report;
mod request;
mod served;
mod setting;
mod track;
