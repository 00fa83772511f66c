//! Whether a comparison is true of point estimates.
//!
//! An estimate is what was counted so far, without a word on how sure it is: good for showing and for gates that only
//! observe. No data is no answer, never a good one. A number is compared as it is; how sure one may be is left to
//! [`evidence`](crate::evidence).

use super::{Base, Comparison, Limit, Number, Relation, Written};

/// The parts of the base unit in which fixed numbers are exact.
const PARTS: i128 = 100_000_000;
/// How far a metric may be from control at parity, as a part of control.
const PARITY: f64 = 0.05;

/// One metric as measured, each in the base unit of what it measures: a part of 1, microseconds, whole units of money,
/// bytes, a plain number. Nothing where there is no data.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimates {
    /// In the treatment arm, or in all that is watched where there are no arms.
    pub treatment: Option<f64>,
    /// In the control arm, live.
    pub control: Option<f64>,
    /// As it was before; the caller gives the one that the comparison asks for, same hour or not.
    pub baseline: Option<f64>,
}

/// Whether the comparison is true; none without data.
pub fn holds(comparison: &Comparison, estimates: &Estimates) -> Option<bool> {
    let treatment = measured(estimates.treatment)?;
    let bound = bound(&comparison.limit, estimates)?;
    Some(match comparison.relation {
        Relation::Below => treatment < bound,
        Relation::AtMost => treatment <= bound,
        Relation::Above => treatment > bound,
        Relation::AtLeast => treatment >= bound,
    })
}

/// Whether a metric is within 5 % of control; none without data.
pub fn parity(estimates: &Estimates) -> Option<bool> {
    let treatment = measured(estimates.treatment)?;
    let control = measured(estimates.control)?;
    Some((treatment - control).abs() <= PARITY * control.abs())
}

/// The limit as a number in the base unit, where it needs no estimate.
pub(super) fn fixed_bound(limit: &Limit) -> Option<f64> {
    bound(limit, &Estimates::default())
}

fn bound(limit: &Limit, estimates: &Estimates) -> Option<f64> {
    match *limit {
        Limit::Absolute(number) => Some(number.as_f64()),
        Limit::Times { base, factor } => match base {
            Base::Fixed(number) => Some(multiple(number, i128::from(factor.millionths()) * 100)),
            Base::Control | Base::Baseline | Base::BaselineSameHour => Some(live(base, estimates)? * factor.as_f64()),
        },
        Limit::Plus { base, add } => match (base, add.written == Written::Percent) {
            (Base::Fixed(number), true) => Some(multiple(number, PARTS + add.parts())),
            (Base::Fixed(number), false) => Some((number.parts() + add.parts()) as f64 / PARTS as f64),
            (live_base, true) => Some(live(live_base, estimates)? * (1.0 + add.as_f64())),
            (live_base, false) => Some(live(live_base, estimates)? + add.as_f64()),
        },
    }
}

/// A base as measured.
fn live(base: Base, estimates: &Estimates) -> Option<f64> {
    match base {
        Base::Control => measured(estimates.control),
        Base::Baseline | Base::BaselineSameHour => measured(estimates.baseline),
        Base::Fixed(number) => Some(number.as_f64()),
    }
}

/// A fixed number times so many hundred-millionths: exact where whole parts come out, so that `890 ms + 10 %` is 979 ms.
fn multiple(number: Number, factor: i128) -> f64 {
    let product = number.parts().checked_mul(factor);
    match product {
        Some(product) if product % PARTS == 0 => (product / PARTS) as f64 / PARTS as f64,
        Some(_) | None => number.as_f64() * (factor as f64 / PARTS as f64),
    }
}

fn measured(estimate: Option<f64>) -> Option<f64> {
    estimate.filter(|value| value.is_finite())
}
