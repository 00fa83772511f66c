//! One window, written on one line and always with its time zone.
//!
//! ```text
//! Mon-Fri 09:00-17:00 Europe/Berlin
//! 11:00-14:00 America/New_York                              every day
//! Sat,Sun UTC                                               whole days
//! 22:00-06:00 UTC                                           over midnight
//! 2026-11-27..2026-11-30 America/New_York                   whole days, both included
//! 2026-11-27T18:00..2026-11-30T09:00 America/New_York       the end is not included
//! ```
//!
//! What is shown reads back as an equal window. Whether a window opens or freezes is said by the calendar that holds it.

use std::fmt;
use std::str::FromStr;

use super::Error;
use super::dates::Dates;
use super::week::{self, Days, Hours, Week};
use super::zone::Zone;
use crate::Micros;

/// The longest text of a window, in bytes.
const LONGEST: usize = 200;

/// Hours that come back every week, or a stretch between two dates, in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    when: When,
    zone: Zone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Weekly(Week),
    Dated(Dates),
}

impl Window {
    /// Whether an instant is within the window.
    pub fn contains(&self, at: Micros) -> bool {
        match &self.when {
            When::Weekly(week) => week.contains(&self.zone, at),
            When::Dated(dates) => dates.contains(at),
        }
    }

    /// The IANA name of its time zone.
    pub fn zone(&self) -> &str {
        self.zone.name()
    }

    /// The first instant after `at` at which [`Window::contains`] answers differently; none up to `horizon`.
    pub(super) fn next_change(&self, at: Micros, horizon: Micros) -> Option<Micros> {
        match &self.when {
            When::Weekly(week) => week.next_change(&self.zone, at, horizon),
            When::Dated(dates) => dates.next_change(at, horizon),
        }
    }
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Window, Error> {
        if text.len() > LONGEST {
            let bytes = text.len();
            return Err(Error::TooLong { bytes, most: LONGEST });
        }
        let mut parts = text.split_whitespace().peekable();
        let first = *parts.peek().ok_or(Error::Empty)?;
        if is_dated(first) {
            parts.next();
            let zone = zone(text, parts)?;
            let when = When::Dated(Dates::parse(first, &zone)?);
            return Ok(Window { when, zone });
        }
        let days = match parts.next_if(|part| !is_hours(part)) {
            Some(part) => days(part, parts.peek().is_none())?,
            None => Days::ALL,
        };
        let hours = parts.next_if(|part| is_hours(part)).map(Hours::parse).transpose()?;
        let zone = zone(text, parts)?;
        let when = When::Weekly(Week::new(days, hours));
        Ok(Window { when, zone })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Weekly(week) => write!(formatter, "{week} {}", self.zone.name()),
            When::Dated(dates) => write!(formatter, "{dates} {}", self.zone.name()),
        }
    }
}

/// Days; a zone that stands alone is told apart from a day that nobody knows.
fn days(part: &str, alone: bool) -> Result<Days, Error> {
    Days::parse(part).map_err(|error| match Zone::named(part) {
        Ok(zone) if alone => Error::ZoneAlone {
            zone: zone.name().to_owned(),
        },
        Ok(_) | Err(_) => error,
    })
}

/// The zone, which must be the last part.
fn zone<'a>(text: &str, mut parts: impl Iterator<Item = &'a str>) -> Result<Zone, Error> {
    let Some(name) = parts.next() else {
        let text = text.trim().to_owned();
        return Err(Error::NoZone { text });
    };
    // What cannot be the zone is reported for what it is: hours written twice, days with a space between.
    if is_hours(name) || week::day(name).is_ok() {
        let part = name.to_owned();
        return Err(Error::Surplus { part });
    }
    let zone = Zone::named(name)?;
    match parts.next() {
        Some(part) => Err(Error::Surplus { part: part.to_owned() }),
        None => Ok(zone),
    }
}

/// Dates have two separators or dots between them, hours one dash: `9-17` and `0900-1700` are hours written badly.
fn is_dated(part: &str) -> bool {
    is_hours(part) && (part.contains("..") || part.matches(['-', '/', '.']).count() >= 2)
}

/// Whether it begins like hours or a date, which no day or zone does.
fn is_hours(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_digit())
}
