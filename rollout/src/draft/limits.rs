//! What stops a drafted rollout: guards, rollback criteria, levels of warning, and what its gates ask for.
//!
//! Without a baseline the guard is the live control, and what must never happen rolls back. A baseline adds limits on
//! what it knows: twice an error rate or a tail of latency aborts, 5 % less of what should be high holds. Plain
//! thresholds have no budget (guard.md 4f), so those that are written here are far away from the baseline: they catch
//! catastrophes, and the evidence finds the rest.

use crate::{
    Guard, Level, Plan, Stage,
    catalogue::{Direction, Kind, MetricKey, Resolver},
    criterion::{Base, Comparison, Criterion, Decimal, Limit, Number, Relation, Written},
    gate::Policy,
};

/// A rate that is a catastrophe whatever the baseline, unless the baseline is near it: 10 %.
const CATASTROPHE: f64 = 0.10;
/// Or so many times the baseline.
const CATASTROPHE_TIMES: f64 = 5.0;
/// The metrics whose events roll back, each of them.
const NEVER: [&str; 2] = ["critical-bugs", "data-loss"];
/// How often a gate may extend a stage by itself.
const EXTENSIONS: u32 = 2;

/// Writes them into a plan that has its stages and its baseline.
pub(super) fn write(plan: &mut Plan, is_grave: bool) {
    let known = known(plan);
    for metric in &known {
        match metric.guard() {
            Some(guard) => plan.guards.push(guard),
            None => plan.observed.push(metric.key.to_string()),
        }
        if metric.doubles() {
            plan.warning.push(times(&metric.key, Relation::Above, 1_500_000));
            plan.critical.push(times(&metric.key, Relation::Above, 2_000_000));
        }
    }
    let mut rollback: Vec<Criterion> = NEVER.iter().filter_map(|metric| never(metric)).collect();
    let catastrophe = known.iter().find_map(Known::catastrophe);
    rollback.extend(catastrophe.clone());
    let success: Vec<Criterion> = known.iter().filter(|_| is_grave).filter_map(Known::success).collect();
    for stage in &mut plan.stages {
        stage.rollback.clone_from(&rollback);
        if is_judged(stage) && !success.is_empty() {
            stage.success.clone_from(&success);
            stage.max_extensions = EXTENSIONS;
            stage.extension_us = Some(crate::DAY_US);
        }
    }
    if let Some(kill) = &mut plan.kill_switch {
        kill.conditions.extend(catastrophe);
    }
}

/// A metric whose baseline is known.
struct Known {
    key: MetricKey,
    kind: Kind,
    better: Direction,
    value: f64,
}

impl Known {
    /// Whether twice the baseline is harm, and possible.
    fn doubles(&self) -> bool {
        let possible = self.value > 0.0 && (self.kind != Kind::Rate || 2.0 * self.value < 1.0);
        let judged = match self.kind {
            Kind::Rate => true,
            Kind::Quantile(per_thousand) => per_thousand >= 900,
            Kind::Mean | Kind::Count | Kind::Gauge => false,
        };
        judged && possible && self.better == Direction::Lower
    }

    fn guard(&self) -> Option<Guard> {
        let (relation, base, millionths, level) = if self.doubles() {
            (Relation::Above, Base::Baseline, 2_000_000, Level::Abort)
        } else {
            match (self.kind, self.better) {
                (Kind::Mean, Direction::Lower) => (Relation::Above, Base::Control, 1_500_000, Level::Hold),
                (Kind::Mean | Kind::Rate, Direction::Higher) => (Relation::Below, Base::Control, 950_000, Level::Hold),
                (Kind::Rate, Direction::Lower) | (Kind::Quantile(_) | Kind::Count | Kind::Gauge, _) => return None,
            }
        };
        Some(Guard {
            harm: relative(&self.key, relation, base, millionths),
            level,
            weight: 1.0,
            except: Vec::new(),
        })
    }

    /// What a gate asks for: half as much again at most. Only of what every rollout measures, or it would wait for ever.
    fn success(&self) -> Option<Criterion> {
        let is_measured = matches!(self.key.as_str(), Guard::ERROR_RATE | "p90" | "p95" | "p99");
        (is_measured && self.doubles()).then(|| times(&self.key, Relation::AtMost, 1_500_000))
    }

    /// An error rate that no rollout survives.
    fn catastrophe(&self) -> Option<Criterion> {
        if self.key.as_str() != Guard::ERROR_RATE {
            return None;
        }
        let far = CATASTROPHE.max(CATASTROPHE_TIMES * self.value);
        // Near 1 there is nothing five times as bad; half of what is left is.
        let limit = if far < 1.0 { far } else { f64::midpoint(self.value, 1.0) };
        (limit < 1.0).then(|| {
            let value = Decimal::from_millionths((limit * 1e4).round() as i64 * 10_000);
            let number = Number {
                value,
                written: Written::Percent,
            };
            compare(&self.key, Relation::Above, Limit::Absolute(number))
        })
    }
}

/// The metrics of the baseline that are in the catalogue or the plan's own.
fn known(plan: &Plan) -> Vec<Known> {
    let resolver = Resolver::new(&plan.metrics);
    let values = plan.baseline.values.iter();
    let known = values.filter_map(|(key, value)| {
        let key = MetricKey::new(key).ok()?;
        let resolved = resolver.resolve(&key).ok()?;
        Some(Known {
            kind: resolved.kind,
            better: resolved.better,
            value: value.as_f64(),
            key,
        })
    });
    known.collect()
}

/// Whether the gate hears of units that have the treatment.
fn is_judged(stage: &Stage) -> bool {
    stage.policy != Policy::Dwell && !stage.shadow && stage.needs_data()
}

fn never(metric: &str) -> Option<Criterion> {
    let none = Number {
        value: Decimal::ZERO,
        written: Written::Plain,
    };
    let key = MetricKey::new(metric).ok()?;
    Some(compare(&key, Relation::Above, Limit::Absolute(none)))
}

fn times(key: &MetricKey, relation: Relation, millionths: i64) -> Criterion {
    Criterion::Compare(relative(key, relation, Base::Baseline, millionths))
}

fn relative(key: &MetricKey, relation: Relation, base: Base, millionths: i64) -> Comparison {
    Comparison {
        metric: key.clone(),
        relation,
        limit: Limit::Times {
            base,
            factor: Decimal::from_millionths(millionths),
        },
        window: None,
    }
}

fn compare(key: &MetricKey, relation: Relation, limit: Limit) -> Criterion {
    Criterion::Compare(Comparison {
        metric: key.clone(),
        relation,
        limit,
        window: None,
    })
}
