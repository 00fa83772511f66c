//! A set of texts that stays small and quick with a hundred thousand of them.
//!
//! All texts lie one after the other in one buffer, and an open table of 64-bit cells points into it. A cell holds half
//! of the text's hash too, so that a text that is not there is nearly always known after one look at the table, and one
//! that is there after a second look, at its bytes. Each text has a place, in the order of their coming.

use crate::names::name_hash;

/// Where members are hashed apart from other names.
const SPACE: u8 = 255;

/// A cell that points nowhere.
const EMPTY: u64 = 0;

/// Texts, each once.
#[derive(Debug, Default)]
pub(crate) struct TextSet {
    /// All texts, joined.
    joined: Box<str>,
    /// Where each text ends.
    ends: Box<[u32]>,
    /// A power of two of cells, at least a third of them empty: high half of the hash, then the text's place plus one.
    cells: Box<[u64]>,
}

impl TextSet {
    /// The set of these texts, of at most 4 GiB together; one that comes twice keeps its first place.
    pub(crate) fn new<'t>(texts: impl ExactSizeIterator<Item = &'t str> + Clone) -> TextSet {
        let count = texts.len();
        if count == 0 {
            return TextSet::default();
        }
        let mut set = TextSet {
            joined: Box::default(),
            ends: Box::default(),
            cells: vec![EMPTY; (count * 3 / 2 + 1).next_power_of_two()].into(),
        };
        let mut joined = String::with_capacity(texts.clone().map(str::len).sum());
        let mut ends: Vec<u32> = Vec::with_capacity(count);
        for text in texts {
            let hash = name_hash(SPACE, text);
            let at = |place: u32| {
                let start = place.checked_sub(1).map_or(0, |before| ends[before as usize]);
                &joined[start as usize..ends[place as usize] as usize]
            };
            if let Err(free) = probe(&set.cells, hash, |place| at(place) == text) {
                joined.push_str(text);
                ends.push(joined.len() as u32);
                set.cells[free] = cell(hash, ends.len() as u32);
            }
        }
        set.joined = joined.into();
        set.ends = ends.into();
        set
    }

    /// The place of a text, from 0.
    pub(crate) fn find(&self, text: &str) -> Option<usize> {
        if self.cells.is_empty() {
            return None;
        }
        let hash = name_hash(SPACE, text);
        let place = probe(&self.cells, hash, |place| self.text(place) == text).ok()?;
        Some(place as usize)
    }

    /// Whether the text is in the set.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn text(&self, place: u32) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.joined[start as usize..self.ends[place as usize] as usize]
    }
}

/// A cell for the text at place `number - 1`.
fn cell(hash: u64, number: u32) -> u64 {
    hash >> 32 << 32 | u64::from(number)
}

/// The place of the text with this hash that is the one, else the empty cell where it would belong.
fn probe(cells: &[u64], hash: u64, is_it: impl Fn(u32) -> bool) -> Result<u32, usize> {
    let mask = cells.len() - 1;
    let mut at = hash as usize & mask;
    loop {
        let found = cells[at];
        if found == EMPTY {
            return Err(at);
        }
        let place = (found as u32).wrapping_sub(1);
        if found >> 32 == hash >> 32 && is_it(place) {
            return Ok(place);
        }
        at = (at + 1) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_found_at_its_place_and_no_other() {
        for count in [0, 1, 2, 3, 100, 10_000] {
            let texts: Vec<String> = (0..count).map(|number| format!("user-{number}")).collect();
            let set = TextSet::new(texts.iter().map(String::as_str));
            assert_eq!((set.len(), set.is_empty()), (count, count == 0));
            for (place, text) in texts.iter().enumerate() {
                assert_eq!(set.find(text), Some(place));
            }
            assert!(!set.contains("user-") && !set.contains(""));
            assert!(!set.contains(&format!("user-{count}")));
        }
    }

    #[test]
    fn a_text_that_comes_twice_keeps_its_place() {
        let set = TextSet::new(["a", "", "a", "b", ""].into_iter());
        assert_eq!(
            (set.find("a"), set.find(""), set.find("b"), set.len()),
            (Some(0), Some(1), Some(2), 3)
        );
    }
}
