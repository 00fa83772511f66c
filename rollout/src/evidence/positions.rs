//! The positions that have turned bad in one horizon and stratum, so that each counts once.
//!
//! A position is 18 bits of a keyed hash of a unit: a set of them is a bitmap of 32 KiB, kept and stored in 32 pages of
//! 1 KiB. Pages without news cost nothing: they are not held, and [`Positions::take_dirty`] names only those that
//! changed since it was last asked.

use thiserror::Error;

/// How many positions there are.
pub const POSITIONS: u32 = 1 << 18;
/// How many pages a set has.
pub const PAGES: usize = 32;
/// Bytes of a page; position p is bit p % 8 of byte (p % 8192) / 8 of page p >> 13.
pub const PAGE_BYTES: usize = 1024;

const PAGE_SHIFT: u32 = 13;
const POSITIONS_PER_PAGE: u32 = 1 << PAGE_SHIFT;

/// A set of positions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Positions {
    pages: [Option<Box<[u8; PAGE_BYTES]>>; PAGES],
    dirty: u32,
    len: u32,
}

/// Why stored pages are not a set of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PageError {
    /// The page does not exist.
    #[error("page {0} is not one of 0..32")]
    Number(usize),
    /// The page has another size.
    #[error("page {number} has {bytes} bytes, not 1024")]
    Size {
        /// Which page.
        number: usize,
        /// How many bytes it has.
        bytes: usize,
    },
    /// The page was given twice.
    #[error("page {0} was given twice")]
    Repeated(usize),
}

impl Positions {
    /// The empty set.
    pub fn new() -> Positions {
        Positions::default()
    }

    /// The set that was stored as these (number, bytes), in any order; missing pages are empty. Nothing is dirty.
    pub fn from_pages<'a>(pages: impl IntoIterator<Item = (usize, &'a [u8])>) -> Result<Positions, PageError> {
        let mut set = Positions::new();
        for (number, bytes) in pages {
            let slot = set.pages.get_mut(number).ok_or(PageError::Number(number))?;
            let page: [u8; PAGE_BYTES] = bytes.try_into().map_err(|_| PageError::Size {
                number,
                bytes: bytes.len(),
            })?;
            if slot.is_some() {
                return Err(PageError::Repeated(number));
            }
            set.len += page.iter().map(|byte| byte.count_ones()).sum::<u32>();
            *slot = Some(Box::new(page));
        }
        Ok(set)
    }

    /// The pages that hold something, by number.
    pub fn pages(&self) -> impl Iterator<Item = (usize, &[u8; PAGE_BYTES])> {
        self.pages
            .iter()
            .enumerate()
            .filter_map(|(number, page)| Some((number, page.as_deref()?)))
    }

    /// One page, if it holds something.
    pub fn page(&self, number: usize) -> Option<&[u8; PAGE_BYTES]> {
        self.pages.get(number)?.as_deref()
    }

    /// The numbers of the pages that changed since this was last asked, ascending.
    pub fn take_dirty(&mut self) -> Vec<usize> {
        let dirty = std::mem::take(&mut self.dirty);
        (0..PAGES).filter(|number| dirty >> number & 1 == 1).collect()
    }

    /// Adds a position. True if it is new; false if it was there, or is no position at all (2^18 and above).
    pub fn insert(&mut self, position: u32) -> bool {
        let Some((number, byte, mask)) = place(position) else {
            return false;
        };
        let page = self.pages[number].get_or_insert_with(|| Box::new([0; PAGE_BYTES]));
        if page[byte] & mask != 0 {
            return false;
        }
        page[byte] |= mask;
        self.dirty |= 1 << number;
        self.len += 1;
        true
    }

    /// Whether a position is in the set.
    pub fn contains(&self, position: u32) -> bool {
        place(position).is_some_and(|(number, byte, mask)| self.page(number).is_some_and(|page| page[byte] & mask != 0))
    }

    /// How many positions are in the set.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a quarter of all positions is used, which is when a horizon is cut.
    pub fn is_quarter_full(&self) -> bool {
        self.len >= POSITIONS / 4
    }
}

/// The positions that turn bad with this batch, as (treatment, control), and adds them to `seen`.
///
/// A position counts once, in either arm; one that stands in both arms of the batch counts for control. Repeats and
/// what is no position count nowhere, so the result does not depend on the order of either list.
pub fn newly_bad(seen: &mut Positions, treatment: &[u32], control: &[u32]) -> (u64, u64) {
    let mut insert_all = |positions: &[u32]| {
        let mut new = 0;
        for &position in positions {
            new += u64::from(seen.insert(position));
        }
        new
    };
    let bad_control = insert_all(control);
    let bad_treatment = insert_all(treatment);
    (bad_treatment, bad_control)
}

/// Page, byte and bit of a position; none for what is no position.
fn place(position: u32) -> Option<(usize, usize, u8)> {
    let within = position % POSITIONS_PER_PAGE;
    (position < POSITIONS).then_some((
        (position >> PAGE_SHIFT) as usize,
        (within / 8) as usize,
        1 << (within % 8),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_position_counts_once_and_for_control_when_in_both_arms() {
        let mut seen = Positions::new();
        assert_eq!(newly_bad(&mut seen, &[7, 7, 9], &[9, 10]), (1, 2));
        assert_eq!(newly_bad(&mut seen, &[9, 10], &[7]), (0, 0));
        assert_eq!(seen.len(), 3);
    }

    #[test]
    fn what_is_no_position_counts_nowhere() {
        let mut seen = Positions::new();
        assert_eq!(newly_bad(&mut seen, &[POSITIONS, u32::MAX], &[POSITIONS - 1]), (0, 1));
        assert!(!seen.contains(POSITIONS));
        assert!(seen.contains(POSITIONS - 1));
    }

    #[test]
    fn only_pages_with_news_are_dirty() {
        let mut seen = Positions::new();
        newly_bad(&mut seen, &[0, 8_191, 8_192], &[POSITIONS - 1]);
        assert_eq!(seen.take_dirty(), [0, 1, 31]);
        newly_bad(&mut seen, &[0], &[8_193]);
        assert_eq!(seen.take_dirty(), [1]);
        assert_eq!(seen.take_dirty(), [0; 0]);
    }

    #[test]
    fn a_bit_has_the_place_that_the_store_relies_on() {
        let mut seen = Positions::new();
        seen.insert(8_192 + 13);
        assert_eq!(seen.page(1).unwrap()[1], 1 << 5);
    }

    #[test]
    fn stored_pages_that_are_no_set_are_refused() {
        let page = [0; PAGE_BYTES];
        assert_eq!(Positions::from_pages([(32, &page[..])]), Err(PageError::Number(32)));
        assert_eq!(
            Positions::from_pages([(3, &page[1..])]),
            Err(PageError::Size { number: 3, bytes: 1023 })
        );
        assert_eq!(
            Positions::from_pages([(3, &page[..]), (3, &page[..])]),
            Err(PageError::Repeated(3))
        );
    }

    #[test]
    fn a_horizon_is_cut_at_a_quarter_of_all_positions() {
        let mut seen = Positions::new();
        newly_bad(&mut seen, &(1..POSITIONS / 4).collect::<Vec<_>>(), &[]);
        assert!(!seen.is_quarter_full());
        seen.insert(POSITIONS - 1);
        assert!(seen.is_quarter_full());
    }
}
