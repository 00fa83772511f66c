//! Kullback-Leibler divergences: how much one request tells about which of two rates is the true one.
//!
//! A test with budget a needs ln(1/a) of evidence, and no request gives more of it on average than the divergence
//! between the truth and the nearest harmless world. All are in nats, by a treated request.

/// Halvings after which no float is left between the two ends.
const HALVINGS: u32 = 200;

/// KL(truth || other) of two rates strictly between 0 and 1.
pub(super) fn between(truth: f64, other: f64) -> f64 {
    truth * libm::log(truth / other) + (1.0 - truth) * libm::log((1.0 - truth) / (1.0 - other))
}

/// The least that a treated request tells, together with the requests of control that come with it, when treatment's
/// rate is `treated`, control's is `control` and the nearest other world has a rate of treatment of `ratio` times
/// control's: min over p of KL(treated, ratio p) + (1-share)/share KL(control, p) (guard.md 9).
///
/// `None` unless every rate, the share and the limit (`ratio` times `control`) lie strictly between 0 and 1.
pub(super) fn at_ratio(treated: f64, control: f64, ratio: f64, share: f64) -> Option<f64> {
    if !(is_open(treated) && is_open(control) && is_open(share) && is_open(ratio * control)) {
        return None;
    }
    // Convex in p, and least between control's own rate and the rate that treatment's suggests.
    let odds = (1.0 - share) / share;
    let slope =
        |p: f64| -treated / p + ratio * (1.0 - treated) / (1.0 - ratio * p) + odds * (p - control) / (p * (1.0 - p));
    let p = root(slope, control, treated / ratio);
    let least = between(treated, ratio * p) + odds * between(control, p);
    least.is_finite().then_some(least.max(0.0))
}

/// The same with the *odds* of treatment `ratio` times control's, which is what a request split tests (guard.md 4b: w0).
pub(super) fn at_odds_ratio(treated: f64, control: f64, ratio: f64, share: f64) -> Option<f64> {
    if !(is_open(treated) && is_open(control) && is_open(share) && ratio > 0.0) {
        return None;
    }
    let odds = (1.0 - share) / share;
    let slope = |p: f64| with_odds(p, ratio) - treated + odds * (p - control);
    let p = root(slope, control, with_odds(treated, 1.0 / ratio));
    let least = between(treated, with_odds(p, ratio)) + odds * between(control, p);
    least.is_finite().then_some(least.max(0.0))
}

/// The rate whose odds are `ratio` times those of `rate`.
pub(super) fn with_odds(rate: f64, ratio: f64) -> f64 {
    ratio * rate / (1.0 - rate + ratio * rate)
}

/// Strictly between 0 and 1.
pub(super) fn is_open(rate: f64) -> bool {
    rate > 0.0 && rate < 1.0
}

/// Where an ascending function crosses 0 between two points, in either order.
fn root(ascending: impl Fn(f64) -> f64, one: f64, other: f64) -> f64 {
    let (mut low, mut high) = (one.min(other), one.max(other));
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if ascending(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_tells_nothing_against_itself() {
        assert_eq!(between(0.2, 0.2), 0.0);
        assert!(at_ratio(0.02, 0.01, 2.0, 0.3).unwrap() < 1e-12);
        assert!(at_odds_ratio(with_odds(0.01, 3.0), 0.01, 3.0, 0.3).unwrap() < 1e-12);
    }

    #[test]
    fn at_equal_rates_the_two_least_values_are_one() {
        for share in [0.01, 0.05, 0.5, 0.9] {
            let (rates, odds) = (
                at_ratio(0.04, 0.008, 1.0, share),
                at_odds_ratio(0.04, 0.008, 1.0, share),
            );
            assert!((rates.unwrap() - odds.unwrap()).abs() < 1e-9);
            // The minimum is known in this case: the rate of both arms together.
            let pooled = share * 0.04 + (1.0 - share) * 0.008;
            let known = between(0.04, pooled) + (1.0 - share) / share * between(0.008, pooled);
            assert!((rates.unwrap() - known).abs() < 1e-9);
        }
    }

    #[test]
    fn no_point_of_a_grid_is_below_the_least_value() {
        let least = at_ratio(0.06, 0.01, 2.0, 0.2).unwrap();
        for step in 1..4_000 {
            let p = f64::from(step) / 8_001.0;
            assert!(between(0.06, 2.0 * p) + 4.0 * between(0.01, p) >= least - 1e-12);
        }
    }

    #[test]
    fn rates_that_are_none_have_no_divergence() {
        for (treated, control, share) in [
            (0.0, 0.1, 0.5),
            (1.0, 0.1, 0.5),
            (0.1, 0.0, 0.5),
            (0.1, 0.1, 0.0),
            (0.1, 0.1, 1.0),
        ] {
            assert_eq!(at_ratio(treated, control, 1.0, share), None);
            assert_eq!(at_odds_ratio(treated, control, 1.0, share), None);
        }
        assert_eq!(at_ratio(f64::NAN, 0.1, 1.0, 0.5), None);
    }
}
