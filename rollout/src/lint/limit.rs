//! A written limit as the arithmetic of costs needs it: which test judges it in a stage, from what base rate, at what
//! price.
//!
//! Guard.md 10 says which test that is. What is relative to a baseline is judged like a number by itself, with the
//! plan's own value; one by the hour only where nobody has the control, else control lives in the same hours. A quantile
//! is a rate: of the outcomes that are slower than the limit, 1 - q are allowed, and "twice the limit" means twice as
//! many.

use super::Unknown;
use crate::{
    Guard, Level, Plan, Share, Unit,
    catalogue::Kind,
    cost::{Price, Test},
    criterion::{Base, Comparison, Criterion, Limit, Number, Relation, Written},
    plan::begun_days,
};

/// A limit of the plan, and where it is judged.
#[derive(Debug)]
pub(super) struct Limited<'a> {
    pub(super) written: &'a Comparison,
    /// Whether harm is above the limit; else it is below.
    pub(super) is_upper: bool,
    /// The stage that it belongs to; none: all.
    pub(super) stage: Option<usize>,
    /// Its part of the budget.
    weight: f64,
}

/// What judges a rate in a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) test: Test,
    /// The true rate if there is no harm, where it is known.
    pub(super) base: Option<f64>,
    /// The limit as a rate.
    pub(super) limit: f64,
}

/// Guards first, then the criteria of the stages.
pub(super) fn all(plan: &Plan) -> Vec<Limited<'_>> {
    let guards = plan.guards.iter().map(|guard| Limited {
        written: &guard.harm,
        is_upper: is_above(guard.harm.relation),
        stage: None,
        weight: weight(plan, guard),
    });
    let equal = 1.0
        / plan
            .guards
            .iter()
            .filter(|guard| guard.level == Level::Abort)
            .count()
            .max(1) as f64;
    let criteria = plan.stages.iter().enumerate().flat_map(move |(position, stage)| {
        // What must hold to proceed is broken on its other side.
        let success = stage.success.iter().map(|written| (written, false));
        let all = success.chain(stage.rollback.iter().map(|written| (written, true)));
        all.filter_map(move |(written, is_harm)| match written {
            Criterion::Compare(written) => Some(Limited {
                written,
                is_upper: is_above(written.relation) == is_harm,
                stage: Some(position),
                weight: equal,
            }),
            Criterion::Stable | Criterion::Parity => None,
        })
    });
    guards.chain(criteria).collect()
}

/// Guards of a level share the budget among themselves.
fn weight(plan: &Plan, guard: &Guard) -> f64 {
    let same = plan.guards.iter().filter(|other| other.level == guard.level);
    guard.weight / same.map(|other| other.weight).sum::<f64>()
}

fn is_above(relation: Relation) -> bool {
    match relation {
        Relation::Above | Relation::AtLeast => true,
        Relation::Below | Relation::AtMost => false,
    }
}

/// The multiple of the live control that a comparison is about; none: another limit.
pub(super) fn ratio_to_control(written: &Comparison) -> Option<f64> {
    match &written.limit {
        Limit::Times {
            base: Base::Control,
            factor,
        } => Some(factor.as_f64()),
        Limit::Times { .. } | Limit::Absolute(_) | Limit::Plus { .. } => None,
    }
}

/// A limit as a number in the metric's unit, with the baseline that the plan writes; none: it is relative to the live
/// control, or to a baseline that is not written.
pub(super) fn fixed(plan: &Plan, written: &Comparison) -> Option<f64> {
    let of = |base: Base| match base {
        Base::Control => None,
        // By the hour it is the value of all hours together.
        Base::Baseline | Base::BaselineSameHour => baseline(plan, written),
        Base::Fixed(number) => Some(number.as_f64()),
    };
    match written.limit {
        Limit::Absolute(number) => Some(number.as_f64()),
        Limit::Times { base, factor } => Some(of(base)? * factor.as_f64()),
        Limit::Plus { base, add } => Some(plus(of(base)?, add)),
    }
}

/// The plan's own baseline of the metric.
pub(super) fn baseline(plan: &Plan, written: &Comparison) -> Option<f64> {
    plan.baseline
        .values
        .get(written.metric.as_str())
        .map(|value| value.as_f64())
}

