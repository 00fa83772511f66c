//! A place in the stream of events: the store revision that brought an event, and which it was of those.
//!
//! Revisions order what was committed, over all environments; a revision's events are ordered by their keys. Both stay as
//! they are whatever is swept, because the events of a revision are swept together.

use std::{fmt, str::FromStr};

/// A place in the stream. Written `<revision>-<index>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The store revision.
    pub(crate) revision: u64,
    /// Which of its events, from 0.
    pub(crate) index: u32,
}

impl Position {
    /// Before every other.
    pub(crate) const FIRST: Self = Self { revision: 0, index: 0 };

    /// Behind all events of a revision.
    pub(crate) fn behind(revision: u64) -> Self {
        Self {
            revision,
            index: u32::MAX,
        }
    }
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the id of an event of this stream, such as 417-0")]
pub(crate) struct NoPosition;

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.revision, self.index)
    }
}

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let (revision, index) = text.split_once('-').ok_or(NoPosition)?;
        Ok(Self {
            revision: revision.parse().map_err(|_| NoPosition)?,
            index: index.parse().map_err(|_| NoPosition)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_position_is_read_as_it_is_written_and_ordered_as_it_happened() {
        for text in ["0-0", "417-0", "417-12", "18446744073709551615-4294967295"] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        for text in ["", "417", "417-", "-0", "a-b", "1-2-3", "1-4294967296"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
        let position = |text: &str| text.parse::<Position>().unwrap();
        assert!(position("9-7") < position("10-0") && position("10-0") < position("10-1"));
    }
}
