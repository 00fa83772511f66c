//! One budget for all guards and horizons, and the ladder that it is spent on (guard.md 5).
//!
//! Guards and horizons have weights that sum to 1 and are frozen at the start; the evidence number is the largest
//! weighted e-value. A union bound holds under any dependence, needs nothing to be known beforehand about how metrics
//! move together, and names its culprit. Guards that may only warn or hold have budgets of their own and never feed the
//! abort. Latching the first crossing is left to the store.

use crate::Level;

/// The largest weighted e-value, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvidenceNumber {
    /// Position of the guard among those that were weighed.
    pub guard: usize,
    /// The horizon, from 1.
    pub horizon: usize,
    /// Natural logarithm of the number.
    pub log_evidence: f64,
    /// What its test takes for granted is in doubt: whatever its size, it holds at most.
    pub is_doubted: bool,
}

/// One guard of several, and what its test says.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardEvidence {
    /// The most that it may do.
    pub level: Level,
    /// Its weight within its level ([`guard_weights`]).
    pub weight: f64,
    /// How many horizons are planned for its test: days cut from visits (4a), or visits (4b, 4c).
    pub planned: usize,
    /// ln of its e-value by horizon, from horizon 1 on.
    pub log_e: Vec<f64>,
    /// By horizon, whether what the test takes for granted is in doubt; what is not there is not.
    pub doubted: Vec<bool>,
}

/// The evidence numbers of all levels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Standing {
    /// Of guards that may warn.
    pub warn: Option<EvidenceNumber>,
    /// Of guards that may hold, and what is in doubt of those that may abort.
    pub hold: Option<EvidenceNumber>,
    /// Of guards that may abort. This one alone ever aborts.
    pub abort: Option<EvidenceNumber>,
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
    let guards = v.iter().zip(log_e).enumerate();
    let weighed = guards.map(|(guard, (weight, log_e))| Weighed {
        guard,
        weight: *weight,
        planned: n,
        log_e,
        doubted: &[],
    });
    largest(weighed, |_, _| true)
}

/// The weights of guards within their levels: equal unless given, then normalised, so that each level's sum to 1.
///
/// Frozen at the start. A guard without a weight of its own counts as 1; one of no weight at all (0, negative, or no
/// number) is never heard.
pub fn guard_weights(guards: &[(Level, Option<f64>)]) -> Vec<f64> {
    let given = |weight: Option<f64>| weight.map_or(1.0, |weight| weight.max(0.0));
    let total = |level: Level| {
        let of_level = guards.iter().filter(|(other, _)| *other == level);
        of_level.map(|(_, weight)| given(*weight)).sum::<f64>()
    };
    let weight = |(level, weight): &(Level, Option<f64>)| match given(*weight) {
        weight if weight > 0.0 => weight / total(*level),
        _ => 0.0,
    };
    guards.iter().map(weight).collect()
}

/// The evidence number of each level: of those guards alone that may do no more.
///
/// An e-value of a guard that does not speak yet is 0, its logarithm minus infinity. Positions in the numbers are those
/// in `guards`.
pub fn standing(guards: &[GuardEvidence]) -> Standing {
    let of = |counts: &dyn Fn(Level, bool) -> bool| {
        let each = guards.iter().enumerate().map(GuardEvidence::weighed);
        largest(each, |guard, is_doubted| counts(guards[guard].level, is_doubted))
    };
    Standing {
        warn: of(&|level, _| level == Level::Warn),
        hold: of(&|level, is_doubted| level == Level::Hold || (level == Level::Abort && is_doubted)),
        abort: of(&|level, is_doubted| level == Level::Abort && !is_doubted),
    }
}

/// The evidence number of each guard by itself, where one speaks.
pub fn numbers(guards: &[GuardEvidence]) -> Vec<EvidenceNumber> {
    let each = guards.iter().enumerate().map(GuardEvidence::weighed);
    each.filter_map(|guard| largest(std::iter::once(guard), |_, _| true))
        .collect()
}

/// A guard's e-values and its place in the budget.
struct Weighed<'a> {
    guard: usize,
    weight: f64,
    planned: usize,
    log_e: &'a [f64],
    doubted: &'a [bool],
}

impl GuardEvidence {
    fn weighed((guard, evidence): (usize, &GuardEvidence)) -> Weighed<'_> {
        Weighed {
            guard,
            weight: evidence.weight,
            planned: evidence.planned,
            log_e: &evidence.log_e,
            doubted: &evidence.doubted,
        }
    }
}

