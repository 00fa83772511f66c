//! The canonical text of a criterion.
//!
//! One text for each value, in the form that the parser reads back to the same value. A space stands between a number
//! and its unit, except where nobody writes one (`$0.50`, `2x`, `100/s`, `24h`).

use std::fmt;

use super::{Base, Comparison, Criterion, Currency, Limit, Number, Relation, Written};
use crate::Micros;

/// Window units, the largest first; days only from two on, because a day is better read as `24h`.
const WINDOW_UNITS: [(Micros, Micros, &str); 4] = [
    (86_400_000_000, 172_800_000_000, "d"),
    (3_600_000_000, 0, "h"),
    (60_000_000, 0, "min"),
    (1_000_000, 0, "s"),
];

impl fmt::Display for Criterion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Criterion::Compare(comparison) => comparison.fmt(formatter),
            Criterion::Stable => formatter.write_str("all metrics stable"),
            Criterion::Parity => formatter.write_str("parity with control"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.metric, self.relation, self.limit)?;
        match self.window {
            Some(window) => write!(formatter, " in {}", window_text(window)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Relation::Below => "<",
            Relation::AtMost => "<=",
            Relation::Above => ">",
            Relation::AtLeast => ">=",
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Absolute(number) => number.fmt(formatter),
            Limit::Times { base, factor } => write!(formatter, "{factor}x {base}"),
            Limit::Plus { base, add } => {
                let sign = if add.value.is_negative() { '-' } else { '+' };
                write!(formatter, "{base} {sign} {}", magnitude_text(*add))
            }
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Base::Control => formatter.write_str("control"),
            Base::Baseline => formatter.write_str("baseline"),
            Base::BaselineSameHour => formatter.write_str("baseline-same-hour"),
            Base::Fixed(number) => number.fmt(formatter),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.value.is_negative() { "-" } else { "" };
        write!(formatter, "{sign}{}", magnitude_text(*self))
    }
}

/// A number without its sign.
fn magnitude_text(number: Number) -> String {
    let digits = number.value.digits();
    let unit = match number.written {
        Written::Plain => return digits,
        Written::PerSecond => return format!("{digits}/s"),
        Written::Money(currency) if currency == Currency::USD => return format!("${}", cents(digits)),
        Written::Money(currency) => return format!("{} {currency}", cents(digits)),
        Written::Points if digits == "1" => "point",
        Written::Points => "points",
        Written::Percent => "%",
        Written::Microseconds => "us",
        Written::Milliseconds => "ms",
        Written::Seconds => "s",
        Written::Minutes => "min",
        Written::Hours => "h",
        Written::Days => "d",
        Written::Bytes => "B",
        Written::Kilobytes => "kB",
        Written::Megabytes => "MB",
        Written::Gigabytes => "GB",
        Written::Kibibytes => "KiB",
        Written::Mebibytes => "MiB",
        Written::Gibibytes => "GiB",
    };
    format!("{digits} {unit}")
}

/// Money with parts of a unit has two places at least: `0.50`, and `5`.
fn cents(digits: String) -> String {
    match digits.split_once('.') {
        Some((_, part)) if part.len() == 1 => digits + "0",
        Some(_) | None => digits,
    }
}

fn window_text(window: Micros) -> String {
    let fits = |&&(unit, least, _): &&(Micros, Micros, &str)| window % unit == 0 && window >= least;
    match WINDOW_UNITS.iter().find(fits) {
        Some((unit, _, name)) => format!("{}{name}", window / unit),
        None => format!("{window}us"),
    }
}
