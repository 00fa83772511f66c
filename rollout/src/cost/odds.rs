//! How often a hard rule fires on a harmless rollout.
//!
//! Caps and plain thresholds stand beside the budget (guard.md 4e, 4f): nothing bounds their false aborts, so a plan
//! that has them is told the odds. All are upper bounds for independent outcomes and steady traffic. Outcomes that come
//! in bursts, by unit or by incident, make it worse; rules that are looked at more often than once a window, too.

mod cumulative;

pub use self::cumulative::Cumulative;
use super::tail::{at_least_once, binomial, poisson, poisson_at};
use crate::Micros;

/// "The bad rate is above the limit", judged afresh for each window of outcomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// A fraction; a rate at the limit does not fire.
    pub limit: f64,
    /// Outcomes in a window.
    pub window: u64,
    /// Outcomes below which a window is not judged.
    pub minimum: u64,
    /// Windows in a row that must be above the limit; 0 is read as 1.
    pub consecutive: u32,
}

/// "More than so many events within a window", looked at all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Events that are still allowed: 10 fires at the 11th.
    pub most: u64,
    /// The length of the window, which slides.
    pub window_us: Micros,
}

impl Threshold {
    /// The odds that it fires within `outcomes` outcomes at a true rate of `base`.
    ///
    /// With p = P(Binomial(window, base) / window > limit), m full windows and c in a row it is at most
    /// 1 - (1 - p^c)^(m-c+1), and exactly that for c = 1. (Runs only make further runs likelier, so that none of them
    /// is at least as likely as if they were independent.)
    pub fn odds(&self, base: f64, outcomes: f64) -> f64 {
        if self.window == 0 || self.window < self.minimum {
            return 0.0;
        }
        let in_a_row = f64::from(self.consecutive.max(1));
        let windows = libm::floor(outcomes / self.window as f64);
        at_least_once(libm::pow(self.odds_of_a_look(base), in_a_row), windows - in_a_row + 1.0)
    }

    /// The odds that one full window is above the limit, minimum or not.
    pub fn odds_of_a_look(&self, base: f64) -> f64 {
        most_within(self.limit, self.window).map_or(1.0, |most| binomial(self.window, base, most))
    }
}

/// The most bad outcomes of `window` whose rate, divided as a judge divides, is not above the limit; none if even 0 is.
fn most_within(limit: f64, window: u64) -> Option<u64> {
    let is_within = |bad: u64| bad as f64 / window as f64 <= limit;
    // Floats below 0 and beyond the largest integer become its ends; a rounding is one off at most.
    let near = libm::floor(limit * window as f64) as u64;
    [near.saturating_add(1), near, near.saturating_sub(1)]
        .into_iter()
        .find(|bad| is_within(*bad))
}

impl Cap {
    /// The odds that it fires within `dwell_us` when `base` events are expected in a window.
    ///
    /// With T the dwell, W the window and k the cap it is at most
    /// P(Poisson(base) > k) + (T/W - 1) base P(Poisson(base) = k). A window that slides is above the cap at some time only
    /// if the first one is, or if later an event comes while exactly k others are in the window. The second term is the
    /// expected number of such events: base/W of them come in a unit of time, and what stands before one of them is as
    /// at any other time. It never says more than the odds of that many events in the whole dwell.
    ///
    /// Half-overlapping windows of length W would miss bursts that lie across two of them; windows wide enough to hold
    /// every place of the sliding one say several times more than this.
    pub fn odds(&self, base: f64, dwell_us: Micros) -> f64 {
        if self.window_us <= 0 || dwell_us <= 0 {
            return 0.0;
        }
        let windows = dwell_us as f64 / self.window_us as f64;
        let in_the_dwell = poisson(base * windows, self.most);
        if windows <= 1.0 {
            return in_the_dwell;
        }
        let later = (windows - 1.0) * base * poisson_at(base, self.most);
        (poisson(base, self.most) + later).min(in_the_dwell)
    }
}

/// The odds that at least one of several rules or stages fires, were they independent.
pub fn at_least_one(odds: &[f64]) -> f64 {
    1.0 - odds.iter().fold(1.0, |none, odds| none * (1.0 - odds.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests;
