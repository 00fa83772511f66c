//! A measured number as people write it: in the unit that shows it best, with six places.

use super::{Decimal, Number, Written};
use crate::catalogue::Unit;

/// Millionths in one.
const MILLION: f64 = 1e6;

impl Number {
    /// A measured value of this unit (a fraction, microseconds, whole units of money, bytes, a plain number); none if it
    /// is no number, below zero or too large to be kept. Money has no currency here: which one is not measured.
    pub fn of(unit: Unit, value: f64) -> Option<Self> {
        let (written, worth) = written(unit, value);
        let millionths = (value / worth * MILLION).round();
        let is_kept = (0.0..i64::MAX as f64).contains(&millionths);
        is_kept.then(|| Self {
            value: Decimal::from_millionths(millionths as i64),
            written,
        })
    }
}

/// The unit to write a value of this size in, and what one of it is worth.
fn written(unit: Unit, size: f64) -> (Written, f64) {
    const KIBIBYTE: f64 = 1_024.0;
    match unit {
        Unit::Fraction => (Written::Percent, 0.01),
        Unit::Duration if size < 1e3 => (Written::Microseconds, 1.0),
        Unit::Duration if size < 1e7 => (Written::Milliseconds, 1e3),
        Unit::Duration => (Written::Seconds, 1e6),
        Unit::Money | Unit::Count | Unit::Score => (Written::Plain, 1.0),
        Unit::Bytes if size < KIBIBYTE => (Written::Bytes, 1.0),
        Unit::Bytes if size < KIBIBYTE * KIBIBYTE => (Written::Kibibytes, KIBIBYTE),
        Unit::Bytes => (Written::Mebibytes, KIBIBYTE * KIBIBYTE),
        Unit::PerSecond => (Written::PerSecond, 1.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_measured_value_is_written_in_the_unit_that_shows_it() {
        for (unit, value, text) in [
            (Unit::Fraction, 0.008, "0.8 %"),
            (Unit::Fraction, 1.0 / 3.0, "33.333333 %"),
            (Unit::Duration, 890_000.0, "890 ms"),
            (Unit::Duration, 250.0, "250 us"),
            (Unit::Duration, 12_500_000.0, "12.5 s"),
            (Unit::Money, 4.2, "4.2"),
            (Unit::Score, 0.85, "0.85"),
            (Unit::Bytes, 3.0 * 1_048_576.0, "3 MiB"),
            (Unit::PerSecond, 120.0, "120/s"),
        ] {
            assert_eq!(Number::of(unit, value).unwrap().to_string(), text);
        }
        for value in [f64::NAN, f64::INFINITY, 1e30, -0.5] {
            assert_eq!(Number::of(Unit::Count, value), None);
        }
    }

    proptest! {
        #[test]
        fn a_written_value_reads_back_as_what_was_measured(value in 0.0f64..1e9, which in 0usize..7) {
            let units = [
                Unit::Fraction, Unit::Duration, Unit::Money, Unit::Count, Unit::Score, Unit::Bytes, Unit::PerSecond,
            ];
            let number = Number::of(units[which], value).unwrap();
            let read: Number = number.to_string().parse().unwrap();
            prop_assert_eq!(read, number);
            prop_assert!((read.as_f64() - value).abs() <= 1e-6 * value.max(1.0), "{} of {value}", read);
        }
    }
}
