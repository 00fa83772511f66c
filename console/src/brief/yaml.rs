//! A brief in YAML or JSON: one map, whose names are those of a Markdown brief's lines.
//!
//! A baseline is a map of metrics, or a list of maps: `{metric, value, unit}`, or a metric and its value. Every name must
//! be known, because nothing in such a document is prose.

use super::{
    draft::Draft,
    field::{Field, plain},
    risk,
};
use crate::document::{Kind, Name, Node, Place, text_of, texts_of};

/// Reads a text.
pub(super) fn read(text: &str, draft: &mut Draft) {
    let documents = match Node::parse(text) {
        Ok(documents) => documents,
        Err(error) => return draft.problems.syntax(&error),
    };
    let Some((document, others)) = documents.split_first() else {
        return;
    };
    if let Some(second) = others.first() {
        draft
            .problems
            .wrong(second.place, "", "a second document; a brief is one");
    }
    match &document.kind {
        Kind::Map(map) => map.iter().for_each(|(name, value)| entry(name, value, draft)),
        Kind::Null => {}
        Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            draft.problems.expected(document, "", "a brief: a map of its fields");
        }
    }
}

fn entry(name: &Name, value: &Node, draft: &mut Draft) {
    if let Some(field) = Field::named(&name.text) {
        return take(name.place, field, value, draft);
    }
    match plain(&name.text).as_str() {
        _ if value.kind == Kind::Null => {}
        "baseline" | "metrics" | "baseline metrics" => baseline(value, draft),
        "risk" => match &value.kind {
            Kind::Map(map) => map.iter().for_each(|(name, value)| of_risk(name, value, draft)),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                draft.problems.expected(value, "risk", "a map of its four levels");
            }
        },
        _ => unknown(name, draft),
    }
}

fn of_risk(name: &Name, value: &Node, draft: &mut Draft) {
    match Field::named(&name.text).filter(|field| risk::FIELDS.contains(field)) {
        Some(field) => take(name.place, field, value, draft),
        None => {
            let known = risk::FIELDS.map(Field::name);
            let what = format!("no such level; there are {}", known.join(", "));
            draft.problems.wrong(name.place, &format!("risk.{}", name.text), what);
        }
    }
}

fn take(place: Place, field: Field, value: &Node, draft: &mut Draft) {
    match (&value.kind, field) {
        (Kind::Null, _) => {}
        (Kind::Map(map), field) if risk::FIELDS.contains(&field) => {
            let [level, rationale] = texts(map, field.name(), ["level", "rationale"], draft);
            match level {
                Some(level) => draft.field(place, field, &level, rationale.as_deref()),
                None => draft.problems.wrong(place, field.name(), "without a level"),
            }
        }
        (Kind::List(_), Field::Audiences) => {
            for audience in texts_of(value, field.name(), &mut draft.problems) {
                draft.audience(audience.trim());
            }
        }
        (Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_), _) => {
            if let Some(text) = text_of(value, field.name(), &mut draft.problems) {
                draft.field(place, field, &text, None);
            }
        }
    }
}

fn baseline(value: &Node, draft: &mut Draft) {
    match &value.kind {
        Kind::Map(map) => map.iter().for_each(|(name, value)| metric(name, value, draft)),
        Kind::List(list) => list.iter().for_each(|item| match &item.kind {
            Kind::Map(map) if is_line(map) => line(item.place, map, draft),
            Kind::Map(map) => map.iter().for_each(|(name, value)| metric(name, value, draft)),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                let expected = "a metric and its value";
                draft.problems.expected(item, "baseline", expected);
            }
        }),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => {
            draft.problems.expected(value, "baseline", "a map or a list of metrics");
        }
    }
}

fn metric(name: &Name, value: &Node, draft: &mut Draft) {
    if let Kind::Map(map) = &value.kind {
        let [value, unit] = texts(map, &name.text, ["value", "unit"], draft);
        return draft.metric(
            name.place,
            &name.text,
            value.as_deref().unwrap_or_default(),
            unit.as_deref(),
        );
    }
    if let Some(text) = text_of(value, &name.text, &mut draft.problems) {
        draft.metric(name.place, &name.text, &text, None);
    }
}

fn is_line(map: &[(Name, Node)]) -> bool {
    let has = |wanted: &str| map.iter().any(|(name, _)| name.text == wanted);
    has("metric") && has("value")
}

fn line(place: Place, map: &[(Name, Node)], draft: &mut Draft) {
    let [metric, value, unit] = texts(map, "baseline", ["metric", "value", "unit"], draft);
    if let (Some(metric), Some(value)) = (metric, value) {
        draft.metric(place, &metric, &value, unit.as_deref());
    }
}

/// The texts of a map that has these names only.
fn texts<const N: usize>(
    map: &[(Name, Node)],
    path: &str,
    names: [&'static str; N],
    draft: &mut Draft,
) -> [Option<String>; N] {
    for (name, _) in map.iter().filter(|(name, _)| !names.contains(&name.text.as_str())) {
        let what = format!("no such field; there are {}", names.join(", "));
        draft.problems.wrong(name.place, &format!("{path}.{}", name.text), what);
    }
    names.map(|wanted| {
        let (_, node) = map.iter().find(|(name, _)| name.text == wanted)?;
        if node.kind == Kind::Null {
            return None;
        }
        text_of(node, &format!("{path}.{wanted}"), &mut draft.problems)
    })
}

fn unknown(name: &Name, draft: &mut Draft) {
    let what = match Field::meant_by(&name.text) {
        Some(meant) => format!("no such field; did you mean `{meant}`?"),
        None => format!("no such field; there are {}, risk, baseline", Field::names().join(", ")),
    };
    draft.problems.wrong(name.place, &name.text, what);
}
