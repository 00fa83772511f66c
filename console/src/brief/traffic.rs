//! How much traffic there is in a day: `15,000 a day`, `1.2M/day`, `40 per second`, `10 rps`.

use super::{
    field::plain,
    metric::{BaselineLine, number},
};

/// A day, in seconds.
pub(super) const DAY: u32 = 86_400;

/// Metrics of a baseline that say it too, if their value has a time: `Transactions: 15,000 a day`.
const METRICS: [&str; 4] = ["transactions", "requests", "orders", "calls"];

/// Words for a length of time, in seconds.
const PERIODS: [(&[&str], u32); 5] = [
    (&["s", "sec", "second", "rps", "qps", "tps"], 1),
    (&["m", "min", "minute", "rpm"], 60),
    (&["h", "hour", "hourly"], 3_600),
    (&["d", "day", "daily"], DAY),
    (&["week", "weekly"], 7 * DAY),
];

/// Reads an amount in a time; a name may have said the time already. Rounded down.
pub(super) fn per_day(value: &str, named: Option<u32>) -> Result<u64, String> {
    let what = || format!("{value:?}; write a number and a time, such as 15,000 a day or 40 per second");
    let (written, rest) = number(value).ok_or_else(what)?;
    let amount = amount(written).ok_or_else(what)?;
    let said = rest
        .split(|c: char| !c.is_alphabetic())
        .find_map(|word| period(&word.to_lowercase()));
    let period = match (said, named) {
        (Some(said), Some(named)) if said != named => {
            return Err(format!("{value:?} is not of a day, as its name says"));
        }
        (Some(period), _) | (None, Some(period)) => period,
        (None, None) => return Err(what()),
    };
    let per_day = amount * f64::from(DAY) / f64::from(period);
    // Above this a double no longer holds every whole number, and no product has as much.
    if per_day < 9e15 {
        Ok(per_day as u64)
    } else {
        Err(what())
    }
}

/// The amount that a line of the baseline says, if it is about one.
pub(super) fn of_metric(line: &BaselineLine) -> Option<u64> {
    let name = plain(&line.metric);
    let named = METRICS.iter().any(|metric| {
        name == *metric
            || [" per day", " a day", "/day"]
                .iter()
                .any(|time| name.strip_suffix(time) == Some(metric))
    });
    let day = (named && name.ends_with("day")).then_some(DAY);
    let value = format!("{} {}", line.value, line.unit);
    named.then(|| per_day(&value, day).ok()).flatten()
}

fn period(word: &str) -> Option<u32> {
    let known =
        |words: &[&str]| words.contains(&word) || word.strip_suffix('s').is_some_and(|one| words.contains(&one));
    PERIODS
        .iter()
        .find(|(words, _)| known(words))
        .map(|(_, seconds)| *seconds)
}

/// The number that a text like `15,000` or `1.2M` says.
fn amount(written: &str) -> Option<f64> {
    let (digits, factor) = match written.chars().next_back()? {
        'k' | 'K' => (&written[..written.len() - 1], 1e3),
        'M' => (&written[..written.len() - 1], 1e6),
        'B' | 'G' => (&written[..written.len() - 1], 1e9),
        _ => (written, 1.0),
    };
    let whole = digits.split('.').next().unwrap_or_default();
    if !whole.split([',', '_']).skip(1).all(|group| group.len() == 3) {
        return None;
    }
    let plain: String = digits.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let amount: f64 = plain.parse().ok()?;
    (amount >= 0.0).then_some(amount * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_of_a_day_whatever_time_it_was_written_in() {
        let cases = [
            ("15,000 a day", None, Some(15_000)),
            ("15000", Some(DAY), Some(15_000)),
            ("15,000 requests", Some(DAY), Some(15_000)),
            ("1.2M/day", None, Some(1_200_000)),
            ("15k per day", None, Some(15_000)),
            ("40 requests per second", None, Some(3_456_000)),
            ("10 rps", None, Some(864_000)),
            ("60/h", None, Some(1_440)),
            ("7_000 a week", None, Some(1_000)),
            ("2,000,000 a day", None, Some(2_000_000)),
            ("15,000", None, None),
            ("1,5 a day", None, None),
            ("1.500.000 a day", None, None),
            ("much a day", None, None),
            ("-4 a day", None, None),
            ("10-20 a day", None, None),
            ("40 per second", Some(DAY), None),
            ("9000000000B a day", None, None),
        ];
        for (value, named, expected) in cases {
            assert_eq!(per_day(value, named).ok(), expected, "{value}");
        }
    }

    #[test]
    fn a_line_of_the_baseline_may_say_the_traffic() {
        let cases = [
            ("Transactions", "15,000", "a day", Some(15_000)),
            ("requests", "40", "per second", Some(3_456_000)),
            ("Transactions per day", "15,000", "", Some(15_000)),
            ("Orders/day", "900", "", Some(900)),
            ("Transactions", "15,000", "", None),
            ("Transaction value", "15", "a day", None),
            ("Complaints", "3", "a day", None),
        ];
        for (metric, value, unit, expected) in cases {
            let line = BaselineLine {
                metric: metric.into(),
                value: value.into(),
                unit: unit.into(),
                remark: String::new(),
            };
            assert_eq!(of_metric(&line), expected, "{metric}: {value} {unit}");
        }
    }
}
