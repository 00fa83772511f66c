//! The name of a flag, a flag set, an environment or a plan.
//!
//! A key is checked once, where it comes in, and cannot be built invalid after that. Its alphabet is safe in paths,
//! metadata and store keys. It is shared (`Arc<str>`), because the same name stands in the index, in the compiled flag
//! and in the answers.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The longest key, in bytes.
const MAX_BYTES: usize = 200;

/// A name that matches `[A-Za-z0-9][A-Za-z0-9._:~-]{0,199}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no text.
    #[error("a key cannot be empty")]
    Empty,
    /// Longer than 200 bytes.
    #[error("a key has at most {MAX_BYTES} bytes, this one has {bytes}")]
    TooLong {
        /// The length of the text, in bytes.
        bytes: usize,
    },
    /// The first character is neither a letter nor a digit of ASCII.
    #[error("a key begins with an ASCII letter or digit, not with {character:?}")]
    BadStart {
        /// The character that stands first.
        character: char,
    },
    /// A later character is outside the alphabet.
    #[error("a key has ASCII letters, digits and . _ : ~ - only, not {character:?} (at byte {at})")]
    BadCharacter {
        /// The first character that does not belong.
        character: char,
        /// Its offset, in bytes.
        at: usize,
    },
}

impl Key {
    /// The smallest key there is: no key sorts before it.
    pub fn first() -> Key {
        Key(Arc::from("0"))
    }

    /// Reads a key; the error names the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Key, KeyError> {
        let Some(first) = text.chars().next() else {
            return Err(KeyError::Empty);
        };
        if text.len() > MAX_BYTES {
            return Err(KeyError::TooLong { bytes: text.len() });
        }
        if !first.is_ascii_alphanumeric() {
            return Err(KeyError::BadStart { character: first });
        }
        match text.char_indices().find(|(_, character)| !belongs(*character)) {
            Some((at, character)) => Err(KeyError::BadCharacter { character, at }),
            None => Ok(Key(Arc::from(text))),
        }
    }

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&Key> for Arc<str> {
    /// Shares the text, without a copy.
    fn from(key: &Key) -> Arc<str> {
        Arc::clone(&key.0)
    }
}

/// Whether a character may stand in a key after the first place.
fn belongs(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | ':' | '~' | '-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_whole_alphabet_is_a_key() {
        for text in ["a", "0", "checkout.new_flow", "team:flag~v2-beta", &"k".repeat(200)] {
            assert_eq!(Key::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn everything_else_is_refused_and_named() {
        let cases = [
            ("", KeyError::Empty),
            (".a", KeyError::BadStart { character: '.' }),
            ("ärger", KeyError::BadStart { character: 'ä' }),
            ("a b", KeyError::BadCharacter { character: ' ', at: 1 }),
            ("a/b", KeyError::BadCharacter { character: '/', at: 1 }),
            ("fluß", KeyError::BadCharacter { character: 'ß', at: 3 }),
        ];
        for (text, error) in cases {
            assert_eq!(Key::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(Key::parse(&"k".repeat(201)), Err(KeyError::TooLong { bytes: 201 }));
    }
}
