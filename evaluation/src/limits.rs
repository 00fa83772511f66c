//! How large a flag may be.
//!
//! Everything that comes from outside is bounded; the numbers stand in one place, so that the answer to an oversized
//! document can name them. They are generous for people and small for machines.

/// Bytes of a variant's value and of a text literal.
pub(crate) const VALUE_BYTES: usize = 64 * 1024;

/// Variants of a flag, and shares of a split.
pub(crate) const VARIANTS: usize = 100;

/// Rules of a flag.
pub(crate) const RULES: usize = 200;

/// Conditions of a rule.
pub(crate) const CONDITIONS: usize = 50;

/// Literals of one condition.
pub(crate) const LITERALS: usize = 10_000;

/// Units on the deny list and all allow lists together.
pub(crate) const LISTED_UNITS: usize = 10_000;

/// Bytes of a listed unit.
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
