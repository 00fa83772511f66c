//! A new flag's salt: what makes its buckets independent of those of any other flag.
//!
//! Drawn, not derived from the key, so that a flag that is deleted and created again draws its units anew.

use rand::Rng as _;

/// Length of a drawn salt: with its separator 16 bytes.
const LENGTH: usize = 15;
/// Base32 without letters and digits that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A new salt.
pub(crate) fn draw() -> String {
    let mut random = rand::rng();
    (0..LENGTH)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_salt_is_one_that_a_flag_may_have() {
        let flag = crate::builders::flag("checkout");
        for _ in 0..100 {
            let salt = draw();
            assert_eq!(salt.len(), LENGTH);
            let drawn = evaluation::Flag { salt, ..flag.clone() };
            assert!(evaluation::compile(&drawn, None).is_ok());
        }
        assert_ne!(draw(), draw());
    }
}
