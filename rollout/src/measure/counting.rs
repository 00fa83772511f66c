//! How the outcomes of a request become a metric's numbers.

use crate::Micros;

/// How outcomes become a metric's numbers: a numerator and a denominator. Outcomes are ok, error and timeout; bad are
/// error and timeout.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Counting {
    /// Bad outcomes, of all outcomes.
    Errors {
        /// Failures of these classes count as if they had worked.
        expected: Vec<String>,
    },
    /// Timeouts, of all outcomes.
    Timeouts,
    /// Outcomes whose HTTP status lies between these, both included, of those that carry one.
    Status {
        /// The lowest that is bad.
        from: u16,
        /// The highest that is bad.
        to: u16,
    },
    /// Outcomes that took longer or are bad, of those that were timed or are bad.
    Slower {
        /// What is allowed.
        bound_us: Micros,
    },
    /// Outcomes with a greater value, or bad and without it, of those that carry the value or are bad.
    Above {
        /// Key of the value.
        value: String,
        /// In millionths of the value's unit.
        bound: i64,
    },
    /// The sum of the values, in millionths.
    Sum {
        /// Key of the value.
        value: String,
        /// The least that one value counts for, in millionths.
        minimum: i64,
        /// The greatest that one value counts for, in millionths.
        maximum: i64,
        /// Of what.
        per: Per,
    },
    /// Values of at least one half.
    Hits {
        /// Key of the value.
        value: String,
        /// Of what.
        per: Per,
    },
    /// Exposures whose outcome never came, of those with an outcome and the lost.
    Lost,
}

/// What values are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// The values that came.
    Value,
    /// All exposures, with or without a value.
    Exposure,
}

impl Counting {
    /// Whether numerators are sums of values in millionths.
    pub fn is_sum(&self) -> bool {
        matches!(self, Counting::Sum { .. })
    }

    /// How many of its numerators are one: sums are of millionths.
    pub fn scale(&self) -> f64 {
        if self.is_sum() { 1e6 } else { 1.0 }
    }

    /// Whether units that failed are told by position, so that units can be compared (guard.md 4a).
    pub fn names_units(&self) -> bool {
        matches!(
            self,
            Counting::Errors { .. } | Counting::Timeouts | Counting::Status { .. } | Counting::Lost
        )
    }

    /// Whether every numerator belongs to a denominator of the same event, so that none is greater.
    pub fn is_part(&self) -> bool {
        !matches!(self, Counting::Sum { .. } | Counting::Hits { per: Per::Exposure, .. })
    }

    /// Whether an exposure whose outcome never came counts as bad.
    pub fn lost_is_bad(&self) -> bool {
        matches!(
            self,
            Counting::Errors { .. } | Counting::Timeouts | Counting::Slower { .. } | Counting::Above { .. }
        )
    }
}
