//! The wire of Tidegate: everything that crosses a process boundary.
//!
//! Owns the generated messages and services (from `proto/`, compiled without protoc), the layouts that are not
//! protobuf (the exposure token, ticks, buckets of durations), and the conversions between wire messages and the types
//! of `evaluation`. It decides nothing: a conversion either yields a domain value or says which field is wrong.

#![warn(missing_docs)]

mod condition;
pub mod durations;
pub mod entry;
pub mod flag;
pub mod measurement;
mod read;
pub mod result;
pub mod revision;
pub mod said;
pub mod segment;
pub mod status;
pub mod step;
pub mod tick;
pub mod token;
pub mod value;

pub use token::{Token, TokenError};

/// Messages and services of Tidegate's own protocol, package `tidegate.v1`.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("tidegate.v1");
}

/// Messages and services of flagd's evaluation protocol.
pub mod flagd {
    /// Package `flagd.evaluation.v1`.
    #[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
    pub mod evaluation_v1 {
        tonic::include_proto!("flagd.evaluation.v1");
    }
    /// Package `flagd.evaluation.v2`.
    #[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
    pub mod evaluation_v2 {
        tonic::include_proto!("flagd.evaluation.v2");
    }
}

/// The encoded `FileDescriptorSet` of every file, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Metadata key under which a caller says who acts; see `said`.
pub const ACTOR: &str = "tidegate-actor";
/// Metadata key under which a caller says why it acts; see `said`.
pub const REASON: &str = "tidegate-reason";
/// Metadata key of answers under which a control plane names its version.
pub const VERSION: &str = "tidegate-version";
/// Metadata key under which a service names itself to its agent.
pub const CALLER: &str = "tidegate-caller";
/// Flag metadata key of the exposure token.
pub const METADATA_TOKEN: &str = "tidegate.token";
/// Flag metadata key of the stage's number.
pub const METADATA_STAGE: &str = "tidegate.stage";
/// Flag metadata key of the arm, `treatment` or `control`.
pub const METADATA_ARM: &str = "tidegate.arm";
/// Flag metadata key that says `true` if a rollout only assigns its arm and serves the control's variant to both.
pub const METADATA_SHADOW: &str = "tidegate.shadow";
/// Flag metadata key of a snapshot's age in seconds, present when it is stale.
pub const METADATA_STALE: &str = "tidegate.stale_s";
/// Flag metadata key of the prerequisite that was not met.
pub const METADATA_PREREQUISITE: &str = "tidegate.prerequisite";
/// The largest gRPC message that either side accepts, in bytes.
pub const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;

/// The greatest sum of values in one bucket of a frame, in millionths, whatever its sign. What does not fit is told in
/// parts.
pub const SUM_LIMIT: u64 = 1 << 60;

/// Metrics of one rollout are numbered below this.
pub const METRIC_NUMBERS: u16 = 1_024;
