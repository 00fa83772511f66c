//! Proof of safety: the tests of harm, turned round (guard.md 6).
//!
//! The hypothesis is now "treatment is at or beyond the limit"; evidence against it says SAFE once it reaches 1/beta,
//! where beta is split over the plan's certifying gates. Not being found harmful is no proof, so a gate may find
//! neither: it extends, then holds for a person. A plan's own minimum samples are left to the gate.

use std::sync::LazyLock;

use super::budget::Ladder;
use super::estimate::{Estimate, Stratum};
use super::grid::{SIZE, log_spaced};
use super::limit::{Kind, Rule, Side};
use super::request::{BatchCounts, Onset};
use super::robust::{FEWEST_BAD, FEWEST_EFFECTIVE, FEWEST_OUTCOMES};

/// Units from which an arm can be certified.
pub const FEWEST_UNITS: u64 = 1_000;
/// How many units a sampled position stands for.
pub const UNITS_PER_SAMPLE: u64 = 64;

static GRID: LazyLock<[f64; SIZE]> = LazyLock::new(|| log_spaced(0.1, 0.8));

/// The sampled positions of both arms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampledUnits {
    /// Sampled positions that were exposed to treatment.
    pub treatment: u64,
    /// Sampled positions that were exposed to control.
    pub control: u64,
}

/// What the proof says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Certification {
    /// No stratum can be compared.
    Silent,
    /// Too little data for a proof to count.
    Early(Estimate),
    /// Enough data, and not (yet) a proof.
    Unproven(Estimate),
    /// Proven to be within the limit.
    Safe(Estimate),
}

/// What a gate does that needs a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outlook {
    /// The stage may be left.
    Proceed,
    /// Neither harmful nor safe: the stage goes on.
    Extend,
    /// Neither, and the stage has been extended enough; or not safe to go on with. A person decides.
    HoldForPerson,
}

/// The share of beta that each of the plan's certifying gates may spend.
pub fn share_of(beta: f64, certifying_gates: usize) -> f64 {
    beta / certifying_gates.max(1) as f64
}

/// Asks for the proof, of this share of beta, that treatment is within the limit.
pub fn certify(rule: &Rule, strata: &[Stratum], units: SampledUnits, beta: f64) -> Certification {
    match Estimate::of(rule, rule.harm.turned(), strata) {
        None => Certification::Silent,
        Some(estimate) if !speaks(rule, &estimate, units) => Certification::Early(estimate),
        Some(estimate) if is_proof(estimate.log_e(), beta) => Certification::Safe(estimate),
        Some(estimate) => Certification::Unproven(estimate),
    }
}

/// Whether evidence of safety is a proof under this share of beta.
pub fn is_proof(log_e: f64, beta: f64) -> bool {
    log_e >= -libm::log(beta)
}

/// What a gate with a proof does, given what the evidence of harm says and how often it may still extend.
pub fn outlook(harm: Ladder, is_safe: bool, extensions_left: u32) -> Outlook {
    match harm {
        Ladder::None if is_safe => Outlook::Proceed,
        Ladder::None | Ladder::Warn if extensions_left > 0 => Outlook::Extend,
        Ladder::None | Ladder::Warn | Ladder::Hold | Ladder::Abort => Outlook::HoldForPerson,
    }
}

/// The ratios of the request test turned round, ascending: sixteen from 0.1 to 0.8, evenly spaced in their logarithms.
pub fn grid() -> [f64; SIZE] {
    *GRID
}

/// The odds ratio that a ratio of at least `rho` between the rates cannot fall below while control's rate is at most
/// `p`: min(rho, rho (1 - p) / (1 - rho p)).
pub fn w0(rho: f64, p: f64) -> f64 {
    if rho * p >= 1.0 {
        return rho;
    }
    rho.min(rho * (1.0 - p) / (1.0 - rho * p))
}

/// Takes a batch of a request split into the proof, given as its strata; as [`Onset::update`], always by the exact
/// form. `w0` is [`w0`]'s. [`Onset::log_e`] then says how strong the proof is.
pub fn update(onset: &mut Onset, planned: u64, strata: &[BatchCounts], w0: f64) {
    onset.update_exactly(planned, strata, w0, &grid());
}

/// Whether there is enough data: 50 bad outcomes *expected* of treatment at the limit, 50 seen in control, 1,000 units
/// an arm, m >= 4 in each.
///
/// Means have no bad outcomes; they need their 1,000 outcomes in each arm. Where harm is a rate below its limit, the
/// counted outcomes are the good ones, and bad is what is left of them.
fn speaks(rule: &Rule, estimate: &Estimate, units: SampledUnits) -> bool {
    let (treatment, control) = (estimate.treatment, estimate.control);
    let is_enough = |sampled: u64| sampled.saturating_mul(UNITS_PER_SAMPLE) >= FEWEST_UNITS;
    let has_outcomes = match (rule.kind, rule.harm) {
        (Kind::Rate, Side::Above) => {
            estimate.at_limit * treatment.den >= FEWEST_BAD && control.is_none_or(|arm| arm.num >= FEWEST_BAD)
        }
        (Kind::Rate, Side::Below) => {
            (1.0 - estimate.at_limit) * treatment.den >= FEWEST_BAD
                && control.is_none_or(|arm| arm.den - arm.num >= FEWEST_BAD)
        }
        (Kind::Mean, Side::Above | Side::Below) => {
            treatment.den >= FEWEST_OUTCOMES && control.is_none_or(|arm| arm.den >= FEWEST_OUTCOMES)
        }
    };
    has_outcomes
        && is_enough(units.treatment)
        && treatment.effective >= FEWEST_EFFECTIVE
        && control.is_none_or(|arm| is_enough(units.control) && arm.effective >= FEWEST_EFFECTIVE)
}
