//! Items of the lists before the start and before the completion: `rollback-rehearsed`, `tests-passing by automation`,
//! or `{name, by, description}`.

use proto::v1;
use rollout::plan::TickedBy;

use super::{checked, values};
use crate::document::{Fields, Kind, Node, Problems, Tree};

/// What parts a name from who ticks it.
const BY: &str = " by ";

/// Reads a list of items, or one alone.
pub(super) fn read(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> Vec<v1::Item> {
    let path = fields.path(name);
    let Some(node) = fields.take(name) else {
        return Vec::new();
    };
    match &node.kind {
        Kind::List(list) => {
            let numbered = list.iter().enumerate();
            numbered
                .filter_map(|(at, item)| read_one(item, &format!("{path}[{at}]"), problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            read_one(node, &path, problems).into_iter().collect()
        }
    }
}

fn read_one(node: &Node, path: &str, problems: &mut Problems) -> Option<v1::Item> {
    let who = values::names(&TickedBy::ALL, TickedBy::name);
    if let Kind::Text(text) = &node.kind {
        let (name, by) = text.split_once(BY).unwrap_or((text, ""));
        let part = |text: &str| Node {
            place: node.place,
            kind: Kind::Text(text.trim().into()),
        };
        let name = checked::of(&part(name), path, checked::key, problems);
        let by = match by {
            "" => Some(String::new()),
            by => values::word_of(&part(by), path, &who, problems),
        };
        return Some(v1::Item {
            name: name?,
            description: String::new(),
            by: by?,
        });
    }
    let mut fields = Fields::of(node, path, "an item: its name, or {name, by, description}", problems)?;
    let item = v1::Item {
        name: checked::required(&mut fields, "name", checked::key, "every item has one", problems),
        by: values::word(&mut fields, "by", &who, problems),
        description: fields.text("description", problems).unwrap_or_default(),
    };
    fields.finish(problems);
    Some(item)
}

/// As `read`, back.
pub(super) fn write(items: &[v1::Item]) -> Option<Tree> {
    (!items.is_empty()).then(|| Tree::List(items.iter().map(write_one).collect()))
}

fn write_one(item: &v1::Item) -> Tree {
    let v1::Item { name, description, by } = item;
    match (description.as_str(), by.as_str()) {
        ("", "") => Tree::Text(name.clone()),
        ("", by) => Tree::Text(format!("{name}{BY}{by}")),
        (_, _) => Tree::fields([
            ("name", Tree::text(name)),
            ("by", Tree::text(by)),
            ("description", Tree::text(description)),
        ]),
    }
}
