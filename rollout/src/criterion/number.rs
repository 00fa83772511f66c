//! A number with the unit in which somebody wrote it.
//!
//! `1 s` and `1000 ms` are two numbers that are worth the same: the text is kept, and [`Number::as_f64`] gives the
//! worth in the base unit that estimates use (a fraction, microseconds, money, bytes, a plain number).

use std::fmt;

use super::Decimal;

/// The parts of the base unit in which worth is exact: a hundred-millionth, because a millionth of a percent is one.
const PARTS: i128 = 100_000_000;

/// A decimal number and the unit in which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    /// As written.
    pub value: Decimal,
    /// In this unit.
    pub written: Written,
}

/// The unit in which a number was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// No unit.
    Plain,
    /// `%`
    Percent,
    /// `points`: percentage points.
    Points,
    /// `us`
    Microseconds,
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `min`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
    /// `$` or a currency's code.
    Money(Currency),
    /// `B`
    Bytes,
    /// `kB`: 1,000 bytes.
    Kilobytes,
    /// `MB`
    Megabytes,
    /// `GB`
    Gigabytes,
    /// `KiB`: 1,024 bytes.
    Kibibytes,
    /// `MiB`
    Mebibytes,
    /// `GiB`
    Gibibytes,
    /// `/s`
    PerSecond,
}

/// A currency: three capitals, as ISO 4217 gives them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// United States dollars, the one that is written `$`.
    pub const USD: Currency = Currency(*b"USD");
    /// Euro.
    pub const EUR: Currency = Currency(*b"EUR");
    /// Pound sterling.
    pub const GBP: Currency = Currency(*b"GBP");

    /// The currency with this code; none unless it is three capitals.
    pub fn new(code: &str) -> Option<Self> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Currency(code))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|letter| write!(formatter, "{}", char::from(*letter)))
    }
}

impl Number {
    /// Its worth in the base unit of what it measures.
    pub fn as_f64(self) -> f64 {
        self.parts() as f64 / PARTS as f64
    }

    /// Its exact worth, in hundred-millionths of the base unit.
    pub(super) fn parts(self) -> i128 {
        i128::from(self.value.millionths()) * self.written.parts_in_a_millionth()
    }
}

impl Written {
    /// The unit that a word means; none if it is not a unit. Money is read apart.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "percent" | "pct" => Written::Percent,
            "points" | "point" | "pp" => Written::Points,
            "us" | "µs" | "μs" | "microseconds" => Written::Microseconds,
            "ms" | "millisecond" | "milliseconds" => Written::Milliseconds,
            "s" | "sec" | "second" | "seconds" => Written::Seconds,
            "min" | "minute" | "minutes" => Written::Minutes,
            "h" | "hour" | "hours" => Written::Hours,
            "d" | "day" | "days" => Written::Days,
            "B" | "byte" | "bytes" => Written::Bytes,
            "kB" | "KB" => Written::Kilobytes,
            "MB" => Written::Megabytes,
            "GB" => Written::Gigabytes,
            "KiB" => Written::Kibibytes,
            "MiB" => Written::Mebibytes,
            "GiB" => Written::Gibibytes,
            code => Written::Money(Currency::new(code)?),
        })
    }

    /// Whether it is a length of time.
    pub(super) fn is_time(self) -> bool {
        matches!(
            self,
            Written::Microseconds
                | Written::Milliseconds
                | Written::Seconds
                | Written::Minutes
                | Written::Hours
                | Written::Days
        )
    }

    /// Whether it is a size.
    pub(super) fn is_bytes(self) -> bool {
        matches!(
            self,
            Written::Bytes
                | Written::Kilobytes
                | Written::Megabytes
                | Written::Gigabytes
                | Written::Kibibytes
                | Written::Mebibytes
                | Written::Gibibytes
        )
    }

    /// What a millionth of this unit is worth, in hundred-millionths of the base unit.
    fn parts_in_a_millionth(self) -> i128 {
        match self {
            Written::Percent | Written::Points => 1,
            Written::Plain | Written::Money(_) | Written::PerSecond | Written::Microseconds | Written::Bytes => 100,
            Written::Kilobytes | Written::Milliseconds => 100_000,
            Written::Megabytes | Written::Seconds => 100_000_000,
            Written::Gigabytes => 100_000_000_000,
            Written::Minutes => 60 * 100_000_000,
            Written::Hours => 3_600 * 100_000_000,
            Written::Days => 86_400 * 100_000_000,
            Written::Kibibytes => 1_024 * 100,
            Written::Mebibytes => 1_024 * 1_024 * 100,
            Written::Gibibytes => 1_024 * 1_024 * 1_024 * 100,
        }
    }
}
