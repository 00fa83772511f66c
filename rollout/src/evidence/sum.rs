//! Sums of numbers that are known by their logarithms, and too large or too small to be written out.

/// ln of the sum of exp(term), added in the order given; minus infinity for no terms.
pub(super) fn log_sum_exp(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_infinite() {
        return largest;
    }
    let mut sum = 0.0;
    for term in terms {
        sum += libm::exp(term - largest);
    }
    largest + libm::log(sum)
}

/// ln of the mean of exp(term).
pub(super) fn log_mean_exp(terms: &[f64]) -> f64 {
    // A slice is far shorter than 2^53, so its length is exact as a float.
    log_sum_exp(terms) - libm::log(terms.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_survive_terms_that_no_float_can_hold() {
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 3]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[-2_000.0, f64::NEG_INFINITY]), -2_000.0);
        assert!((log_sum_exp(&[5_000.0, 5_000.0]) - 5_000.0 - libm::log(2.0)).abs() < 1e-12);
        assert!(log_mean_exp(&[3.0; 16]) - 3.0 < 1e-12);
    }
}
