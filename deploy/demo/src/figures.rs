//! How numbers are written for people.

use std::time::Duration;

/// A count with its thousands apart: `1,204`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Buckets in percent, without needless zeros: `12.5 %`.
pub(crate) fn buckets(buckets: u32) -> String {
    format!("{} %", f64::from(buckets) / 1_000.0)
}

/// A share in percent: `0.8 %`.
pub(crate) fn percent(share: f64) -> String {
    // To a thousandth of a percent: 0.07 * 100 is 7.000000000000001.
    format!("{} %", (share * 100_000.0).round() / 1_000.0)
}

/// A part of a whole in percent: `0.78 %`; a dash of nothing.
pub(crate) fn rate(part: u64, whole: u64) -> String {
    if whole == 0 {
        "-".to_owned()
    } else {
        format!("{:.2} %", 100.0 * part as f64 / whole as f64)
    }
}

/// Evidence from its natural logarithm: `0.31`, `31.6`, `134`, `2e9`.
pub(crate) fn evidence(log: f64) -> String {
    match log.exp() {
        // A level, such as 20, is the logarithm of a whole number.
        number if number > 0.5 && number < 999.5 && (number - number.round()).abs() < 1e-9 => format!("{number:.0}"),
        number if number < 9.995 => format!("{number:.2}"),
        number if number < 99.95 => format!("{number:.1}"),
        number if number < 999_999.5 => format!("{number:.0}"),
        _ => format!("1e{:.0}", (log / std::f64::consts::LN_10).floor()),
    }
}

/// Treatment outcomes that any test at 1 % needs on average to find a rate of `bad` against one of `base`, with this share
/// in treatment: ln(100) over the least sum of divergences to a common rate (Wald 1945).
pub(crate) fn bound(bad: f64, base: f64, share: f64) -> u64 {
    let weight = (1.0 - share) / share;
    let common = (bad + weight * base) / (1.0 + weight);
    let divergence = |rate: f64| {
        let part = |of: f64, to: f64| if of > 0.0 { of * (of / to).ln() } else { 0.0 };
        part(rate, common) + part(1.0 - rate, 1.0 - common)
    };
    (100_f64.ln() / (divergence(bad) + weight * divergence(base))).round() as u64
}

/// How long: `38 ms`, `12.4 s`, `3:05 min`.
pub(crate) fn took(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..10 => format!("{:.1} ms", duration.as_secs_f64() * 1_000.0),
        10..1_000 => format!("{ms} ms"),
        1_000..100_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{}:{:02} min", ms / 60_000, ms / 1_000 % 60),
    }
}

/// How long, of what was written in whole seconds: `10 s`.
pub(crate) fn seconds(us: i64) -> String {
    format!("{} s", us as f64 / 1e6)
}

/// From one moment to a later one, both in microseconds; nothing if it is not later.
pub(crate) fn between(from_us: i64, to_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(to_us.saturating_sub(from_us)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_people_read_them() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0, 500, 12_500, 100_000].map(buckets),
            ["0 %", "0.5 %", "12.5 %", "100 %"]
        );
        assert_eq!([0.0, 0.008, 0.07, 1.0].map(percent), ["0 %", "0.8 %", "7 %", "100 %"]);
        assert_eq!((rate(3, 400), rate(0, 0)), ("0.75 %".to_owned(), "-".to_owned()));
    }

    #[test]
    fn the_bound_is_that_of_the_calibration() {
        assert_eq!(bound(0.016, 0.008, 0.05).div_ceil(5), 1_575_u64.div_ceil(5));
        assert_eq!(bound(0.04, 0.008, 0.05), 154);
        assert_eq!(bound(0.04, 0.008, 0.5), 387);
    }

    #[test]
    fn evidence_is_short_at_every_size() {
        let logs = [
            f64::NEG_INFINITY,
            0.0,
            31.62_f64.ln(),
            134_f64.ln(),
            24.0,
            f64::INFINITY,
        ];
        assert_eq!(logs.map(evidence), ["0.00", "1", "31.6", "134", "1e10", "1einf"]);
    }

    #[test]
    fn a_duration_has_the_unit_that_fits() {
        let shown = [4_200, 38_000, 12_400_000, 185_000_000].map(|us| took(Duration::from_micros(us)));
        assert_eq!(shown, ["4.2 ms", "38 ms", "12.4 s", "3:05 min"]);
        assert_eq!(
            (between(5, 9), between(9, 5)),
            (Duration::from_micros(4), Duration::ZERO)
        );
    }
}