/// The largest of those that count (by the guard, and whether it is in doubt).
fn largest<'a>(
    guards: impl Iterator<Item = Weighed<'a>>,
    counts: impl Fn(usize, bool) -> bool,
) -> Option<EvidenceNumber> {
    let mut largest: Option<EvidenceNumber> = None;
    for Weighed {
        guard,
        weight,
        planned,
        log_e,
        doubted,
    } in guards
    {
        for (position, log_e) in log_e.iter().enumerate() {
            let is_doubted = doubted.get(position).copied().unwrap_or(false);
            if !counts(guard, is_doubted) {
                continue;
            }
            let horizon = position + 1;
            let log_evidence = libm::log(weight) + libm::log(horizon_weight(planned, horizon)) + log_e;
            let floor = largest.map_or(f64::NEG_INFINITY, |number| number.log_evidence);
            if log_evidence > floor {
                largest = Some(EvidenceNumber {
                    guard,
                    horizon,
                    log_evidence,
                    is_doubted,
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

impl Standing {
    /// The highest rung that any level has reached under budgets of `alpha`, and the number that did. Equal rungs: the
    /// level that may do more. None below the first rung.
    pub fn culprit(&self, alpha: f64) -> Option<(Ladder, EvidenceNumber)> {
        let mut highest: Option<(Ladder, EvidenceNumber)> = None;
        for (most, number) in [
            (Level::Abort, self.abort),
            (Level::Hold, self.hold),
            (Level::Warn, self.warn),
        ] {
            let Some(number) = number else { continue };
            let rung = level(number.log_evidence, alpha).min(most.cap());
            if rung > highest.map_or(Ladder::None, |(rung, _)| rung) {
                highest = Some((rung, number));
            }
        }
        highest
    }

    /// The highest rung that any level has reached.
    pub fn ladder(&self, alpha: f64) -> Ladder {
        self.culprit(alpha).map_or(Ladder::None, |(rung, _)| rung)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(level: Level, log_e: &[f64]) -> GuardEvidence {
        GuardEvidence {
            level,
            weight: 1.0,
            planned: 1,
            log_e: log_e.to_vec(),
            doubted: Vec::new(),
        }
    }

    #[test]
    fn weights_of_each_level_sum_to_one() {
        use Level::{Abort, Hold, Warn};
        let guards = [
            (Abort, None),
            (Hold, Some(5.0)),
            (Abort, Some(3.0)),
            (Abort, Some(0.0)),
            (Warn, None),
            (Warn, None),
            (Abort, Some(f64::NAN)),
        ];
        assert_eq!(guard_weights(&guards), [0.25, 1.0, 0.75, 0.0, 0.5, 0.5, 0.0]);
        assert_eq!(guard_weights(&[(Hold, Some(-1.0))]), [0.0]);
    }

    #[test]
    fn guards_that_only_warn_or_hold_never_abort() {
        let standing = standing(&[
            guard(Level::Warn, &[500.0]),
            guard(Level::Hold, &[400.0]),
            guard(Level::Abort, &[3.8, 1.0]),
        ]);
        assert_eq!(standing.abort.map(|number| number.guard), Some(2));
        let (rung, culprit) = standing.culprit(0.01).unwrap();
        assert_eq!((rung, culprit.guard, culprit.horizon), (Ladder::Hold, 1, 1));
        assert_eq!(Standing { hold: None, ..standing }.culprit(0.01).unwrap().1.guard, 2);
        assert_eq!(Standing::default().ladder(0.01), Ladder::None);
    }

    #[test]
    fn what_is_in_doubt_holds_and_leaves_the_abort_to_what_is_not() {
        let doubted = |log_e: &[f64], doubted: &[bool]| GuardEvidence {
            doubted: doubted.to_vec(),
            ..guard(Level::Abort, log_e)
        };
        let in_doubt = standing(&[doubted(&[500.0, 1.0], &[true, false])]);
        assert_eq!(in_doubt.ladder(0.01), Ladder::Hold);
        assert_eq!(in_doubt.abort.map(|number| number.horizon), Some(2));
        assert!(in_doubt.hold.is_some_and(|number| number.is_doubted));
        let sure = standing(&[doubted(&[500.0, 400.0], &[true, false])]);
        assert_eq!(sure.ladder(0.01), Ladder::Abort, "another horizon is in no doubt");
        assert_eq!(numbers(&[doubted(&[500.0], &[true])]).len(), 1);
    }

    #[test]
    fn a_guard_that_does_not_speak_yet_says_nothing() {
        let standing = standing(&[guard(Level::Abort, &[f64::NEG_INFINITY]), guard(Level::Abort, &[])]);
        assert_eq!(standing.abort, None);
    }
}
