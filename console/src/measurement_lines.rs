//! Measurements as lines of JSON: one object a line, every problem with its line.

use std::ops::RangeInclusive;

use proto::v1::{self, measurement::Of};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::{args, duration, json};

/// The longest line, in bytes.
const LINE_BYTES: usize = 128 * 1024;
/// Problems that are listed.
const LISTED: usize = 20;
/// How long a level may stand, in microseconds.
const STANDS_US: RangeInclusive<i64> = 1_000_000..=24 * 3_600 * 1_000_000;
/// The attribute that names the unit.
const TARGETING_KEY: &str = "targetingKey";

/// One line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    metric: String,
    value: Option<f64>,
    #[serde(default)]
    values: Vec<f64>,
    arm: Option<String>,
    unit: Option<String>,
    token: Option<String>,
    context: Option<Map<String, Json>>,
    at: Option<String>,
    #[serde(rename = "for")]
    stands_for: Option<String>,
}

/// The measurements of a file, each with the number of its line. Empty lines are passed over.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<(usize, v1::Measurement)>, Vec<String>> {
    let (mut measurements, mut problems) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match read(line) {
            Ok(measurement) => measurements.push((number, measurement)),
            Err(problem) => problems.push(format!("{file}:{number}: {problem}")),
        }
    }
    if measurements.is_empty() && problems.is_empty() {
        problems.push(format!("{file}: no measurements"));
    }
    if problems.is_empty() {
        return Ok(measurements);
    }
    let more = problems.len().saturating_sub(LISTED);
    problems.truncate(LISTED);
    if more > 0 {
        problems.push(format!("{file}: {more} more lines are wrong"));
    }
    Err(problems)
}

fn read(text: &str) -> Result<v1::Measurement, String> {
    if text.len() > LINE_BYTES {
        return Err(format!("longer than {LINE_BYTES} bytes"));
    }
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let values = match (line.value, line.values) {
        (Some(_), values) if !values.is_empty() => return Err("has either value or values, not both".into()),
        (Some(value), _) => vec![value],
        (None, values) if values.is_empty() => vec![1.0],
        (None, values) => values,
    };
    let named = [
        line.arm.map(|arm| self::arm(&arm)),
        line.token.map(|token| Ok(Of::Token(token))),
        line.unit.map(|unit| Ok(unit_of(unit))),
        line.context.map(|context| json::to_struct(&context).map(Of::Context)),
    ];
    let mut named = named.into_iter().flatten();
    let (Some(of), None) = (named.next(), named.next()) else {
        return Err("has exactly one of arm, unit, context and token".into());
    };
    Ok(v1::Measurement {
        key: line.key,
        metric: line.metric,
        values,
        of: Some(of?),
        at_us: line.at.as_deref().map_or(Ok(0), args::moment)?,
        stands_for_us: line.stands_for.as_deref().map_or(Ok(0), stands_for)?,
    })
}

/// How long a level stands, in microseconds.
pub(crate) fn stands_for(text: &str) -> Result<i64, String> {
    let us = duration::parse_us(text)?;
    if STANDS_US.contains(&us) {
        Ok(us)
    } else {
        Err(format!("`{text}`: a level stands from 1s to 24h"))
    }
}

/// A unit by its targeting key alone.
pub(crate) fn unit_of(unit: String) -> Of {
    let fields = Map::from_iter([(TARGETING_KEY.to_owned(), Json::String(unit))]);
    // One text fits into any message.
    Of::Context(json::to_struct(&fields).unwrap_or_default())
}

fn arm(text: &str) -> Result<Of, String> {
    let arm = match text {
        "treatment" => v1::PushArm::Treatment,
        "control" => v1::PushArm::Control,
        other => return Err(format!("arm is treatment or control, not {other:?}")),
    };
    Ok(Of::Arm(arm.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_line_is_a_measurement() {
        let text = r#"{"key": "T-1", "metric": "complaints", "arm": "treatment"}

{"key": "T-2", "metric": "cpu", "value": 0.5, "arm": "control", "at": "2026-12-01T09:00:00Z", "for": "2m"}
{"key": "T-3", "metric": "faithfulness", "values": [0.9, 0.8], "unit": "user-7"}
{"key": "T-4", "metric": "revenue", "value": -1.5, "token": "abc"}
"#;
        let measurements = parse("m.jsonl", text).unwrap();
        let [(1, first), (3, second), (4, third), (5, fourth)] = measurements.as_slice() else {
            panic!("{measurements:?}");
        };
        assert_eq!(first.values, [1.0]);
        assert_eq!(first.of, Some(Of::Arm(v1::PushArm::Treatment.into())));
        assert_eq!(
            (second.at_us, second.stands_for_us),
            (1_796_115_600_000_000, 120_000_000)
        );
        assert_eq!(third.values, [0.9, 0.8]);
        let Some(Of::Context(context)) = &third.of else {
            panic!("{third:?}");
        };
        assert!(context.fields.contains_key("targetingKey"));
        assert_eq!(fourth.of, Some(Of::Token("abc".into())));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, said) in [
            ("", "m.jsonl: no measurements"),
            ("\n{", "m.jsonl:2: "),
            (r#"{"key": "T", "metric": "cpu"}"#, "exactly one of"),
            (
                r#"{"key": "T", "metric": "cpu", "arm": "treatment", "unit": "u"}"#,
                "exactly one of",
            ),
            (r#"{"key": "T", "metric": "cpu", "arm": "both"}"#, "not \"both\""),
            (
                r#"{"key": "T", "metric": "cpu", "arm": "control", "vlaue": 1}"#,
                "vlaue",
            ),
            (
                r#"{"key": "T", "metric": "cpu", "arm": "control", "value": 1, "values": [1]}"#,
                "not both",
            ),
            (
                r#"{"key": "T", "metric": "cpu", "arm": "control", "at": "soon"}"#,
                "soon",
            ),
            (
                r#"{"key": "T", "metric": "cpu", "arm": "control", "for": "30h"}"#,
                "from 1s to 24h",
            ),
            (r#"{"metric": "cpu", "arm": "control"}"#, "key"),
        ] {
            let problems = parse("m.jsonl", text).unwrap_err();
            assert!(problems[0].contains(said), "{text}: {problems:?}");
        }
    }
}
