//! Whether a criterion makes sense for its metric.
//!
//! The one rule: what passes can be true and can be false, and means one thing. A limit in the wrong unit, one that no
//! value can cross and a percentage that may be points are refused when somebody writes them, not found out when they
//! should have fired (guard.md 8, invariant 11).

use super::judge::fixed_bound;
use super::{Base, Comparison, Criterion, Decimal, Limit, Number, Problem, Relation, Written};
use crate::Micros;
use crate::catalogue::{Kind, MetricKey, Resolved, Resolver, Unit};

/// The shortest window: four intervals of reporting, of 10 s each.
const SHORTEST_WINDOW_US: Micros = 40_000_000;

/// Refuses a criterion that does not suit its metric, with the first reason found.
pub fn check(criterion: &Criterion, resolver: &Resolver<'_>) -> Result<(), Problem> {
    let comparison = match criterion {
        Criterion::Compare(comparison) => comparison,
        Criterion::Stable | Criterion::Parity => return Ok(()),
    };
    let resolved = resolver.resolve(&comparison.metric)?;
    check_base(comparison, resolved.kind)?;
    check_units(comparison, resolved.unit)?;
    check_sign(comparison)?;
    check_bound(comparison, &resolved)?;
    check_window(comparison, resolved.kind)
}

/// Refuses a value that a metric cannot have. Money may be without its currency, as what was measured is.
pub fn check_value(metric: &MetricKey, value: Number, resolver: &Resolver<'_>) -> Result<(), Problem> {
    let resolved = resolver.resolve(metric)?;
    if resolved.unit != Unit::Money || value.written != Written::Plain {
        check_number(metric, value, resolved.unit)?;
    }
    // A level may be above 1: of eight cores, two are 200 %.
    if resolved.kind == Kind::Rate && resolved.unit == Unit::Fraction && !(0.0..=1.0).contains(&value.as_f64()) {
        return Err(mismatch(metric, value, "within 0 and 100 %", wanted(resolved.unit).1));
    }
    Ok(())
}

/// What is compared by the hour: how many times the rate or the mean of each. A quantile is counted by one bound for all
/// hours, and what is added to a base is added to a number.
fn check_base(comparison: &Comparison, kind: Kind) -> Result<(), Problem> {
    let (base, is_ratio) = match comparison.limit {
        Limit::Absolute(_) => return Ok(()),
        Limit::Times { base, .. } => (base, true),
        Limit::Plus { base, .. } => (base, false),
    };
    if base != Base::BaselineSameHour || (is_ratio && matches!(kind, Kind::Rate | Kind::Mean)) {
        return Ok(());
    }
    Err(Problem::SameHour {
        metric: comparison.metric.clone(),
        limit: comparison.limit,
    })
}

fn check_units(comparison: &Comparison, unit: Unit) -> Result<(), Problem> {
    let metric = &comparison.metric;
    let check_base = |base: Base| match base {
        Base::Fixed(number) => check_number(metric, number, unit),
        Base::Control | Base::Baseline | Base::BaselineSameHour => Ok(()),
    };
    match comparison.limit {
        Limit::Absolute(number) => check_number(metric, number, unit),
        Limit::Times { base, .. } => check_base(base),
        Limit::Plus { base, add } => {
            check_base(base)?;
            check_sum(comparison, base, add, unit)
        }
    }
}

fn check_number(metric: &MetricKey, number: Number, unit: Unit) -> Result<(), Problem> {
    let suits = match unit {
        // 0.05 can only be a fraction; 5 was meant to be 5 %.
        Unit::Fraction => {
            number.written == Written::Percent || (number.written == Written::Plain && number.value <= Decimal::ONE)
        }
        Unit::Duration => number.written.is_time(),
        Unit::Money => matches!(number.written, Written::Money(_)),
        Unit::Count | Unit::Score => number.written == Written::Plain,
        Unit::Bytes => number.written.is_bytes(),
        Unit::PerSecond => matches!(number.written, Written::Plain | Written::PerSecond),
    };
    if suits {
        return Ok(());
    }
    let (wanted, example) = wanted(unit);
    Err(mismatch(metric, number, wanted, example))
}

