//! `$evaluators`: shared parts of rules, put in the place of `{"$ref": "name"}`.
//!
//! A part that refers to another is refused: flagd replaces them in an order that it does not define.

use std::collections::BTreeMap;

use crate::document::{Kind, Node, Problems};

/// The parts by name.
#[derive(Debug, Default)]
pub(super) struct References<'n> {
    parts: BTreeMap<&'n str, &'n Node>,
}

impl<'n> References<'n> {
    /// Of `$evaluators`.
    pub(super) fn read(node: Option<&'n Node>, problems: &mut Problems) -> Self {
        let Some(node) = node else { return Self::default() };
        match &node.kind {
            Kind::Map(map) => Self {
                parts: map.iter().map(|(name, part)| (name.text.as_str(), part)).collect(),
            },
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                problems.expected(node, "$evaluators", "a map of names and rules");
                Self::default()
            }
        }
    }

    /// The node with every reference replaced.
    pub(super) fn resolve(&self, node: &Node, path: &str, problems: &mut Problems) -> Node {
        self.replaced(node, path, false, problems)
    }

    fn replaced(&self, node: &Node, path: &str, inside: bool, problems: &mut Problems) -> Node {
        let kind = match &node.kind {
            Kind::Map(map) => {
                if let [(name, target)] = map.as_slice()
                    && name.text == "$ref"
                {
                    return self.referred(node, target, path, inside, problems);
                }
                let fields = map.iter().map(|(name, inner)| {
                    let inner = self.replaced(inner, &format!("{path}.{}", name.text), inside, problems);
                    (name.clone(), inner)
                });
                Kind::Map(fields.collect())
            }
            Kind::List(list) => {
                let items = list.iter().enumerate();
                let items = items.map(|(at, inner)| self.replaced(inner, &format!("{path}[{at}]"), inside, problems));
                Kind::List(items.collect())
            }
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => node.kind.clone(),
        };
        Node {
            place: node.place,
            kind,
        }
    }

    fn referred(&self, node: &Node, target: &Node, path: &str, inside: bool, problems: &mut Problems) -> Node {
        let Kind::Text(name) = &target.kind else {
            problems.expected(target, path, "the name of an evaluator");
            return node.clone();
        };
        match self.parts.get(name.as_str()) {
            Some(_) if inside => {
                problems.wrong(
                    node.place,
                    path,
                    format!("$ref {name} inside of an evaluator; write it out"),
                );
                node.clone()
            }
            Some(part) => self.replaced(part, &format!("$evaluators.{name}"), true, problems),
            None => {
                problems.wrong(node.place, path, format!("$ref {name}: there is no such evaluator"));
                node.clone()
            }
        }
    }
}
