use proptest::prelude::*;

use super::*;

#[test]
fn durations_are_read_as_people_write_them() {
    let cases = [
        ("0s", 0),
        ("500ms", 500_000),
        ("10s", 10_000_000),
        ("5m", 300_000_000),
        ("30 min", 1_800_000_000),
        ("1h30m", 5_400_000_000),
        ("1 hour 30 minutes", 5_400_000_000),
        ("24h", 86_400_000_000),
        ("24 hours", 86_400_000_000),
        ("1d", 86_400_000_000),
        ("2 days", 172_800_000_000),
        ("1w", 604_800_000_000),
        ("1 week", 604_800_000_000),
        ("2w", 1_209_600_000_000),
        (" 7us ", 7),
        ("9223372036854775807us", i64::MAX),
    ];
    for (text, us) in cases {
        assert_eq!(parse(text), Ok(us), "{text}");
    }
}

#[test]
fn bad_durations_say_what_is_wrong() {
    let cases = [
        ("", "empty"),
        ("  ", "empty"),
        ("10", "a unit is missing after 10"),
        ("1h 30", "a unit is missing after 30"),
        ("ten", "whole numbers"),
        ("-5s", "whole numbers"),
        ("1h, 5m", "whole numbers"),
        ("1.5h", "a unit is missing after 1"),
        ("2 months", "no unit `months`"),
        ("5M", "no unit `M`"),
        ("permanent", "whole numbers"),
        ("99999999999999999999s", "too long"),
        ("9999999999w", "too long"),
        ("9223372036854775807us 1us", "too long"),
        ("5é", "a unit is missing"),
    ];
    for (text, part) in cases {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn people_read_at_most_two_units() {
    let cases = [
        (0, "0 s"),
        (400, "0 s"),
        (412_345, "412 ms"),
        (999_700, "1 s"),
        (40_000_000, "40 s"),
        (59_700_000, "1 min"),
        (190_600_000, "3 min 11 s"),
        (599_900_000, "10 min"),
        (1_830_000_000, "31 min"),
        (7_500_000_000, "2 h 5 min"),
        (86_399_000_000, "1 day"),
        (86_400_000_000, "1 day"),
        (183_600_000_000, "2 days 3 h"),
        (863_000_000_000, "10 days"),
        (18 * 86_400_000_000 + 7, "18 days"),
        (-40_000_000, "40 s"),
        (i64::MAX, "106751991 days"),
        (i64::MIN, "106751991 days"),
    ];
    for (us, text) in cases {
        assert_eq!(about(us), text, "{us}");
    }
}

#[test]
fn a_dwell_may_be_permanent() {
    assert_eq!(Dwell::parse(" permanent "), Ok(Dwell::Permanent));
    assert_eq!(Dwell::parse("2 days"), Ok(Dwell::For(172_800_000_000)));
    assert_eq!(
        Dwell::parse("forever").unwrap_err().to_string().split(':').next(),
        Some("`forever`")
    );
    for dwell in [Dwell::Permanent, Dwell::For(0), Dwell::For(5_400_000_001)] {
        assert_eq!(dwell.to_string().parse(), Ok(dwell));
    }
}

proptest! {
    #[test]
    fn what_is_shown_exactly_parses_back(us in 0..=i64::MAX) {
        prop_assert_eq!(parse(&exact(us)), Ok(us));
    }

    #[test]
    fn no_text_is_too_strange(text in ".{0,40}") {
        if let Ok(us) = parse(&text) {
            prop_assert!(us >= 0);
        }
    }

    #[test]
    fn what_people_read_is_off_by_less_than_a_tenth(us in 1_000_000..=i64::MAX / 2) {
        let read = parse(&about(us)).unwrap();
        prop_assert!((read - us).abs() <= us / 10, "{} for {}", about(us), us);
    }
}
