//! A metric's key: one spelling for each metric.
//!
//! People write `error rate`, `Error_Rate` and `errors` and mean one thing. A key is lower case with hyphens, and an
//! alias of the catalogue becomes the catalogue's own key, so that two equal metrics have equal keys. Whether the key is
//! known at all is the resolver's question.

use std::fmt;

use super::find_spelling;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 200;

/// Which metric a criterion is about; known or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricKey(String);

/// A text cannot be a metric's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing in it.
    #[error("a metric has a name, such as error-rate")]
    Empty,
    /// More than 200 bytes.
    #[error("a metric's name has at most {LONGEST_KEY} bytes")]
    TooLong,
    /// A character that no key has.
    #[error("a metric's name holds letters, digits and . : ~ - only, not {0:?}")]
    Character(char),
}

impl MetricKey {
    /// The key that a text means.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let spelling = spelling(text);
        if spelling.is_empty() {
            return Err(KeyError::Empty);
        }
        if spelling.len() > LONGEST_KEY {
            return Err(KeyError::TooLong);
        }
        let refused = |character: &char| !(character.is_ascii_alphanumeric() || ".:~-".contains(*character));
        if let Some(character) = spelling.chars().find(refused) {
            return Err(KeyError::Character(character));
        }
        Ok(match find_spelling(&spelling) {
            Some(definition) => MetricKey(definition.key.to_owned()),
            None => MetricKey(spelling),
        })
    }

    /// As criteria write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MetricKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Lower case, and one hyphen for each run of hyphens, underscores and spaces; none at the ends.
pub(super) fn spelling(text: &str) -> String {
    let separates = |character: char| character.is_whitespace() || matches!(character, '-' | '_');
    let words: Vec<&str> = text.split(separates).filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}
