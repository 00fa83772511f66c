//! The short texts of a flag's or segment's conditions, one after the other in one piece of memory.
//!
//! Rules are tried one after the other, and most of what they cost is waiting for memory: names and literals that lie
//! side by side are there when they are needed. A text is known by its place; a list of texts is a run of pieces that
//! each begin with their length.

use std::collections::HashMap;
use std::fmt;

/// The longest text that fits in a word, with its length.
const SHORT_BYTES: usize = 7;

/// Bytes of a piece's length.
const LENGTH_BYTES: usize = size_of::<u32>();

/// The texts.
#[derive(Default)]
pub(crate) struct Pool(Box<[u8]>);

/// The texts so far.
#[derive(Debug, Default)]
pub(crate) struct PoolBuilder {
    bytes: Vec<u8>,
    /// What was added already: equal texts share their place.
    places: HashMap<Box<[u8]>, Text>,
    /// More was added than places can tell apart.
    pub(crate) overflowed: bool,
}

/// The place of a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Text {
    start: u32,
    end: u32,
}

impl Pool {
    /// The bytes of a text of this pool.
    #[inline]
    pub(crate) fn text(&self, text: Text) -> &[u8] {
        &self.0[text.start as usize..text.end as usize]
    }

    /// Whether `wanted` is one of the texts of a list.
    #[inline]
    pub(crate) fn list_has(&self, list: Text, wanted: &[u8]) -> bool {
        let mut rest = self.text(list);
        while let Some((length, texts)) = rest.split_first_chunk::<LENGTH_BYTES>() {
            // Only `list` writes such runs, so the length is that of what follows.
            let Some((text, others)) = texts.split_at_checked(u32::from_le_bytes(*length) as usize) else {
                return false;
            };
            if same(text, wanted) {
                return true;
            }
            rest = others;
        }
        false
    }
}

impl PoolBuilder {
    /// Adds a text.
    pub(crate) fn text(&mut self, text: &str) -> Text {
        self.add(text.as_bytes())
    }

    /// Adds a list of texts of less than 4 GiB each.
    pub(crate) fn list<'t>(&mut self, texts: impl Iterator<Item = &'t str>) -> Text {
        let mut list = Vec::new();
        for text in texts {
            list.extend_from_slice(&(text.len() as u32).to_le_bytes());
            list.extend_from_slice(text.as_bytes());
        }
        self.add(&list)
    }

    fn add(&mut self, bytes: &[u8]) -> Text {
        if let Some(place) = self.places.get(bytes) {
            return *place;
        }
        let start = self.place();
        self.bytes.extend_from_slice(bytes);
        let end = self.place();
        self.places.insert(bytes.into(), Text { start, end });
        Text { start, end }
    }

    /// The pool of all that was added.
    pub(crate) fn finish(self) -> Pool {
        Pool(self.bytes.into())
    }

    /// The end of what was added.
    fn place(&mut self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or_else(|_| {
            self.overflowed = true;
            0
        })
    }
}

impl fmt::Debug for Pool {
    /// Its size; the texts would fill pages.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pool({} bytes)", self.0.len())
    }
}

/// A text of at most 7 bytes and its length in one word; none if it is longer. Different texts give different words.
#[inline]
pub(crate) fn short(text: &[u8]) -> Option<u64> {
    let length = text.len();
    let bytes = match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        _ if length > SHORT_BYTES => return None,
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4))
        }
        (None, _) | (_, None) => match *text {
            [] => 0,
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_le_bytes([a, b])),
            [a, b, .., c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        },
    };
    Some(bytes | (length as u64) << 56)
}

/// Whether two texts are equal; quicker than a call for those that rules are about.
#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (
        one.first_chunk::<8>(),
        one.last_chunk::<8>(),
        other.first_chunk::<8>(),
        other.last_chunk::<8>(),
    ) {
        (Some(a), Some(b), Some(c), Some(d)) if one.len() <= 16 => a == c && b == d,
        (None, ..) if one.len() <= SHORT_BYTES => short(one) == short(other),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_the_same_if_their_bytes_are(one in "[ab]{0,20}", other in "[ab]{0,20}") {
            let bytes = (one.as_bytes(), other.as_bytes());
            prop_assert_eq!(same(bytes.0, bytes.1), one == other);
            prop_assert!(same(bytes.0, bytes.0));
            prop_assert_eq!(short(bytes.0).is_some(), one.len() <= 7);
            prop_assert_eq!(short(bytes.0) == short(bytes.1), one == other || (one.len() > 7 && other.len() > 7));
        }
    }

    #[test]
    fn texts_and_lists_are_found_again() {
        let mut builder = PoolBuilder::default();
        let empty = builder.list(std::iter::empty());
        let (one, list) = (builder.text("one"), builder.list(["", "two", "three"].into_iter()));
        let last = builder.text("four");
        let pool = builder.finish();
        assert_eq!((pool.text(one), pool.text(last)), (&b"one"[..], &b"four"[..]));
        for (text, expected) in [
            ("", true),
            ("two", true),
            ("three", true),
            ("twot", false),
            ("one", false),
        ] {
            assert_eq!(pool.list_has(list, text.as_bytes()), expected, "{text}");
        }
        assert!(!pool.list_has(empty, b""));
    }
}
