//! Durations as people write them: `10s`, `24h`, `1h30m`, `2 days`, `1 week`; and a stage's dwell, which may be
//! `permanent`.
//!
//! A number always carries its unit; fractions are written with a smaller unit. What [`exact`] shows parses back to the
//! same duration, what [`about`] shows is for reading only. Bounds (how long a dwell may be) are left to the plan.

use std::fmt;
use std::str::FromStr;

use crate::Micros;

/// Units, the longest first: the name that [`exact`] writes, other names that are read, the length in microseconds.
const UNITS: [(&str, &[&str], Micros); 7] = [
    ("w", &["week", "weeks"], 7 * 24 * HOUR),
    ("d", &["day", "days"], DAY),
    ("h", &["hour", "hours"], HOUR),
    ("m", &["min", "minute", "minutes"], MINUTE),
    ("s", &["sec", "second", "seconds"], SECOND),
    ("ms", &["millisecond", "milliseconds"], MILLISECOND),
    ("us", &["microsecond", "microseconds"], 1),
];

const MILLISECOND: Micros = 1_000;
const SECOND: Micros = 1_000 * MILLISECOND;
const MINUTE: Micros = 60 * SECOND;
const HOUR: Micros = 60 * MINUTE;
const DAY: Micros = 24 * HOUR;

/// The word for a dwell that has no end.
const PERMANENT: &str = "permanent";

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is written.
    #[error("a duration is empty; write a number and a unit, such as 10s, 24h or 2 days")]
    Empty,
    /// Something else stands where a number should.
    #[error("`{text}`: write whole numbers with a unit, such as 500ms, 10s, 5m, 1h30m, 24h, 2 days, 1w")]
    NoNumber {
        /// The whole text.
        text: String,
    },
    /// A number without a unit.
    #[error("`{text}`: a unit is missing after {number}; one of w, d, h, m, s, ms, us")]
    NoUnit {
        /// The whole text.
        text: String,
        /// The number that has none.
        number: String,
    },
    /// A unit that nobody knows.
    #[error("`{text}`: no unit `{unit}`; one of w, d, h, m, s, ms, us, or in words: weeks, days, hours, min, seconds")]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The unknown unit.
        unit: String,
    },
    /// More than 63 bits of microseconds hold (about 292,000 years).
    #[error("`{text}`: too long; the longest is about 292,000 years")]
    TooLong {
        /// The whole text.
        text: String,
    },
}

/// How long a stage is held: for a time, or without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dwell {
    /// For so many microseconds; never negative when it was parsed.
    For(Micros),
    /// Until somebody changes the plan: the stage is never left by itself.
    Permanent,
}

impl Dwell {
    /// Reads a duration or `permanent`.
    pub fn parse(text: &str) -> Result<Dwell, Error> {
        if text.trim() == PERMANENT {
            return Ok(Dwell::Permanent);
        }
        parse(text).map(Dwell::For)
    }

    /// The time that it has an end after; none: it has none.
    pub fn finite_us(self) -> Option<Micros> {
        match self {
            Dwell::For(us) => Some(us),
            Dwell::Permanent => None,
        }
    }

    /// How long to plan for: a stage without an end is planned like one of a day.
    pub fn planned_us(self) -> Micros {
        self.finite_us().unwrap_or(crate::DAY_US)
    }
}

impl FromStr for Dwell {
    type Err = Error;

    fn from_str(text: &str) -> Result<Dwell, Error> {
        Dwell::parse(text)
    }
}

impl fmt::Display for Dwell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dwell::For(us) => formatter.pad(&exact(*us)),
            Dwell::Permanent => formatter.pad(PERMANENT),
        }
    }
}

/// Reads a duration, in microseconds, never negative. Parts are added (`1h30m`, `1 day 6 hours`); spaces may stand
/// anywhere but inside a number or a unit.
pub fn parse(text: &str) -> Result<Micros, Error> {
    let whole = || text.trim().to_owned();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(Error::Empty);
    }
    let mut total: Micros = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        if number.is_empty() {
            return Err(Error::NoNumber { text: whole() });
        }
        let (unit, next) = split(after.trim_start(), |c| c.is_ascii_alphabetic());
        if unit.is_empty() {
            return Err(Error::NoUnit {
                text: whole(),
                number: number.to_owned(),
            });
        }
        let Some(length) = length(unit) else {
            return Err(Error::UnknownUnit {
                text: whole(),
                unit: unit.to_owned(),
            });
        };
        let amount = number.parse::<Micros>().ok().and_then(|n| n.checked_mul(length));
        total = amount
            .and_then(|amount| total.checked_add(amount))
            .ok_or_else(|| Error::TooLong { text: whole() })?;
        rest = next.trim_start();
    }
    Ok(total)
}

/// Exactly, without spaces: `1h30m`, `0s`. The sign is dropped: a length of time has none.
pub fn exact(us: Micros) -> String {
    let mut left = us.unsigned_abs();
    if left == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (name, _, length) in UNITS {
        let length = length.unsigned_abs();
        if left >= length {
            text.push_str(&format!("{}{name}", left / length));
            left %= length;
        }
    }
    text
}

/// For people, rounded to what still matters, in at most two units: `18 days`, `2 h 5 min`, `40 s`. The sign is
/// dropped.
pub fn about(us: Micros) -> String {
    let us = us.saturating_abs();
    let grain = if us < SECOND {
        MILLISECOND
    } else if us < 10 * MINUTE {
        SECOND
    } else if us < DAY {
        MINUTE
    } else if us < 10 * DAY {
        HOUR
    } else {
        DAY
    };
    // Rounded before it is split, so that 59.7 s is 1 min and never 60 s.
    let rounded = us.saturating_add(grain / 2) / grain * grain;
    let days = |count: Micros| if count == 1 { "day" } else { "days" };
    let parts = [
        (rounded / DAY, days(rounded / DAY)),
        (rounded % DAY / HOUR, "h"),
        (rounded % HOUR / MINUTE, "min"),
        (rounded % MINUTE / SECOND, "s"),
        (rounded % SECOND / MILLISECOND, "ms"),
    ];
    let Some(first) = parts.iter().position(|(count, _)| *count > 0) else {
        return "0 s".into();
    };
    let shown: Vec<String> = parts
        .iter()
        .skip(first)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    shown.join(" ")
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn length(unit: &str) -> Option<Micros> {
    UNITS
        .iter()
        .find(|(name, words, _)| *name == unit || words.contains(&unit))
        .map(|(_, _, length)| *length)
}

#[cfg(test)]
mod tests;
