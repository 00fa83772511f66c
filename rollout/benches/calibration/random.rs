//! Random numbers of our own, so that a seed means the same run on every machine and with every version of a library.
//!
//! xoshiro256++ (Blackman, Vigna 2019), seeded by SplitMix64; `ln`, `exp` and the like are `libm`'s.

/// A stream of random numbers.
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of a seed; near seeds give unrelated streams.
    pub(crate) fn new(seed: u64) -> Random {
        let mut counter = seed;
        let state = [(); 4].map(|()| {
            counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        });
        Random { state }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Uniform, between 0 and 1 and never either.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A position of 18 bits.
    pub(crate) fn position(&mut self) -> u32 {
        (self.next() >> 46) as u32
    }

    /// True with this chance.
    pub(crate) fn chance(&mut self, chance: f64) -> bool {
        self.uniform() < chance
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -libm::log(self.uniform())
    }

    /// Normal with mean 0 and deviation 1 (polar method; the second value is thrown away).
    pub(crate) fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                return x * libm::sqrt(-2.0 * libm::log(square) / square);
            }
        }
    }

    /// Lognormal with mean 1 and deviation `s` of its logarithm.
    pub(crate) fn lognormal(&mut self, s: f64) -> f64 {
        libm::exp(s * self.normal() - s * s / 2.0)
    }

    /// Beta with this mean and intraclass correlation; the mean itself for a correlation of 0.
    pub(crate) fn beta(&mut self, mean: f64, correlation: f64) -> f64 {
        if correlation == 0.0 {
            return mean;
        }
        let size = 1.0 / correlation - 1.0;
        let (bad, good) = (self.gamma(mean * size), self.gamma((1.0 - mean) * size));
        bad / (bad + good)
    }

    /// The same, and 0 where it would be about 1e-14 or less, which of sticky units is most: nothing ever happens to them.
    pub(crate) fn beta_or_never(&mut self, mean: f64, correlation: f64) -> f64 {
        if correlation == 0.0 {
            return mean;
        }
        let size = 1.0 / correlation - 1.0;
        let shape = mean * size;
        // The boost of the shape, drawn first: it alone makes a small shape small.
        let boost = self.uniform();
        if boost < libm::exp(-32.0 * shape) {
            return 0.0;
        }
        let bad = self.gamma(shape + 1.0) * libm::exp(libm::log(boost) / shape);
        let good = self.gamma((1.0 - mean) * size);
        bad / (bad + good)
    }

    /// Gamma of this shape and scale 1 (Marsaglia, Tsang 2000; shapes below 1 by their boost).
    fn gamma(&mut self, shape: f64) -> f64 {
        let boosted = if shape < 1.0 { shape + 1.0 } else { shape };
        let d = boosted - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        let value = loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            let v = root * root * root;
            if v <= 0.0 {
                continue;
            }
            let u = self.uniform();
            // Their squeeze: what passes it passes the exact condition too, without a logarithm.
            if u < 1.0 - 0.0331 * x * x * x * x || libm::log(u) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                break d * v;
            }
        };
        if shape < 1.0 {
            value * libm::exp(libm::log(self.uniform()) / shape)
        } else {
            value
        }
    }

    /// How many of `trials` succeed, each with this small chance: the gaps between successes are geometric.
    pub(crate) fn binomial(&mut self, trials: u64, chance: f64) -> u64 {
        let log_miss = libm::log1p(-chance);
        let (mut at, mut successes) = (0.0, 0);
        loop {
            at += 1.0 + libm::floor(libm::log(self.uniform()) / log_miss);
            if at > trials as f64 {
                return successes;
            }
            successes += 1;
        }
    }
}
