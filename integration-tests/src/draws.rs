//! Numbers that look drawn and are the same in every run: where a fault strikes.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub struct Draws(u64);

impl Draws {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Lets a time pass that is shorter than `most`: a fault that strikes in the midst of things, not at their edges.
    pub async fn pass_up_to(&mut self, most: Duration) {
        let most_us = u64::try_from(most.as_micros()).expect("a pause of a test is short");
        tokio::time::sleep(Duration::from_micros(self.below(most_us))).await;
    }
}
