//! Durations as people write them: `500ms`, `10s`, `5m`, `1h30m`, `24h`, `1w`.
//!
//! A number always carries its unit; fractions are written with a smaller unit. What is shown by `exact` parses back
//! to the same duration.

use std::time::Duration;

/// Unit names with their length in microseconds, the longest first.
const UNITS: [(&str, u64); 7] = [
    ("w", 7 * 24 * 3_600_000_000),
    ("d", 24 * 3_600_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// Parses a duration; parts are added (`1h30m`). What does not fit 63 bits of microseconds is refused.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    parse_us(text).map(|us| Duration::from_micros(us.unsigned_abs()))
}

/// As `parse`, in microseconds; never negative.
pub(crate) fn parse_us(text: &str) -> Result<i64, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("a duration is empty; write a number and a unit, such as 10s".into());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let name_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (name, next) = after.split_at(name_end);
        let unit = unit(text, number, name)?;
        let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        total = amount
            .and_then(|amount| total.checked_add(amount))
            .filter(|total| i64::try_from(*total).is_ok())
            .ok_or_else(|| format!("`{text}`: too long"))?;
        rest = next;
    }
    i64::try_from(total).map_err(|_| format!("`{text}`: too long"))
}

fn unit(text: &str, number: &str, name: &str) -> Result<u64, String> {
    if number.is_empty() {
        return Err(format!(
            "`{text}`: write whole numbers with a unit, such as 500ms, 10s, 5m, 24h, 1w"
        ));
    }
    if name.is_empty() {
        return Err(format!(
            "`{text}`: a unit is missing after {number}; one of w, d, h, m, s, ms, us"
        ));
    }
    UNITS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, length)| *length)
        .ok_or_else(|| format!("`{text}`: no unit `{name}`; one of w, d, h, m, s, ms, us"))
}

/// Exactly, without spaces: `1h30m`, `0s`.
pub(crate) fn exact(us: i64) -> String {
    let mut left = us.unsigned_abs();
    if left == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (name, length) in UNITS {
        if left >= length {
            text.push_str(&format!("{}{name}", left / length));
            left %= length;
        }
    }
    text
}

/// For reading: milliseconds below a second, tenths below a minute, whole seconds above.
pub(crate) fn rounded(us: i64) -> String {
    match us.unsigned_abs() {
        us if us < 1_000_000 => format!("{}ms", us / 1_000),
        us if us < 60_000_000 && us % 1_000_000 >= 100_000 => {
            format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000)
        }
        whole => exact(i64::try_from(whole / 1_000_000 * 1_000_000).unwrap_or(i64::MAX)),
    }
}

/// For reading at a glance: the two largest units that follow each other, `1d3h`; the sign is left out.
pub(crate) fn about(us: i64) -> String {
    let us = us.unsigned_abs();
    let Some(first) = UNITS.iter().position(|(_, length)| us >= *length) else {
        return "0s".into();
    };
    let (_, largest) = UNITS[first];
    let finest = UNITS.get(first + 1).map_or(largest, |(_, length)| *length);
    exact(i64::try_from(us / finest * finest).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let cases = [
            ("0s", 0),
            ("500ms", 500_000),
            ("10s", 10_000_000),
            ("5m", 300_000_000),
            ("1h30m", 5_400_000_000),
            ("24h", 86_400_000_000),
            ("1d", 86_400_000_000),
            ("1w", 604_800_000_000),
            (" 7us ", 7),
        ];
        for (text, us) in cases {
            assert_eq!(parse_us(text), Ok(us), "{text}");
        }
    }

    #[test]
    fn bad_durations_say_what_is_wrong() {
        let cases = [
            ("", "empty"),
            ("10", "a unit is missing after 10"),
            ("10 s", "a unit is missing"),
            ("ten", "whole numbers"),
            ("-5s", "whole numbers"),
            ("1.5h", "a unit is missing after 1"),
            ("5min", "no unit `min`"),
            ("5M", "no unit `M`"),
            ("99999999999999999999s", "too long"),
            ("9999999999w", "too long"),
            ("5é", "a unit is missing"),
        ];
        for (text, part) in cases {
            let error = parse_us(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn rounding_keeps_what_a_reader_needs() {
        let cases = [
            (0, "0ms"),
            (412_345, "412ms"),
            (3_410_000, "3.4s"),
            (3_010_000, "3s"),
            (190_600_000, "3m10s"),
            (3_600_000_000, "1h"),
        ];
        for (us, text) in cases {
            assert_eq!(rounded(us), text);
        }
    }

    #[test]
    fn a_glance_shows_two_units() {
        let cases = [
            (0, "0s"),
            (1_500_000, "1s500ms"),
            (3_599_999_999, "59m59s"),
            (97_323_000_000, "1d3h"),
            (90_000_000_000, "1d1h"),
            (-90_000_000, "1m30s"),
            (700_000_000_000, "1w1d"),
        ];
        for (us, text) in cases {
            assert_eq!(about(us), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_exactly_parses_back(us in 0..=i64::MAX) {
            prop_assert_eq!(parse_us(&exact(us)), Ok(us));
        }

        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _ = parse_us(&text);
        }
    }
}
