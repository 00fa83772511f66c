//! How far beyond its limit treatment is, and how sure that is, from the strata of one stage visit (guard.md 4c).
//!
//! Arms are compared within a stratum only; the strata are then weighed by treatment's traffic in them. The variance is
//! taken at the limit, and few buckets make it less sure: the score is the normal one of a t with `freedom` degrees
//! (Wallace 1959). When an estimate may be believed at all is left to [`super::robust`] and [`super::certify`].

use super::arm::{Arm, Buckets};
use super::limit::{Limit, Rule, Side};
use super::mixture;

/// The arms of one stratum, summed over a stage visit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stratum {
    /// The arm that is rolled out.
    pub treatment: Buckets,
    /// The arm that it is compared with, live or captured; none at 100 %.
    pub control: Option<Buckets>,
}

/// What the strata say of one rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// R0: the rate that treatment would have exactly at the limit.
    pub at_limit: f64,
    /// d: how far treatment is beyond the limit; negative within it.
    pub difference: f64,
    /// V: the variance of d at the limit.
    pub variance: f64,
    /// nu: the degrees of freedom of V (Welch, Satterthwaite).
    pub freedom: f64,
    /// z: the normal score of d; 0 within the limit.
    pub score: f64,
    /// Treatment, with the buckets of the used strata added.
    pub treatment: Arm,
    /// Control, likewise; none for absolute limits.
    pub control: Option<Arm>,
}

/// Below this an arm's buckets say nothing of its variance.
const FEWEST_BUCKETS: f64 = 2.0;

/// A stratum that can be used.
struct Used<'a> {
    treatment: (Arm, &'a Buckets),
    control: Option<(Arm, &'a Buckets)>,
}

impl Estimate {
    /// The estimate from these strata, in the order given; none if no stratum can be used.
    ///
    /// `beyond` is the side that counts as beyond: the rule's own for harm, the other one for safety. A stratum without
    /// a control (relative limits) or with m < 2 in an arm is left out.
    pub fn of(rule: &Rule, beyond: Side, strata: &[Stratum]) -> Option<Estimate> {
        let used: Vec<Used> = strata.iter().filter_map(|stratum| used(rule, stratum)).collect();
        let treated: f64 = used.iter().map(|stratum| stratum.treatment.0.den).sum();
        if used.is_empty() {
            return None;
        }
        let (mut at_limit, mut difference, mut variance, mut uncertainty) = (0.0, 0.0, 0.0, 0.0);
        for stratum in &used {
            let treatment = stratum.treatment.0;
            let share = treatment.den / treated;
            let mut add = |arm: &Arm, at_limit: f64, factor: f64| {
                let term = share * share * factor * factor * arm.variance_at(at_limit, rule.kind);
                variance += term;
                uncertainty += term * term / (arm.effective - 1.0);
            };
            let (limit, allowed) = match (rule.limit, stratum.control) {
                (Limit::Relative(rho), Some((control, _))) => {
                    // Both arms together, were treatment exactly rho times control.
                    let of_control = (treatment.num + control.num) / (rho * treatment.den + control.den);
                    add(&treatment, rho * of_control, 1.0);
                    add(&control, of_control, rho);
                    (rho * of_control, rho * control.rate())
                }
                // Without a control a stratum is used for absolute limits alone.
                (Limit::Absolute(limit) | Limit::Relative(limit), _) => {
                    add(&treatment, limit, 1.0);
                    (limit, limit)
                }
            };
            at_limit += share * limit;
            difference += share * (treatment.rate() - allowed);
        }
        let difference = beyond.sign() * difference;
        let freedom = variance * variance / uncertainty;
        Some(Estimate {
            at_limit,
            difference,
            variance,
            freedom,
            score: score(difference, variance, freedom),
            treatment: gathered(rule, used.iter().map(|stratum| stratum.treatment.1)),
            control: match rule.limit {
                Limit::Absolute(_) => None,
                Limit::Relative(_) => Some(gathered(
                    rule,
                    used.iter().filter_map(|stratum| Some(stratum.control?.1)),
                )),
            },
        })
    }

    /// Whether treatment is beyond the limit, as far as anybody can tell.
    pub fn is_beyond(&self) -> bool {
        self.difference > 0.0
    }

    /// ln of the e-value against "treatment is within the limit"; minus infinity while the estimate is within it.
    pub fn log_e(&self) -> f64 {
        if self.is_beyond() {
            mixture::log_e(self.score, self.variance, self.at_limit)
        } else {
            f64::NEG_INFINITY
        }
    }
}

/// The stratum with its arms, if it can be used for this rule.
fn used<'a>(rule: &Rule, stratum: &'a Stratum) -> Option<Used<'a>> {
    let arm = |buckets: &'a Buckets| {
        let arm = Arm::of(buckets, rule.kind);
        (arm.effective >= FEWEST_BUCKETS).then_some((arm, buckets))
    };
    let treatment = arm(&stratum.treatment)?;
    let control = match rule.limit {
        Limit::Absolute(_) => None,
        Limit::Relative(_) => Some(arm(stratum.control.as_ref()?)?),
    };
    Some(Used { treatment, control })
}

/// z = (8 nu + 1) / (8 nu + 3) sqrt(nu ln(1 + d^2 / (V nu))), 0 unless d > 0.
fn score(difference: f64, variance: f64, freedom: f64) -> f64 {
    if difference > 0.0 && variance > 0.0 {
        let spread = libm::log1p(difference * difference / (variance * freedom));
        (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0) * libm::sqrt(freedom * spread)
    } else {
        0.0
    }
}

fn gathered<'a>(rule: &Rule, strata: impl Iterator<Item = &'a Buckets>) -> Arm {
    let mut all = Buckets::new();
    strata.for_each(|buckets| all.merge(buckets));
    Arm::of(&all, rule.kind)
}
