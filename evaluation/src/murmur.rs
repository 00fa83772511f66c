//! MurmurHash3, x86, 32 bits, seed 0, as a value that can be kept half-way.
//!
//! The bytes before a unit (salt and colon) are the same for every evaluation of a split: their hash is taken once, when
//! the flag is compiled, and copied for each unit. No buffer joins the two, so no unit is too long to be hashed without
//! an allocation. Source: Austin Appleby's reference `MurmurHash3_x86_32`; the tests compare with another implementation.

/// The hash of the bytes written so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Murmur {
    /// All whole blocks, mixed.
    state: u32,
    /// The bytes after the last whole block, the first in the lowest place.
    tail: u32,
    /// How many bytes were written, modulo 2^32 as in the reference.
    length: u32,
}

impl Murmur {
    /// Hashes more bytes. Any way to cut a text into pieces gives the same hash.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.length.is_multiple_of(4) {
            self.write_whole(bytes);
        } else {
            self.write_shifted(bytes);
        }
    }

    /// Hashes more bytes when none wait: a salt and its colon have a whole number of blocks, so this is the usual case.
    #[inline]
    fn write_whole(&mut self, bytes: &[u8]) {
        let (blocks, rest) = bytes.as_chunks::<4>();
        self.state = blocks
            .iter()
            .fold(self.state, |state, block| mix(state, u32::from_le_bytes(*block)));
        self.tail = rest.iter().rfold(0, |tail, byte| tail << 8 | u32::from(*byte));
        self.length = self.length.wrapping_add(bytes.len() as u32);
    }

    /// Hashes more bytes behind one to three that wait.
    fn write_shifted(&mut self, bytes: &[u8]) {
        let tail_bits = (self.length % 4) * 8;
        let (blocks, rest) = bytes.as_chunks::<4>();
        // Up to three bytes wait below the next block in 64 bits; a whole block leaves from the low end each time.
        let mut waiting = u64::from(self.tail);
        for block in blocks {
            waiting |= u64::from(u32::from_le_bytes(*block)) << tail_bits;
            self.state = mix(self.state, waiting as u32);
            waiting >>= 32;
        }
        let mut bits = tail_bits;
        for byte in rest {
            waiting |= u64::from(*byte) << bits;
            bits += 8;
        }
        if bits >= 32 {
            self.state = mix(self.state, waiting as u32);
            waiting >>= 32;
        }
        self.tail = waiting as u32;
        self.length = self.length.wrapping_add(bytes.len() as u32);
    }

    /// The hash of everything written.
    pub(crate) fn finish(self) -> u32 {
        // An empty tail scrambles to zero, so no case is needed for it.
        let mut hash = self.state ^ scramble(self.tail) ^ self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
        hash ^ (hash >> 16)
    }
}

fn mix(state: u32, block: u32) -> u32 {
    (state ^ scramble(block))
        .rotate_left(13)
        .wrapping_mul(5)
        .wrapping_add(0xE654_6B64)
}

fn scramble(block: u32) -> u32 {
    block
        .wrapping_mul(0xCC9E_2D51)
        .rotate_left(15)
        .wrapping_mul(0x1B87_3593)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    /// The hash by another implementation; reading from memory cannot fail.
    fn reference(mut bytes: &[u8]) -> u32 {
        murmur3::murmur3_32(&mut bytes, 0).unwrap()
    }

    proptest! {
        #[test]
        fn any_cut_hashes_as_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200) {
            let (before, after) = bytes.split_at(cut.min(bytes.len()));
            let mut murmur = Murmur::default();
            murmur.write(before);
            murmur.write(after);
            prop_assert_eq!(murmur.finish(), reference(&bytes));
        }
    }

    #[test]
    fn byte_by_byte_is_the_same() {
        let text = b"a fairly long text of an odd length.";
        for end in 0..text.len() {
            let mut murmur = Murmur::default();
            text[..end].iter().for_each(|byte| murmur.write(&[*byte]));
            assert_eq!(murmur.finish(), reference(&text[..end]));
        }
    }
}
