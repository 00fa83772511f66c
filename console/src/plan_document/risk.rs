//! What is at stake: `user_impact: HIGH - every customer pays through it`, or `{level, rationale}`.
//!
//! The level stands before the first hyphen or dash between spaces, the rationale after it.

use proto::v1;
use rollout::risk::{Reversibility, Risk};

use super::values;
use crate::document::{Fields, Kind, Node, Problems, Tree};

/// What parts a level from its rationale, the first of them as it is written here.
const BETWEEN: [&str; 3] = [" - ", " – ", " — "];

/// Reads `risk`.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<v1::Risk> {
    let path = fields.path("risk");
    let what = "what is at stake: {user_impact: HIGH - why, revenue_impact, criticality, reversibility: easy}";
    let mut inner = Fields::of(fields.take("risk")?, path, what, problems)?;
    let levels = values::names(&Risk::ALL, Risk::name);
    let mut rated = |name: &'static str, levels: &[&'static str]| {
        let node = inner.take(name)?;
        read_one(node, &inner.path(name), levels, problems)
    };
    let risk = v1::Risk {
        user_impact: rated("user_impact", &levels),
        revenue_impact: rated("revenue_impact", &levels),
        criticality: rated("criticality", &levels),
        reversibility: rated(
            "reversibility",
            &values::names(&Reversibility::ALL, Reversibility::name),
        ),
    };
    inner.finish(problems);
    Some(risk)
}

fn read_one(node: &Node, path: &str, levels: &[&'static str], problems: &mut Problems) -> Option<v1::Rated> {
    if let Kind::Text(text) = &node.kind {
        let (level, rationale) = split(text);
        let level = Node {
            place: node.place,
            kind: Kind::Text(level.into()),
        };
        return Some(v1::Rated {
            level: values::word_of(&level, path, levels, problems)?,
            rationale: rationale.into(),
        });
    }
    let mut fields = Fields::of(node, path, "a level with its rationale: HIGH - why", problems)?;
    let rated = v1::Rated {
        level: values::word(&mut fields, "level", levels, problems),
        rationale: fields.text("rationale", problems).unwrap_or_default(),
    };
    fields.finish(problems);
    Some(rated)
}

fn split(text: &str) -> (&str, &str) {
    let first = BETWEEN
        .iter()
        .filter_map(|between| Some((text.find(between)?, between.len())))
        .min();
    match first {
        Some((at, length)) => (text[..at].trim(), text[at + length..].trim()),
        None => (text.trim(), ""),
    }
}

/// As `read`, back.
pub(super) fn write(risk: &v1::Risk) -> Tree {
    Tree::fields([
        ("user_impact", risk.user_impact.as_ref().map(write_one)),
        ("revenue_impact", risk.revenue_impact.as_ref().map(write_one)),
        ("criticality", risk.criticality.as_ref().map(write_one)),
        ("reversibility", risk.reversibility.as_ref().map(write_one)),
    ])
}

fn write_one(rated: &v1::Rated) -> Tree {
    let v1::Rated { level, rationale } = rated;
    let text = match rationale.as_str() {
        "" => level.clone(),
        rationale => format!("{level}{}{rationale}", BETWEEN[0]),
    };
    if !level.is_empty() && split(&text) == (level, rationale) {
        return Tree::Text(text);
    }
    Tree::fields([("level", Tree::text(level)), ("rationale", Tree::text(rationale))])
}
