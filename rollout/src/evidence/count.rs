//! Rare events that are counted, not divided: complaints, tickets (guard.md 4e).
//!
//! A **cap** is deterministic: so many in a window are allowed, one more fires. It has no error rate of its own, so its
//! odds of firing without cause are worked out beforehand and shown. A **rate** is an e-value on "more than the limit
//! per unit of exposure": events are Poisson, the ratio of the true rate to the limit is 1 plus an exponential. That
//! prior is a gamma one that reaches no ratio below 1, or a quiet month would count as evidence of harm.

/// How much worse than the limit a rate is expected to be, on average: the prior's mean excess.
const MEAN_EXCESS: f64 = 2.0;
/// A term this far (in its logarithm) below the largest one changes no bit of a sum.
const NEGLIGIBLE: f64 = 45.0;

/// Whether a cap fires: with the first event beyond it. A cap of 0 allows none.
pub fn cap_fires(cap: u64, events_in_window: u64) -> bool {
    events_in_window > cap
}

/// The chance that a cap fires at some time although events come at random, `per_window` of them on average in a window
/// that slides over `windows` times its own length (at least once).
///
/// Alm's approximation of the Poisson scan statistic (1983), never less than what windows that do not overlap give:
/// within a twentieth of the truth where the odds are small, too low where they are near 1. For a cap of 0 it is exact:
/// the chance of any event at all.
pub fn cap_odds(cap: u64, per_window: f64, windows: f64) -> f64 {
    if per_window.is_nan() || per_window <= 0.0 {
        return 0.0;
    }
    let windows = windows.max(1.0);
    if cap == 0 {
        return -libm::expm1(-per_window * windows);
    }
    let log_within = libm::log1p(-poisson_above(cap, per_window));
    let apart = -libm::expm1(windows * log_within);
    // A window that slides fires when an event enters it that is one too many, and most entries are not undone at once.
    let fired_at = cap as f64 + 1.0;
    let log_at_cap = log_poisson(cap, per_window);
    let entries = (1.0 - per_window / fired_at).max(0.0) * per_window * (windows - 1.0) * libm::exp(log_at_cap);
    let sliding = -libm::expm1(log_within - entries);
    apart.max(sliding)
}

/// ln of the e-value against "events come no more often than the limit", after `events` where the limit would have
/// allowed `expected_at_limit` (the limit times the exposure so far, whatever exposure is counted in).
///
/// The integral over s > 0 of b exp(-b s) (1 + s)^x exp(-s mu), with b = 1/2 (a mean excess of 2), x events and mu
/// expected; for whole x it is the finite sum over j of b / y * x! / (x - j)! / y^j, y = b + mu. In the time of the
/// events in excess of those expected.
pub fn log_rate_e(events: u64, expected_at_limit: f64) -> f64 {
    let decay = 1.0 / MEAN_EXCESS;
    let y = decay + expected_at_limit.max(0.0);
    let mut largest = 0.0;
    let mut log_terms = vec![0.0];
    let mut log_term = 0.0;
    for left in (1..=events).rev() {
        // The terms rise while more events are left than y, and fall ever faster afterwards.
        log_term += libm::log(left as f64 / y);
        if log_term < largest - NEGLIGIBLE {
            break;
        }
        largest = f64::max(largest, log_term);
        log_terms.push(log_term);
    }
    libm::log(decay / y) + super::sum::log_sum_exp(&log_terms)
}

/// The chance that more than `count` events come when `mean` are expected.
pub fn poisson_above(count: u64, mean: f64) -> f64 {
    if mean.is_nan() || mean <= 0.0 {
        return 0.0;
    }
    // Whichever tail is the smaller one is summed, from its largest term on.
    if count as f64 >= mean {
        let mut term = libm::exp(log_poisson(count.saturating_add(1), mean));
        let (mut at, mut sum) = (count as f64 + 1.0, 0.0);
        while term > 0.0 && sum + term > sum {
            sum += term;
            at += 1.0;
            term *= mean / at;
        }
        sum
    } else {
        let mut term = libm::exp(log_poisson(count, mean));
        let (mut at, mut sum) = (count as f64, 0.0);
        while term > 0.0 && sum + term > sum {
            sum += term;
            term *= at / mean;
            at -= 1.0;
        }
        (1.0 - sum).max(0.0)
    }
}

/// ln of the chance of exactly `count` events when `mean` are expected.
fn log_poisson(count: u64, mean: f64) -> f64 {
    let count = count as f64;
    count * libm::log(mean) - mean - libm::lgamma(count + 1.0)
}

#[cfg(test)]
mod tests;
