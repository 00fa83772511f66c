//! A percentage, counted in buckets: 100,000 buckets are 100 %.
//!
//! A percentage is a whole number everywhere in memory, on the wire and in the store, so that equal percentages are
//! equal. Decimals exist in text only and are read digit by digit: through a binary fraction, 2.3 would not be 2,300.

use std::fmt;

/// How many buckets there are.
pub const BUCKETS: u32 = 100_000;

/// Buckets in one percent.
const PER_PERCENT: u32 = BUCKETS / 100;

/// Decimal places that a percentage may have.
const PLACES: usize = 3;

/// A number of buckets, 0 to 100,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Buckets(u32);

/// Why a text is not a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// Not digits, with at most one point between them.
    #[error("not a percentage: write digits such as 25 or 2.5")]
    NotANumber,
    /// More than three decimal places: finer than a bucket.
    #[error("a percentage has at most {PLACES} decimal places")]
    TooFine,
    /// Below 0 or above 100.
    #[error("a percentage lies between 0 and 100")]
    OutOfRange,
}

impl Buckets {
    /// No bucket: 0 %.
    pub const NONE: Buckets = Buckets(0);

    /// Every bucket: 100 %.
    pub const ALL: Buckets = Buckets(BUCKETS);

    /// `count` buckets; none if there are not that many.
    pub fn new(count: u32) -> Option<Buckets> {
        (count <= BUCKETS).then_some(Buckets(count))
    }

    /// How many buckets, 0 to 100,000.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The part of all buckets, 0 to 1. For showing: what decides compares buckets.
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / f64::from(BUCKETS)
    }

    /// Reads a percentage such as `25`, `2.5` or `0.125 %`, exactly.
    pub fn parse_percent(text: &str) -> Result<Buckets, PercentError> {
        let text = text.trim();
        let digits = text.strip_suffix('%').map_or(text, str::trim_end);
        if let Some(magnitude) = digits.strip_prefix('-') {
            split_decimal(magnitude)?;
            return Err(PercentError::OutOfRange);
        }
        let (whole, decimals) = split_decimal(digits)?;
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > PLACES {
            return Err(PercentError::TooFine);
        }
        let percent = bounded(whole.trim_start_matches('0'))?;
        let missing_places = (decimals.len()..PLACES).fold(1, |scale, _| scale * 10);
        let buckets = percent * PER_PERCENT + bounded(decimals)? * missing_places;
        Buckets::new(buckets).ok_or(PercentError::OutOfRange)
    }
}

impl fmt::Display for Buckets {
    /// As a percentage without its sign, in the shortest form: `100`, `2.5`, `0.001`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:03}", self.0 % PER_PERCENT);
        match decimals.trim_end_matches('0') {
            "" => out.pad(&format!("{}", self.0 / PER_PERCENT)),
            decimals => out.pad(&format!("{}.{decimals}", self.0 / PER_PERCENT)),
        }
    }
}

/// The digits before and after the point; a point needs digits on both sides.
fn split_decimal(text: &str) -> Result<(&str, &str), PercentError> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return Err(PercentError::NotANumber),
        Some(parts) => parts,
        None => (text, ""),
    };
    let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !only_digits(whole) || !only_digits(decimals) {
        return Err(PercentError::NotANumber);
    }
    Ok((whole, decimals))
}

/// The number that at most three digits write; more digits are more than 100 %.
fn bounded(digits: &str) -> Result<u32, PercentError> {
    if digits.len() > PLACES {
        return Err(PercentError::OutOfRange);
    }
    Ok(digits
        .bytes()
        .fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        let cases = [
            ("0", 0),
            ("100", 100_000),
            ("100.000%", 100_000),
            ("2.5", 2_500),
            ("2.3 %", 2_300),
            (" 0.001 ", 1),
            ("33.333", 33_333),
            ("007", 7_000),
            ("1.50000", 1_500),
        ];
        for (text, buckets) in cases {
            assert_eq!(Buckets::parse_percent(text), Ok(Buckets(buckets)), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_percentage_is_named() {
        use PercentError::{NotANumber, OutOfRange, TooFine};
        let cases = [
            ("", NotANumber),
            ("%", NotANumber),
            ("+5", NotANumber),
            ("1e1", NotANumber),
            ("5.", NotANumber),
            (".5", NotANumber),
            ("1.2.3", NotANumber),
            ("5%%", NotANumber),
            ("-", NotANumber),
            ("½", NotANumber),
            ("0.0001", TooFine),
            ("100.001", OutOfRange),
            ("-1", OutOfRange),
            ("101", OutOfRange),
            ("99999999999999999999", OutOfRange),
        ];
        for (text, error) in cases {
            assert_eq!(Buckets::parse_percent(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn every_percentage_reads_back_what_it_shows() {
        for count in (0..=BUCKETS).step_by(7).chain([BUCKETS]) {
            let buckets = Buckets::new(count).unwrap();
            assert_eq!(Buckets::parse_percent(&buckets.to_string()), Ok(buckets));
        }
        assert_eq!(Buckets(2_500).to_string(), "2.5");
        assert_eq!(format!("{:>6}", Buckets(100)), "   0.1");
        assert_eq!(Buckets::new(BUCKETS + 1), None);
    }
}
