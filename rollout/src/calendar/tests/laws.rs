//! Laws that hold for every calendar, checked against a walk in steps of a quarter of an hour: all edges generated here,
//! and all changes of the clocks in these zones and years, are on whole quarters.

use jiff::civil::Time;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

const QUARTER_US: Micros = 15 * 60_000_000;
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "America/Havana",
    "Pacific/Apia",
];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[derive(Debug, Clone)]
struct Weekly {
    days: Vec<usize>,
    hours: Option<(u16, u16)>,
    zone: &'static str,
}

impl Weekly {
    fn text(&self) -> String {
        let days: Vec<&str> = self.days.iter().map(|day| DAYS[*day]).collect();
        let hours = self.hours.map_or(String::new(), |hours| {
            let [from, until] = [hours.0, hours.1].map(|q| format!("{:02}:{:02}", q / 4, q % 4 * 15));
            format!(" {from}-{until}")
        });
        format!("{}{hours} {}", days.join(","), self.zone)
    }

    /// By what the clock on the wall and the calendar beside it show.
    fn shows(&self, at: Micros) -> bool {
        let zone = TimeZoneDatabase::bundled().get(self.zone).unwrap();
        let wall = zone.to_datetime(Timestamp::from_microsecond(at).unwrap());
        let today = wall.weekday().to_monday_zero_offset() as usize;
        let listed = |day: usize| self.days.contains(&(day % 7));
        let Some((from, until)) = self.hours else {
            return listed(today);
        };
        let quarter = wall.time().duration_since(Time::midnight()).as_secs() / 900;
        let (from, until) = (i64::from(from), i64::from(until));
        if from < until {
            listed(today) && (from..until).contains(&quarter)
        } else {
            listed(today) && quarter >= from || listed(today + 6) && quarter < until
        }
    }
}

fn zone() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&ZONES[..])
}

fn weekly() -> impl Strategy<Value = Weekly> {
    let days = proptest::sample::subsequence((0..7).collect::<Vec<_>>(), 1..=7);
    let hours = (0_u16..96, 0_u16..=96).prop_filter("not empty", |(from, until)| from != until);
    (days, proptest::option::weighted(0.8, hours), zone()).prop_map(|(days, hours, zone)| Weekly { days, hours, zone })
}

fn weekly_text() -> impl Strategy<Value = String> {
    weekly().prop_map(|weekly| weekly.text())
}

fn dated_text() -> impl Strategy<Value = String> {
    let edge = || {
        (
            2025_u16..2029,
            1_u8..=12,
            1_u8..=28,
            proptest::option::of((0_u8..24, 0_u8..4)),
        )
    };
    let shown = |(year, month, day, time): (u16, u8, u8, Option<(u8, u8)>)| {
        let time = time.map_or(String::new(), |(hour, quarter)| {
            format!("T{hour:02}:{:02}", quarter * 15)
        });
        format!("{year}-{month:02}-{day:02}{time}")
    };
    (edge(), edge(), zone())
        .prop_filter("in order", |(first, last, _)| {
            (first.0, first.1, first.2) < (last.0, last.1, last.2)
        })
        .prop_map(move |(first, last, zone)| format!("{}..{} {zone}", shown(first), shown(last)))
}

fn windows_up_to(most: usize) -> impl Strategy<Value = Vec<Window>> {
    let text = prop_oneof![4 => weekly_text(), 1 => dated_text()];
    proptest::collection::vec(text.prop_map(|text| text.parse::<Window>().unwrap()), 0..=most)
}

fn any_calendar() -> impl Strategy<Value = Calendar> {
    (windows_up_to(3), windows_up_to(2)).prop_map(|(open, frozen)| Calendar { open, frozen })
}

/// Any instant of 2026 and 2027, and often one near a change of the clocks.
fn instant() -> impl Strategy<Value = Micros> {
    let year = at("2026-01-01T00:00Z")..at("2028-01-01T00:00Z");
    let changes = [
        "2026-03-08T07:00Z",
        "2026-11-01T06:00Z",
        "2026-03-29T01:00Z",
        "2026-10-25T01:00Z",
        "2026-04-04T15:00Z",
        "2026-02-15T02:00Z",
        "2026-03-08T05:00Z",
    ];
    let near =
        (proptest::sample::select(changes.to_vec()), -2 * DAY_US..DAY_US).prop_map(|(change, off)| at(change) + off);
    prop_oneof![year, near]
}

/// The first instant from `from` on for which `wanted` holds, by walking; none within the horizon.
fn walk(from: Micros, wanted: impl Fn(Micros) -> bool) -> Option<Micros> {
    let first = (from + QUARTER_US - 1).div_euclid(QUARTER_US) * QUARTER_US;
    let quarters = (first..=from + HORIZON_US).step_by(usize::try_from(QUARTER_US).unwrap());
    std::iter::once(from).chain(quarters).find(|at| wanted(*at))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_window_contains_what_the_clock_on_the_wall_shows(
        weekly in weekly(),
        instants in proptest::collection::vec(instant(), 50),
    ) {
        let window: Window = weekly.text().parse().unwrap();
        for at in instants {
            prop_assert_eq!(window.contains(at), weekly.shows(at), "{} at {}", weekly.text(), at);
        }
    }

    #[test]
    fn the_next_opening_is_open_and_nothing_before_it_is(calendar in any_calendar(), from in instant()) {
        let found = calendar.next_open(from);
        prop_assert_eq!(found, walk(from, |at| calendar.is_open(at)));
        if let Some(found) = found {
            prop_assert!(calendar.is_open(found));
            prop_assert!(found == from || !calendar.is_open(found - 1));
        }
    }

    #[test]
    fn a_calendar_closes_when_it_is_first_closed(calendar in any_calendar(), from in instant()) {
        let from = calendar.next_open(from).unwrap_or(from);
        let found = calendar.closes(from);
        prop_assert_eq!(found, walk(from, |at| !calendar.is_open(at)));
        if let Some(found) = found {
            prop_assert!(!calendar.is_open(found));
            prop_assert!(found == from || calendar.is_open(found - 1));
        }
    }

    #[test]
    fn several_calendars_open_when_all_do(plan in any_calendar(), stage in any_calendar(), from in instant()) {
        let all = [&plan, &stage];
        let both = |at| plan.is_open(at) && stage.is_open(at);
        prop_assert_eq!(next_open(&all, from), walk(from, both));
        prop_assert_eq!(closes(&all, from), walk(from, |at| !both(at)));
    }

    #[test]
    fn what_is_shown_reads_back(text in prop_oneof![weekly_text(), dated_text()]) {
        let window: Window = text.parse().unwrap();
        prop_assert_eq!(window.to_string().parse(), Ok(window));
    }

    #[test]
    fn no_text_is_too_strange(text in "([A-Za-z0-9:.,/ T-]{0,40}|.{0,40})") {
        if let Ok(window) = text.parse::<Window>() {
            prop_assert_eq!(window.to_string().parse(), Ok(window));
        }
    }
}
