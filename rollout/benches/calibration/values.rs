//! Money: costs against an absolute limit, revenue against control; both by the robust test (4c), after every batch.

use rollout::evidence::limit::{Kind, Limit, Side};
use rollout::evidence::normal;
use rollout::evidence::robust::{BUCKETS, Buckets, Rule, Stratum, judge};

use crate::independent::bucket;
use crate::random::Random;

/// Cost per request at most 0.50: lognormal costs, users with factors of their own, clamped.
#[derive(Clone, Copy)]
pub(crate) struct Costs {
    /// The mean cost, clamping included.
    pub(crate) truth: f64,
}

/// Revenue per exposure no more than 5 % below control's: so many convert, and pay a lognormal amount.
#[derive(Clone, Copy)]
pub(crate) struct Revenue {
    /// Share of exposures that convert.
    pub(crate) conversion: f64,
    /// Treatment's amounts as a multiple of control's.
    pub(crate) change: f64,
    /// Deviation of the logarithm of an amount.
    pub(crate) spread: f64,
    /// Treated exposures between two looks.
    pub(crate) batch: u64,
    /// When to stop looking, in treated exposures.
    pub(crate) longest: u64,
}

const COST_LIMIT: f64 = 0.5;
/// Ten times the limit.
const COST_CLAMP: f64 = 5.0;
const COST_USERS: f64 = 2_000.0;
/// Deviations of the logarithm: between users, and between the requests of one.
const COST_SPREADS: (f64, f64) = (0.7, 1.2);
const COST_LONGEST: u64 = 40_000;
/// Requests in a batch.
const BATCH: u64 = 100;

const REVENUE_SHARE: f64 = 0.1;
/// Twenty times the mean amount.
const REVENUE_CLAMP: f64 = 20.0;

impl Costs {
    /// Requests until the evidence reaches `log_limit`; none if it never does.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let rule = Rule {
            kind: Kind::Mean,
            limit: Limit::Absolute(COST_LIMIT),
            harm: Side::Above,
        };
        let mut random = Random::new(seed);
        let (between, within) = COST_SPREADS;
        let scale = unclamped(self.truth, COST_CLAMP, libm::hypot(between, within));
        let factors: Vec<f64> = (0..COST_USERS as usize)
            .map(|_| scale * random.lognormal(between))
            .collect();
        let mut treatment = Buckets::new();
        for batch in 1..=COST_LONGEST / BATCH {
            for _ in 0..BATCH {
                let user = (random.uniform() * COST_USERS) as usize;
                let cost = (factors[user] * random.lognormal(within)).min(COST_CLAMP);
                treatment.add(user % BUCKETS, micro(cost), 1);
            }
            let stratum = Stratum {
                treatment: treatment.clone(),
                control: None,
            };
            if judge(&rule, &[stratum]).log_e().is_some_and(|log_e| log_e >= log_limit) {
                return Some((batch * BATCH) as f64);
            }
        }
        None
    }
}

impl Revenue {
    /// Treated exposures until the evidence reaches `log_limit`; none if it never does.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let rule = Rule {
            kind: Kind::Mean,
            limit: Limit::Relative(0.95),
            harm: Side::Below,
        };
        let mut random = Random::new(seed);
        let mut stratum = Stratum {
            treatment: Buckets::new(),
            control: Some(Buckets::new()),
        };
        let mut treated = 0;
        while treated < self.longest {
            treated += self.batch;
            self.add(&mut stratum.treatment, self.batch, self.change, &mut random);
            let controlled = (self.batch as f64 * (1.0 - REVENUE_SHARE) / REVENUE_SHARE) as u64;
            if let Some(control) = &mut stratum.control {
                self.add(control, controlled, 1.0, &mut random);
            }
            let log_e = judge(&rule, std::slice::from_ref(&stratum)).log_e();
            if log_e.is_some_and(|log_e| log_e >= log_limit) {
                return Some(treated as f64);
            }
        }
        None
    }

    fn add(&self, arm: &mut Buckets, exposures: u64, change: f64, random: &mut Random) {
        let each = exposures / BUCKETS as u64;
        (0..BUCKETS).for_each(|bucket| arm.add(bucket, 0, each));
        for _ in 0..exposures % BUCKETS as u64 {
            arm.add(bucket(random), 0, 1);
        }
        for _ in 0..random.binomial(exposures, self.conversion) {
            let amount = random.lognormal(self.spread).min(REVENUE_CLAMP);
            arm.add(bucket(random), micro(change * amount), 0);
        }
    }
}

fn micro(value: f64) -> i64 {
    libm::round(value * 1e6) as i64
}

/// The mean that lognormal costs have before clamping, if clamped they have this one.
pub(crate) fn unclamped(mean: f64, clamp: f64, spread: f64) -> f64 {
    let cdf = |x: f64| libm::exp(normal::log_cdf(x));
    let clamped = |scale: f64| {
        let (x, half) = (libm::log(clamp / scale) / spread, spread / 2.0);
        scale * cdf(x - half) + clamp * cdf(-x - half)
    };
    let (mut below, mut above) = (mean, 4.0 * mean);
    for _ in 0..60 {
        let middle = (below + above) / 2.0;
        if clamped(middle) > mean {
            above = middle;
        } else {
            below = middle;
        }
    }
    below
}
