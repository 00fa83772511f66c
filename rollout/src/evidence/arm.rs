//! One arm of a comparison: 64 unit buckets of sums, and the rate and its variance that they tell (guard.md 4c).
//!
//! A unit stays in its bucket, so what differs between buckets is how units differ: habits, clusters and heavy users
//! are in the variance without being known. Buckets are integers and merge by adding, in any order, to the same bits;
//! floats are made once, from the merged ones.

use super::limit::Kind;

/// How many unit buckets an arm has.
pub const BUCKETS: usize = 64;

/// The sums of an arm, by unit bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buckets {
    num: [i128; BUCKETS],
    den: [u64; BUCKETS],
}

/// What the buckets of an arm say. N and D are whole numbers; the rate is N / D.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm {
    /// N: the sum of the numerators, in units of the metric.
    pub num: f64,
    /// D: the sum of the denominators.
    pub den: f64,
    /// V^: the variance of the rate between buckets, 64/63 times the sum of (n_b - R d_b)^2 / D^2.
    pub variance: f64,
    /// m: how many buckets really speak, D^2 over the sum of d_b^2 (Kish 1965); 0 for an empty arm, 64 at most.
    pub effective: f64,
}

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets {
            num: [0; BUCKETS],
            den: [0; BUCKETS],
        }
    }
}

impl Buckets {
    /// Empty buckets.
    pub fn new() -> Buckets {
        Buckets::default()
    }

    /// The buckets with these sums.
    pub fn from_sums(num: [i128; BUCKETS], den: [u64; BUCKETS]) -> Buckets {
        Buckets { num, den }
    }

    /// Adds to one bucket (a position's top 6 bits); what is no bucket counts nowhere. Sums stop at their ends.
    pub fn add(&mut self, bucket: usize, num: i64, den: u64) {
        if let (Some(sum), Some(count)) = (self.num.get_mut(bucket), self.den.get_mut(bucket)) {
            *sum = sum.saturating_add(i128::from(num));
            *count = count.saturating_add(den);
        }
    }

    /// Adds all buckets of another: another agent's, another stratum's, a later batch's.
    pub fn merge(&mut self, other: &Buckets) {
        for (sum, more) in self.num.iter_mut().zip(other.num) {
            *sum = sum.saturating_add(more);
        }
        for (count, more) in self.den.iter_mut().zip(other.den) {
            *count = count.saturating_add(more);
        }
    }

    /// The sums and counts, by bucket.
    pub fn sums(&self) -> impl Iterator<Item = (i128, u64)> {
        self.num.into_iter().zip(self.den)
    }
}

impl Arm {
    /// What these buckets say of a metric of this kind.
    pub fn of(buckets: &Buckets, kind: Kind) -> Arm {
        let unit = kind.denominator();
        let total = buckets.num.iter().fold(0_i128, |sum, num| sum.saturating_add(*num));
        let count: u128 = buckets.den.iter().map(|den| u128::from(*den)).sum();
        let (num, den) = (total as f64 / unit, count as f64);
        if count == 0 {
            return Arm {
                num,
                den,
                variance: 0.0,
                effective: 0.0,
            };
        }
        let rate = num / den;
        let (mut residuals, mut squares) = (0.0, 0.0);
        for (bucket_num, bucket_den) in buckets.sums() {
            let bucket_den = bucket_den as f64;
            let residual = bucket_num as f64 / unit - rate * bucket_den;
            residuals += residual * residual;
            squares += bucket_den * bucket_den;
        }
        let buckets = BUCKETS as f64;
        Arm {
            num,
            den,
            variance: buckets / (buckets - 1.0) * residuals / (den * den),
            effective: den * den / squares,
        }
    }

    /// R = N / D; NaN for an empty arm, which no comparison uses.
    pub fn rate(&self) -> f64 {
        self.num / self.den
    }

    /// V: the variance that the rate would have if it were `at_limit`, never below what chance alone gives.
    ///
    /// max(V^ max(1, at_limit / R)^2, floor / D), floor = max(0, p (1 - p)) for rates and (p / 4)^2 for means, with
    /// p = `at_limit`; the floor if R = 0. Taken at the limit, because an arm that was lucky so far also looks calm.
    pub fn variance_at(&self, at_limit: f64, kind: Kind) -> f64 {
        let floor = match kind {
            Kind::Rate => (at_limit * (1.0 - at_limit)).max(0.0),
            Kind::Mean => (at_limit / 4.0) * (at_limit / 4.0),
        };
        let floor = floor / self.den;
        let rate = self.rate();
        if rate == 0.0 {
            return floor;
        }
        let stretch = (at_limit / rate).max(1.0);
        (self.variance * stretch * stretch).max(floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_buckets_with_traffic_speak() {
        let mut buckets = Buckets::new();
        assert_eq!(Arm::of(&buckets, Kind::Rate).effective, 0.0);
        buckets.add(3, 1, 1_000_003);
        assert_eq!(Arm::of(&buckets, Kind::Rate).effective, 1.0);
        buckets.add(5, 0, 1_000_003);
        assert_eq!(Arm::of(&buckets, Kind::Rate).effective, 2.0);
        buckets.add(BUCKETS, 9, 9);
        assert_eq!(Arm::of(&buckets, Kind::Rate).den, 2_000_006.0);
    }

    #[test]
    fn a_lucky_arm_is_not_taken_for_a_calm_one() {
        let mut buckets = Buckets::new();
        (0..BUCKETS).for_each(|bucket| buckets.add(bucket, i64::from(bucket == 0), 100));
        let arm = Arm::of(&buckets, Kind::Rate);
        let at_own_rate = arm.variance_at(arm.rate(), Kind::Rate);
        let at_limit = arm.variance_at(2.0 * arm.rate(), Kind::Rate);
        assert!((at_limit / at_own_rate - 4.0).abs() < 1e-9);
        assert_eq!(
            arm.variance_at(1.0, Kind::Mean),
            (arm.variance * 6_400.0 * 6_400.0).max(1.0 / 16.0 / 6_400.0)
        );
    }
}
