//! Units with habits, judged by the robust test (4c) or its proof (section 6) over one day.
//!
//! As in `units.rs` activity is lognormal and the propensity to fail is Beta; here every failure counts, in the bucket
//! of its unit, and traffic accrues evenly over the day.

use rollout::evidence::robust::{BUCKETS, Buckets, Stratum};

use crate::independent::{Question, bucket};
use crate::random::Random;

/// A rollout of one day.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// How many units there are.
    pub(crate) units: u32,
    /// Requests per unit and day, on average.
    pub(crate) requests: f64,
    /// Deviation of the logarithm of a unit's activity.
    pub(crate) spread: f64,
    /// Correlation of the outcomes of one unit.
    pub(crate) stickiness: f64,
    /// Treatment's share in each stratum; strata are of equal size.
    pub(crate) shares: &'static [f64],
    /// Error rate of control.
    pub(crate) rate: f64,
    /// Treatment's error rate as a multiple of control's.
    pub(crate) harm: f64,
    /// Looks in the day.
    pub(crate) looks: u32,
    /// What is asked.
    pub(crate) question: Question,
}

/// One arm of one stratum.
#[derive(Clone)]
struct Arm {
    /// Requests of the day by bucket.
    activity: [f64; BUCKETS],
    /// Failures so far by bucket.
    bad: [i128; BUCKETS],
}

/// Something went bad.
struct Failure {
    /// When, as a fraction of the day.
    at: f64,
    arm: usize,
    bucket: usize,
}

impl Habits {
    /// Treated requests until the question is answered; none if it is not within the day.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let mut random = Random::new(seed);
        let (mut arms, mut failures) = self.day(&mut random);
        failures.sort_by(|one, other| one.at.total_cmp(&other.at));
        let mut failures = failures.into_iter().peekable();
        for look in 1..=self.looks {
            let now = f64::from(look) / f64::from(self.looks);
            while let Some(failure) = failures.next_if(|failure| failure.at < now) {
                arms[failure.arm].bad[failure.bucket] += 1;
            }
            let strata: Vec<Stratum> = arms
                .chunks_exact(2)
                .map(|pair| Stratum {
                    treatment: pair[0].at(now),
                    control: Some(pair[1].at(now)),
                })
                .collect();
            if self.question.is_answered(&strata, log_limit) {
                let treated: f64 = arms.iter().step_by(2).map(|arm| arm.activity.iter().sum::<f64>()).sum();
                return Some(now * treated);
            }
        }
        None
    }

    /// The first arm at each of these times of one day, in their order.
    pub(crate) fn one_arm(&self, random: &mut Random, times: &[f64]) -> Vec<Buckets> {
        let (mut arms, mut failures) = self.day(random);
        failures.sort_by(|one, other| one.at.total_cmp(&other.at));
        let mut failures = failures.into_iter().filter(|failure| failure.arm == 0).peekable();
        let arm = &mut arms[0];
        let mut seen = Vec::with_capacity(times.len());
        for now in times {
            while let Some(failure) = failures.next_if(|failure| failure.at < *now) {
                arm.bad[failure.bucket] += 1;
            }
            seen.push(arm.at(*now));
        }
        seen
    }

    /// The arms (treatment, control by stratum) with their activity, and everything that goes bad in a day.
    fn day(&self, random: &mut Random) -> (Vec<Arm>, Vec<Failure>) {
        let empty = Arm {
            activity: [0.0; BUCKETS],
            bad: [0; BUCKETS],
        };
        let (mut arms, mut failures) = (vec![empty; 2 * self.shares.len()], Vec::new());
        for unit in 0..self.units as usize {
            let stratum = unit % self.shares.len();
            let is_treated = random.chance(self.shares[stratum]);
            let arm = 2 * stratum + usize::from(!is_treated);
            let harm = if is_treated { self.harm } else { 1.0 };
            let activity = self.requests * random.lognormal(self.spread);
            let propensity = random.beta(self.rate * harm, self.stickiness);
            let bucket = bucket(random);
            arms[arm].activity[bucket] += activity;
            let mut at = 0.0;
            loop {
                at += random.exponential() / (activity * propensity);
                if at >= 1.0 {
                    break;
                }
                failures.push(Failure { at, arm, bucket });
            }
        }
        (arms, failures)
    }
}

impl Arm {
    fn at(&self, now: f64) -> Buckets {
        Buckets::from_sums(
            self.bad,
            self.activity.map(|requests| libm::round(requests * now) as u64),
        )
    }
}
