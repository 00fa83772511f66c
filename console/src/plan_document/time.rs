//! Durations and points in time of plan documents: `24h`, `1 week`, `2026-12-01T09:00:00Z`, `2026-12-01T09:00 Europe/Berlin`.
//!
//! Both are whole microseconds on the wire; what is finer is refused rather than rounded. A date and time with the name
//! of a zone must be shown exactly once by the clocks there.

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{Disambiguation, TimeZoneDatabase},
};
use rollout::duration;

use crate::document::{Fields, Problems, Tree};

/// A duration; none if it is absent.
pub(super) fn duration(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> Option<i64> {
    let node = fields.take(name)?;
    let text = crate::document::text_of(node, &fields.path(name), problems)?;
    match duration::parse(&text) {
        Ok(us) => Some(us),
        Err(error) => {
            problems.wrong(node.place, &fields.path(name), error.to_string());
            None
        }
    }
}

/// A duration above 0; 0 if it is absent, which means the default.
pub(super) fn positive(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> i64 {
    let place = fields.place;
    match duration(fields, name, problems) {
        Some(0) => {
            problems.wrong(place, &fields.path(name), "longer than 0s, or leave it out");
            0
        }
        us => us.unwrap_or_default(),
    }
}

/// A duration as a document has it, 0 too.
pub(super) fn write_duration(us: i64) -> Tree {
    Tree::Text(duration::exact(us))
}

/// A duration as a document has it; nothing for 0.
pub(super) fn write_positive(us: i64) -> Option<Tree> {
    (us != 0).then(|| write_duration(us))
}

/// A point in time, in microseconds since 1970 UTC; 0 if it is absent.
pub(super) fn instant(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> i64 {
    let path = fields.path(name);
    let Some(node) = fields.take(name) else {
        return 0;
    };
    let Some(text) = crate::document::text_of(node, &path, problems) else {
        return 0;
    };
    match parse(text.trim()) {
        Ok(us) if us > 0 => us,
        Ok(_) => {
            problems.wrong(node.place, &path, "must be after 1970-01-01T00:00:00Z");
            0
        }
        Err(what) => {
            problems.wrong(node.place, &path, what);
            0
        }
    }
}

fn parse(text: &str) -> Result<i64, String> {
    let bad = || {
        format!(
            "`{text}` is no time; write 2026-12-01T09:00:00Z, 2026-12-01T09:00:00+01:00 or 2026-12-01T09:00 Europe/Berlin"
        )
    };
    let at = match text.rsplit_once(' ') {
        Some((civil, zone)) if zone.starts_with(|first: char| first.is_ascii_alphabetic()) => {
            let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| {
                format!("no time zone `{zone}`; write a name of the IANA database, such as Europe/Berlin")
            })?;
            let civil: DateTime = civil.trim_end().parse().map_err(|_| bad())?;
            let exact = zone.into_ambiguous_zoned(civil).disambiguate(Disambiguation::Reject);
            let zoned = exact
                .map_err(|_| format!("`{text}`: the clocks there skip this time or show it twice; write an offset"))?;
            zoned.timestamp()
        }
        Some(_) | None => text.parse::<Timestamp>().map_err(|_| bad())?,
    };
    if at.as_nanosecond() % 1_000 != 0 {
        return Err(format!("`{text}`: at most six places after the second"));
    }
    Ok(at.as_microsecond())
}

/// A point in time as a document has it; nothing for 0, which is any time.
pub(super) fn write_instant(us: i64) -> Option<Tree> {
    let at = Timestamp::from_microsecond(us).ok().filter(|_| us != 0);
    at.map(|at| Tree::Text(at.to_string()))
}
