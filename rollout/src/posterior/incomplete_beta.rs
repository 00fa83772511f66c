//! The regularised incomplete beta function and its inverse.
//!
//! The function is its continued fraction (DLMF 8.17.22) by Lentz's method, on the side where it converges fast; the
//! inverse is bisection, which needs no start value and no derivative and cannot run away. Parameters are at least 1,
//! because a count is added to one. Up to a thousand rollouts the ends are right to eleven digits; work is bounded for any.

/// The most terms of the continued fraction; it needs about the square root of the larger parameter.
const MOST_TERMS: u32 = 50_000;
/// Relative change of the fraction at which its terms no longer matter.
const SETTLED: f64 = 1e-15;
/// Stands in for a denominator of zero (Lentz).
const TINY: f64 = 1e-300;
/// Bisections: after these the ends agree to the last bit of anything above 2^-48.
const HALVINGS: u32 = 100;

/// The `x` below which lies `probability` of Beta(a, b).
pub(super) fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    if probability <= 0.0 {
        return 0.0;
    }
    if probability >= 1.0 {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if regularised(a, b, middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The probability of Beta(a, b) below `x`, for a and b of at least 1.
pub(super) fn regularised(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let log_scale = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let scale = libm::exp(log_scale);
    if x < (a + 1.0) / (a + b + 2.0) {
        scale * fraction(a, b, x) / a
    } else {
        1.0 - scale * fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction 1/(1 + d1/(1 + d2/(1 + ...))).
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for term in 1..=MOST_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < SETTLED {
            break;
        }
    }
    value
}
