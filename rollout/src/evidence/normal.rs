//! The logarithm of the normal distribution function, to full precision in both tails.
//!
//! Phi(x) is 1 to the last bit above 8 and 0 to the last bit below -38, long before its logarithm stops mattering.
//! Source: the asymptotic series of the complementary error function, Abramowitz and Stegun 7.1.23.

/// Below this the distribution function is taken from its series; its error there is under 1e-12.
const SERIES_BELOW: f64 = -30.0;
/// ln(2 pi) / 2.
const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// ln Phi(x): between minus infinity and 0, ascending in x. NaN for NaN.
pub fn log_cdf(x: f64) -> f64 {
    if x >= 0.0 {
        libm::log1p(-0.5 * libm::erfc(x * std::f64::consts::FRAC_1_SQRT_2))
    } else if x > SERIES_BELOW {
        libm::log(0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2))
    } else {
        let inverse_square = 1.0 / (x * x);
        // 1 - 1/x^2 + 3/x^4 - 15/x^6 + 105/x^8, without the 1.
        let series =
            inverse_square * (-1.0 + inverse_square * (3.0 + inverse_square * (-15.0 + inverse_square * 105.0)));
        -0.5 * x * x - libm::log(-x) - HALF_LOG_TWO_PI + libm::log1p(series)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tails_are_exact() {
        // Made with 50 digits (mpmath).
        for (x, expected) in REFERENCE {
            let actual = log_cdf(x);
            assert!(
                (actual - expected).abs() <= 1e-13 * expected.abs(),
                "{x}: {actual}, expected {expected}"
            );
        }
    }

    #[test]
    fn what_is_no_number_stays_in_its_bounds() {
        assert_eq!(log_cdf(f64::INFINITY), 0.0);
        assert_eq!(log_cdf(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert!(log_cdf(f64::NAN).is_nan());
    }

    #[test]
    fn the_pieces_meet() {
        let (series, direct) = (log_cdf(SERIES_BELOW), log_cdf(SERIES_BELOW + 1e-13));
        assert!(series <= direct && direct - series < 1e-10, "{series} {direct}");
    }
    const REFERENCE: [(f64, f64); 12] = [
        (-1000.0, -500_007.826_694_812_2),
        (-40.0, -804.608_442_013_753_8),
        (-30.5, -469.462_737_322_912_1),
        (-29.5, -439.429_474_609_150_24),
        (-10.0, -53.231_285_150_512_47),
        (-1.0, -1.841_021_645_009_263_6),
        (-0.25, -0.913_061_764_811_135),
        (0.0, -std::f64::consts::LN_2),
        (0.25, -0.512_984_075_409_430_4),
        (1.0, -0.172_753_779_023_449_9),
        (5.0, -2.866_516_129_637_636e-7),
        (20.0, -2.753_624_118_606_233_7e-89),
    ];
}
