//! A stretch between two dates, which comes once.
//!
//! A date alone means its whole day, at the end of the stretch too; a date with a time means that minute, which the
//! stretch includes at its beginning and not at its end. Unlike weekly hours it is one piece whatever the clocks do: if
//! an edge is shown twice, the stretch begins with the first and ends with the second.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};

use super::Error;
use super::week;
use super::zone::Zone;
use crate::Micros;

/// The years that a date may have; beyond, the end of its day might not be an instant.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=9998;

/// Two dates and the instants they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dates {
    first: Edge,
    last: Edge,
    /// The first instant within.
    from: Micros,
    /// The first instant after it.
    until: Micros,
}

/// What is written on one side of the dots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Day(Date),
    Minute(DateTime),
}

impl Dates {
    /// Reads `2026-11-27..2026-11-30`, `2026-11-27T18:00..2026-11-30T09:00` or a single day.
    pub(super) fn parse(part: &str, zone: &Zone) -> Result<Dates, Error> {
        let written = || part.to_owned();
        let (first, last) = match part.split_once("..") {
            Some((first, last)) => (Edge::parse(first)?, Edge::parse(last)?),
            None => match Edge::parse(part)? {
                day @ Edge::Day(_) => (day, day),
                Edge::Minute(_) => return Err(Error::BadDate { part: written() }),
            },
        };
        let bad = || Error::BadDate { part: written() };
        let (start, end) = (first.start(), last.end().ok_or_else(bad)?);
        // The end of a day may be the beginning of the next one: the dates tell that the order is wrong.
        if end < start || last.start().date() < start.date() {
            return Err(Error::Backwards { part: written() });
        }
        if start == end {
            return Err(Error::EmptyDates { part: written() });
        }
        let from = zone.earliest(start).ok_or_else(bad)?;
        let until = zone.latest(end).ok_or_else(bad)?;
        if until <= from {
            let zone = zone.name().to_owned();
            return Err(Error::Skipped { part: written(), zone });
        }
        Ok(Dates {
            first,
            last,
            from,
            until,
        })
    }

    /// Whether an instant is within.
    pub(super) fn contains(&self, at: Micros) -> bool {
        (self.from..self.until).contains(&at)
    }

    /// The first instant after `at` at which [`Dates::contains`] answers differently; none up to `horizon`.
    pub(super) fn next_change(&self, at: Micros, horizon: Micros) -> Option<Micros> {
        [self.from, self.until]
            .into_iter()
            .find(|change| *change > at)
            .filter(|change| *change <= horizon)
    }
}

impl fmt::Display for Dates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (Edge::Day(first), Edge::Day(last)) if first == last => write!(formatter, "{first}"),
            (first, last) => write!(formatter, "{first}..{last}"),
        }
    }
}

impl Edge {
    fn parse(text: &str) -> Result<Edge, Error> {
        let bad = || Error::BadDate { part: text.to_owned() };
        let Some((day, minute)) = text.split_once('T') else {
            return date(text).map(Edge::Day).ok_or_else(bad);
        };
        let day = date(day).ok_or_else(bad)?;
        let minutes = week::minutes(minute)
            .and_then(|minutes| i16::try_from(minutes).ok())
            .ok_or_else(bad)?;
        let (Ok(hour), Ok(minute)) = (i8::try_from(minutes / 60), i8::try_from(minutes % 60)) else {
            return Err(bad());
        };
        let time = Time::new(hour, minute, 0, 0).map_err(|_| bad())?;
        Ok(Edge::Minute(day.to_datetime(time)))
    }

    fn start(self) -> DateTime {
        match self {
            Edge::Day(day) => day.to_datetime(Time::midnight()),
            Edge::Minute(minute) => minute,
        }
    }

    fn end(self) -> Option<DateTime> {
        match self {
            Edge::Day(day) => Some(day.tomorrow().ok()?.to_datetime(Time::midnight())),
            Edge::Minute(minute) => Some(minute),
        }
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edge::Day(day) => write!(formatter, "{day}"),
            Edge::Minute(minute) => write!(
                formatter,
                "{}T{:02}:{:02}",
                minute.date(),
                minute.hour(),
                minute.minute()
            ),
        }
    }
}

/// Exactly `2026-11-27`.
fn date(text: &str) -> Option<Date> {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return None;
    };
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    let year = year.parse().ok().filter(|year| YEARS.contains(year))?;
    Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()
}
