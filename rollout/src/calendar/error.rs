//! Why a text is no window: each case names the offending part and says what to write instead.

/// What is wrong with the text of a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing is written.
    #[error("a window is empty; write days, hours and a time zone, such as Mon-Fri 09:00-17:00 Europe/Berlin")]
    Empty,
    /// Longer than any window.
    #[error("a window of {bytes} bytes is too long; the longest has {most}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// Hours without a place mean a different time to everybody who reads them.
    #[error("`{text}`: a time zone is missing; write one at the end, such as UTC or Europe/Berlin")]
    NoZone {
        /// The whole text.
        text: String,
    },
    /// A zone that the database does not know.
    #[error("no time zone `{zone}`; {}", instead(near.as_deref()))]
    UnknownZone {
        /// The zone as written.
        zone: String,
        /// The known zone that looks most like it.
        near: Option<String>,
    },
    /// Only a zone.
    #[error("`{zone}`: a time zone alone is no window; write days, hours or dates before it, such as Sat,Sun {zone}")]
    ZoneAlone {
        /// The zone.
        zone: String,
    },
    /// A word that is no day of the week.
    #[error("`{day}` is no day of the week; write Mon, Tue, Wed, Thu, Fri, Sat or Sun, such as Mon-Fri or Sat,Sun")]
    UnknownDay {
        /// The word.
        day: String,
    },
    /// What begins like hours and is none.
    #[error("`{part}`: hours are written from 00:00 to 24:00 with a hyphen between, such as 09:00-17:00")]
    BadHours {
        /// The part as written.
        part: String,
    },
    /// Hours of no length.
    #[error("`{part}`: the hours are empty, they begin when they end; leave them out for whole days")]
    EmptyHours {
        /// The part as written.
        part: String,
    },
    /// What begins like a date and is none, or one outside 1970 to 9998.
    #[error("`{part}` is no date; write 2026-11-27 or 2026-11-27T18:00, and two dots between two of them")]
    BadDate {
        /// The part as written.
        part: String,
    },
    /// Dates of no length.
    #[error("`{part}`: the window is empty, it begins when it ends")]
    EmptyDates {
        /// The part as written.
        part: String,
    },
    /// The end is before the beginning.
    #[error("`{part}`: the end is before the beginning; write the earlier date first")]
    Backwards {
        /// The part as written.
        part: String,
    },
    /// The clocks were put forward over all of it.
    #[error("`{part}`: the clocks of {zone} skip all of it; choose another time")]
    Skipped {
        /// The part as written.
        part: String,
        /// The zone that skips it.
        zone: String,
    },
    /// More parts than a window has.
    #[error("`{part}` is a part too many; write days, hours and one time zone, such as Mon,Wed-Fri 09:00-17:00 UTC")]
    Surplus {
        /// The first part too many.
        part: String,
    },
}

fn instead(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("did you mean {near}?"),
        None => "write a name of the IANA database, such as UTC, Europe/Berlin or America/New_York".into(),
    }
}
