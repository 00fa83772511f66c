//! What people write about metrics: `error-rate < 1 %`, `p99 > 2x baseline`, `no critical bugs`.
//!
//! Guards' limits, gates' criteria and kill conditions share this one language, one line of text for each criterion.
//! The one rule: text and value are the same thing. Whatever is parsed has one canonical text ([`Display`]) and that
//! text parses back to an equal value; numbers are decimals, so no float comes in between.
//!
//! [`FromStr`] says whether a text is a criterion, [`check`] whether it makes sense for its metric, [`holds`] whether
//! it is true of point estimates. Evidence, which is more than an estimate, is left to
//! [`evidence`](crate::evidence).
//!
//! [`Display`]: std::fmt::Display
//! [`FromStr`]: std::str::FromStr

mod check;
mod decimal;
mod display;
mod judge;
mod lexer;
mod limit;
mod number;
mod parse;
mod problem;
mod sentence;
mod worth;

pub use check::{check, check_value};
pub use decimal::Decimal;
pub use judge::{Estimates, holds, parity};
pub use number::{Currency, Number, Written};
pub use problem::Problem;

use crate::Micros;
use crate::catalogue::MetricKey;

/// A statement about metrics that is true or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Criterion {
    /// One metric against a limit.
    Compare(Comparison),
    /// `all metrics stable`: no guard of the plan shows evidence at the warn level.
    Stable,
    /// `parity with control`: every metric of the plan that has a control is within 5 % of it.
    Parity,
}

/// One metric against a limit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Comparison {
    /// What is compared.
    pub metric: MetricKey,
    /// On which side of the limit.
    pub relation: Relation,
    /// With what.
    pub limit: Limit,
    /// Over the last so many microseconds, for counts of events; whole seconds.
    pub window: Option<Micros>,
}

/// On which side of a limit a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// What a metric is compared with.
///
/// A relative text has one value whatever its form: `95 % of control`, `0.95x control` and `-5 % against control` are
/// all [`Limit::Times`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// A number by itself: `1 %`.
    Absolute(Number),
    /// A multiple of a base: `2x baseline`.
    Times {
        /// Of what.
        base: Base,
        /// How many times it.
        factor: Decimal,
    },
    /// A base and something on top, or less: `baseline + 0.2 points`, `890 ms + 10 %`.
    Plus {
        /// What it starts from.
        base: Base,
        /// [`Written::Points`] are hundredths of 1, [`Written::Percent`] is of the base, all else is of the metric's own
        /// unit; may be negative.
        add: Number,
    },
}

/// What a relative limit is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// The control arm, live.
    Control,
    /// The metric as it was before the rollout.
    Baseline,
    /// The metric as it was before, at the same hour.
    BaselineSameHour,
    /// A number that somebody measured and wrote down.
    Fixed(Number),
}

#[cfg(test)]
mod tests;