/// What a base may have on top.
fn check_sum(comparison: &Comparison, base: Base, add: Number, unit: Unit) -> Result<(), Problem> {
    let metric = &comparison.metric;
    match (add.written, unit) {
        (Written::Percent, Unit::Fraction) => Err(Problem::Ambiguous {
            metric: metric.clone(),
            limit: comparison.limit,
            base,
        }),
        (Written::Percent, _) | (Written::Points, Unit::Fraction) => Ok(()),
        (_, Unit::Fraction) => Err(mismatch(metric, add, "in percentage points", "0.2 points")),
        (Written::Money(added), Unit::Money) => match base {
            Base::Fixed(number) if number.written != Written::Money(added) => {
                Err(mismatch(metric, add, "in the currency of its base", "$1.00 + $0.10"))
            }
            Base::Fixed(_) | Base::Control | Base::Baseline | Base::BaselineSameHour => Ok(()),
        },
        (_, _) => check_number(metric, add, unit),
    }
}

fn check_sign(comparison: &Comparison) -> Result<(), Problem> {
    let below = |number: Number| number.value.is_negative();
    let negative = match comparison.limit {
        Limit::Absolute(number) => below(number),
        Limit::Times { base, factor } => {
            factor <= Decimal::ZERO || matches!(base, Base::Fixed(number) if below(number))
        }
        Limit::Plus { base, add } => {
            let nothing_left = matches!(add.written, Written::Percent | Written::Points) && add.as_f64() <= -1.0;
            nothing_left || matches!(base, Base::Fixed(number) if below(number))
        }
    };
    if negative || fixed_bound(&comparison.limit).is_some_and(|bound| bound < 0.0) {
        return Err(Problem::Negative {
            metric: comparison.metric.clone(),
            limit: comparison.limit,
        });
    }
    Ok(())
}

/// A fixed bound at the end of what a metric can be, on the side that leaves nothing or everything.
fn check_bound(comparison: &Comparison, resolved: &Resolved<'_>) -> Result<(), Problem> {
    let Some(bound) = fixed_bound(&comparison.limit) else {
        return Ok(());
    };
    // Refunds and a judge's scale may go below zero.
    let never_negative = match resolved.unit {
        Unit::Money | Unit::Score => false,
        Unit::Fraction | Unit::Duration | Unit::Count | Unit::Bytes | Unit::PerSecond => true,
    };
    let idle_at_bottom = match comparison.relation {
        Relation::Below | Relation::AtLeast => never_negative && bound <= 0.0,
        Relation::Above | Relation::AtMost => false,
    };
    let idle_at_top = resolved.kind == Kind::Rate
        && match comparison.relation {
            Relation::Above | Relation::AtMost => bound >= 1.0,
            Relation::Below | Relation::AtLeast => bound > 1.0,
        };
    if idle_at_bottom || idle_at_top {
        return Err(Problem::Unbounded {
            metric: comparison.metric.clone(),
            limit: comparison.limit,
        });
    }
    Ok(())
}

fn check_window(comparison: &Comparison, kind: Kind) -> Result<(), Problem> {
    let metric = comparison.metric.clone();
    match (kind, comparison.window) {
        (Kind::Count, Some(window)) if window < SHORTEST_WINDOW_US => Err(Problem::WindowTooShort { metric }),
        (Kind::Count, Some(_)) => Ok(()),
        // A relative count is over whatever its base is over, and a cap of 0 is for all time.
        (Kind::Count, None) => match fixed_bound(&comparison.limit) {
            Some(bound) if bound != 0.0 => Err(Problem::CountWithoutWindow { metric }),
            Some(_) | None => Ok(()),
        },
        (Kind::Rate | Kind::Quantile(_) | Kind::Mean | Kind::Gauge, Some(_)) => {
            Err(Problem::WindowWithoutCount { metric })
        }
        (Kind::Rate | Kind::Quantile(_) | Kind::Mean | Kind::Gauge, None) => Ok(()),
    }
}

fn mismatch(metric: &MetricKey, found: Number, wanted: &'static str, example: &'static str) -> Problem {
    Problem::UnitMismatch {
        metric: metric.clone(),
        found,
        wanted,
        example,
    }
}

/// What a number of a unit is, and one such.
fn wanted(unit: Unit) -> (&'static str, &'static str) {
    match unit {
        Unit::Fraction => ("a part of 1", "1 %"),
        Unit::Duration => ("a length of time", "900 ms"),
        Unit::Money => ("money", "$0.50 or 0.50 EUR"),
        Unit::Count => ("a count", "10"),
        Unit::Score => ("a score", "0.85"),
        Unit::Bytes => ("a size", "512 MiB"),
        Unit::PerSecond => ("a rate in a second", "100/s"),
    }
}
