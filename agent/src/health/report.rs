//! What somebody said of a request, as far as it can be counted: valid by construction.
//!
//! Borrows from the message that said it, so that nothing is copied for an observation. What cannot be counted is left
//! out by whoever reads the message (`reading`), and the rest counts: a service is not to lose an outcome for a value
//! that is not finite.

/// The most values of one report.
pub(crate) const VALUES: usize = 32;
/// The longest error class, in bytes.
const CLASS_BYTES: usize = 64;
/// Millionths of a unit, which sums are kept in.
const MILLIONTHS: f64 = 1e6;

/// How a request turned out, as far as anything counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// It worked.
    Ok,
    /// It failed.
    Error,
    /// It took too long.
    Timeout,
}

impl Outcome {
    /// Whether it is a failure.
    pub(crate) fn is_bad(self) -> bool {
        match self {
            Self::Ok => false,
            Self::Error | Self::Timeout => true,
        }
    }
}

/// A number under the key of a metric; finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Value<'r> {
    key: &'r str,
    number: f64,
}

impl<'r> Value<'r> {
    /// A value; none if the number is not finite.
    pub(crate) fn new(key: &'r str, number: f64) -> Option<Self> {
        number.is_finite().then_some(Self { key, number })
    }

    /// In the value's unit.
    pub(crate) fn number(&self) -> f64 {
        self.number
    }

    /// In millionths of the value's unit, to the nearest; what is larger than fits is the largest that fits.
    pub(crate) fn millionths(&self) -> i64 {
        // The cast saturates.
        (self.number * MILLIONTHS).round() as i64
    }
}

/// What kind of failure it was: 1 to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorClass<'r>(&'r str);

impl<'r> ErrorClass<'r> {
    /// Reads a class; none if it is malformed.
    pub(crate) fn parse(text: &'r str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins = text.bytes().next().is_some_and(is_plain);
        let fits = text.len() <= CLASS_BYTES && text.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte));
        (begins && fits).then_some(Self(text))
    }

    /// As text.
    pub(crate) fn as_str(self) -> &'r str {
        self.0
    }
}

/// How one request turned out, or what came of it later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report<'r> {
    /// How it turned out; None: that was said before or never, only values have come.
    pub(crate) outcome: Option<Outcome>,
    /// How long it took, in microseconds; None: not measured.
    pub(crate) duration_us: Option<u64>,
    /// What kind of failure it was, if it was one and anybody knows.
    pub(crate) class: Option<ErrorClass<'r>>,
    /// Numbers that belong to it; at most 32.
    pub(crate) values: &'r [Value<'r>],
    /// It is one of a sample of requests.
    pub(crate) sampled: bool,
}

impl<'r> Report<'r> {
    /// Nothing but how a request turned out.
    pub(crate) fn of(outcome: Outcome) -> Self {
        Self {
            outcome: Some(outcome),
            duration_us: None,
            class: None,
            values: &[],
            sampled: false,
        }
    }

    /// Values that came later than the outcome.
    pub(crate) fn later(values: &'r [Value<'r>]) -> Self {
        Self {
            outcome: None,
            duration_us: None,
            class: None,
            values,
            sampled: false,
        }
    }

    /// Whether it says that the request failed.
    pub(crate) fn is_bad(&self) -> bool {
        self.outcome.is_some_and(Outcome::is_bad)
    }

    /// The values under a key, in the order in which they came.
    pub(crate) fn values_of(&self, key: &str) -> impl Iterator<Item = &'r Value<'r>> {
        self.values.iter().filter(move |value| value.key == key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_are_finite_and_kept_in_millionths() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Value::new("score", number), None);
        }
        for (number, millionths) in [
            (0.85, 850_000),
            (-0.000_000_6, -1),
            (0.000_000_4, 0),
            (1e300, i64::MAX),
            (-1e300, i64::MIN),
        ] {
            assert_eq!(
                Value::new("score", number).unwrap().millionths(),
                millionths,
                "{number}"
            );
        }
    }

    #[test]
    fn classes_are_short_and_plain() {
        let longest = "x".repeat(64);
        for fits in ["card-declined", "db.timeout_2", "5xx", &longest] {
            assert_eq!(ErrorClass::parse(fits).map(ErrorClass::as_str), Some(fits));
        }
        let longer = "x".repeat(65);
        for malformed in ["", "-x", ".x", "Card", "two words", "ü", "a/b", &longer] {
            assert_eq!(ErrorClass::parse(malformed), None, "{malformed:?}");
        }
    }
}
