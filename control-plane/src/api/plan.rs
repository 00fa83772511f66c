//! Plans between the wire and `rollout`: defaults are filled in here, once; the plan's own rules are `rollout`'s.

use evaluation::Violation;
use proto::{status::violation, v1};
use rollout::{Guard, Level, Metric, Plan, Share, Stage, Unit};

/// Reads a plan; every violation at once, the plan's own included.
pub(super) fn read(wire: v1::Plan) -> Result<Plan, Vec<Violation>> {
    let mut violations = Vec::new();
    let unit = read_unit(wire.unit, &mut violations);
    let stages = (0..)
        .zip(wire.stages)
        .map(|(number, stage)| read_stage(number, stage, &mut violations))
        .collect();
    let guards = match wire.guards.as_slice() {
        [] => vec![Guard {
            metric: Metric::ErrorRate,
            limit: Guard::DEFAULT_LIMIT,
            level: Level::Abort,
        }],
        guards => (0..)
            .zip(guards)
            .map(|(number, guard)| read_guard(number, guard, &mut violations))
            .collect(),
    };
    let plan = Plan {
        key: if wire.key.is_empty() {
            wire.flag.clone()
        } else {
            wire.key
        },
        flag: wire.flag,
        description: wire.description,
        treatment: wire.treatment,
        control: wire.control,
        unit,
        stages,
        guards,
        alpha: or_default(wire.alpha, Plan::DEFAULT_ALPHA),
        max_control_rate: or_default(wire.max_control_rate, Plan::DEFAULT_MAX_CONTROL_RATE),
        lost_after_us: if wire.lost_after_us == 0 {
            Plan::DEFAULT_LOST_AFTER_US
        } else {
            wire.lost_after_us
        },
    };
    let own = plan
        .violations()
        .into_iter()
        .map(|own| violation(own.field, own.description));
    // What could not be read stands in the plan as its nearest form; its own rule would only say it again.
    let known = |own: &Violation| violations.iter().any(|known| known.field == own.field);
    let news = own.filter(|own| !known(own)).collect::<Vec<_>>();
    violations.extend(news);
    if violations.is_empty() {
        Ok(plan)
    } else {
        Err(violations)
    }
}

fn read_unit(unit: i32, violations: &mut Vec<Violation>) -> Unit {
    match v1::SplittingUnit::try_from(unit) {
        Ok(v1::SplittingUnit::Unspecified | v1::SplittingUnit::Unit) => Unit::Unit,
        Ok(v1::SplittingUnit::Request) => Unit::Request,
        Err(_) => {
            violations.push(violation(
                "unit",
                format!("{unit} is not a splitting unit; there are: unit, request"),
            ));
            Unit::Unit
        }
    }
}

fn or_default(value: f64, default: f64) -> f64 {
    if value == 0.0 { default } else { value }
}

fn read_stage(number: usize, stage: v1::Stage, violations: &mut Vec<Violation>) -> Stage {
    let share = Share::new(stage.buckets).unwrap_or_else(|| {
        let field = format!("stages[{number}].share");
        violations.push(violation(
            field,
            format!("{} % is not within 0 to 100 %", f64::from(stage.buckets) / 1_000.0),
        ));
        Share::ALL
    });
    Stage {
        name: stage.name,
        share,
        dwell_us: stage.dwell_us,
        minimum_outcomes: stage.minimum_outcomes.unwrap_or(Stage::DEFAULT_MINIMUM_OUTCOMES),
        minimum_units: stage.minimum_units.unwrap_or(Stage::DEFAULT_MINIMUM_UNITS),
    }
}

/// What cannot be read is kept in its strictest form, so that the guards behind it keep their numbers.
fn read_guard(number: usize, guard: &v1::Guard, violations: &mut Vec<Violation>) -> Guard {
    if guard.metric != Metric::ErrorRate.name() {
        let known = Metric::ErrorRate.name();
        violations.push(violation(
            format!("guards[{number}].metric"),
            format!(
                "{:?} is not a metric; there is: {known}",
                guard.metric.chars().take(80).collect::<String>()
            ),
        ));
    }
    let level = match v1::GuardLevel::try_from(guard.level) {
        Ok(v1::GuardLevel::Unspecified | v1::GuardLevel::Abort) => Level::Abort,
        Ok(v1::GuardLevel::Hold) => Level::Hold,
        Ok(v1::GuardLevel::Warn) => Level::Warn,
        Err(_) => {
            let description = format!("{} is not a level; there are: warn, hold, abort", guard.level);
            violations.push(violation(format!("guards[{number}].level"), description));
            Level::Abort
        }
    };
    Guard {
        metric: Metric::ErrorRate,
        limit: or_default(guard.limit, Guard::DEFAULT_LIMIT),
        level,
    }
}

/// A plan on the wire.
pub(super) fn write(plan: &Plan) -> v1::Plan {
    let unit = match plan.unit {
        Unit::Unit => v1::SplittingUnit::Unit,
        Unit::Request => v1::SplittingUnit::Request,
    };
    v1::Plan {
        key: plan.key.clone(),
        flag: plan.flag.clone(),
        description: plan.description.clone(),
        treatment: plan.treatment.clone(),
        control: plan.control.clone(),
        unit: unit.into(),
        stages: plan
            .stages
            .iter()
            .map(|stage| v1::Stage {
                name: stage.name.clone(),
                buckets: stage.share.get(),
                dwell_us: stage.dwell_us,
                minimum_outcomes: Some(stage.minimum_outcomes),
                minimum_units: Some(stage.minimum_units),
            })
            .collect(),
        guards: plan.guards.iter().map(write_guard).collect(),
        alpha: plan.alpha,
        max_control_rate: plan.max_control_rate,
        lost_after_us: plan.lost_after_us,
    }
}

fn write_guard(guard: &Guard) -> v1::Guard {
    let level = match guard.level {
        Level::Warn => v1::GuardLevel::Warn,
        Level::Hold => v1::GuardLevel::Hold,
        Level::Abort => v1::GuardLevel::Abort,
    };
    v1::Guard {
        metric: guard.metric.name().to_owned(),
        limit: guard.limit,
        level: level.into(),
    }
}

#[cfg(test)]
mod tests;