fn plus(base: f64, add: Number) -> f64 {
    if add.written == Written::Percent {
        base * (1.0 + add.as_f64())
    } else {
        base + add.as_f64()
    }
}

impl Limited<'_> {
    /// Which test judges it in a stage.
    pub(super) fn judged(&self, plan: &Plan, stage: usize) -> Result<Judged, Unknown> {
        let wanted = plan.wanted(stage);
        if wanted == Share::NONE {
            return Err(Unknown::NobodyTreated);
        }
        let is_relative = self.is_relative_to_control(wanted.is_compared());
        if is_relative && !wanted.is_compared() {
            return Err(Unknown::NoControl);
        }
        let share = wanted.fraction();
        match plan.kind_of(self.written.metric.as_str()) {
            Some(Kind::Rate) => self.rate(plan, share, is_relative),
            Some(Kind::Quantile(per_thousand)) if self.is_upper => {
                let slower = 1.0 - f64::from(per_thousand) / 1_000.0;
                let at_control = ratio_to_control(self.written) == Some(1.0);
                Ok(Judged {
                    test: if at_control {
                        Test::Robust { share }
                    } else {
                        Test::Absolute
                    },
                    base: at_control.then_some(slower),
                    limit: slower,
                })
            }
            Some(Kind::Quantile(_)) => Err(Unknown::Distribution),
            Some(Kind::Mean) | None => Err(Unknown::Spread),
            Some(Kind::Count | Kind::Gauge) => Err(Unknown::NotOfRequests),
        }
    }

    fn rate(&self, plan: &Plan, share: f64, is_relative: bool) -> Result<Judged, Unknown> {
        let base = baseline(plan, self.written);
        if !is_relative {
            let limit = fixed(plan, self.written).ok_or(Unknown::NoBaseline)?;
            return Ok(Judged {
                test: Test::Absolute,
                base,
                limit,
            });
        }
        let control = base.filter(|base| *base > 0.0).ok_or(Unknown::NoBaseline)?;
        let (limit, is_sum) = match self.written.limit {
            Limit::Times { factor, .. } => (control * factor.as_f64(), false),
            Limit::Plus { add, .. } => (plus(control, add), true),
            Limit::Absolute(number) => (number.as_f64(), true),
        };
        // Bad units and bad requests are counted for a rise of what is bad alone.
        let counts_bad = self.is_upper && !is_sum;
        let test = match plan.unit {
            Unit::Unit if counts_bad => Test::Unit { share },
            Unit::Request if counts_bad => Test::Request {
                share,
                max_control_rate: plan.max_control_rate,
            },
            Unit::Unit | Unit::Request => Test::Robust { share },
        };
        Ok(Judged { test, base, limit })
    }

    fn is_relative_to_control(&self, has_control: bool) -> bool {
        match self.written.limit {
            Limit::Absolute(_) => false,
            Limit::Times { base, .. } | Limit::Plus { base, .. } => match base {
                Base::Control => true,
                Base::BaselineSameHour => has_control,
                Base::Baseline | Base::Fixed(_) => false,
            },
        }
    }

    /// What the plan's budget asks of it in a stage: the first horizon of the first visit.
    pub(super) fn price(&self, plan: &Plan, stage: usize, test: Test) -> Price {
        let is_compared = |position: &usize| plan.wanted(*position).is_compared();
        let before = (0..stage).filter(is_compared);
        let (planned, earlier): (usize, usize) = match test {
            Test::Unit { .. } => {
                let days = |position: usize| begun_days(plan.stages[position].dwell.planned_us());
                (plan.planned_horizons(), before.map(days).sum())
            }
            // The other tests have one horizon for a visit.
            Test::Request { .. } | Test::Robust { .. } | Test::Absolute => {
                let visits = (0..plan.stages.len()).filter(is_compared).count();
                (visits.max(1), before.count())
            }
        };
        Price {
            guard_weight: self.weight,
            ..Price::of_plan(plan.alpha, 1, planned, earlier + 1)
        }
    }
}
