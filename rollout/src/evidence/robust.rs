//! Anything that is neither a rate under a split nor a count: absolute limits, means, money, exceedances (guard.md 4c).
//!
//! The test is asymptotic, so it speaks only from enough data on. Before that an estimate beyond the limit holds at
//! most: a stage does not pass on it, and nothing is aborted for it. The evidence is of a whole stage visit.

use super::budget::Ladder;
use super::limit::Kind;

pub use super::arm::{Arm, BUCKETS, Buckets};
pub use super::estimate::{Estimate, Stratum};
pub use super::limit::{Limit, Rule, Side};

/// Bad outcomes from which a rate speaks, over the arms that it uses.
pub const FEWEST_BAD: f64 = 50.0;
/// Outcomes from which a mean speaks, in each arm that it uses.
pub const FEWEST_OUTCOMES: f64 = 1_000.0;
/// Buckets that really speak (m), in each arm that is used.
pub const FEWEST_EFFECTIVE: f64 = 4.0;

/// What the test says of one rule in one stage visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Finding {
    /// No stratum can be compared.
    Silent,
    /// There is an estimate, and too little data to believe it.
    Early(Estimate),
    /// The e-value counts.
    Speaks(Estimate),
}

/// Asks the test.
pub fn judge(rule: &Rule, strata: &[Stratum]) -> Finding {
    match Estimate::of(rule, rule.harm, strata) {
        None => Finding::Silent,
        Some(estimate) if speaks(rule, &estimate) => Finding::Speaks(estimate),
        Some(estimate) => Finding::Early(estimate),
    }
}

impl Finding {
    /// ln of the e-value as it enters the budget; none before the test speaks.
    pub fn log_e(&self) -> Option<f64> {
        match self {
            Finding::Silent | Finding::Early(_) => None,
            Finding::Speaks(estimate) => Some(estimate.log_e()),
        }
    }

    /// What the bare estimate is good for before the test speaks: to hold, if it is beyond the limit.
    pub fn early(&self) -> Ladder {
        match self {
            Finding::Early(estimate) if estimate.is_beyond() => Ladder::Hold,
            Finding::Silent | Finding::Early(_) | Finding::Speaks(_) => Ladder::None,
        }
    }

    /// The estimate, if there is one.
    pub fn estimate(&self) -> Option<&Estimate> {
        match self {
            Finding::Silent => None,
            Finding::Early(estimate) | Finding::Speaks(estimate) => Some(estimate),
        }
    }
}

/// Whether there is enough data: 50 bad outcomes over both arms (absolute: of treatment) for rates, 1,000 outcomes in
/// each used arm for means, and m >= 4 in each used arm.
///
/// Where harm is a rate below its limit, the counted outcomes are the good ones: bad is what is left of them. As in
/// certification, whose side this is, 50 good ones are also to be *expected* at the limit; counting those seen would
/// keep silent about a treatment under which nothing succeeds.
fn speaks(rule: &Rule, estimate: &Estimate) -> bool {
    let arms = [Some(estimate.treatment), estimate.control];
    let arms = || arms.iter().flatten();
    let has_enough = match (rule.kind, rule.harm) {
        (Kind::Rate, Side::Above) => arms().map(|arm| arm.num).sum::<f64>() >= FEWEST_BAD,
        (Kind::Rate, Side::Below) => {
            arms().map(|arm| arm.den - arm.num).sum::<f64>() >= FEWEST_BAD
                && estimate.at_limit * estimate.treatment.den >= FEWEST_BAD
        }
        (Kind::Mean, Side::Above | Side::Below) => arms().all(|arm| arm.den >= FEWEST_OUTCOMES),
    };
    has_enough && arms().all(|arm| arm.effective >= FEWEST_EFFECTIVE)
}
