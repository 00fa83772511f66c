//! Which small numbers a message has named, without an allocation for each.

/// Small numbers that were met, a bit each.
#[derive(Debug)]
pub(super) struct Known<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Known<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Known<WORDS> {
    /// Whether a number is met for the first time. One that is too large is wrong for another reason, and counts as new.
    pub(super) fn insert(&mut self, number: usize) -> bool {
        let Some(word) = self.0.get_mut(number / 64) else {
            return true;
        };
        let bit = 1 << (number % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once_and_one_that_is_too_large_always() {
        let mut known = Known::<2>::default();
        for number in [0, 63, 64, 127] {
            assert!(known.insert(number) && !known.insert(number), "{number}");
        }
        assert!(known.insert(128) && known.insert(128) && known.insert(usize::MAX));
    }
}
