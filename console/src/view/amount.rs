//! A number of a metric as people read it, by what it is of: `3.21 %`, `120ms`, `0.4831`, `12.3 MiB`.

use crate::{duration, print::count};

/// Bytes in each unit of bytes, the largest first.
const BYTES: [(&str, f64); 4] = [
    ("GiB", 1_073_741_824.0),
    ("MiB", 1_048_576.0),
    ("KiB", 1_024.0),
    ("B", 1.0),
];

/// A number of this unit (`fraction`, `duration`, `money`, `count`, `score`, `bytes`, `per-second`; anything else: plain).
pub(crate) fn amount(unit: &str, number: f64) -> String {
    if !number.is_finite() {
        return "-".into();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let size = number.abs();
    match unit {
        "fraction" => format!("{sign}{} %", places(100.0 * size)),
        "duration" => format!("{sign}{}", time(size)),
        "bytes" => format!("{sign}{}", bytes(size)),
        "per-second" => format!("{sign}{}/s", places(size)),
        "count" if size.fract() == 0.0 => format!("{sign}{}", count(size as u64)),
        _ => format!("{sign}{}", places(size)),
    }
}

/// A number of this unit, or `-`.
pub(crate) fn known(unit: &str, number: Option<f64>) -> String {
    number.map_or_else(|| "-".into(), |number| amount(unit, number))
}

/// How far something is from something: `+1.90 points`, `-120ms`.
pub(crate) fn distance(unit: &str, number: f64) -> String {
    let sign = if number < 0.0 { "-" } else { "+" };
    match unit {
        "fraction" => format!("{sign}{} points", places(100.0 * number.abs())),
        _ => format!("{sign}{}", amount(unit, number.abs())),
    }
}

/// From a distance to another: `+1.90 to +2.92 points`.
pub(crate) fn interval(unit: &str, low: f64, high: f64) -> String {
    match unit {
        "fraction" => {
            let low = distance(unit, low);
            format!("{} to {}", low.trim_end_matches(" points"), distance(unit, high))
        }
        _ => format!("{} to {}", distance(unit, low), distance(unit, high)),
    }
}

/// Two places, and more below a tenth, so that what is rare is not shown as nothing.
fn places(size: f64) -> String {
    match size {
        0.0 => "0".into(),
        size if size < 0.1 => format!("{size:.4}"),
        size if size < 1_000.0 => format!("{size:.2}"),
        size => count(size.round() as u64),
    }
}

fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0}us"),
        us if us < 10_000.0 => format!("{:.1}ms", us / 1_000.0),
        us => duration::rounded(us as i64),
    }
}

fn bytes(size: f64) -> String {
    let unit = BYTES.iter().find(|(_, length)| size >= *length).unwrap_or(&BYTES[3]);
    match unit {
        ("B", _) => format!("{size:.0} B"),
        (name, length) => format!("{:.1} {name}", size / length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_what_they_are_of() {
        for (unit, number, text) in [
            ("fraction", 0.0321, "3.21 %"),
            ("fraction", 0.000_42, "0.0420 %"),
            ("fraction", 0.0, "0 %"),
            ("duration", 120_400.0, "120ms"),
            ("duration", 4_250.0, "4.2ms"),
            ("duration", 800.0, "800us"),
            ("duration", 1_250_000.0, "1.2s"),
            ("money", 12.5, "12.50"),
            ("money", -0.0123, "-0.0123"),
            ("count", 1_234.0, "1,234"),
            ("count", 2.5, "2.50"),
            ("score", 0.874_3, "0.87"),
            ("bytes", 12.0 * 1_048_576.0, "12.0 MiB"),
            ("bytes", 12.0, "12 B"),
            ("per-second", 1_500.0, "1,500/s"),
            ("", 7.0, "7.00"),
            ("fraction", f64::NAN, "-"),
        ] {
            assert_eq!(amount(unit, number), text, "{unit} {number}");
        }
        assert_eq!(known("money", None), "-");
    }

    #[test]
    fn a_distance_has_its_sign() {
        assert_eq!(distance("fraction", 0.0241), "+2.41 points");
        assert_eq!(distance("duration", -120_000.0), "-120ms");
        assert_eq!(interval("fraction", -0.001, 0.0292), "-0.10 to +2.92 points");
        assert_eq!(interval("money", -0.2, -0.1), "-0.20 to -0.10");
    }
}
