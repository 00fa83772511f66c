//! The fields of a map, taken by name; what nobody takes is unknown and refused with the nearest name.
//!
//! A field may have several names (`allow`, `whitelist`), of which a document uses one.

use super::{
    node::{Kind, Name, Node, Place},
    problems::Problems,
};
use crate::nearest::nearest;

/// The fields of one map.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// Where the map is.
    pub(crate) place: Place,
    /// The path to the map, for problems; empty for a document.
    path: String,
    entries: &'n [(Name, Node)],
    taken: Vec<bool>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The fields of a map at `path`; of anything else none, and a problem.
    pub(crate) fn of(node: &'n Node, path: impl Into<String>, expected: &str, problems: &mut Problems) -> Option<Self> {
        let path = path.into();
        match &node.kind {
            Kind::Map(entries) => Some(Self {
                place: node.place,
                path,
                entries,
                taken: vec![false; entries.len()],
                known: Vec::new(),
            }),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                problems.expected(node, &path, expected);
                None
            }
        }
    }

    /// The path of one of its fields.
    pub(crate) fn path(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.into(),
            path => format!("{path}.{name}"),
        }
    }

    /// The value of a field; an absent one and one that says nothing are none.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.take_even_null(name).filter(|node| node.kind != Kind::Null)
    }

    /// The value of a field, `null` too.
    pub(crate) fn take_even_null(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let at = self.entries.iter().position(|(own, _)| own.text == name)?;
        self.taken[at] = true;
        Some(&self.entries[at].1)
    }

    /// The value of a field with several names, and the name used. Two of them at once are a problem.
    pub(crate) fn take_any(
        &mut self,
        names: &[&'static str],
        problems: &mut Problems,
    ) -> Option<(&'static str, &'n Node)> {
        let mut found = None;
        for name in names {
            match (self.take(name), &found) {
                (Some(node), None) => found = Some((*name, node)),
                (Some(node), Some((first, _))) => {
                    let path = self.path(name);
                    problems.wrong(
                        node.place,
                        &path,
                        format!("the same as {first}, which is here too; write one"),
                    );
                }
                (None, _) => {}
            }
        }
        found
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(self, problems: &mut Problems) {
        for ((name, _), _) in self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken) {
            let what = match nearest(&name.text, self.known.iter().copied()) {
                Some(near) => format!("no such field; did you mean `{near}`?"),
                None => format!("no such field; there are {}", self.known.join(", ")),
            };
            problems.wrong(name.place, &self.path(&name.text), what);
        }
    }

    // Values of single fields. A value of the wrong kind is a problem and reads as absent.

    /// Text; a number counts as the text that it was written with.
    pub(crate) fn text(&mut self, name: &'static str, problems: &mut Problems) -> Option<String> {
        let node = self.take(name)?;
        text(node, &self.path(name), problems)
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &'static str, problems: &mut Problems) -> Option<bool> {
        let node = self.take(name)?;
        match node.kind {
            Kind::Boolean(boolean) => Some(boolean),
            Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Map(_) => {
                problems.expected(node, &self.path(name), "true or false");
                None
            }
        }
    }

    /// Texts: a list, or one alone.
    pub(crate) fn texts(&mut self, name: &'static str, problems: &mut Problems) -> Vec<String> {
        match self.take(name) {
            Some(node) => texts(node, &self.path(name), problems),
            None => Vec::new(),
        }
    }
}

/// Text; a number counts as the text that it was written with.
pub(crate) fn text(node: &Node, field: &str, problems: &mut Problems) -> Option<String> {
    match &node.kind {
        Kind::Text(text) => Some(text.clone()),
        Kind::Number(number) => Some(number.written.clone()),
        Kind::Null | Kind::Boolean(_) | Kind::List(_) | Kind::Map(_) => {
            problems.expected(node, field, "text (in quotes if in doubt)");
            None
        }
    }
}

/// Texts: a list, or one alone.
pub(crate) fn texts(node: &Node, field: &str, problems: &mut Problems) -> Vec<String> {
    match &node.kind {
        Kind::List(list) => list
            .iter()
            .enumerate()
            .filter_map(|(at, item)| text(item, &format!("{field}[{at}]"), problems))
            .collect(),
        Kind::Text(_) | Kind::Number(_) => text(node, field, problems).into_iter().collect(),
        Kind::Null | Kind::Boolean(_) | Kind::Map(_) => {
            problems.expected(node, field, "a list of texts");
            Vec::new()
        }
    }
}
