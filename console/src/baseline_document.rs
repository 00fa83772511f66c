//! A baseline as a document (YAML or JSON): what an operator knows of metrics before a rollout.
//!
//! `{kind: baseline, key, description, values: {p95: 890 ms}}`; a map of values alone is one as well, and so is what
//! `baseline show` writes, whose values are a list of `{metric, value}`. Texts stay as they were written; whether a metric
//! exists and has that unit is the control plane's to say.

use std::collections::BTreeMap;

use crate::{
    document::{Fields, Kind, Node, Problems},
    flag_document::KIND,
    plan_document::{amount, amount_of, amounts, check_kind, key_of},
};

/// The fields that a baseline has.
const FIELDS: [&str; 4] = [KIND, "key", "description", "values"];
/// What only a stored baseline has: where it is, and who made it when. It is passed over.
const STORED: [&str; 5] = ["environment", "created_at", "created_by", "reason", "revision"];
/// What is shown of a value beside the metric and what was written. It is passed over.
const MEASURED: [&str; 4] = ["number", "outcomes", "buckets", "hours"];

/// What a document says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BaselineDocument {
    /// Empty: the command line says it.
    pub(crate) key: String,
    /// For people.
    pub(crate) description: String,
    /// By metric.
    pub(crate) values: BTreeMap<String, String>,
    /// It is what was shown of a captured one, whose buckets of units and hours no document has.
    pub(crate) was_captured: bool,
}

/// Reads one baseline from a text; every problem as `file:line:column: field: what is wrong`.
pub(crate) fn parse(file: &str, text: &str) -> Result<BaselineDocument, Vec<String>> {
    let mut problems = Problems::of(file);
    let mut document = BaselineDocument::default();
    match Node::parse(text) {
        Ok(nodes) => match nodes.as_slice() {
            [node] => document = read(node, &mut problems),
            nodes => {
                let place = nodes.get(1).map(|node| node.place).unwrap_or_default();
                problems.wrong(place, "", format!("{} documents; one baseline is wanted", nodes.len()));
            }
        },
        Err(error) => problems.syntax(&error),
    }
    match problems.into_lines() {
        (problems, _) if problems.is_empty() => Ok(document),
        (problems, _) => Err(problems),
    }
}

fn read(node: &Node, problems: &mut Problems) -> BaselineDocument {
    if let Kind::Map(entries) = &node.kind
        && !entries.iter().any(|(name, _)| FIELDS.contains(&name.text.as_str()))
    {
        return BaselineDocument {
            values: amounts(node, "", problems),
            ..BaselineDocument::default()
        };
    }
    let what = "a baseline: {key: before, values: {p95: 890 ms}}";
    let Some(mut fields) = Fields::of(node, "", what, problems) else {
        return BaselineDocument::default();
    };
    check_kind(&mut fields, "baseline", problems);
    let values = fields.take("values");
    let document = BaselineDocument {
        key: key_of(&mut fields, problems),
        description: fields.text("description", problems).unwrap_or_default(),
        values: values.map(|node| read_values(node, problems)).unwrap_or_default(),
        was_captured: fields.take("captured").is_some(),
    };
    for name in STORED {
        fields.take(name);
    }
    fields.finish(problems);
    document
}

/// Values by metric, or as they are shown.
fn read_values(node: &Node, problems: &mut Problems) -> BTreeMap<String, String> {
    let Kind::List(list) = &node.kind else {
        return amounts(node, "values", problems);
    };
    let mut values = BTreeMap::new();
    for (at, node) in list.iter().enumerate() {
        let path = format!("values[{at}]");
        let Some(mut fields) = Fields::of(node, path.clone(), "a value: {metric: p95, value: 890 ms}", problems) else {
            continue;
        };
        let metric = fields.text("metric", problems);
        let value = fields.take("value");
        for name in MEASURED {
            fields.take(name);
        }
        let (Some(metric), Some(value)) = (metric, value) else {
            problems.wrong(
                fields.place,
                &path,
                "write its metric and its value: {metric: p95, value: 890 ms}",
            );
            continue;
        };
        if let Some(text) = amount_of(value, &format!("{path}.value"), problems)
            && values.insert(metric.clone(), text).is_some()
        {
            problems.wrong(fields.place, &path, format!("{metric} stands twice"));
        }
        fields.finish(problems);
    }
    values
}

