//! A drafted plan as a document has it: what has its default is left out, so that people read only what was decided.

use proto::v1;
use rollout::{
    Guard, Level, Plan, Stage, Unit,
    catalogue::{Direction, Kind, OwnDefinition, Unit as MetricUnit},
    criterion::Criterion,
    duration::Dwell,
    plan::{Baseline, Item, People},
    risk::{Assessment, Rated, Risk},
};

/// The plan as the wire has it.
pub(super) fn write(plan: &Plan) -> v1::Plan {
    let unit = match plan.unit {
        Unit::Unit => v1::SplittingUnit::Unspecified,
        Unit::Request => v1::SplittingUnit::Request,
    };
    v1::Plan {
        key: plan.key.clone(),
        flag: plan.flag.clone(),
        description: plan.description.clone(),
        treatment: plan.treatment.clone(),
        control: plan.control.clone(),
        unit: unit.into(),
        stages: plan.stages.iter().map(stage).collect(),
        guards: plan.guards.iter().map(guard).collect(),
        alpha: unless(plan.alpha, Plan::DEFAULT_ALPHA),
        max_control_rate: unless(plan.max_control_rate, Plan::DEFAULT_MAX_CONTROL_RATE),
        lost_after_us: unless_us(plan.lost_after_us, Plan::DEFAULT_LOST_AFTER_US),
        environment: plan.environment.clone(),
        strategy: plan.strategy.name().into(),
        risk: plan.risk.as_ref().map(risk),
        primary_metric: plan.primary_metric.clone().unwrap_or_default(),
        labels: plan.labels.clone().into_iter().collect(),
        links: plan.links.clone().into_iter().collect(),
        start_at_us: plan.start_at_us.unwrap_or_default(),
        unit_by: plan.unit_by.clone(),
        observed: plan.observed.clone(),
        metrics: plan.metrics.iter().map(metric).collect(),
        warning: texts(&plan.warning),
        critical: texts(&plan.critical),
        manual_triggers: plan.manual_triggers.clone(),
        kill_switch: plan.kill_switch.as_ref().map(|switch| v1::KillSwitch {
            flag: switch.flag.clone(),
            auto_trip: switch.auto_trip,
            conditions: texts(&switch.conditions),
        }),
        baseline: baseline(&plan.baseline),
        units_per_day: plan.traffic.units_per_day,
        requests_per_day: plan.traffic.requests_per_day,
        windows: texts(&plan.windows),
        freezes: plan
            .freezes
            .iter()
            .map(|(name, window)| (name.clone(), window.to_string()))
            .collect(),
        people: people(&plan.people),
        approvals: plan.approvals,
        preflight: plan.preflight.iter().map(item).collect(),
        exit: plan.exit.iter().map(item).collect(),
        beta: unless(plan.beta, Plan::DEFAULT_BETA),
        bake_us: (plan.bake_us != Plan::DEFAULT_BAKE_US).then_some(plan.bake_us),
        holdback_buckets: plan.holdback.get(),
        stuck_after_us: unless_us(plan.stuck_after_us, Plan::DEFAULT_STUCK_AFTER_US),
    }
}

/// 0 stands for the default.
fn unless(value: f64, default: f64) -> f64 {
    if value == default { 0.0 } else { value }
}

