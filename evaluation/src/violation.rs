//! What is wrong with a document, and where.
//!
//! A document is answered with everything that is wrong with it at once. What is told stays bounded: the first hundred
//! violations are listed, the rest are counted, and quoted text is cut.

use std::fmt;

/// How many violations are listed.
const MAX_LISTED: usize = 100;

/// What is said of those that are not listed, after their number.
const NOT_LISTED: &str = " more violations are not listed";

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

impl Violation {
    /// That there are so many more, which are not listed.
    pub fn omitted(count: usize) -> Violation {
        Violation {
            field: String::new(),
            description: format!("{count}{NOT_LISTED}"),
        }
    }

    /// How many that are not listed it stands for, if it is no violation itself.
    pub fn omits(&self) -> Option<usize> {
        self.description.strip_suffix(NOT_LISTED)?.parse().ok()
    }
}

/// The violations found so far, for whoever reads a document.
#[derive(Debug, Default)]
pub struct Violations {
    listed: Vec<Violation>,
    omitted: usize,
}

impl Violations {
    /// Notes one more. The path and the sentence are only written if it is listed.
    pub fn add(&mut self, field: impl fmt::Display, description: impl fmt::Display) {
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
        match self.into_list() {
            none if none.is_empty() => Ok(valid),
            all => Err(all),
        }
    }

    /// All that were found; the last may say how many more there are.
    pub fn into_list(self) -> Vec<Violation> {
        let mut all = self.listed;
        all.extend((self.omitted > 0).then(|| Violation::omitted(self.omitted)));
        all
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
