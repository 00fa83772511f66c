//! Time zones: which offset holds when, and which instant a date and time there stand for.
//!
//! Only the database that is compiled in is read, never that of the system: the same text means the same instants on
//! every machine that runs the same release. What a window makes of the hours is left to `week.rs` and `dates.rs`.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use super::Error;
use crate::Micros;

/// A zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone(TimeZone);

/// A time during which the clocks of a zone were not changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// What is added to UTC.
    pub(super) offset_us: Micros,
    /// The first instant after it; none if the clocks are never changed again.
    pub(super) until: Option<Micros>,
}

impl Zone {
    /// A zone by its name, whatever the case of its letters.
    pub(super) fn named(name: &str) -> Result<Zone, Error> {
        match TimeZoneDatabase::bundled().get(name) {
            Ok(zone) if !zone.is_unknown() && zone.iana_name().is_some() => Ok(Zone(zone)),
            Ok(_) | Err(_) => Err(Error::UnknownZone {
                zone: name.to_owned(),
                near: near(name),
            }),
        }
    }

    /// The name as the database spells it.
    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What the clocks there show: microseconds since midnight of 1970-01-01 on the same clocks.
    pub(super) fn local(&self, at: Micros) -> Micros {
        at.saturating_add(self.offset_us(at))
    }

    /// The stretch that `at` is in.
    pub(super) fn stretch(&self, at: Micros) -> Stretch {
        Stretch {
            offset_us: self.offset_us(at),
            until: self.next_change(timestamp(at)),
        }
    }

    /// The first instant at which the clocks show `time` or later.
    pub(super) fn earliest(&self, time: DateTime) -> Option<Micros> {
        self.instant(time, |before, _| before)
    }

    /// The last such instant: it differs from the earliest if the clocks show `time` twice.
    pub(super) fn latest(&self, time: DateTime) -> Option<Micros> {
        self.instant(time, |_, after| after)
    }

    fn instant(&self, time: DateTime, choose: impl Fn(Timestamp, Timestamp) -> Timestamp) -> Option<Micros> {
        match self.0.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok().map(Timestamp::as_microsecond),
            AmbiguousOffset::Fold { before, after } => {
                let instant = choose(before.to_timestamp(time).ok()?, after.to_timestamp(time).ok()?);
                Some(instant.as_microsecond())
            }
            // Skipped: later times begin at the change, and the offset after it leads to an instant just before it.
            AmbiguousOffset::Gap { before: _, after } => self.next_change(after.to_timestamp(time).ok()?),
        }
    }

    fn offset_us(&self, at: Micros) -> Micros {
        Micros::from(self.0.to_offset(timestamp(at)).seconds()) * 1_000_000
    }

    fn next_change(&self, after: Timestamp) -> Option<Micros> {
        let change = self.0.following(after).next()?;
        Some(change.timestamp().as_microsecond())
    }
}

/// Instants beyond the years that the database knows count as its first or last.
fn timestamp(at: Micros) -> Timestamp {
    let nearest = if at < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_duration(SignedDuration::from_micros(at)).unwrap_or(nearest)
}

/// The zone that looks most like `name`, wholly or in its last part (`Berlin`); none if nothing comes near.
fn near(name: &str) -> Option<String> {
    let wanted = name.to_ascii_lowercase();
    let most = wanted.len() / 4;
    TimeZoneDatabase::bundled()
        .available()
        .filter_map(|known| {
            let lower = known.as_str().to_ascii_lowercase();
            let city = lower.rsplit('/').next().unwrap_or(&lower);
            let off = distance(&wanted, &lower).min(distance(&wanted, city));
            (off <= most).then(|| (off, known.as_str().to_owned()))
        })
        .min()
        .map(|(_, known)| known)
}

/// How many letters must be changed, added or left out (Levenshtein), in time and memory of the product of the lengths
/// and of one of them.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, l) in left.bytes().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (position, r) in right.bytes().enumerate() {
            let changed = diagonal + usize::from(l != r);
            diagonal = row[position + 1];
            row[position + 1] = changed.min(diagonal + 1).min(row[position] + 1);
        }
    }
    row[right.len()]
}
