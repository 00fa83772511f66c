//! Plans between the wire and `rollout`, which is also how they are stored: texts are parsed and defaults filled in here,
//! once; the plan's own rules are `rollout`'s.
//!
//! A plan is stored as the wire message: it is a document that people wrote, and an older build's document must stay
//! readable for as long as its rollouts run (docs/adr/0017). Its hash is over the canonical form of that message.

mod parts;
mod reading;
mod stages;

use bytes::Bytes;
use evaluation::Violation;
use prost::Message as _;
#[cfg(test)]
use proto::status::violation;
use proto::v1;
use rollout::{Guard, Plan, Share, Unit, plan::Traffic, strategy::Strategy};

use self::reading::Reading;

pub(crate) use self::parts::{direction_name, kind_name, unit_name};

/// A plan as a request has it, as far as it can be read.
///
/// What could not be read stands in the plan as its nearest form: what else is found of that means nothing.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// The plan.
    pub(crate) plan: Plan,
    /// What of it could not be read.
    pub(crate) unreadable: Vec<Violation>,
    /// The guards in the short form, by their places.
    short: Vec<usize>,
}

impl Written {
    /// Reads a plan.
    pub(crate) fn read(wire: v1::Plan) -> Self {
        let is_short = |at: usize| wire.guards.get(at).is_some_and(|guard| guard.harm.is_empty());
        let short = (0..wire.guards.len()).filter(|at| is_short(*at)).collect();
        let (plan, unreadable) = parse(wire);
        Self {
            plan,
            unreadable,
            short,
        }
    }

    /// A field of the plan as the request has it: the harm of a guard in the short form is its metric. None: the field
    /// could not be read, and what is found of it would only say that again.
    pub(crate) fn field(&self, field: &str) -> Option<String> {
        let is_short = |at: &&usize| field == format!("guards[{at}].harm");
        let field = match self.short.iter().find(is_short) {
            Some(at) => format!("guards[{at}].metric"),
            None => field.to_owned(),
        };
        let mut unreadable = self.unreadable.iter();
        (!unreadable.any(|known| covers(&known.field, &field))).then_some(field)
    }
}

/// Reads a plan that must be whole by itself; every violation at once, the plan's own included.
#[cfg(test)]
pub(crate) fn read(wire: v1::Plan) -> Result<Plan, Vec<Violation>> {
    let written = Written::read(wire);
    let own = written.plan.violations().into_iter();
    let own = own.filter_map(|own| Some(violation(written.field(&own.field)?, own.description)));
    let violations = written.unreadable.iter().cloned().chain(own).collect::<Vec<_>>();
    if violations.is_empty() {
        Ok(written.plan)
    } else {
        Err(violations)
    }
}

/// A plan as far as it can be read, and what of it could not.
fn parse(wire: v1::Plan) -> (Plan, Vec<Violation>) {
    let mut reading = Reading::default();
    let key = if wire.key.is_empty() {
        wire.flag.clone()
    } else {
        wire.key
    };
    let mut plan = Plan::new(key, wire.flag);
    plan.environment = wire.environment;
    plan.description = wire.description;
    plan.treatment = wire.treatment;
    plan.control = wire.control;
    plan.strategy = reading.named("strategy", &wire.strategy, Strategy::Custom, &Strategy::ALL, |one| {
        one.name()
    });
    plan.risk = wire.risk.map(|risk| parts::read_risk(risk, &mut reading));
    plan.primary_metric =
        (!wire.primary_metric.is_empty()).then(|| reading.metric("primary_metric", &wire.primary_metric));
    plan.labels = wire.labels;
    plan.links = wire.links;
    plan.start_at_us = (wire.start_at_us != 0).then_some(wire.start_at_us);
    plan.unit = read_unit(wire.unit, &mut reading);
    plan.unit_by = wire.unit_by;
    plan.stages = stages::read(wire.stages, &mut reading);
    if !wire.guards.is_empty() {
        plan.guards = parts::read_guards(wire.guards, &mut reading);
    }
    let observed = (0..).zip(wire.observed);
    plan.observed = observed
        .map(|(at, text): (usize, _)| reading.metric(&format!("observed[{at}]"), &text))
        .collect();
    plan.metrics = parts::read_metrics(wire.metrics, &mut reading);
    plan.warning = reading.criteria("warning", &wire.warning);
    plan.critical = reading.criteria("critical", &wire.critical);
    plan.manual_triggers = wire.manual_triggers;
    plan.kill_switch = wire.kill_switch.map(|kill| parts::read_kill_switch(kill, &mut reading));
    plan.baseline = parts::read_baseline(wire.baseline.unwrap_or_default(), &mut reading);
    plan.traffic = Traffic {
        units_per_day: wire.units_per_day,
        requests_per_day: wire.requests_per_day,
    };
    plan.windows = reading.windows("windows", &wire.windows);
    plan.freezes = parts::read_freezes(wire.freezes, &mut reading);
    plan.people = parts::read_people(wire.people.unwrap_or_default());
    plan.approvals = wire.approvals;
    plan.preflight = parts::read_items("preflight", wire.preflight, &mut reading);
    plan.exit = parts::read_items("exit", wire.exit, &mut reading);
    plan.alpha = or_default(wire.alpha, Plan::DEFAULT_ALPHA);
    plan.beta = or_default(wire.beta, Plan::DEFAULT_BETA);
    plan.max_control_rate = or_default(wire.max_control_rate, Plan::DEFAULT_MAX_CONTROL_RATE);
    plan.lost_after_us = us_or_default(wire.lost_after_us, Plan::DEFAULT_LOST_AFTER_US);
    plan.bake_us = wire.bake_us.unwrap_or(Plan::DEFAULT_BAKE_US);
    plan.holdback = reading.share("holdback", wire.holdback_buckets);
    plan.stuck_after_us = us_or_default(wire.stuck_after_us, Plan::DEFAULT_STUCK_AFTER_US);
    (plan, reading.into_violations())
}

