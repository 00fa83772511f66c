//! Hours that come back every week: days, and hours of each.
//!
//! The clock on the wall decides: a weekly window holds whenever the clocks of its zone show a day and time within it.
//! An hour that is skipped is not there, an hour that is shown twice counts twice. Hours that end before they begin run
//! over midnight and belong to the day they begin on.

use std::fmt;

use super::Error;
use super::zone::Zone;
use crate::{DAY_US, Micros};

/// Days as they are written, Monday first.
const DAYS: [(&str, &str); 7] = [
    ("Mon", "Monday"),
    ("Tue", "Tuesday"),
    ("Wed", "Wednesday"),
    ("Thu", "Thursday"),
    ("Fri", "Friday"),
    ("Sat", "Saturday"),
    ("Sun", "Sunday"),
];
const MINUTE_US: Micros = 60_000_000;
const WEEK_US: Micros = 7 * DAY_US;
/// From Monday to 1970-01-01, a Thursday.
const EPOCH_IN_WEEK_US: Micros = 3 * DAY_US;
const DAY_MINUTES: u16 = 24 * 60;

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days([bool; 7]);

/// Hours of a day, in minutes since midnight; the end is not included and may be before the beginning (over midnight).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    from: u16,
    until: u16,
}

/// Days with the hours of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Week {
    days: Days,
    /// None: whole days.
    hours: Option<Hours>,
    /// What the two come to, as microseconds since midnight before Monday: in order, apart, ends not included.
    spans: Vec<(Micros, Micros)>,
}

impl Days {
    pub(super) const ALL: Days = Days([true; 7]);

    /// Reads `Mon-Fri`, `Sat,Sun`, `Mon,Wed-Fri`; a range may run over Sunday (`Fri-Mon`).
    pub(super) fn parse(text: &str) -> Result<Days, Error> {
        let mut days = [false; 7];
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            let length = (last + 7 - first) % 7;
            (first..=first + length).for_each(|day| days[day % 7] = true);
        }
        Ok(Days(days))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut day = 0;
        while day < 7 {
            let run = self.0[day..].iter().take_while(|included| **included).count();
            match run {
                0 => {
                    day += 1;
                    continue;
                }
                1 => write!(formatter, "{separator}{}", DAYS[day].0)?,
                2 => write!(formatter, "{separator}{},{}", DAYS[day].0, DAYS[day + 1].0)?,
                _ => write!(formatter, "{separator}{}-{}", DAYS[day].0, DAYS[day + run - 1].0)?,
            }
            separator = ",";
            day += run;
        }
        Ok(())
    }
}

impl Hours {
    /// Reads `09:00-17:00`.
    pub(super) fn parse(text: &str) -> Result<Hours, Error> {
        let bad = || Error::BadHours { part: text.to_owned() };
        let (from, until) = text.split_once('-').ok_or_else(bad)?;
        let (from, until) = (minutes(from).ok_or_else(bad)?, minutes(until).ok_or_else(bad)?);
        if from == DAY_MINUTES {
            return Err(bad());
        }
        if from == until {
            return Err(Error::EmptyHours { part: text.to_owned() });
        }
        Ok(Hours { from, until })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, until] = [self.from, self.until].map(|minutes| (minutes / 60, minutes % 60));
        write!(formatter, "{:02}:{:02}-{:02}:{:02}", from.0, from.1, until.0, until.1)
    }
}

impl Week {
    pub(super) fn new(days: Days, hours: Option<Hours>) -> Week {
        let (from, until) = hours.map_or((0, DAY_MINUTES), |hours| (hours.from, hours.until));
        let next_day = if until < from { DAY_US } else { 0 };
        let mut pieces = Vec::new();
        for (day, midnight) in (0..7).map(|day| (day, day as Micros * DAY_US)) {
            if !days.0[day] {
                continue;
            }
            let start = midnight + Micros::from(from) * MINUTE_US;
            let end = midnight + next_day + Micros::from(until) * MINUTE_US;
            pieces.push((start, end.min(WEEK_US)));
            if end > WEEK_US {
                pieces.push((0, end - WEEK_US));
            }
        }
        pieces.sort_unstable();
        let mut spans: Vec<(Micros, Micros)> = Vec::new();
        for piece in pieces {
            match spans.last_mut() {
                Some(last) if piece.0 <= last.1 => last.1 = last.1.max(piece.1),
                Some(_) | None => spans.push(piece),
            }
        }
        Week { days, hours, spans }
    }

    /// Whether the clocks of `zone` show a time within it.
    pub(super) fn contains(&self, zone: &Zone, at: Micros) -> bool {
        self.holds(zone.local(at))
    }

    /// The first instant after `at` at which [`Week::contains`] answers differently; none up to `horizon`.
    pub(super) fn next_change(&self, zone: &Zone, at: Micros, horizon: Micros) -> Option<Micros> {
        let mut stretch = zone.stretch(at);
        let held = self.holds(at.saturating_add(stretch.offset_us));
        let mut at = at;
        // While the clocks are not changed, a week is plain arithmetic; at each change the question is asked anew.
        loop {
            let wait = self.lasts(at.saturating_add(stretch.offset_us))?;
            let next = at.checked_add(wait)?;
            match stretch.until {
                Some(until) if until <= next => {
                    if until > horizon {
                        return None;
                    }
                    at = until;
                    stretch = zone.stretch(at);
                    if self.holds(at.saturating_add(stretch.offset_us)) != held {
                        return Some(at);
                    }
                }
                Some(_) | None => return (next <= horizon).then_some(next),
            }
        }
    }

    fn holds(&self, local: Micros) -> bool {
        let position = position(local);
        self.spans.iter().any(|span| span.0 <= position && position < span.1)
    }

    /// How long the clocks may run on from `local` until it begins or ends; none if it always holds.
    fn lasts(&self, local: Micros) -> Option<Micros> {
        let position = position(local);
        let first = self.spans.first()?;
        let change = match self.spans.iter().find(|span| position < span.1) {
            Some(span) if position < span.0 => span.0,
            Some(span) if span.1 == WEEK_US && first.0 == 0 => {
                if span.0 == 0 {
                    return None;
                }
                WEEK_US + first.1
            }
            Some(span) => span.1,
            None => WEEK_US + first.0,
        };
        Some(change - position)
    }
}

impl fmt::Display for Week {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hours {
            Some(hours) if self.days == Days::ALL => write!(formatter, "{hours}"),
            Some(hours) => write!(formatter, "{} {hours}", self.days),
            None => write!(formatter, "{}", self.days),
        }
    }
}

/// Since midnight before Monday.
fn position(local: Micros) -> Micros {
    local.saturating_add(EPOCH_IN_WEEK_US).rem_euclid(WEEK_US)
}

/// A day of the week by its name, Monday being 0.
pub(super) fn day(name: &str) -> Result<usize, Error> {
    DAYS.iter()
        .position(|(short, long)| name.eq_ignore_ascii_case(short) || name.eq_ignore_ascii_case(long))
        .ok_or_else(|| Error::UnknownDay { day: name.to_owned() })
}

/// Minutes since midnight of `09:00`; at most 24:00.
pub(super) fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY_MINUTES).then_some(minutes)
}
