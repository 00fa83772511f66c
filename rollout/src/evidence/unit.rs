//! Bad units against a live control (guard.md 4a): the test for rates under a unit split.
//!
//! Randomisation itself is the model. Within a horizon and stratum a position that turns bad counts once; if treatment
//! does no harm it is in treatment with probability pi, whatever the units' habits, however they cluster, and however
//! the base rate drifts. So only two counts per stratum enter, and the e-value is exact. Counting requests here would
//! abort a fifth of all harmless rollouts at a nominal 1 %.

use super::grid::{SIZE, grid};
use super::sum::log_mean_exp;

pub use super::positions::{PAGE_BYTES, PAGES, POSITIONS, PageError, Positions, newly_bad};

/// The newly bad positions of one stratum in one horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stratum {
    /// Treatment's share of the units in this stratum (pi), a fraction. With 0 or 1 there is nothing to compare.
    pub share: f64,
    /// Positions that turned bad under treatment.
    pub bad_treatment: u64,
    /// Positions that turned bad under control, or in both arms in one batch.
    pub bad_control: u64,
}

/// What one bad position does to the logarithm of the e-value, for one ratio of the grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogFactors {
    /// ln(q(r rho) / q(rho)), of a position under treatment; never negative for r > 1.
    pub treatment: f64,
    /// ln((1 - q(r rho)) / (1 - q(rho))), of a position under control; never positive for r > 1.
    pub control: f64,
}

/// The logarithm of the e-value of one horizon against "treatment has at most `rho` times as many bad units".
///
/// One ratio holds for all strata at once; the mean is over the ratios. Strata whose share is not between 0 and 1 are
/// left out; 0 (no evidence either way) if none is left. `rho` is positive.
pub fn log_e(rho: f64, strata: &[Stratum]) -> f64 {
    log_e_over(&grid(), rho, strata)
}

/// The same over other ratios.
pub(super) fn log_e_over(ratios: &[f64; SIZE], rho: f64, strata: &[Stratum]) -> f64 {
    let log_products = ratios.map(|ratio| {
        let mut log_product = 0.0;
        for stratum in strata
            .iter()
            .filter(|stratum| stratum.share > 0.0 && stratum.share < 1.0)
        {
            let factors = log_factors(stratum.share, rho, ratio);
            log_product += stratum.bad_treatment as f64 * factors.treatment;
            log_product += stratum.bad_control as f64 * factors.control;
        }
        log_product
    });
    log_mean_exp(&log_products)
}

/// The factors of one ratio, with q(x) = x pi / (1 - pi + x pi).
///
/// Both quotients share the one of the denominators, so that no difference of nearly equal numbers is taken.
/// `share` is between 0 and 1, `rho` and `ratio` are positive.
pub fn log_factors(share: f64, rho: f64, ratio: f64) -> LogFactors {
    let at_limit = 1.0 - share + rho * share;
    let beyond = 1.0 - share + ratio * rho * share;
    let control = libm::log(at_limit) - libm::log(beyond);
    LogFactors {
        treatment: libm::log(ratio) + control,
        control,
    }
}
