//! One budget for all guards and horizons, and the ladder that it is spent on (guard.md 5).
//!
//! Guards and horizons have weights that sum to 1 and are frozen at the start; the evidence number is the largest
//! weighted e-value. A union bound holds under any dependence, needs nothing to be known beforehand about how metrics
//! move together, and names its culprit.

/// The largest weighted e-value, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidenceNumber {
    /// Position of the guard among those that were weighed.
    pub guard: usize,
    /// The horizon, from 1.
    pub horizon: usize,
    /// Natural logarithm of the number.
    pub log_evidence: f64,
}

/// What the evidence is strong enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ladder {
    /// Nothing.
    None,
    /// 0.2 / alpha: say so, and let no gate pass.
    Warn,
    /// 0.5 / alpha: stop the clock.
    Hold,
    /// 1 / alpha: abort.
    Abort,
}

/// The weight of horizon `h` (from 1) when `n` are planned; all weights together are 1.
///
/// 1/(2h(h+1)) + 1/(2(n+1)) up to n, then 1/(2h(h+1)) + 2^-(h-n) / (2(n+1)): half is spread over what is planned and a
/// little beyond, half over whatever may come. `n` below 1 is read as 1; no weight for h = 0.
pub fn horizon_weight(n: usize, h: usize) -> f64 {
    if h == 0 {
        return 0.0;
    }
    let planned = n.max(1);
    let whatever_comes = 1.0 / (2.0 * h as f64 * (h as f64 + 1.0));
    let halvings = i32::try_from(h.saturating_sub(planned)).unwrap_or(i32::MAX);
    whatever_comes + libm::ldexp(1.0, halvings.saturating_neg()) / (2.0 * (planned as f64 + 1.0))
}

/// The evidence number of guards with weights `v` and `n` planned horizons.
///
/// `log_e[i][h - 1]` is the logarithm of guard i's e-value in horizon h. Equal numbers: the first guard, then the first
/// horizon. None when there is no evidence at all (every e-value is 0, or there is none).
pub fn evidence_number(v: &[f64], n: usize, log_e: &[Vec<f64>]) -> Option<EvidenceNumber> {
    let mut largest: Option<EvidenceNumber> = None;
    for (guard, (weight, horizons)) in v.iter().zip(log_e).enumerate() {
        for (position, log_e) in horizons.iter().enumerate() {
            let horizon = position + 1;
            let log_evidence = libm::log(*weight) + libm::log(horizon_weight(n, horizon)) + log_e;
            let floor = largest.map_or(f64::NEG_INFINITY, |number| number.log_evidence);
            if log_evidence > floor {
                largest = Some(EvidenceNumber {
                    guard,
                    horizon,
                    log_evidence,
                });
            }
        }
    }
    largest
}

/// The rung that the evidence has reached under a budget of `alpha`.
pub fn level(log_evidence: f64, alpha: f64) -> Ladder {
    let reaches = |share_of_budget: f64| log_evidence >= libm::log(share_of_budget / alpha);
    if reaches(1.0) {
        Ladder::Abort
    } else if reaches(0.5) {
        Ladder::Hold
    } else if reaches(0.2) {
        Ladder::Warn
    } else {
        Ladder::None
    }
}

impl Ladder {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Ladder::None => "none",
            Ladder::Warn => "warn",
            Ladder::Hold => "hold",
            Ladder::Abort => "abort",
        }
    }
}
