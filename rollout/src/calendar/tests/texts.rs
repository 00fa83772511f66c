//! What windows look like when they are written.

use super::super::Window;

#[test]
fn windows_are_read_as_people_write_them() {
    let cases = [
        ("Mon-Fri 09:00-17:00 Europe/Berlin", "Mon-Fri 09:00-17:00 Europe/Berlin"),
        (
            "  mon-FRI   9:00-17:00 europe/berlin ",
            "Mon-Fri 09:00-17:00 Europe/Berlin",
        ),
        ("Monday-Friday 09:00-24:00 UTC", "Mon-Fri 09:00-24:00 UTC"),
        ("11:00-14:00 America/New_York", "11:00-14:00 America/New_York"),
        ("Mon-Sun 11:00-14:00 America/New_York", "11:00-14:00 America/New_York"),
        ("Sat,Sun UTC", "Sat,Sun UTC"),
        ("Sat-Sun utc", "Sat,Sun UTC"),
        ("Mon-Sun UTC", "Mon-Sun UTC"),
        ("Fri-Mon UTC", "Mon,Fri-Sun UTC"),
        ("Sun,Wed,Tue,Thu,Mon UTC", "Mon-Thu,Sun UTC"),
        ("22:00-06:00 UTC", "22:00-06:00 UTC"),
        ("22:00-00:00 UTC", "22:00-00:00 UTC"),
        (
            "2026-11-27..2026-11-30 America/New_York",
            "2026-11-27..2026-11-30 America/New_York",
        ),
        ("2026-12-25..2026-12-25 UTC", "2026-12-25 UTC"),
        ("2028-02-29 UTC", "2028-02-29 UTC"),
        (
            "2026-11-27T18:00..2026-11-30T09:00 America/New_York",
            "2026-11-27T18:00..2026-11-30T09:00 America/New_York",
        ),
        ("2026-11-27T18:00..2026-11-30 UTC", "2026-11-27T18:00..2026-11-30 UTC"),
    ];
    for (text, shown) in cases {
        let window: Window = text.parse().unwrap();
        assert_eq!(window.to_string(), shown, "{text}");
        assert_eq!(shown.parse(), Ok(window), "{text}");
    }
}

#[test]
fn bad_windows_say_which_part_is_wrong_and_what_to_write() {
    let long = "x".repeat(201);
    let cases = [
        ("", "a window is empty"),
        (" \t", "a window is empty"),
        (&long, "201 bytes is too long; the longest has 200"),
        (
            "Mon-Fri 09:00-17:00",
            "`Mon-Fri 09:00-17:00`: a time zone is missing; write one at the end, such as UTC",
        ),
        ("Mon-Fri", "a time zone is missing"),
        ("09:00-17:00", "a time zone is missing"),
        ("2026-11-27", "a time zone is missing"),
        ("UTC", "`UTC`: a time zone alone is no window"),
        (
            "Mon-Fri Europe/Berln",
            "no time zone `Europe/Berln`; did you mean Europe/Berlin?",
        ),
        ("Mon-Fri Berlin", "did you mean Europe/Berlin?"),
        ("Mon-Fri Amerika/New_York", "did you mean America/New_York?"),
        (
            "Mon-Fri Mars/Olympus_Mons",
            "no time zone `Mars/Olympus_Mons`; write a name of the IANA database",
        ),
        ("Mon-Fri +02:00", "no time zone `+02:00`"),
        ("Mon-Fri Etc/Unknown", "no time zone `Etc/Unknown`"),
        ("Mon-Frei 09:00-17:00 UTC", "`Frei` is no day of the week"),
        ("Mon,,Tue UTC", "`` is no day of the week"),
        ("Fooday UTC", "`Fooday` is no day of the week"),
        ("Mon Tue UTC", "`Tue` is a part too many"),
        ("Mon 09:00-10:00 11:00-12:00 UTC", "`11:00-12:00` is a part too many"),
        ("Mon UTC 09:00-10:00", "`09:00-10:00` is a part too many"),
        ("2026-11-27 09:00-10:00 UTC", "`09:00-10:00` is a part too many"),
        ("9-17 UTC", "`9-17`: hours are written"),
        ("0900-1700 UTC", "`0900-1700`: hours are written"),
        ("09:00 UTC", "`09:00`: hours are written"),
        ("09:00-24:01 UTC", "`09:00-24:01`: hours are written"),
        ("09:60-10:00 UTC", "`09:60-10:00`: hours are written"),
        ("24:00-06:00 UTC", "`24:00-06:00`: hours are written"),
        ("+9:00-17:00 UTC", "`+9:00` is no day of the week"),
        ("09:00-09:00 UTC", "`09:00-09:00`: the hours are empty"),
        ("2026-02-29 UTC", "`2026-02-29` is no date"),
        ("2026-1-2 UTC", "`2026-1-2` is no date"),
        ("27.11.2026 UTC", "`27.11.2026` is no date"),
        ("1969-12-31 UTC", "`1969-12-31` is no date"),
        ("9999-12-31 UTC", "`9999-12-31` is no date"),
        ("2026-11-27T18:00 UTC", "`2026-11-27T18:00` is no date"),
        ("2026-11-27..2026-13-01 UTC", "`2026-13-01` is no date"),
        ("2026-11-27T24:00..2026-11-29 UTC", "`2026-11-27T24:00` is no date"),
        ("2026-11-27.. UTC", "`` is no date"),
        (
            "2026-11-30..2026-11-27 UTC",
            "`2026-11-30..2026-11-27`: the end is before the beginning",
        ),
        ("2026-11-27T09:00..2026-11-27T09:00 UTC", "the window is empty"),
        ("2026-11-28..2026-11-27 UTC", "the end is before the beginning"),
        (
            "2026-03-08T02:10..2026-03-08T02:50 America/New_York",
            "the clocks of America/New_York skip all of it",
        ),
        ("2011-12-30 Pacific/Apia", "the clocks of Pacific/Apia skip all of it"),
    ];
    for (text, part) in cases {
        let error = text.parse::<Window>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
