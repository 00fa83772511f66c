//! What is wrong with a document, and where.
//!
//! A document is answered with everything that is wrong with it at once. What is told stays bounded: the first hundred
//! violations are listed, the rest are counted, and quoted text is cut.

use std::fmt;

/// How many violations are listed.
const MAX_LISTED: usize = 100;

/// How many characters of somebody's text are quoted.
const MAX_QUOTED: usize = 60;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field, such as `rules[2].serve.split[0].variant`; empty for the whole document.
    pub field: String,
    /// What is wrong there, for people.
    pub description: String,
}

/// The violations found so far.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    listed: Vec<Violation>,
    omitted: usize,
}

impl Violations {
    /// Notes one more. The path and the sentence are only written if it is listed.
    pub(crate) fn add(&mut self, field: impl fmt::Display, description: impl fmt::Display) {
        if self.listed.len() < MAX_LISTED {
            self.listed.push(Violation {
                field: field.to_string(),
                description: description.to_string(),
            });
        } else {
            self.omitted += 1;
        }
    }

    /// `valid` if nothing was found, else all that was.
    pub(crate) fn into_result<T>(self, valid: T) -> Result<T, Vec<Violation>> {
        if self.listed.is_empty() {
            return Ok(valid);
        }
        let mut listed = self.listed;
        if self.omitted > 0 {
            let description = format!("{} more violations are not listed", self.omitted);
            listed.push(Violation {
                field: String::new(),
                description,
            });
        }
        Err(listed)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            out.pad(&self.description)
        } else {
            write!(out, "{}: {}", self.field, self.description)
        }
    }
}

/// Somebody's text in quotation marks, cut after 60 characters.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((cut, _)) => format!("{:?}...", &text[..cut]),
        None => format!("{text:?}"),
    }
}
