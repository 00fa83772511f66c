//! What is wrong with a criterion, and what to write instead.
//!
//! A text that is no criterion is reported with its column, one that makes no sense with the part that does not.
//! One problem for each text: it is a line long.

use super::{Base, Limit, Number};
use crate::catalogue::{KeyError, MetricKey, UnknownMetric};

/// Why a criterion is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is nothing to read.
    #[error("column 1: a criterion is empty; write one such as error-rate < 1 %")]
    Empty,
    /// Not a value with its unit.
    #[error("{text:?} is no value; write a number with its unit, such as 890 ms, 0.8 % or $0.50")]
    Value {
        /// What was written.
        text: String,
    },
    /// What stands left of the relation is no metric's name.
    #[error("column {column}: {error}")]
    Metric {
        /// Where it begins.
        column: usize,
        /// What is wrong with it.
        error: KeyError,
    },
    /// There is no relation, or one that is not known.
    #[error("column {column}: a criterion compares with <, <=, > or >=, as in error-rate < 1 %")]
    Relation {
        /// Where it was looked for.
        column: usize,
    },
    /// A character that means nothing here.
    #[error("column {column}: {found:?} means nothing here; write a number as 1000 or 0.5, with its unit")]
    Character {
        /// Where it is.
        column: usize,
        /// The character.
        found: char,
    },
    /// Digits that are no number that can be kept exactly.
    #[error("column {column}: {found} is no number with at most six places, below nine billion thousand")]
    Number {
        /// Where it begins.
        column: usize,
        /// The digits.
        found: String,
    },
    /// A number, or what a limit begins with, is missing.
    #[error("column {column}: a limit is missing; write {write}")]
    Missing {
        /// Where it was looked for.
        column: usize,
        /// What would do.
        write: &'static str,
    },
    /// A base is missing or not known.
    #[error("column {column}: relative to what? write control, baseline or a number")]
    Base {
        /// Where it was looked for.
        column: usize,
    },
    /// `5 % against control` may mean more or less.
    #[error("column {column}: more or less? write +5 % against {base} or -5 % against {base}")]
    Unsigned {
        /// Where the number begins.
        column: usize,
        /// Against what.
        base: Base,
    },
    /// `-5 %` without a base.
    #[error("column {column}: a change is against something; write -5 % against control")]
    Change {
        /// Where the change begins.
        column: usize,
    },
    /// `of` goes with percent.
    #[error("column {column}: only a percentage is of something; write 95 % of control or 2x baseline")]
    NotPercent {
        /// Where the number begins.
        column: usize,
    },
    /// A percentage of a base that is a multiple of more than six places.
    #[error("column {column}: a percentage of a base has at most four places; write 95.25 % of control")]
    Places {
        /// Where the percentage begins.
        column: usize,
    },
    /// A window is no length of time.
    #[error("column {column}: a window is a length of time in whole seconds; write in 24h")]
    Window {
        /// Where it was looked for.
        column: usize,
    },
    /// Something is left over.
    #[error(
        "column {column}: {found:?} is neither a unit nor a window; write %, ms, s, min, points, $, EUR, MiB, in 24h"
    )]
    Surplus {
        /// Where it begins.
        column: usize,
        /// The first word of it.
        found: String,
    },
    /// Nobody defines the metric.
    #[error(transparent)]
    UnknownMetric(#[from] UnknownMetric),
    /// A number's unit is not the metric's.
    #[error("{metric}: {found} is not {wanted}; write {example}")]
    UnitMismatch {
        /// The metric.
        metric: MetricKey,
        /// The number.
        found: Number,
        /// What the metric is of.
        wanted: &'static str,
        /// A number in its unit.
        example: &'static str,
    },
    /// `error-rate > baseline + 5 %` may mean points or a part of the baseline.
    #[error("{metric}: in {limit} the percentage may be points or a part of the base; write 5 points, or 1.05x {base}")]
    Ambiguous {
        /// The metric.
        metric: MetricKey,
        /// The limit.
        limit: Limit,
        /// What it starts from.
        base: Base,
    },
    /// Only rates and means are compared hour by hour.
    #[error(
        "{metric}: {limit} cannot be judged by the hour, only so many times a rate or a mean can (agents count a quantile by \
         one bound for all hours); write baseline, or control"
    )]
    SameHour {
        /// The metric.
        metric: MetricKey,
        /// The limit.
        limit: Limit,
    },
    /// A limit below zero, or a multiple that is not above it.
    #[error("{metric}: {limit} is not above zero; write a limit that can be reached, such as 0.95x control")]
    Negative {
        /// The metric.
        metric: MetricKey,
        /// The limit.
        limit: Limit,
    },
    /// Every value of the metric is on the same side of the limit.
    #[error("{metric}: {limit} bounds nothing, every value is on one side of it; write a limit that can be broken")]
    Unbounded {
        /// The metric.
        metric: MetricKey,
        /// The limit.
        limit: Limit,
    },
    /// A window on something that is not a count.
    #[error("{metric}: only counts of events have a window; leave the window out")]
    WindowWithoutCount {
        /// The metric.
        metric: MetricKey,
    },
    /// A count without a window.
    #[error("{metric}: a count needs a window, unless its cap is 0; write {metric} > 10 in 24h, or {metric} > 0")]
    CountWithoutWindow {
        /// The metric.
        metric: MetricKey,
    },
    /// A window under four intervals of reporting.
    #[error("{metric}: a window is at least 40 s, four intervals of reporting; write in 24h")]
    WindowTooShort {
        /// The metric.
        metric: MetricKey,
    },
}
