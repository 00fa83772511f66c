//! Instants are written with their offset, so that no expectation rests on the zone database that is under test.

mod laws;
mod texts;

use jiff::Timestamp;

use super::*;

fn at(text: &str) -> Micros {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn windows(texts: &[&str]) -> Vec<Window> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn calendar(open: &[&str], frozen: &[&str]) -> Calendar {
    Calendar {
        open: windows(open),
        frozen: windows(frozen),
    }
}

/// The edges of a calendar in order: opens, closes, opens...
fn edges(calendar: &Calendar, from: &str, count: usize) -> Vec<String> {
    let mut now = at(from);
    let mut edges = Vec::new();
    while edges.len() < count {
        let next = if edges.len().is_multiple_of(2) {
            calendar.next_open(now)
        } else {
            calendar.closes(now)
        };
        let Some(next) = next else { break };
        edges.push(Timestamp::from_microsecond(next).unwrap().to_string());
        now = next;
    }
    edges
}

#[test]
fn a_calendar_opens_and_closes_when_the_clocks_of_its_zone_say() {
    let cases: &[(&str, &str, &[&str])] = &[
        // Office hours in Berlin, over the weekend in which summer time begins (29 March 2026).
        (
            "Mon-Fri 09:00-17:00 Europe/Berlin",
            "2026-03-27T12:00Z",
            &[
                "2026-03-27T12:00:00Z",
                "2026-03-27T16:00:00Z",
                "2026-03-30T07:00:00Z",
                "2026-03-30T15:00:00Z",
            ],
        ),
        // ... and ends (25 October 2026).
        (
            "Mon-Fri 09:00-17:00 Europe/Berlin",
            "2026-10-23T15:00Z",
            &["2026-10-26T08:00:00Z", "2026-10-26T16:00:00Z"],
        ),
        // Hours that are skipped on 29 March are not there; the next day they are.
        (
            "02:00-03:00 Europe/Berlin",
            "2026-03-28T12:00Z",
            &["2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z"],
        ),
        // Half skipped in New York on 8 March: it opens when the clocks jump into it.
        (
            "02:30-03:30 America/New_York",
            "2026-03-08T05:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"],
        ),
        // Shown twice in New York on 1 November: it holds both times.
        (
            "01:00-01:30 America/New_York",
            "2026-11-01T04:00Z",
            &[
                "2026-11-01T05:00:00Z",
                "2026-11-01T05:30:00Z",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:30:00Z",
            ],
        ),
        // The clocks are put back out of it, and run into it again.
        (
            "01:30-03:00 America/New_York",
            "2026-11-01T04:00Z",
            &[
                "2026-11-01T05:30:00Z",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:30:00Z",
                "2026-11-01T08:00:00Z",
            ],
        ),
        // A night has an hour less in spring and an hour more in autumn.
        (
            "22:00-06:00 America/New_York",
            "2026-03-08T00:00Z",
            &["2026-03-08T03:00:00Z", "2026-03-08T10:00:00Z"],
        ),
        (
            "22:00-06:00 America/New_York",
            "2026-11-01T00:00Z",
            &["2026-11-01T02:00:00Z", "2026-11-01T11:00:00Z"],
        ),
        // Nights belong to the day they begin on: Friday's and Sunday's end on Saturday and Monday.
        (
            "Fri,Sun 22:00-06:00 UTC",
            "2026-11-27T00:00Z",
            &[
                "2026-11-27T22:00:00Z",
                "2026-11-28T06:00:00Z",
                "2026-11-29T22:00:00Z",
                "2026-11-30T06:00:00Z",
            ],
        ),
        // Neighbouring days are one piece, over Sunday too.
        (
            "Sat-Mon UTC",
            "2026-11-25T00:00Z",
            &["2026-11-28T00:00:00Z", "2026-12-01T00:00:00Z"],
        ),
        (
            "Sat,Sun UTC",
            "2028-02-26T00:00Z",
            &["2028-02-26T00:00:00Z", "2028-02-28T00:00:00Z"],
        ),
        // Half an hour of summer time on Lord Howe Island.
        (
            "02:00-02:30 Australia/Lord_Howe",
            "2026-10-03T00:00Z",
            &["2026-10-04T15:00:00Z", "2026-10-04T15:30:00Z"],
        ),
        ("Mon-Sun UTC", "2026-11-25T00:00Z", &["2026-11-25T00:00:00Z"]),
        // Dates: the leap day, a year without one, an edge shown twice, an edge skipped.
        (
            "2028-02-29 UTC",
            "2028-01-01T00:00Z",
            &["2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"],
        ),
        (
            "2026-02-28 UTC",
            "2026-01-01T00:00Z",
            &["2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"],
        ),
        (
            "2026-11-01T01:30..2026-11-01T01:45 America/New_York",
            "2026-11-01T00:00Z",
            &["2026-11-01T05:30:00Z", "2026-11-01T06:45:00Z"],
        ),
        (
            "2026-03-08T02:30..2026-03-08T04:00 America/New_York",
            "2026-03-08T00:00Z",
            &["2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"],
        ),
        (
            "2026-03-27..2026-03-29T02:30 Europe/Berlin",
            "2026-03-01T00:00Z",
            &["2026-03-26T23:00:00Z", "2026-03-29T01:00:00Z"],
        ),
    ];
    for (text, from, expected) in cases {
        let found = edges(&calendar(&[text], &[]), from, expected.len());
        assert_eq!(found, *expected, "{text} from {from}");
    }
}

