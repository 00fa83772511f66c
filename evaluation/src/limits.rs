//! How large a flag or segment may be, and how far a decision may look.
//!
//! Everything that comes from outside is bounded; the numbers stand in one place, so that the answer to an oversized
//! document can name them. They are generous for people and small for machines.

/// Bytes of a variant's value and of a text literal.
pub(crate) const VALUE_BYTES: usize = 64 * 1024;

/// Levels of an object: itself, and the objects and lists in it.
pub(crate) const VALUE_LEVELS: usize = 32;

/// Variants of a flag, shares of a split, and variants or segments that one condition names.
pub(crate) const VARIANTS: usize = 100;

/// Runs of buckets in a split.
pub(crate) const RANGES: usize = 10_000;

/// Rules of a flag.
pub(crate) const RULES: usize = 200;

/// Conditions of a rule or of a group.
pub(crate) const CONDITIONS: usize = 50;

/// Groups of a segment.
pub(crate) const GROUPS: usize = 50;

/// Prerequisites of a flag.
pub(crate) const PREREQUISITES: usize = 32;

/// Attributes that may name the unit.
pub(crate) const BUCKET_BY: usize = 4;

/// Flags and segments from one to the next, through prerequisites and conditions.
pub(crate) const DEPTH: usize = 16;

/// Flags and segments that one decision may ask.
pub(crate) const ASKED: usize = 4_096;

/// Bytes of a regular expression.
pub(crate) const PATTERN_BYTES: usize = 1_024;

/// Bytes of a compiled regular expression.
pub(crate) const PATTERN_COMPILED_BYTES: usize = 512 * 1024;

/// Levels of a regular expression.
pub(crate) const PATTERN_LEVELS: u32 = 50;

/// Regular expressions of a flag or segment.
pub(crate) const PATTERNS: usize = 100;

/// Literals, texts or networks of one condition.
pub(crate) const LITERALS: usize = 10_000;

/// Units on the deny list and all allow lists together.
pub(crate) const LISTED_UNITS: usize = 10_000;

/// Members of a segment, included and excluded together.
pub(crate) const MEMBERS: usize = 500_000;

/// Bytes of all members of a segment.
pub(crate) const MEMBER_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of a listed unit or member.
pub(crate) const UNIT_BYTES: usize = 1_024;

/// Bytes of the name of a variant, rule, attribute, owner or tag.
pub(crate) const NAME_BYTES: usize = 200;

/// Bytes of a salt.
pub(crate) const SALT_BYTES: usize = 64;

/// Bytes of a description.
pub(crate) const DESCRIPTION_BYTES: usize = 4_096;

/// Tags of a flag.
pub(crate) const TAGS: usize = 50;

/// Stages that a rollout may have in its life; they are numbered below this.
pub(crate) const STAGES: usize = 16;

/// Segments of a stage's audience.
pub(crate) const AUDIENCE: usize = 16;
