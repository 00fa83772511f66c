//! A brief: what people write before a rollout, a feature's description and the metrics as they are today.
//!
//! It is read from Markdown with lists and tables, or from YAML. What is written is kept as written: a metric's name and
//! value are text, because only a plan knows what they are compared with. Prose around them is nobody's mistake; a line
//! that is meant for us and wrong is, and all such lines are named at once. Planning is left to others.

mod draft;
mod field;
mod markdown;
mod metric;
pub(crate) mod risk;
mod traffic;
mod yaml;

use std::path::Path;

pub(crate) use self::metric::BaselineLine;
use self::{draft::Draft, risk::Risk};
use crate::{
    document::{Kind, Node, Problems},
    error::Error,
};

/// What is to be rolled out, and how things are before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Brief {
    pub(crate) title: String,
    /// The paragraphs under the title; empty if there are none.
    pub(crate) description: String,
    pub(crate) flag: Option<String>,
    pub(crate) environment: Option<String>,
    /// The part of the product that changes.
    pub(crate) component: Option<String>,
    /// How it is to be rolled out, in the author's word.
    pub(crate) pattern: Option<String>,
    /// The cycle of work that it belongs to.
    pub(crate) cycle: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) risk: Option<Risk>,
    /// In the order written.
    pub(crate) baseline: Vec<BaselineLine>,
    pub(crate) traffic_per_day: Option<u64>,
    /// Who gets it, in the order written.
    pub(crate) audiences: Vec<String>,
}

/// Reads a brief that came from a file of this name; of other endings than those of Markdown, YAML and JSON a map with
/// a title is YAML, and anything else Markdown.
pub(crate) fn read(name: &str, text: &str) -> Result<Brief, Error> {
    let mut draft = Draft::of(Problems::of(name));
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("yaml" | "yml" | "json") => yaml::read(text, &mut draft),
        Some("md" | "markdown") => markdown::read(text, &mut draft),
        Some(_) | None if is_map_with_title(text) => yaml::read(text, &mut draft),
        Some(_) | None => markdown::read(text, &mut draft),
    }
    draft.finish().map_err(Error::Usage)
}

fn is_map_with_title(text: &str) -> bool {
    let documents = Node::parse(text).unwrap_or_default();
    let title = |name: &str| field::Field::named(name) == Some(field::Field::Title);
    documents.first().is_some_and(|document| match &document.kind {
        Kind::Map(map) => map.iter().any(|(name, _)| title(&name.text)),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => false,
    })
}

#[cfg(test)]
mod tests;
