//! What many runs say: medians, how sure a count of false aborts is, and the bound that no honest test can beat.

/// The middle of the values, the upper one of two; infinite if most runs never aborted.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::INFINITY)
}

/// The highest chance that `events` out of `runs` still allow, at 95 % confidence (Clopper, Pearson 1934, one-sided).
pub(crate) fn upper_bound(events: u64, runs: u64) -> f64 {
    if events >= runs {
        return 1.0;
    }
    bisect(|chance| chance_of_at_most(events, runs, chance) < 0.05)
}

/// The lowest chance that `events` out of `runs` still allow, at 95 % confidence.
pub(crate) fn lower_bound(events: u64, runs: u64) -> f64 {
    if events == 0 {
        return 0.0;
    }
    bisect(|chance| 1.0 - chance_of_at_most(events - 1, runs, chance) > 0.05)
}

/// Treated requests that any test of budget `alpha` needs on average to tell `harm` times the rate from the rate:
/// ln(1/alpha) / KL, KL = min over p of KL(p1, p) + (1 - pi) / pi KL(p0, p); the best p is the mixture of both arms.
pub(crate) fn fewest_treated(share: f64, rate: f64, harm: f64, alpha: f64) -> f64 {
    let (p0, p1) = (rate, rate * harm);
    let mixture = share * p1 + (1.0 - share) * p0;
    let information = divergence(p1, mixture) + (1.0 - share) / share * divergence(p0, mixture);
    -libm::log(alpha) / information
}

/// Kullback-Leibler divergence of two coins.
fn divergence(p: f64, q: f64) -> f64 {
    p * libm::log(p / q) + (1.0 - p) * libm::log((1.0 - p) / (1.0 - q))
}

/// Chance that at most `events` of `runs` happen, each with `chance`.
fn chance_of_at_most(events: u64, runs: u64, chance: f64) -> f64 {
    let mut log_term = runs as f64 * libm::log1p(-chance);
    let mut sum = libm::exp(log_term);
    for event in 0..events {
        log_term += libm::log((runs - event) as f64 / (event + 1) as f64) + libm::log(chance / (1.0 - chance));
        sum += libm::exp(log_term);
    }
    sum
}

/// Where a condition on a chance turns true.
fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut below, mut above) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (below + above) / 2.0;
        if holds(middle) {
            above = middle;
        } else {
            below = middle;
        }
    }
    above
}
