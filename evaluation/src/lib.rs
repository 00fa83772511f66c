//! Which variant, and why: the pure half of Tidegate that an agent runs for every evaluation.
//!
//! A flag as written (`Flag`) is checked and flattened by `compile` into a `CompiledFlag`; a `Snapshot` holds the
//! compiled flags of one subscription at one revision; `CompiledFlag::evaluate` turns a `Context` into a `Decision`.
//! `Index` and `Delta` carry a snapshot from one revision to the next, and the digest says whether two are equal.
//!
//! Nothing here waits, reads a clock or draws a random number: keys, salts and time are arguments, so that the control
//! plane, every agent and a replay reach the same answer.

mod bucket;
mod compile;
mod compiled;
mod condition;
mod context;
mod decision;
mod delta;
mod entry;
mod environment;
mod evaluate;
mod exposure;
mod flag;
mod index;
mod key;
mod limits;
mod measurement;
mod murmur;
mod names;
mod percentage;
mod position;
mod revision;
mod rule;
mod snapshot;
mod split;
mod step;
mod value;
mod violation;

pub use bucket::bucket;
pub use compile::compile;
pub use compiled::CompiledFlag;
pub use condition::{Condition, Literal, TARGETING_KEY, Test};
pub use context::{Attribute, Context};
pub use decision::{Decision, EvaluationError, Reason};
pub use delta::{Change, Delta, apply, between};
pub use entry::{Digest, Entry, EntryId, EntryKind, UnknownEntryKind, entry_hash};
pub use environment::{Environment, EnvironmentKind};
pub use exposure::{Arm, Exposure, UnknownArm};
pub use flag::{Flag, Serve};
pub use index::Index;
pub use key::{Key, KeyError};
pub use measurement::{Measurement, MetricKind, MetricSpec, SplittingUnit, StageVisit};
pub use percentage::{BUCKETS, Buckets, PercentError};
pub use position::Position;
pub use revision::{Lineage, Revision};
pub use rule::Rule;
pub use snapshot::{Body, Snapshot};
pub use split::Share;
pub use step::{ReachedStage, RolloutStep};
pub use value::{FlagType, Value};
pub use violation::Violation;
