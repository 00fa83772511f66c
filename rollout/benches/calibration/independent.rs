//! Requests that fail independently, judged by the robust test (4c) or its proof (section 6) after every batch.
//!
//! Traffic is spread evenly over the unit buckets; failures fall into any.

use rollout::evidence::certify::{Certification, SampledUnits, certify};
use rollout::evidence::robust::{BUCKETS, Buckets, Rule, Stratum, judge};

use crate::random::Random;

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) enum Question {
    /// Whether treatment is beyond the limit.
    Harm(Rule),
    /// Whether it is proven to be within.
    Safety(Rule),
}

/// A rollout of independent requests.
#[derive(Clone, Copy)]
pub(crate) struct Independent {
    /// Treatment's share.
    pub(crate) share: f64,
    /// Error rate of control.
    pub(crate) rate: f64,
    /// Treatment's error rate as a multiple of control's.
    pub(crate) harm: f64,
    /// Treated requests in a batch, on average.
    pub(crate) grain: f64,
    /// When to stop looking, in treated requests.
    pub(crate) longest: u64,
    /// What is asked.
    pub(crate) question: Question,
}

/// An arm whose traffic goes round the buckets.
struct Even {
    buckets: Buckets,
    next: usize,
}

impl Question {
    /// Whether the answer is yes, at this limit of evidence.
    pub(crate) fn is_answered(&self, strata: &[Stratum], log_limit: f64) -> bool {
        let units = SampledUnits {
            treatment: 1_000,
            control: 1_000,
        };
        match self {
            Question::Harm(rule) => judge(rule, strata).log_e().is_some_and(|log_e| log_e >= log_limit),
            Question::Safety(rule) => match certify(rule, strata, units, libm::exp(-log_limit)) {
                Certification::Silent | Certification::Early(_) | Certification::Unproven(_) => false,
                Certification::Safe(_) => true,
            },
        }
    }
}

impl Independent {
    /// Treated requests until the question is answered; none if it never is.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let mut random = Random::new(seed);
        let [mut treatment, mut control] = [(); 2].map(|()| Even {
            buckets: Buckets::new(),
            next: 0,
        });
        let batch = libm::round(self.grain / self.share) as u64;
        let mut treated = 0;
        while treated < self.longest {
            let n_t = random.binomial(batch, self.share);
            treated += n_t;
            treatment.add(n_t, self.rate * self.harm, &mut random);
            control.add(batch - n_t, self.rate, &mut random);
            let stratum = Stratum {
                treatment: treatment.buckets.clone(),
                control: Some(control.buckets.clone()),
            };
            if self.question.is_answered(&[stratum], log_limit) {
                return Some(treated as f64);
            }
        }
        None
    }
}

impl Even {
    fn add(&mut self, requests: u64, rate: f64, random: &mut Random) {
        let each = requests / BUCKETS as u64;
        (0..BUCKETS).for_each(|bucket| self.buckets.add(bucket, 0, each));
        for _ in 0..requests % BUCKETS as u64 {
            self.buckets.add(self.next, 0, 1);
            self.next = (self.next + 1) % BUCKETS;
        }
        for _ in 0..random.binomial(requests, rate) {
            self.buckets.add(bucket(random), 1, 0);
        }
    }
}

/// Any unit bucket.
pub(crate) fn bucket(random: &mut Random) -> usize {
    (random.position() >> 12) as usize
}
