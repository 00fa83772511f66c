//! One line of a baseline: a metric as people name it, its value and its unit.
//!
//! Names and values that are written with strokes (`p50/p95/p99`, `245/890/1200 ms`) are as many lines. The value stays
//! text, because what it is a value of is not known here.

/// A metric as it is before a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaselineLine {
    /// As written, except that names with strokes are taken apart.
    pub(crate) metric: String,
    /// The number as written, with a mark before it such as `<` or `~`.
    pub(crate) value: String,
    /// What follows the number, or a currency before it; empty if there is none.
    pub(crate) unit: String,
    /// What stands in brackets behind it; empty if there is none.
    pub(crate) remark: String,
}

/// Marks of a comparison or an estimate, before a number.
const MARKS: [char; 7] = ['<', '>', '=', '~', '≈', '≤', '≥'];
/// Currencies, before a number.
const CURRENCIES: [char; 4] = ['$', '€', '£', '¥'];

/// The lines that a name and a value say; `unit` is from a column of its own.
pub(super) fn lines(metric: &str, value: &str, unit: Option<&str>) -> Result<Vec<BaselineLine>, String> {
    let (value, remark) = match value.split_once('(') {
        Some((value, remark)) => (value.trim(), remark.trim().trim_end_matches(')').trim()),
        None => (value.trim(), ""),
    };
    let values = values(value);
    let names = names(metric);
    let parts: Vec<(String, &str)> = match (names.len(), values.len()) {
        (_, 1) => vec![(metric.trim().to_owned(), value)],
        // `4.5/5` is a mark out of five.
        (1, 2) if number(values[1]).is_some_and(|(_, unit)| unit.is_empty()) => vec![(metric.trim().to_owned(), value)],
        (names_count, values_count) if names_count == values_count => names.into_iter().zip(values).collect(),
        (names_count, values_count) => {
            return Err(format!(
                "{values_count} values in {value:?} for {names_count} names; write as many, such as p50/p95/p99"
            ));
        }
    };
    let mut lines = Vec::with_capacity(parts.len());
    for (metric, part) in parts {
        lines.push(line(metric, part, unit, remark)?);
    }
    // `245/890/1200 ms`: the last unit is everybody's.
    let last = lines.last().map(|line| line.unit.clone()).unwrap_or_default();
    for line in lines.iter_mut().filter(|line| line.unit.is_empty()) {
        line.unit.clone_from(&last);
    }
    Ok(lines)
}

/// The number at the beginning of a text, with marks but without currencies, and what follows it.
pub(super) fn number(text: &str) -> Option<(&str, &str)> {
    let text = text.trim().trim_start_matches(CURRENCIES);
    let before = text.len()
        - text
            .trim_start_matches(|c: char| MARKS.contains(&c) || CURRENCIES.contains(&c) || c == ' ')
            .len();
    let signed = &text[before..];
    let sign = usize::from(signed.starts_with(['-', '+', '−'])) * signed.chars().next().map_or(0, char::len_utf8);
    let unsigned = &signed[sign..];
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut end = 0;
    let letters: Vec<(usize, char)> = unsigned.char_indices().collect();
    for (position, (at, letter)) in letters.iter().enumerate() {
        let next = letters.get(position + 1).map(|(_, next)| *next);
        let joins = matches!(letter, '.' | ',' | '_' | '-' | '–') && next.is_some_and(|next| next.is_ascii_digit());
        let magnitude =
            matches!(letter, 'k' | 'K' | 'M' | 'B' | 'G') && next.is_none_or(|next| !next.is_alphanumeric());
        if !(letter.is_ascii_digit() || joins || magnitude) {
            break;
        }
        end = at + letter.len_utf8();
    }
    let split = before + sign + end;
    Some((&text[..split], text[split..].trim()))
}

fn line(metric: String, written: &str, unit: Option<&str>, remark: &str) -> Result<BaselineLine, String> {
    let Some((value, rest)) = number(written) else {
        return Err(format!(
            "{written:?} is no number; write one such as 0.8 %, or leave the line out"
        ));
    };
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("{written:?} is two numbers; write thousands as 15,000"));
    }
    let currency = written.trim().chars().next().filter(|first| CURRENCIES.contains(first));
    let parts = [currency.map(String::from).unwrap_or_default(), rest.to_owned()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let own = parts.join(" ");
    let column = unit.map(str::trim).filter(|unit| !unit.is_empty());
    Ok(BaselineLine {
        metric,
        value: value.into(),
        unit: if own.is_empty() {
            column.unwrap_or_default().into()
        } else {
            own
        },
        remark: remark.into(),
    })
}