#[test]
fn black_friday_is_frozen_from_its_first_to_its_last_minute_in_new_york() {
    let shop = calendar(
        &["Mon-Fri 09:00-17:00 America/New_York"],
        &["2026-11-27..2026-11-30 America/New_York"],
    );
    let cases = [
        ("2026-11-26T16:59:59-05:00", true),
        ("2026-11-26T17:00-05:00", false),
        ("2026-11-27T10:00-05:00", false),
        ("2026-11-30T10:00-05:00", false),
        ("2026-12-01T08:59:59.999999-05:00", false),
        ("2026-12-01T09:00-05:00", true),
    ];
    for (instant, open) in cases {
        assert_eq!(shop.is_open(at(instant)), open, "{instant}");
    }
    assert_eq!(
        shop.next_open(at("2026-11-26T17:00-05:00")),
        Some(at("2026-12-01T09:00-05:00"))
    );
    assert_eq!(
        shop.closes(at("2026-11-26T10:00-05:00")),
        Some(at("2026-11-26T17:00-05:00"))
    );
    // Outside the hours no freeze is to blame; within the freeze it is.
    assert_eq!(shop.why_closed(at("2026-11-26T23:59:59-05:00")), None);
    assert_eq!(shop.why_closed(at("2026-11-27T00:00-05:00")), shop.frozen.first());
    assert_eq!(shop.why_closed(at("2026-11-30T23:59:59-05:00")), shop.frozen.first());
    assert_eq!(shop.why_closed(at("2026-12-01T00:00-05:00")), None);
}

#[test]
fn a_freeze_at_noon_splits_every_day() {
    let calendar = calendar(
        &["Mon-Fri 09:00-17:00 America/New_York"],
        &["11:00-14:00 America/New_York"],
    );
    let expected = [
        "2026-07-20T13:00:00Z",
        "2026-07-20T15:00:00Z",
        "2026-07-20T18:00:00Z",
        "2026-07-20T21:00:00Z",
        "2026-07-21T13:00:00Z",
    ];
    assert_eq!(edges(&calendar, "2026-07-18T12:00Z", 5), expected);
}

#[test]
fn the_calendars_of_a_plan_and_its_stage_must_all_be_open() {
    let plan = calendar(&["Mon-Fri 09:00-17:00 Europe/Berlin"], &["2026-11-27 UTC"]);
    let stage = calendar(&["Mon-Fri 09:00-17:00 America/New_York", "Sat UTC"], &[]);
    let all = [&plan, &stage];
    // Both offices are at work from 15:00 to 17:00 in Berlin.
    assert_eq!(next_open(&all, at("2026-11-25T12:00Z")), Some(at("2026-11-25T14:00Z")));
    assert_eq!(closes(&all, at("2026-11-25T14:00Z")), Some(at("2026-11-25T16:00Z")));
    assert_eq!(next_open(&all, at("2026-11-26T16:00Z")), Some(at("2026-11-30T14:00Z")));
    assert!(is_open(&all, at("2026-11-25T15:59Z")) && !is_open(&all, at("2026-11-28T12:00Z")));
    assert_eq!(why_closed(&all, at("2026-11-27T12:00Z")), plan.frozen.first());
    // Without any calendar nothing is ever closed.
    assert_eq!((next_open(&[], 7), closes(&[], 7)), (Some(7), None));
}

#[test]
fn without_a_possible_window_the_answer_is_none() {
    let from = at("2026-11-25T12:00Z");
    let never = [
        calendar(&["Mon-Fri 09:00-17:00 Europe/Berlin"], &["Mon-Fri Europe/Berlin"]),
        calendar(&["2026-11-24 UTC"], &[]),
        calendar(&[], &["Mon-Sun UTC"]),
        calendar(&["2028-02-29 UTC"], &[]),
    ];
    for calendar in never {
        assert_eq!(calendar.next_open(from), None, "{calendar:?}");
        assert_eq!(calendar.closes(from), Some(from), "{calendar:?}");
    }
    let always = [
        calendar(&[], &[]),
        calendar(&["Sat,Sun UTC", "Mon-Fri UTC"], &["2026-11-24 UTC"]),
    ];
    for calendar in always {
        assert_eq!(calendar.next_open(from), Some(from), "{calendar:?}");
        assert_eq!(calendar.closes(from), None, "{calendar:?}");
    }
}

#[test]
fn the_search_ends_400_days_ahead() {
    let calendar = calendar(&["2028-02-29 UTC"], &[]);
    let leap_day = at("2028-02-29T00:00Z");
    assert_eq!(calendar.next_open(leap_day - HORIZON_US), Some(leap_day));
    assert_eq!(calendar.next_open(leap_day - HORIZON_US - 1), None);
}

#[test]
fn instants_beyond_all_years_are_answered() {
    let hours = calendar(
        &["Mon-Fri 09:00-17:00 Europe/Berlin"],
        &["22:00-06:00 America/New_York"],
    );
    for from in [Micros::MIN, Micros::MIN + 1, -1, 0, Micros::MAX - 1, Micros::MAX] {
        for found in [hours.next_open(from), hours.closes(from)].into_iter().flatten() {
            assert!(found >= from, "{from}");
        }
    }
}
