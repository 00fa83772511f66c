//! When there will be a verdict on a guard, at the present pace.
//!
//! Where the evidence grows: when it will have reached the level of the guard, if it goes on as it has since its horizon
//! began. Where it does not: when twice the limit would have been found, by the arithmetic of costs ([`crate::cost`]) and
//! the outcomes that came so far. Nothing where neither can be said.

use super::{Compared, Found, Look, Shown};
use crate::{
    DAY_US, Level, Micros, Unit,
    cost::{
        Harm, Price, Samples, Test as Cost,
        means::{self, Shift},
        samples,
    },
    evidence::{
        budget::horizon_weight,
        limit::{Kind, Limit, Side},
    },
    guards::Test,
};

/// The harm that is told of where there is none: twice the limit, or half of it.
const TWICE: f64 = 2.0;
/// What takes longer is not told.
const LONGEST_US: Micros = 365 * DAY_US;

/// A time ahead, and what it is until.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Eta {
    /// How long it takes from now on; 0: it is so already.
    pub left_us: Micros,
    /// Until what.
    pub until: Until,
}

/// What a time ahead is until.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The evidence has reached the guard's level.
    Level(Level),
    /// A harm of twice the limit would have been found.
    Sensitive,
}

impl Until {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Level(level) => level.name(),
            Self::Sensitive => "sensitive",
        }
    }
}

/// When there will be a verdict on a guard that compares; none if nobody can say.
pub(super) fn eta(look: &Look<'_>, found: Found<'_>, compared: &Compared, shown: &Shown) -> Option<Eta> {
    if !look.state.is_live() {
        return None;
    }
    let grown = growth(look, found).and_then(|growth| growth.left_us());
    if let Some(left_us) = grown {
        return Some(Eta {
            left_us,
            until: Until::Level(found.level),
        });
    }
    let samples = twice(look, found, compared, shown)?;
    let elapsed_us = look.now.saturating_sub(look.state.visits.last()?.entered_at_us);
    let left = (samples.ours - shown.treatment_outcomes as f64).max(0.0);
    Some(Eta {
        left_us: paced(left, shown.treatment_outcomes as f64, elapsed_us)?,
        until: Until::Sensitive,
    })
}

/// How the evidence of the present horizon has grown.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Growth {
    /// ln of the e-value by now; it began at 0.
    log_e: f64,
    /// What it must be.
    goal: f64,
    /// Since it began.
    elapsed_us: Micros,
}

impl Growth {
    /// How long it takes to the goal at this pace; none if it does not grow, or is there.
    fn left_us(&self) -> Option<Micros> {
        let grows = self.log_e > 0.0 && self.log_e < self.goal;
        grows.then(|| paced(self.goal - self.log_e, self.log_e, self.elapsed_us))?
    }
}

fn growth(look: &Look<'_>, found: Found<'_>) -> Option<Growth> {
    let finding = found.finding?;
    let is_split = finding
        .tests
        .is_ok_and(|tests| matches!(tests.live, Some(Test::Split { .. })));
    let began_us = if is_split {
        look.state.horizons.last()?.started_at_us
    } else {
        look.state.visits.last()?.entered_at_us
    };
    let price = price(look, found)?;
    Some(Growth {
        log_e: finding.log_e.last().copied()?,
        goal: price.whole()?,
        elapsed_us: look.now.saturating_sub(began_us),
    })
}

/// What the level of the guard costs in the present horizon.
fn price(look: &Look<'_>, found: Found<'_>) -> Option<Price> {
    let finding = found.finding?;
    let part = match found.level {
        Level::Warn => 0.2,
        Level::Hold => 0.5,
        Level::Abort => 1.0,
    };
    let price = Price {
        alpha: look.plan.alpha / part,
        guard_weight: finding.weight,
        horizon_weight: horizon_weight(finding.planned, finding.log_e.len().max(1)),
    };
    price.whole().map(|_| price)
}

/// How long something takes of which so much came in a time; none if nothing came, or it takes too long to tell.
fn paced(left: f64, came: f64, elapsed_us: Micros) -> Option<Micros> {
    let time_us = left / came * elapsed_us as f64;
    (came > 0.0 && elapsed_us > 0 && time_us.is_finite() && time_us <= LONGEST_US as f64).then_some(time_us as Micros)
}

/// Outcomes of treatment by which a harm of twice the limit would have been found.
fn twice(look: &Look<'_>, found: Found<'_>, compared: &Compared, shown: &Shown) -> Option<Samples> {
    let price = price(look, found)?;
    let share = look.plan.wanted(look.state.stage).fraction();
    let test = match (shown.test, compared.rule.limit) {
        // What a captured baseline is unsure of is not in the arithmetic of costs.
        ("robust", _) if compared.is_of_baseline => Cost::Absolute,
        ("robust", Limit::Absolute(_)) => Cost::Absolute,
        ("robust", Limit::Relative(_)) => Cost::Robust { share },
        _ => match look.plan.unit {
            Unit::Unit => Cost::Unit { share },
            Unit::Request => Cost::Request {
                share,
                max_control_rate: look.plan.max_control_rate,
            },
        },
    };
    let limit = match compared.rule.limit {
        Limit::Absolute(limit) => limit,
        Limit::Relative(_) if compared.is_of_baseline => shown.limit?,
        Limit::Relative(ratio) => ratio * shown.control?,
    };
    match (compared.rule.kind, compared.rule.harm) {
        (Kind::Rate, Side::Above) => {
            let harm = Harm {
                base: shown.control.unwrap_or(limit),
                limit,
                times: TWICE,
            };
            (harm.rate() < 1.0).then(|| samples::detect(test, harm, price))?
        }
        (Kind::Rate, Side::Below) => {
            let variation = libm::sqrt((1.0 - limit).max(0.0) / limit);
            let times = 1.0 / TWICE;
            means::detect(test, Shift { times, variation }, price)
        }
        (Kind::Mean, side) => {
            let arm = compared.treated();
            let variation = libm::sqrt(arm.variance * arm.den) / arm.rate().abs();
            let times = if side == Side::Above { TWICE } else { 1.0 / TWICE };
            means::detect(test, Shift { times, variation }, price)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = 3_600_000_000;

    fn left(log_e: f64, elapsed_us: Micros) -> Option<Micros> {
        let growth = Growth {
            log_e,
            goal: 6.0,
            elapsed_us,
        };
        growth.left_us()
    }

    #[test]
    fn evidence_that_grows_gets_there_as_fast_as_it_came() {
        assert_eq!(left(2.0, HOUR), Some(2 * HOUR));
        assert_eq!(left(5.0, 5 * HOUR), Some(HOUR));
    }

    #[test]
    fn evidence_that_does_not_grow_gets_nowhere() {
        for (log_e, elapsed_us) in [
            (0.0, HOUR),
            (-3.0, HOUR),
            (f64::NEG_INFINITY, HOUR),
            (f64::NAN, HOUR),
            (6.0, HOUR),
            (2.0, 0),
            (1e-9, HOUR),
        ] {
            assert_eq!(left(log_e, elapsed_us), None, "{log_e} {elapsed_us}");
        }
    }
}
