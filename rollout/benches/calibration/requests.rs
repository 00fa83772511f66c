//! Requests split one by one, judged by 4b with its onset prior off, looked at after every batch.

use rollout::evidence::request::{BatchCounts, Onset};

use crate::random::Random;

/// A rollout of independent requests.
pub(crate) struct Requests {
    /// Treatment's share.
    pub(crate) share: f64,
    /// Error rate of control.
    pub(crate) rate: f64,
    /// Treatment's error rate as a multiple of control's.
    pub(crate) harm: f64,
    /// Requests in a batch, both arms together.
    pub(crate) batch: u64,
    /// When to stop looking, in treated requests.
    pub(crate) longest: u64,
}

impl Requests {
    /// Treated requests until the evidence reaches `log_limit`; none if it never does.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let mut random = Random::new(seed);
        let mut onset = Onset::new();
        let mut treated = 0;
        while treated < self.longest {
            let n_t = random.binomial(self.batch, self.share);
            let n_c = self.batch - n_t;
            let k_t = random.binomial(n_t, self.rate * self.harm);
            let k_c = random.binomial(n_c, self.rate);
            treated += n_t;
            if k_t + k_c == 0 {
                continue;
            }
            onset.update_from_start(&[BatchCounts { n_t, k_t, n_c, k_c }], 1.0);
            if onset.log_e_from_start() >= log_limit {
                return Some(treated as f64);
            }
        }
        None
    }
}
