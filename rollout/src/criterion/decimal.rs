//! A decimal number with at most six places, exact.
//!
//! Held as whole millionths, so that what is written is what is kept. A sign is read by whoever reads the text around
//! the number; here are the digits.

use std::fmt;

/// Millionths in 1.
const ONE: u64 = 1_000_000;
/// Digits after the point.
const PLACES: usize = 6;

/// A decimal number: at most six places, up to some nine billion thousand (the largest `i64` in millionths).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i64);

impl Decimal {
    /// Nothing.
    pub const ZERO: Decimal = Decimal(0);
    /// One.
    pub const ONE: Decimal = Decimal(ONE as i64);

    /// So many millionths.
    pub fn from_millionths(millionths: i64) -> Self {
        Decimal(millionths)
    }

    /// Reads digits with an optional sign and at most six places; none for anything else, or what is too large.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        if !is_number(whole) || !is_number(places) || places.len() > PLACES {
            return None;
        }
        let magnitude = format!("{whole}{places:0<PLACES$}").parse().ok()?;
        Self::signed(digits.len() < text.len(), magnitude)
    }

    /// In millionths.
    pub fn millionths(self) -> i64 {
        self.0
    }

    /// The nearest float.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// From digits and their sign; none if it is too large.
    pub(super) fn signed(negative: bool, magnitude: u64) -> Option<Self> {
        let magnitude = i128::from(magnitude);
        let millionths = if negative { -magnitude } else { magnitude };
        i64::try_from(millionths).ok().map(Decimal)
    }

    /// Without its sign, as it is written.
    pub(super) fn digits(self) -> String {
        let magnitude = self.0.unsigned_abs();
        let (whole, part) = (magnitude / ONE, magnitude % ONE);
        let places = format!("{part:0PLACES$}");
        match places.trim_end_matches('0') {
            "" => whole.to_string(),
            places => format!("{whole}.{places}"),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        write!(formatter, "{sign}{}", self.digits())
    }
}

/// The millionths that digits with at most one point mean; none if there are too many digits on either side.
pub(super) fn magnitude(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > PLACES {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<PLACES$}").parse().ok()?;
    whole.checked_mul(ONE)?.checked_add(part)
}
