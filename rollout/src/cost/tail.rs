//! Tails of counts: how often more than k of n go wrong, or more than k events come.
//!
//! Exact sums, from the largest term outwards until nothing changes any more; the shorter side is summed, so that small
//! chances keep their digits. The first term comes from `lgamma`, the others by their ratios.

/// P(more than `most` of `trials` are bad) when each is with a chance of `rate`.
pub(super) fn binomial(trials: u64, rate: f64, most: u64) -> f64 {
    if most >= trials || rate <= 0.0 {
        return 0.0;
    }
    if rate >= 1.0 {
        return 1.0;
    }
    let (n, odds) = (trials as f64, rate / (1.0 - rate));
    let term = |k: f64| {
        let ways = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
        libm::exp(ways + k * libm::log(rate) + (n - k) * libm::log1p(-rate))
    };
    let next = |k: f64| (n - k) / (k + 1.0) * odds;
    beyond(most as f64, n * rate, term, next)
}

/// P(more than `most` events) when `mean` are expected.
pub(super) fn poisson(mean: f64, most: u64) -> f64 {
    if mean.is_nan() || mean <= 0.0 {
        return 0.0;
    }
    if mean.is_infinite() {
        return 1.0;
    }
    beyond(most as f64, mean, |k| poisson_term(mean, k), |k| mean / (k + 1.0))
}

/// P(exactly `events` events) when `mean` are expected, above 0; 0 for a mean that is none.
pub(super) fn poisson_at(mean: f64, events: u64) -> f64 {
    if mean.is_finite() && mean > 0.0 {
        poisson_term(mean, events as f64)
    } else {
        0.0
    }
}

fn poisson_term(mean: f64, events: f64) -> f64 {
    libm::exp(events * libm::log(mean) - mean - libm::lgamma(events + 1.0))
}

/// The chance that at least one of `times` independent things happens, each with a chance of `chance`.
pub(super) fn at_least_once(chance: f64, times: f64) -> f64 {
    if times.is_nan() || times <= 0.0 || chance <= 0.0 {
        return 0.0;
    }
    -libm::expm1(times * libm::log1p(-chance.min(1.0)))
}

/// The sum of a unimodal distribution above `most`: `term(k)` its chances, `next(k)` = term(k+1) / term(k).
fn beyond(most: f64, mean: f64, term: impl Fn(f64) -> f64, next: impl Fn(f64) -> f64) -> f64 {
    if most + 1.0 > mean {
        let mut k = most + 1.0;
        let mut chance = term(k);
        let mut sum = 0.0;
        // A ratio of 0 ends it (k = n); otherwise terms fall at least geometrically from some k on.
        while chance > sum * f64::EPSILON / 4.0 {
            sum += chance;
            chance *= next(k);
            k += 1.0;
        }
        sum.min(1.0)
    } else {
        let mut k = most;
        let mut chance = term(k);
        let mut sum = 0.0;
        while k >= 0.0 && chance > sum * f64::EPSILON / 4.0 {
            sum += chance;
            chance = if k > 0.0 { chance / next(k - 1.0) } else { 0.0 };
            k -= 1.0;
        }
        (1.0 - sum).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-11 * expected.max(1e-300),
            "{found} {expected}"
        );
    }

    #[test]
    fn tails_are_those_that_are_counted_by_hand() {
        assert_close(binomial(3, 0.5, 1), 0.5);
        assert_close(binomial(3, 0.5, 0), 0.875);
        assert_close(binomial(4, 0.1, 3), 1e-4);
        assert_close(binomial(100, 0.008, 1), 0.190_916_119_787_987_12);
        assert_close(binomial(1_000, 0.008, 16), 0.003_574_910_910_319_531);
        assert_close(poisson(1.0, 0), -libm::expm1(-1.0));
        assert_close(poisson(4.0, 10), 0.002_839_766_120_513_743);
        for (trials, rate, most, expected) in [
            (10, 0.0, 0, 0.0),
            (10, 1.0, 9, 1.0),
            (10, 0.3, 10, 0.0),
            (0, 0.3, 0, 0.0),
        ] {
            assert_eq!(binomial(trials, rate, most), expected);
        }
        assert_eq!(poisson(0.0, 0), 0.0);
        assert_eq!(poisson(f64::INFINITY, 9), 1.0);
    }

    #[test]
    fn both_sides_of_the_mean_meet() {
        let (mut last_binomial, mut last_poisson) = (1.0, 1.0);
        for most in 0..200 {
            let (binomial, poisson) = (binomial(200, 0.4, most), poisson(80.0, most));
            assert!(binomial <= last_binomial && poisson <= last_poisson, "{most}");
            (last_binomial, last_poisson) = (binomial, poisson);
        }
        // One million expected: half of the time more, but for the width of a step.
        assert!((poisson(1e6, 1_000_000) - 0.5).abs() < 1e-3);
        assert!((binomial(2_000_000_000, 0.5, 1_000_000_000) - 0.5).abs() < 1e-4);
    }

    #[test]
    fn many_small_chances_add_up() {
        assert_close(at_least_once(0.5, 2.0), 0.75);
        assert_close(at_least_once(1e-18, 1e6), 1e-12);
        assert_eq!(at_least_once(1.0, 3.0), 1.0);
        assert_eq!(at_least_once(1.0, 0.0), 0.0);
    }
}
