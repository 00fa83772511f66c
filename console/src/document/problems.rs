//! What is wrong with documents, and what is worth knowing about them: each with its file, line and column.
//!
//! A reader notes a problem and reads on with an empty value, so that one run names everything.

use super::node::{Node, Place, SyntaxError};

/// The notes about one file.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    file: String,
    problems: Vec<String>,
    notes: Vec<String>,
}

impl Problems {
    /// None yet, about the file of this name.
    pub(crate) fn of(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            ..Self::default()
        }
    }

    /// Something is wrong: `file:line:column: field: what`. An empty field is left out.
    pub(crate) fn wrong(&mut self, place: Place, field: &str, what: impl AsRef<str>) {
        self.problems.push(self.line(place, field, what.as_ref()));
    }

    /// Something is as it can be, and worth knowing.
    pub(crate) fn note(&mut self, place: Place, field: &str, what: impl AsRef<str>) {
        self.notes.push(self.line(place, field, what.as_ref()));
    }

    /// The text is no YAML.
    pub(crate) fn syntax(&mut self, error: &SyntaxError) {
        self.wrong(error.place, "", &error.what);
    }

    /// The value is of the wrong kind.
    pub(crate) fn expected(&mut self, node: &Node, field: &str, expected: &str) {
        self.wrong(node.place, field, format!("{}; expected {expected}", node.what()));
    }

    /// How many problems there are.
    pub(crate) fn len(&self) -> usize {
        self.problems.len()
    }

    /// Problems and notes, in the order found.
    pub(crate) fn into_lines(self) -> (Vec<String>, Vec<String>) {
        (self.problems, self.notes)
    }

    fn line(&self, place: Place, field: &str, what: &str) -> String {
        let Self { file, .. } = self;
        let Place { line, column } = place;
        match field {
            "" => format!("{file}:{line}:{column}: {what}"),
            field => format!("{file}:{line}:{column}: {field}: {what}"),
        }
    }
}
