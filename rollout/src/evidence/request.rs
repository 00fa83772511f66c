//! Bad requests against a live control (guard.md 4b): the test for rates when each request is split by itself.
//!
//! Given how many requests each arm had and how many failed in all, the number that failed under treatment follows
//! Fisher's noncentral hypergeometric distribution, so the base rate drops out and the likelihood ratio is exact for
//! any allocation. How the ratios of the batches become one e-value, though nobody knows when the harm begins, is
//! [`Onset`]'s business.

use super::sum::log_sum_exp;
use super::unit::log_factors;
use crate::Micros;

pub use super::onset::Onset;

/// Above so many bad requests in one batch the conservative factors of 4a take over.
const EXACT_UP_TO: u64 = 4_096;
/// The length of a planned batch: 10 s.
const BATCH_US: Micros = 10_000_000;

/// What the arms of one stratum saw in one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchCounts {
    /// Requests under treatment.
    pub n_t: u64,
    /// Bad requests under treatment, at most `n_t`.
    pub k_t: u64,
    /// Requests under control.
    pub n_c: u64,
    /// Bad requests under control, at most `n_c`.
    pub k_c: u64,
}

impl BatchCounts {
    /// Bad requests in both arms (K).
    pub fn bad(&self) -> u64 {
        self.k_t.saturating_add(self.k_c)
    }
}

/// The odds ratio that a ratio of `rho` between the rates cannot exceed while control's rate is at most `p`:
/// max(rho, rho (1 - p) / (1 - rho p)). Infinite when rho p >= 1, which plans refuse.
pub fn w0(rho: f64, p: f64) -> f64 {
    if rho * p >= 1.0 {
        return f64::INFINITY;
    }
    rho.max(rho * (1.0 - p) / (1.0 - rho * p))
}

/// How many batches a planned dwell is taken for (H): one each ten seconds, at least 1.
pub fn planned_batches(dwell_us: Micros) -> u64 {
    u64::try_from(dwell_us / BATCH_US).unwrap_or(0).max(1)
}

/// The logarithm of the likelihood ratio of an odds ratio of `w0 * r` to one of `w0`, given one batch of a stratum.
///
/// k_t ln r + ln Z(w0) - ln Z(w0 r), with Z(w) the sum over u of C(n_t, u) C(n_c, K - u) w^u. Above 4,096 bad requests,
/// and if w0 >= 1, the factors of 4a at pi = n_t / (n_t + n_c): conservative, and constant in time. A count of bad
/// requests above that of its arm is read as all of them. 0 when there is nothing to compare, or when `w0` is infinite
/// (a limit that no odds can break).
pub fn log_lr(n_t: u64, k_t: u64, n_c: u64, k_c: u64, w0: f64, r: f64) -> f64 {
    let ratios = Batch::new(&BatchCounts { n_t, k_t, n_c, k_c }, w0);
    ratios.log_lr(r)
}

/// One batch of one stratum, made ready for all ratios of the grid: the binomials are worked out once.
#[derive(Debug)]
pub(super) struct Batch {
    bad_treatment: f64,
    w0: f64,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Nothing to compare.
    Silent,
    /// ln of C(n_t, u) C(n_c, K - u), up to a constant, from u = `lowest` on; and ln Z(w0), up to the same.
    Exact {
        lowest: f64,
        log_coefficients: Vec<f64>,
        log_z_at_limit: f64,
    },
    /// Treatment's share of the requests, and control's bad ones.
    Conservative { share: f64, bad_control: f64 },
}

impl Batch {
    /// The conservative form above 4,096 bad requests, else the exact one.
    pub(super) fn new(counts: &BatchCounts, w0: f64) -> Batch {
        Batch::with(counts, w0, EXACT_UP_TO)
    }

    /// The exact form, however many bad requests there are.
    pub(super) fn exact(counts: &BatchCounts, w0: f64) -> Batch {
        Batch::with(counts, w0, u64::MAX)
    }

    fn with(counts: &BatchCounts, w0: f64, exact_up_to: u64) -> Batch {
        let (n_t, n_c) = (counts.n_t, counts.n_c);
        let (k_t, k_c) = (counts.k_t.min(n_t), counts.k_c.min(n_c));
        let bad = k_t.saturating_add(k_c);
        let form = if bad == 0 || n_t == 0 || n_c == 0 || !w0.is_finite() {
            Form::Silent
        } else if bad > exact_up_to && w0 >= 1.0 {
            Form::Conservative {
                share: n_t as f64 / (n_t as f64 + n_c as f64),
                bad_control: k_c as f64,
            }
        } else {
            let lowest = bad.saturating_sub(n_c);
            let log_coefficients = log_coefficients(n_t, n_c, bad, lowest);
            let log_z_at_limit = log_z(&log_coefficients, lowest as f64, libm::log(w0));
            Form::Exact {
                lowest: lowest as f64,
                log_coefficients,
                log_z_at_limit,
            }
        };
        Batch {
            bad_treatment: k_t as f64,
            w0,
            form,
        }
    }

    pub(super) fn log_lr(&self, r: f64) -> f64 {
        match &self.form {
            Form::Silent => 0.0,
            Form::Exact {
                lowest,
                log_coefficients,
                log_z_at_limit,
            } => {
                let log_z_beyond = log_z(log_coefficients, *lowest, libm::log(self.w0 * r));
                self.bad_treatment * libm::log(r) + log_z_at_limit - log_z_beyond
            }
            Form::Conservative { share, bad_control } => {
                let factors = log_factors(*share, self.w0, r);
                self.bad_treatment * factors.treatment + bad_control * factors.control
            }
        }
    }
}

/// ln of C(n_t, u) C(n_c, bad - u) for u from `lowest` to min(bad, n_t), the first one taken as 0.
///
/// By the recurrence c(u+1) = c(u) (n_t - u)(bad - u) / ((u + 1)(n_c - bad + u + 1)).
fn log_coefficients(n_t: u64, n_c: u64, bad: u64, lowest: u64) -> Vec<f64> {
    let highest = bad.min(n_t);
    let mut log_coefficients = Vec::with_capacity((highest - lowest) as usize + 1);
    let mut log_coefficient = 0.0;
    log_coefficients.push(log_coefficient);
    for u in lowest..highest {
        // u >= bad - n_c, so the subtraction, in this order, never goes below zero.
        let up = (n_t - u) as f64 * (bad - u) as f64;
        let down = (u + 1) as f64 * (n_c + u + 1 - bad) as f64;
        log_coefficient += libm::log(up / down);
        log_coefficients.push(log_coefficient);
    }
    log_coefficients
}

/// ln of the sum of coefficient(u) w^u.
fn log_z(log_coefficients: &[f64], lowest: f64, log_w: f64) -> f64 {
    let mut u = lowest;
    let terms: Vec<f64> = log_coefficients
        .iter()
        .map(|log_coefficient| {
            let term = log_coefficient + u * log_w;
            u += 1.0;
            term
        })
        .collect();
    log_sum_exp(&terms)
}
