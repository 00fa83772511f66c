//! From a standardised difference to an e-value: a mixture over how large the harm might be (guard.md 4c).
//!
//! Each part bets that the harm is about k = q times the limit, in the half-normal sense; half of the stake is on half
//! the limit, the rest is spread so that small breaches and catastrophes are both found. Source: the normal mixture of
//! Robbins (1970), one-sided.

use super::normal;
use super::sum::log_sum_exp;

/// (q, weight): the size of the harm as a multiple of the limit, and the stake on it; the stakes sum to 1.
pub const PARTS: [(f64, f64); 6] = [
    (0.5, 0.5),
    (1.0 / 32.0, 0.1),
    (1.0 / 8.0, 0.1),
    (2.0, 0.1),
    (8.0, 0.1),
    (32.0, 0.1),
];

/// ln of the sum over (q, w) of w 2 sqrt(V / (V + k^2)) exp(z^2 k^2 / (2 (V + k^2))) Phi(z k / sqrt(V + k^2)),
/// k = q R0.
///
/// `score` is z, at least 0; `variance` is V and `at_limit` R0, of which only the size matters. Where V is not positive
/// nothing can be weighed, and where R0 is 0 no size of a harm follows from it: 0 then, evidence for neither side.
pub fn log_e(score: f64, variance: f64, at_limit: f64) -> f64 {
    if variance.is_nan() || variance <= 0.0 || at_limit == 0.0 {
        return 0.0;
    }
    let terms = PARTS.map(|(multiple, weight)| {
        let size = multiple * at_limit.abs();
        let spread = variance + size * size;
        let pull = score * size / libm::sqrt(spread);
        libm::log(2.0 * weight)
            + 0.5 * (libm::log(variance) - libm::log(spread))
            + 0.5 * pull * pull
            + normal::log_cdf(pull)
    });
    log_sum_exp(&terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stakes_sum_to_one() {
        let stakes: f64 = PARTS.iter().map(|(_, weight)| weight).sum();
        assert!((stakes - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_mixture_is_worth_one_when_the_difference_is_pure_chance() {
        // z is normal and evidence is 0 below it: the integral over z > 0 of density times E, by Simpson's rule.
        let (variance, at_limit, step) = (1e-6, 0.01, 1e-3);
        let worth: f64 = (0..=60_000_u32)
            .map(|node| {
                let z = f64::from(node) * step;
                let weight = match node {
                    0 | 60_000 => 1.0,
                    _ if node % 2 == 1 => 4.0,
                    _ => 2.0,
                };
                let log_density = -0.5 * z * z - 0.918_938_533_204_672_8;
                weight * libm::exp(log_density + log_e(z, variance, at_limit)) * step / 3.0
            })
            .sum();
        assert!(worth <= 1.0 && worth > 0.5, "{worth}");
    }

    #[test]
    fn nothing_is_weighed_where_nothing_can_be() {
        assert_eq!(log_e(5.0, 0.0, 0.01), 0.0);
        assert_eq!(log_e(5.0, f64::NAN, 0.01), 0.0);
        assert_eq!(log_e(5.0, 1e-6, 0.0), 0.0);
        assert_eq!(log_e(3.0, 1e-6, -0.01), log_e(3.0, 1e-6, 0.01));
    }
}