/// The values between strokes, if each of them is a number: `12/s` is one value.
fn values(value: &str) -> Vec<&str> {
    let parts: Vec<&str> = value.split('/').map(str::trim).collect();
    if parts.iter().all(|part| number(part).is_some()) {
        parts
    } else {
        vec![value]
    }
}

/// The names between strokes, each with the words around all of them: `p50/p95 latency`.
fn names(metric: &str) -> Vec<String> {
    let tight: Vec<&str> = metric.split('/').map(str::trim).collect();
    let tight = tight.join("/");
    let words: Vec<&str> = tight.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| word.contains('/')) else {
        return vec![tight];
    };
    let with = |name: &str| {
        let mut all = words.clone();
        all[at] = name;
        all.join(" ")
    };
    words[at].split('/').map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metric: &str, value: &str, unit: Option<&str>) -> Result<Vec<String>, String> {
        let lines = lines(metric, value, unit)?;
        let shown = |line: BaselineLine| [line.metric, line.value, line.unit, line.remark].join("|");
        Ok(lines.into_iter().map(shown).collect())
    }

    #[test]
    fn a_value_is_a_number_and_what_follows_is_its_unit() {
        let cases = [
            ("Error rate", "0.8 %", None, "Error rate|0.8|%|"),
            ("Error rate", "0.8%", None, "Error rate|0.8|%|"),
            ("Transactions", "15,000 a day", None, "Transactions|15,000|a day|"),
            ("Latency", "245", Some("ms"), "Latency|245|ms|"),
            ("Latency", "245 ms", Some("s"), "Latency|245|ms|"),
            ("Latency", "< 200ms", None, "Latency|< 200|ms|"),
            ("Latency", "200-250 ms", None, "Latency|200-250|ms|"),
            ("Requests/s", "120", None, "Requests/s|120||"),
            ("Requests", "12/s", None, "Requests|12|/s|"),
            ("Contentment", "4.5/5", None, "Contentment|4.5|/5|"),
            ("Revenue", "$1.2M a week", None, "Revenue|1.2M|$ a week|"),
            ("Revenue", "~$5 a visit", None, "Revenue|~$5|a visit|"),
            ("Size", "3 MB", None, "Size|3|MB|"),
            ("Margin", "-3.5 %", None, "Margin|-3.5|%|"),
            ("Errors", "0.8 % (last 30 days)", None, "Errors|0.8|%|last 30 days"),
        ];
        for (metric, value, unit, expected) in cases {
            assert_eq!(read(metric, value, unit), Ok(vec![expected.to_owned()]), "{value}");
        }
    }

    #[test]
    fn names_and_values_with_strokes_are_lines_of_their_own() {
        let cases = [
            (
                "p50/p95/p99",
                "245/890/1200 ms",
                ["p50|245|ms|", "p95|890|ms|", "p99|1200|ms|"],
            ),
            (
                "p50 / p95 / p99",
                "245 / 890 / 1200",
                ["p50|245||", "p95|890||", "p99|1200||"],
            ),
            (
                "Latency p50/p95/p99 (ms)",
                "1/2/3",
                ["Latency p50 (ms)|1||", "Latency p95 (ms)|2||", "Latency p99 (ms)|3||"],
            ),
            (
                "p50/p95/p99 latency",
                "245 ms/0.9 s/2 s",
                ["p50 latency|245|ms|", "p95 latency|0.9|s|", "p99 latency|2|s|"],
            ),
        ];
        for (metric, value, expected) in cases {
            assert_eq!(
                read(metric, value, None),
                Ok(expected.map(str::to_owned).to_vec()),
                "{metric}"
            );
        }
    }

    #[test]
    fn what_is_no_number_or_too_many_is_refused() {
        for (metric, value) in [
            ("p50/p95", "1/2/3 ms"),
            ("Latency", "1/2/3 ms"),
            ("Latency", "1/2 ms"),
            ("Latency", "1/2/3"),
            ("Errors", "TBD"),
            ("Errors", ""),
            ("Errors", "15 000"),
            ("Errors", "%"),
        ] {
            assert!(read(metric, value, None).is_err(), "{metric}: {value}");
        }
    }
}
