//! Texts that must mean something: keys, names of metrics, criteria, windows, values. One, a list, or a map of them.
//!
//! A text is parsed to be sure that it can be, and kept as it was written: what comes back to its author is what the
//! author wrote. What is wrong is said in the words of its parser.

use std::collections::BTreeMap;

use rollout::{
    calendar::Window,
    catalogue::{MetricKey, Template, TemplateError},
    criterion::{Criterion, Number},
};

use crate::document::{Fields, Kind, Node, Problems, Tree, text_of};

/// Whether a text may stand where it does; else what is wrong with it.
pub(super) type Check = fn(&str) -> Result<(), String>;

/// Any text.
pub(super) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

/// The key of a flag, a stage, a segment, an item.
pub(super) fn key(text: &str) -> Result<(), String> {
    evaluation::Key::parse(text)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// The name of a metric, known or not.
pub(super) fn metric(text: &str) -> Result<(), String> {
    MetricKey::new(text).map(drop).map_err(|error| error.to_string())
}

/// `error-rate < 1 %`, `all metrics stable`.
pub(super) fn criterion(text: &str) -> Result<(), String> {
    text.parse::<Criterion>()
        .map(drop)
        .map_err(|problem| problem.to_string())
}

/// A criterion that compares one metric with a limit.
pub(super) fn comparison(text: &str) -> Result<(), String> {
    match text.parse::<Criterion>() {
        Ok(Criterion::Compare(_)) => Ok(()),
        Ok(Criterion::Stable | Criterion::Parity) => {
            Err("a guard compares one metric with a limit, as in error-rate > 1 %".into())
        }
        Err(problem) => Err(problem.to_string()),
    }
}

/// `max(queue_depth{variant="{{variant}}"})`.
pub(super) fn query(text: &str) -> Result<(), String> {
    let said = |found: Vec<TemplateError>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
    Template::parse(text).map(drop).map_err(|found| said(found).join("; "))
}

/// `Mon-Fri 09:00-17:00 Europe/Berlin`.
pub(super) fn window(text: &str) -> Result<(), String> {
    text.parse::<Window>().map(drop).map_err(|error| error.to_string())
}

/// `890 ms`, `0.8 %`.
pub(crate) fn amount(text: &str) -> Result<(), String> {
    text.parse::<Number>().map(drop).map_err(|problem| problem.to_string())
}

/// The text of a node; a bad one is a problem and none.
pub(super) fn of(node: &Node, field: &str, check: Check, problems: &mut Problems) -> Option<String> {
    let text = text_of(node, field, problems)?;
    match check(&text) {
        Ok(()) => Some(text),
        Err(what) => {
            problems.wrong(node.place, field, what);
            None
        }
    }
}

/// One text; empty if it is absent.
pub(super) fn one(fields: &mut Fields<'_>, name: &'static str, check: Check, problems: &mut Problems) -> String {
    let node = fields.take(name);
    node.and_then(|node| of(node, &fields.path(name), check, problems))
        .unwrap_or_default()
}

/// One text that must be there.
pub(super) fn required(
    fields: &mut Fields<'_>,
    name: &'static str,
    check: Check,
    what: &str,
    problems: &mut Problems,
) -> String {
    match fields.take(name) {
        Some(node) => of(node, &fields.path(name), check, problems).unwrap_or_default(),
        None => {
            problems.wrong(fields.place, &fields.path(name), format!("missing; {what}"));
            String::new()
        }
    }
}

/// A list of texts, or one alone.
pub(super) fn list(fields: &mut Fields<'_>, name: &'static str, check: Check, problems: &mut Problems) -> Vec<String> {
    match fields.take(name) {
        Some(node) => items(node, &fields.path(name), check, problems),
        None => Vec::new(),
    }
}

fn items(node: &Node, path: &str, check: Check, problems: &mut Problems) -> Vec<String> {
    match &node.kind {
        Kind::List(list) => {
            let numbered = list.iter().enumerate();
            numbered
                .filter_map(|(at, item)| of(item, &format!("{path}[{at}]"), check, problems))
                .collect()
        }
        Kind::Text(_) | Kind::Number(_) => of(node, path, check, problems).into_iter().collect(),
        Kind::Null | Kind::Boolean(_) | Kind::Map(_) => {
            problems.expected(node, path, "a text, or a list of texts");
            Vec::new()
        }
    }
}

/// A map of names to texts.
pub(super) fn map(
    fields: &mut Fields<'_>,
    name: &'static str,
    check: Check,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    match fields.take(name) {
        Some(node) => map_of(node, &fields.path(name), check, problems),
        None => BTreeMap::new(),
    }
}

/// A map of names to texts, from its node at `path`; empty for a document.
pub(super) fn map_of(node: &Node, path: &str, check: Check, problems: &mut Problems) -> BTreeMap<String, String> {
    match &node.kind {
        Kind::Map(map) => map
            .iter()
            .filter_map(|(name, value)| {
                let field = match path {
                    "" => name.text.clone(),
                    path => format!("{path}.{}", name.text),
                };
                let text = of(value, &field, check, problems)?;
                Some((name.text.clone(), text))
            })
            .collect(),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            problems.expected(node, path, "a map of names and texts");
            BTreeMap::new()
        }
    }
}

/// A list of texts as a document has it: always a list, so that a program that reads it needs one form.
pub(super) fn write(texts: &[String]) -> Option<Tree> {
    Tree::texts(texts)
}

/// A map of texts as a document has it.
pub(super) fn write_map(map: &BTreeMap<String, String>) -> Option<Tree> {
    let entry = |(name, text): (&String, &String)| (name.clone(), Tree::Text(text.clone()));
    (!map.is_empty()).then(|| Tree::Map(map.iter().map(entry).collect()))
}
