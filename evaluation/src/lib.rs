//! Which variant, and why: the pure half of Tidegate that an agent runs for every evaluation.
//!
//! A flag as written (`Flag`) is checked and flattened by `compile` into a `CompiledFlag`; a `Snapshot` holds the
//! compiled flags of one subscription at one revision; `CompiledFlag::evaluate` turns a `Context` into a `Decision`.
//! `Index` and `Delta` carry a snapshot from one revision to the next, and the digest says whether two are equal.
//!
//! Nothing here waits, reads a clock or draws a random number: keys, salts and time are arguments, so that the control
//! plane, every agent and a replay reach the same answer.

mod allot;
mod attribute;
mod attribution;
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
mod explain;
mod exposure;
mod flag;
mod fold;
mod index;
mod json;
mod key;
mod limits;
mod measurement;
mod murmur;
mod names;
mod percentage;
mod pool;
mod position;
mod reads;
mod references;
mod revision;
mod rule;
mod segment;
mod shared;
mod snapshot;
mod split;
mod step;
mod test;
mod texts;
mod value;
mod violation;
mod within;

pub use allot::allot;
pub use attribute::TARGETING_KEY;
pub use attribution::{Attributed, Place, Served, Unattributed};
pub use bucket::bucket;
pub use compile::{compile, compile_segment};
pub use compiled::CompiledFlag;
pub use condition::{
    AttributeType, Condition, DateComparison, Literal, NumberTest, OneOf, Quantifier, Test, TextPart, VersionComparison,
};
pub use context::Context;
pub use decision::{Decision, EvaluationError, Reason};
pub use delta::{Change, Delta, apply, between};
pub use entry::{Digest, Entry, EntryId, EntryKind, OtherKind, UnknownEntryKind, entry_hash};
pub use environment::{Environment, EnvironmentKind};
pub use explain::{ExplainedRule, ExplainedStep, Explanation, StepKind};
pub use exposure::{Arm, Exposure, UnknownArm};
pub use flag::{Flag, HashScheme, Prerequisite, Serve, WhenStale};
pub use index::Index;
pub use json::Json;
pub use key::{Key, KeyError};
pub use measurement::{Counting, Measurement, MetricSpec, Per, SplittingUnit, StageVisit};
pub use percentage::{BUCKETS, Buckets, PercentError};
pub use position::Position;
pub use references::{Documents, Reference, Written, check_references, references_of};
pub use revision::{Lineage, Revision};
pub use rule::Rule;
pub use segment::{CompiledSegment, Segment};
pub use snapshot::{Body, Snapshot};
pub use split::{Share, Split};
pub use step::{ReachedStage, RolloutStep};
pub use value::{FlagType, Value};
pub use violation::{Violation, Violations};