/// A plan as the wire and the store have it, every default written out.
pub(crate) fn write(plan: &Plan) -> v1::Plan {
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
        stages: plan.stages.iter().map(stages::write).collect(),
        guards: plan.guards.iter().map(parts::write_guard).collect(),
        alpha: plan.alpha,
        max_control_rate: plan.max_control_rate,
        lost_after_us: plan.lost_after_us,
        environment: plan.environment.clone(),
        strategy: plan.strategy.name().to_owned(),
        risk: plan.risk.as_ref().map(parts::write_risk),
        primary_metric: plan.primary_metric.clone().unwrap_or_default(),
        labels: plan.labels.clone(),
        links: plan.links.clone(),
        start_at_us: plan.start_at_us.unwrap_or(0),
        unit_by: plan.unit_by.clone(),
        observed: plan.observed.clone(),
        metrics: plan.metrics.iter().map(parts::write_metric).collect(),
        warning: texts(&plan.warning),
        critical: texts(&plan.critical),
        manual_triggers: plan.manual_triggers.clone(),
        kill_switch: plan.kill_switch.as_ref().map(parts::write_kill_switch),
        baseline: parts::write_baseline(&plan.baseline),
        units_per_day: plan.traffic.units_per_day,
        requests_per_day: plan.traffic.requests_per_day,
        windows: texts(&plan.windows),
        freezes: (plan.freezes.iter())
            .map(|(name, window)| (name.clone(), window.to_string()))
            .collect(),
        people: parts::write_people(&plan.people),
        approvals: plan.approvals,
        preflight: plan.preflight.iter().map(parts::write_item).collect(),
        exit: plan.exit.iter().map(parts::write_item).collect(),
        beta: plan.beta,
        bake_us: Some(plan.bake_us),
        holdback_buckets: plan.holdback.get(),
        stuck_after_us: plan.stuck_after_us,
    }
}

/// A plan as it is stored.
pub(crate) fn encode(plan: &Plan) -> Bytes {
    write(plan).encode_to_vec().into()
}

/// A stored plan.
pub(crate) fn decode(bytes: &[u8]) -> Option<Plan> {
    // It was whole when it was written; rules that have become stricter since do not make it unreadable.
    v1::Plan::decode(bytes).ok().map(|wire| parse(wire).0)
}

/// What approvals are for: the hash of the plan in its canonical form.
pub(crate) fn hash(plan: &Plan) -> u128 {
    twox_hash::XxHash3_128::oneshot(&encode(plan))
}

/// Whether what is said of a field is said of another by it: of itself, or of a part.
fn covers(known: &str, field: &str) -> bool {
    field
        .strip_prefix(known)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn read_unit(unit: i32, reading: &mut Reading) -> Unit {
    match v1::SplittingUnit::try_from(unit) {
        Ok(v1::SplittingUnit::Unspecified | v1::SplittingUnit::Unit) => Unit::Unit,
        Ok(v1::SplittingUnit::Request) => Unit::Request,
        Err(_) => {
            reading.report("unit", format!("must be unit or request, not {unit}"));
            Unit::Unit
        }
    }
}

fn or_default(value: f64, default: f64) -> f64 {
    if value == 0.0 { default } else { value }
}

fn us_or_default(value: i64, default: i64) -> i64 {
    if value == 0 { default } else { value }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

/// A ratio to control as the wire's short form of a guard has it.
fn ratio_guard(ratio: f64, level: rollout::Level, weight: f64) -> Guard {
    Guard {
        level,
        weight,
        ..Guard::error_rate_above(ratio)
    }
}

/// A share that is in range; what is above everybody was reported.
fn share(buckets: u32) -> Share {
    Share::new(buckets).unwrap_or(Share::ALL)
}

#[cfg(test)]
mod tests;