/// 0 stands for the default.
fn unless_us(value: i64, default: i64) -> i64 {
    if value == default { 0 } else { value }
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

fn stage(stage: &Stage) -> v1::Stage {
    let known = Stage::new(stage.name.clone(), stage.share, stage.dwell);
    v1::Stage {
        name: stage.name.clone(),
        buckets: stage.share.get(),
        dwell_us: stage.dwell.finite_us().unwrap_or_default(),
        minimum_outcomes: (stage.minimum_outcomes != known.minimum_outcomes).then_some(stage.minimum_outcomes),
        minimum_units: (stage.minimum_units != known.minimum_units).then_some(stage.minimum_units),
        audience: stage.audience.clone(),
        permanent: stage.dwell == Dwell::Permanent,
        shadow: stage.shadow,
        success: texts(&stage.success),
        rollback: texts(&stage.rollback),
        gate: stage.policy.name().into(),
        outcomes: if stage.outcomes == known.outcomes {
            Vec::new()
        } else {
            stage.outcomes.iter().map(|outcome| outcome.name().to_owned()).collect()
        },
        max_extensions: stage.max_extensions,
        extension_us: stage.extension_us.unwrap_or_default(),
        approvals: stage.approvals,
        checklist: stage.checklist.clone(),
        on_call_required: stage.on_call_required,
        windows: texts(&stage.windows),
    }
}

fn guard(guard: &Guard) -> v1::Guard {
    let level = match guard.level {
        Level::Warn => v1::GuardLevel::Warn,
        Level::Hold => v1::GuardLevel::Hold,
        Level::Abort => v1::GuardLevel::Abort,
    };
    v1::Guard {
        level: level.into(),
        harm: Criterion::Compare(guard.harm.clone()).to_string(),
        weight: unless(guard.weight, 1.0),
        ..v1::Guard::default()
    }
}

fn metric(own: &OwnDefinition) -> v1::OwnMetric {
    let kind = match own.kind {
        Kind::Rate => "rate",
        Kind::Quantile(_) => "quantile",
        Kind::Mean => "mean",
        Kind::Count => "count",
        Kind::Gauge => "gauge",
    };
    let unit = match own.unit {
        MetricUnit::Fraction => "fraction",
        MetricUnit::Duration => "duration",
        MetricUnit::Money => "money",
        MetricUnit::Count => "count",
        MetricUnit::Score => "score",
        MetricUnit::Bytes => "bytes",
        MetricUnit::PerSecond => "per-second",
    };
    let better = match own.better {
        Direction::Lower => "lower",
        Direction::Higher => "higher",
    };
    v1::OwnMetric {
        key: own.key.clone(),
        kind: kind.into(),
        unit: unit.into(),
        better: better.into(),
        ..v1::OwnMetric::default()
    }
}

fn risk(risk: &Assessment) -> v1::Risk {
    let rated = |rated: &Rated<Risk>| {
        Some(v1::Rated {
            level: rated.level.name().into(),
            rationale: rated.rationale.clone(),
        })
    };
    v1::Risk {
        user_impact: rated(&risk.user_impact),
        revenue_impact: rated(&risk.revenue_impact),
        criticality: rated(&risk.criticality),
        reversibility: Some(v1::Rated {
            level: risk.reversibility.level.name().into(),
            rationale: risk.reversibility.rationale.clone(),
        }),
    }
}

fn baseline(baseline: &Baseline) -> Option<v1::Baseline> {
    (*baseline != Baseline::default()).then(|| v1::Baseline {
        source: baseline.source.name().into(),
        values: baseline
            .values
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect(),
        artifact: baseline.artifact.clone().unwrap_or_default(),
    })
}

fn people(people: &People) -> Option<v1::People> {
    let duties = people.duties.iter().map(|duty| v1::Duty {
        stages: duty.stages.clone(),
        on_call: duty.on_call.clone(),
        escalation: duty.escalation.clone(),
    });
    let stakeholders = people.stakeholders.iter().map(|told| v1::Stakeholder {
        role: told.role.clone(),
        channel: told.channel.clone(),
        when: told.when.clone(),
    });
    (*people != People::default()).then(|| v1::People {
        owner: people.owner.clone(),
        approvers: people.approvers.clone(),
        duties: duties.collect(),
        stakeholders: stakeholders.collect(),
    })
}

fn item(item: &Item) -> v1::Item {
    v1::Item {
        name: item.name.clone(),
        description: item.description.clone(),
        by: item.by.name().into(),
    }
}