/// A value of a metric on the command line: `p95=890ms`.
pub(crate) fn value(text: &str) -> Result<(String, String), String> {
    let (metric, value) = text
        .split_once('=')
        .ok_or("write a metric and its value, as in p95=890ms")?;
    let (metric, value) = (metric.trim(), value.trim());
    rollout::catalogue::MetricKey::new(metric).map_err(|error| error.to_string())?;
    amount(value)?;
    Ok((metric.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(metric, value): &(&str, &str)| ((*metric).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_baseline_is_a_document_or_a_map_of_values() {
        let known = values(&[("error-rate", "0.8 %"), ("p95", "890 ms")]);
        let text = "kind: baseline\nkey: before\ndescription: d\nvalues:\n  p95: 890 ms\n  error-rate: 0.8 %\n";
        let whole = parse("b.yaml", text).unwrap();
        assert_eq!(
            (whole.key.as_str(), whole.description.as_str(), &whole.values),
            ("before", "d", &known)
        );
        let plain = parse("b.yaml", "{p95: 890 ms, error-rate: 0.8 %}").unwrap();
        assert_eq!((plain.key.as_str(), &plain.values), ("", &known));
    }

    #[test]
    fn what_is_shown_of_a_baseline_is_one_too() {
        let text = "key: before\nenvironment: production\ndescription: d\nvalues:\n\
                    - {metric: p95, value: 890 ms, number: 890000.0, outcomes: 0, buckets: null, hours: 0}\n\
                    - {metric: error-rate, value: 0.8 %, number: 0.008, outcomes: 900, buckets: 63.1, hours: 2}\n\
                    captured: {rollout: checkout#3, visit: 1}\ncreated_at: 2026-01-01T00:00:00Z\ncreated_by: ann\n\
                    reason: ''\nrevision: 7\n";
        let read = parse("b.yaml", text).unwrap();
        let known = values(&[("error-rate", "0.8 %"), ("p95", "890 ms")]);
        assert_eq!(
            (
                read.key.as_str(),
                read.description.as_str(),
                &read.values,
                read.was_captured
            ),
            ("before", "d", &known, true)
        );
        let imported = text.replace("captured: {rollout: checkout#3, visit: 1}", "captured: null");
        assert!(!parse("b.yaml", &imported).unwrap().was_captured);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for (text, place) in [
            ("{p95: soon}", "b.yaml:1:7: p95: "),
            ("key: before\nvalues: {p95: soon}", "b.yaml:2:15: values.p95: "),
            ("key: before\nvalue: {p95: 1 s}", "b.yaml:2:1: value: "),
            ("key: be fore\nvalues: {p95: 1 s}", "b.yaml:1:6: key: "),
            ("[p95]", "b.yaml:1:1: "),
            (
                "kind: baselin\nvalues: {p95: 1 s}",
                "b.yaml:1:7: kind: no `baselin`; did you mean `baseline`?",
            ),
            ("values: [{metric: p95}]", "b.yaml:1:10: values[0]: "),
            ("values: [{metric: p95, value: soon}]", "b.yaml:1:31: values[0].value: "),
            (
                "values: [{metric: p95, value: 1 s, unit: s}]",
                "b.yaml:1:36: values[0].unit: ",
            ),
            (
                "values: [{metric: p95, value: 1 s}, {metric: p95, value: 2 s}]",
                "b.yaml:1:37: values[1]: ",
            ),
        ] {
            let problems = parse("b.yaml", text).unwrap_err();
            assert!(problems[0].starts_with(place), "{text}: {problems:?}");
        }
    }

    #[test]
    fn a_value_on_the_command_line_has_a_metric_and_a_unit() {
        assert_eq!(value("p95 = 890 ms").unwrap(), ("p95".to_owned(), "890 ms".to_owned()));
        for text in ["p95", "=1 s", "p95=", "p95=soon"] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
