//! Harm may begin at any time: a cache fills, a leak grows, a shift starts (guard.md 4b, the onset prior).
//!
//! Half of the weight bets that harm begins with the first batch, the other half is spread over the planned ones. Each
//! bet multiplies the likelihood ratios from its beginning on, so a long harmless start cannot bury a later harm. Per
//! ratio of the grid one number carries all bets: S <- (S + w) * LR. It is kept as a logarithm.

use super::grid::{SIZE, grid};
use super::request::{Batch, BatchCounts};
use super::sum::{log_mean_exp, log_sum_exp};

/// The evidence of one horizon of a request split. It is all that must be stored to go on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Onset {
    /// ln S of each ratio of the grid; minus infinity before the first batch with bad requests.
    pub log_s: [f64; SIZE],
    /// Batches with bad requests so far.
    pub batches: u64,
}

impl Default for Onset {
    fn default() -> Onset {
        Onset {
            log_s: [f64::NEG_INFINITY; SIZE],
            batches: 0,
        }
    }
}

impl Onset {
    /// No batch yet.
    pub fn new() -> Onset {
        Onset::default()
    }

    /// Takes a batch in, given as its strata. One without any bad request changes nothing.
    ///
    /// `planned` is H ([`super::request::planned_batches`]) and `w0` the odds ratio at the limit
    /// ([`super::request::w0`]), both frozen when the horizon begins.
    pub fn update(&mut self, planned: u64, strata: &[BatchCounts], w0: f64) {
        let batches: Vec<Batch> = strata.iter().map(|stratum| Batch::new(stratum, w0)).collect();
        self.absorb(self.weight(planned), strata, &batches, &grid());
    }

    /// The same over other ratios and by the exact form alone, which is what certification needs.
    pub(super) fn update_exactly(&mut self, planned: u64, strata: &[BatchCounts], w0: f64, ratios: &[f64; SIZE]) {
        let batches: Vec<Batch> = strata.iter().map(|stratum| Batch::exact(stratum, w0)).collect();
        self.absorb(self.weight(planned), strata, &batches, ratios);
    }

    /// The stake that is placed with the next batch.
    fn weight(&self, planned: u64) -> f64 {
        match self.batches {
            0 => 0.5,
            batch if batch <= planned.max(1) => 0.5 / planned.max(1) as f64,
            _ => 0.0,
        }
    }

    /// The logarithm of the e-value: what the bets have won, and those not yet placed at their stake.
    pub fn log_e(&self, planned: u64) -> f64 {
        if self.batches == 0 {
            return 0.0;
        }
        let planned = planned.max(1);
        let last = (self.batches - 1).min(planned);
        let unplaced = 0.5 * (1.0 - last as f64 / planned as f64);
        log_sum_exp(&[log_mean_exp(&self.log_s), libm::log(unplaced)])
    }

    /// Takes a batch in when harm can only have begun with the first one: the whole weight is on it.
    ///
    /// For a rollout that is known to change nothing after its start, and for measuring what the prior costs. A horizon
    /// uses either this and [`Onset::log_e_from_start`], or the two above.
    pub fn update_from_start(&mut self, strata: &[BatchCounts], w0: f64) {
        let weight = if self.batches == 0 { 1.0 } else { 0.0 };
        let batches: Vec<Batch> = strata.iter().map(|stratum| Batch::new(stratum, w0)).collect();
        self.absorb(weight, strata, &batches, &grid());
    }

    /// The logarithm of the e-value when the whole weight is on the first batch.
    pub fn log_e_from_start(&self) -> f64 {
        if self.batches == 0 {
            0.0
        } else {
            log_mean_exp(&self.log_s)
        }
    }

    fn absorb(&mut self, weight: f64, strata: &[BatchCounts], batches: &[Batch], ratios: &[f64; SIZE]) {
        if strata.iter().all(|stratum| stratum.bad() == 0) {
            return;
        }
        let log_weight = libm::log(weight);
        for (log_s, ratio) in self.log_s.iter_mut().zip(ratios) {
            let mut log_lr = 0.0;
            for batch in batches {
                log_lr += batch.log_lr(*ratio);
            }
            *log_s = log_sum_exp(&[*log_s, log_weight]) + log_lr;
        }
        self.batches += 1;
    }
}
