//! Dates: texts as in RFC 3339, or numbers of seconds since 1970 UTC.
//!
//! A date alone is its first moment in UTC. A date is kept to the nanosecond; finer fractions are cut. A leap second counts
//! as the first moment of the next minute. The calendar is the proleptic Gregorian one (days from civil, after Howard
//! Hinnant), so no table of zones or leap seconds is needed.

use super::Mute;
use crate::condition::DateComparison;
use crate::json::Json;

const NANOS: f64 = 1e9;

/// A moment; ordered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// Whole seconds since 1970 UTC, rounded down.
    seconds: i64,
    /// Nanoseconds after that; below a second.
    nanos: u32,
}

/// Decimal places of a second that are kept.
const PLACES: usize = 9;

/// The largest number of seconds that is a date: beyond it doubles do not count seconds any more.
const MOST_SECONDS: f64 = 9_007_199_254_740_992.0;

/// Whether a value compares so with the date.
pub(super) fn test(comparison: DateComparison, date: Moment, value: &Json) -> Result<bool, Mute> {
    let found = match value {
        Json::Text(text) => parse(text).ok_or(Mute::Unreadable("a date"))?,
        Json::Number(seconds) => from_seconds(*seconds).ok_or(Mute::Unreadable("a date"))?,
        Json::Null | Json::Boolean(_) | Json::List(_) | Json::Object(_) => {
            return Err(Mute::WrongType("a date as text or number"));
        }
    };
    Ok(match comparison {
        DateComparison::Before => found < date,
        DateComparison::After => found > date,
    })
}

/// The moment so many seconds after 1970 UTC.
fn from_seconds(seconds: f64) -> Option<Moment> {
    let whole = seconds.floor();
    (seconds.abs() <= MOST_SECONDS).then(|| Moment {
        seconds: whole as i64,
        nanos: ((seconds - whole) * NANOS).min(NANOS - 1.0) as u32,
    })
}

/// The moment of an RFC 3339 date and time, or of a date alone; none if it is neither.
pub(crate) fn parse(text: &str) -> Option<Moment> {
    let mut reader = Reader(text.as_bytes());
    let (year, month, day) = (reader.number(4)?, reader.after(b"-")?, reader.after(b"-")?);
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * 86_400;
    if reader.0.is_empty() {
        return Some(Moment {
            seconds: midnight,
            nanos: 0,
        });
    }
    reader.one_of(b"Tt ")?;
    let (hour, minute, second) = (reader.number(2)?, reader.after(b":")?, reader.after(b":")?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let fraction = reader.fraction()?;
    let offset = reader.offset()?;
    // A leap second has no place of its own in a count of seconds since 1970.
    let nanos = if second == 60 { 0 } else { fraction };
    let seconds = midnight + hour * 3_600 + minute * 60 + second - offset;
    reader.0.is_empty().then_some(Moment { seconds, nanos })
}

/// What is left to read.
struct Reader<'t>(&'t [u8]);

impl Reader<'_> {
    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        bytes.contains(first).then(|| self.0 = rest)?;
        Some(*first)
    }

    /// A number of exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
        number
            .iter()
            .try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
    }

    /// A separator, then two digits.
    fn after(&mut self, separator: &[u8]) -> Option<i64> {
        self.one_of(separator)?;
        self.number(2)
    }

    /// Nanoseconds after the point, if there is one.
    fn fraction(&mut self) -> Option<u32> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let kept = digits.iter().copied().chain(std::iter::repeat(b'0')).take(PLACES);
        (length > 0).then(|| kept.fold(0, |number, byte| number * 10 + u32::from(byte - b'0')))
    }

    /// Seconds that local time is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let (hours, minutes) = (self.number(2)?, self.after(b":")?);
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01. Source: H. Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(seconds: i64, nanos: u32) -> Option<Moment> {
        Some(Moment { seconds, nanos })
    }

    #[test]
    fn dates_are_read_as_in_rfc_3339() {
        let cases = [
            ("1970-01-01", moment(0, 0)),
            ("1970-01-01T00:00:01Z", moment(1, 0)),
            ("1969-12-31t23:59:59.5z", moment(-1, 500_000_000)),
            ("2026-11-21 09:00:00+01:00", moment(1_795_248_000, 0)),
            ("2026-11-21T09:00:00.000000001-08:30", moment(1_795_282_200, 1)),
            ("2024-02-29", moment(1_709_164_800, 0)),
            ("2000-02-29T12:00:00.1234567899Z", moment(951_825_600, 123_456_789)),
            ("2016-12-31T23:59:60.9Z", moment(1_483_228_800, 0)),
            ("0000-01-01", moment(-62_167_219_200, 0)),
            ("9999-12-31", moment(253_402_214_400, 0)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2026",
            "2026-11",
            "2026-1-1",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "1900-02-29",
            "2026-04-31",
            "2026-11-21T",
            "2026-11-21T09:00",
            "2026-11-21T09:00:00",
            "2026-11-21T24:00:00Z",
            "2026-11-21T09:60:00Z",
            "2026-11-21T09:00:61Z",
            "2026-11-21T09:00:00.Z",
            "2026-11-21T09:00:00+1:00",
            "2026-11-21T09:00:00+24:00",
            "2026-11-21T09:00:00Zx",
            "+026-11-21",
            "2026-11-21Z",
            "tomorrow",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_seconds() {
        assert_eq!(from_seconds(1.5), moment(1, 500_000_000));
        assert_eq!(from_seconds(-1.25), moment(-2, 750_000_000));
        assert_eq!(from_seconds(1_795_248_000.0), parse("2026-11-21T08:00:00Z"));
        for number in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(from_seconds(number), None, "{number}");
        }
    }
}
