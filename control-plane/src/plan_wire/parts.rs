//! The other parts of a plan between the wire and `rollout`: guards, metrics, risk, items, people, baseline.

use std::collections::BTreeMap;

use proto::v1;
use rollout::{
    Guard, Level,
    calendar::Window,
    catalogue::{Direction, Kind, OwnDefinition, Query, Template, Unit},
    criterion::{Comparison, Criterion, Decimal, Limit, Relation},
    measure::Per,
    plan::{Baseline, BaselineSource, Duty, Item, KillSwitch, People, Stakeholder, TickedBy},
    risk::{Assessment, Rated, Reversibility, Risk},
};

use super::{ratio_guard, reading::Reading, texts};

/// Kinds of metrics as documents write them. A quantile of one's own is its 99th.
const KINDS: [(Kind, &str); 5] = [
    (Kind::Rate, "rate"),
    (Kind::Quantile(990), "quantile"),
    (Kind::Mean, "mean"),
    (Kind::Count, "count"),
    (Kind::Gauge, "gauge"),
];
/// Units of metrics as documents write them.
const UNITS: [(Unit, &str); 7] = [
    (Unit::Fraction, "fraction"),
    (Unit::Duration, "duration"),
    (Unit::Money, "money"),
    (Unit::Count, "count"),
    (Unit::Score, "score"),
    (Unit::Bytes, "bytes"),
    (Unit::PerSecond, "per-second"),
];
/// Directions as documents write them.
const DIRECTIONS: [(Direction, &str); 2] = [(Direction::Lower, "lower"), (Direction::Higher, "higher")];

/// Reads guards.
pub(super) fn read_guards(guards: Vec<v1::Guard>, reading: &mut Reading) -> Vec<Guard> {
    (0..)
        .zip(guards)
        .map(|(at, guard): (usize, _)| read_guard(&format!("guards[{at}]"), &guard, reading))
        .collect()
}

fn read_guard(path: &str, wire: &v1::Guard, reading: &mut Reading) -> Guard {
    let level = match v1::GuardLevel::try_from(wire.level) {
        Ok(v1::GuardLevel::Unspecified | v1::GuardLevel::Abort) => Level::Abort,
        Ok(v1::GuardLevel::Warn) => Level::Warn,
        Ok(v1::GuardLevel::Hold) => Level::Hold,
        Err(_) => {
            reading.report(
                format!("{path}.level"),
                format!("must be warn, hold or abort, not {}", wire.level),
            );
            Level::Abort
        }
    };
    let weight = if wire.weight == 0.0 { 1.0 } else { wire.weight };
    if wire.harm.is_empty() {
        return read_ratio(path, wire, level, weight, reading);
    }
    if !wire.metric.is_empty() || wire.limit != 0.0 {
        reading.report(path, "has either harm, or metric and limit, not both");
    }
    let harm = match reading.one::<Criterion>(&format!("{path}.harm"), &wire.harm) {
        Some(Criterion::Compare(harm)) => Some(harm),
        Some(Criterion::Stable | Criterion::Parity) => {
            reading.report(format!("{path}.harm"), "must compare one metric with a limit");
            None
        }
        None => None,
    };
    Guard {
        level,
        weight,
        harm: harm.unwrap_or_else(|| Guard::no_worse_than_control().harm),
        except: wire.except.clone(),
    }
}

/// The short form: a metric, and its ratio to control.
fn read_ratio(path: &str, wire: &v1::Guard, level: Level, weight: f64, reading: &mut Reading) -> Guard {
    let ratio = if wire.limit == 0.0 {
        Guard::DEFAULT_LIMIT
    } else {
        wire.limit
    };
    if !ratio.is_finite() || !(0.000_001..=1e9).contains(&ratio) {
        reading.report(
            format!("{path}.limit"),
            format!("must be 0.1 to 100 times control, not {ratio}"),
        );
        return ratio_guard(Guard::DEFAULT_LIMIT, level, weight);
    }
    let mut guard = ratio_guard(ratio, level, weight);
    if !wire.metric.is_empty() {
        let field = format!("{path}.metric");
        match rollout::catalogue::MetricKey::new(&wire.metric) {
            Ok(metric) => guard.harm.metric = metric,
            Err(error) => reading.report(field, error.to_string()),
        }
        if let Some(definition) = rollout::catalogue::find(guard.harm.metric.as_str())
            && definition.better == Direction::Higher
        {
            guard.harm.relation = Relation::Below;
        }
    }
    guard.except.clone_from(&wire.except);
    guard
}

/// A guard as the wire has it: in the short form where that says all.
pub(super) fn write_guard(guard: &Guard) -> v1::Guard {
    let level = match guard.level {
        Level::Warn => v1::GuardLevel::Warn,
        Level::Hold => v1::GuardLevel::Hold,
        Level::Abort => v1::GuardLevel::Abort,
    };
    let short = match &guard.harm {
        Comparison {
            metric,
            relation: Relation::Above,
            limit: Limit::Times { .. },
            window: None,
        } if metric.as_str() == Guard::ERROR_RATE => guard.error_ratio(),
        _ => None,
    };
    v1::Guard {
        metric: short.map(|_| Guard::ERROR_RATE.to_owned()).unwrap_or_default(),
        limit: short.unwrap_or(0.0),
        level: level.into(),
        harm: if short.is_some() {
            String::new()
        } else {
            Criterion::Compare(guard.harm.clone()).to_string()
        },
        weight: guard.weight,
        except: guard.except.clone(),
    }
}

/// Reads metrics of the plan's own.
pub(super) fn read_metrics(metrics: Vec<v1::OwnMetric>, reading: &mut Reading) -> Vec<OwnDefinition> {
    (0..)
        .zip(metrics)
        .map(|(at, wire): (usize, _)| {
            let path = format!("metrics[{at}]");
            let kind = wire.kind.as_str();
            // What is asked for is a level.
            let default = KINDS[if wire.prometheus.is_some() { 4 } else { 0 }];
            OwnDefinition {
                key: reading.metric(&format!("{path}.key"), &wire.key),
                kind: reading
                    .named(&format!("{path}.kind"), kind, default, &KINDS, |one| one.1)
                    .0,
                unit: reading
                    .named(&format!("{path}.unit"), &wire.unit, UNITS[0], &UNITS, |one| one.1)
                    .0,
                better: reading
                    .named(
                        &format!("{path}.better"),
                        &wire.better,
                        DIRECTIONS[0],
                        &DIRECTIONS,
                        |one| one.1,
                    )
                    .0,
                per: read_per(&format!("{path}.per"), &wire.per, reading),
                minimum: read_decimal(&format!("{path}.minimum"), &wire.minimum, reading),
                maximum: read_decimal(&format!("{path}.maximum"), &wire.maximum, reading),
                prometheus: wire
                    .prometheus
                    .and_then(|query| read_query(&format!("{path}.prometheus"), &query, reading)),
            }
        })
        .collect()
}

/// A query; one whose template cannot be read is none, and everything that is wrong with it was reported.
fn read_query(path: &str, wire: &v1::PrometheusQuery, reading: &mut Reading) -> Option<Query> {
    let or_default = |value, default| if value == 0 { default } else { value };
    let interval_us = or_default(wire.interval_us, Query::DEFAULT_INTERVAL_US);
    let template = Template::parse(&wire.query);
    let template = template.map_err(|found| {
        for error in found {
            reading.report(format!("{path}.query"), error.to_string());
        }
    });
    Some(Query {
        template: template.ok()?,
        interval_us,
        stands_for_us: or_default(wire.stands_for_us, Query::default_standing_us(interval_us)),
    })
}

fn read_per(field: &str, text: &str, reading: &mut Reading) -> Option<Per> {
    match text {
        "" => None,
        "value" => Some(Per::Value),
        "exposure" => Some(Per::Exposure),
        other => {
            reading.report(field, format!("must be value or exposure, not {other:?}"));
            None
        }
    }
}

fn read_decimal(field: &str, text: &str, reading: &mut Reading) -> Option<Decimal> {
    if text.is_empty() {
        return None;
    }
    let read = Decimal::parse(text);
    if read.is_none() {
        reading.report(
            field,
            format!("must be a decimal number with at most six places, not {text:?}"),
        );
    }
    read
}

/// A metric of a plan's own as the wire has it.
pub(super) fn write_metric(own: &OwnDefinition) -> v1::OwnMetric {
    v1::OwnMetric {
        key: own.key.clone(),
        kind: kind_name(own.kind).to_owned(),
        unit: unit_name(own.unit).to_owned(),
        better: direction_name(own.better).to_owned(),
        per: match own.per {
            None => "",
            Some(Per::Value) => "value",
            Some(Per::Exposure) => "exposure",
        }
        .to_owned(),
        minimum: own.minimum.map(|least| least.to_string()).unwrap_or_default(),
        maximum: own.maximum.map(|most| most.to_string()).unwrap_or_default(),
        prometheus: own.prometheus.as_ref().map(|query| v1::PrometheusQuery {
            query: query.template.to_string(),
            interval_us: query.interval_us,
            stands_for_us: query.stands_for_us,
        }),
    }
}

/// A kind as documents write it.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Rate => "rate",
        Kind::Quantile(_) => "quantile",
        Kind::Mean => "mean",
        Kind::Count => "count",
        Kind::Gauge => "gauge",
    }
}

/// A unit as documents write it.
pub(crate) fn unit_name(unit: Unit) -> &'static str {
    let found = UNITS.iter().find(|(known, _)| *known == unit);
    found.map_or("fraction", |(_, name)| name)
}

/// A direction as documents write it.
pub(crate) fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Lower => "lower",
        Direction::Higher => "higher",
    }
}

/// Reads a risk.
pub(super) fn read_risk(wire: v1::Risk, reading: &mut Reading) -> Assessment {
    let mut rated = |name: &str, wire: Option<v1::Rated>| {
        let v1::Rated { level, rationale } = wire.unwrap_or_default();
        let level = reading.named(&format!("risk.{name}"), &level, Risk::Low, &Risk::ALL, |one| one.name());
        Rated { level, rationale }
    };
    let user_impact = rated("user_impact", wire.user_impact);
    let revenue_impact = rated("revenue_impact", wire.revenue_impact);
    let criticality = rated("criticality", wire.criticality);
    let v1::Rated { level, rationale } = wire.reversibility.unwrap_or_default();
    let (default, all) = (Reversibility::Easy, &Reversibility::ALL);
    let level = reading.named("risk.reversibility", &level, default, all, |one| one.name());
    Assessment {
        user_impact,
        revenue_impact,
        criticality,
        reversibility: Rated { level, rationale },
    }
}

/// A risk as the wire has it.
pub(super) fn write_risk(risk: &Assessment) -> v1::Risk {
    let rated = |rated: &Rated<Risk>| {
        Some(v1::Rated {
            level: rated.level.name().to_owned(),
            rationale: rated.rationale.clone(),
        })
    };
    v1::Risk {
        user_impact: rated(&risk.user_impact),
        revenue_impact: rated(&risk.revenue_impact),
        criticality: rated(&risk.criticality),
        reversibility: Some(v1::Rated {
            level: risk.reversibility.level.name().to_owned(),
            rationale: risk.reversibility.rationale.clone(),
        }),
    }
}

/// Reads a kill switch.
pub(super) fn read_kill_switch(wire: v1::KillSwitch, reading: &mut Reading) -> KillSwitch {
    KillSwitch {
        flag: wire.flag,
        auto_trip: wire.auto_trip,
        conditions: reading.criteria("kill_switch.conditions", &wire.conditions),
    }
}

/// A kill switch as the wire has it.
pub(super) fn write_kill_switch(kill: &KillSwitch) -> v1::KillSwitch {
    v1::KillSwitch {
        flag: kill.flag.clone(),
        auto_trip: kill.auto_trip,
        conditions: texts(&kill.conditions),
    }
}

/// Reads a baseline.
pub(super) fn read_baseline(wire: v1::Baseline, reading: &mut Reading) -> Baseline {
    let mut values = BTreeMap::new();
    for (key, text) in wire.values {
        let field = format!("baseline.values.{key}");
        let key = reading.metric(&field, &key);
        if let Some(value) = reading.one(&field, &text) {
            values.insert(key, value);
        }
    }
    let artifact = (!wire.artifact.is_empty()).then_some(wire.artifact);
    let default = match (&artifact, values.is_empty()) {
        (Some(_), _) => BaselineSource::Captured,
        (None, true) => BaselineSource::None,
        (None, false) => BaselineSource::Fixed,
    };
    let source = reading.named("baseline.source", &wire.source, default, &BaselineSource::ALL, |one| {
        one.name()
    });
    Baseline {
        source,
        values,
        artifact,
        ..Baseline::default()
    }
}

/// A baseline as the wire has it.
pub(super) fn write_baseline(baseline: &Baseline) -> Option<v1::Baseline> {
    (*baseline != Baseline::default()).then(|| v1::Baseline {
        source: baseline.source.name().to_owned(),
        values: (baseline.values.iter())
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect(),
        artifact: baseline.artifact.clone().unwrap_or_default(),
    })
}

/// Reads freezes.
pub(super) fn read_freezes(wire: BTreeMap<String, String>, reading: &mut Reading) -> BTreeMap<String, Window> {
    wire.into_iter()
        .filter_map(|(name, text)| {
            let window = reading.one(&format!("freezes.{name}"), &text)?;
            Some((name, window))
        })
        .collect()
}

/// Reads people.
pub(super) fn read_people(wire: v1::People) -> People {
    let duty = |duty: v1::Duty| Duty {
        stages: duty.stages,
        on_call: duty.on_call,
        escalation: duty.escalation,
    };
    let told = |told: v1::Stakeholder| Stakeholder {
        role: told.role,
        channel: told.channel,
        when: told.when,
    };
    People {
        owner: wire.owner,
        approvers: wire.approvers,
        duties: wire.duties.into_iter().map(duty).collect(),
        stakeholders: wire.stakeholders.into_iter().map(told).collect(),
    }
}

/// People as the wire has them; none if there are none.
pub(super) fn write_people(people: &People) -> Option<v1::People> {
    let duty = |duty: &Duty| v1::Duty {
        stages: duty.stages.clone(),
        on_call: duty.on_call.clone(),
        escalation: duty.escalation.clone(),
    };
    let told = |told: &Stakeholder| v1::Stakeholder {
        role: told.role.clone(),
        channel: told.channel.clone(),
        when: told.when.clone(),
    };
    (*people != People::default()).then(|| v1::People {
        owner: people.owner.clone(),
        approvers: people.approvers.clone(),
        duties: people.duties.iter().map(duty).collect(),
        stakeholders: people.stakeholders.iter().map(told).collect(),
    })
}

/// Reads a list of items.
pub(super) fn read_items(list: &str, items: Vec<v1::Item>, reading: &mut Reading) -> Vec<Item> {
    (0..)
        .zip(items)
        .map(|(at, item): (usize, _)| Item {
            by: reading.named(
                &format!("{list}[{at}].by"),
                &item.by,
                TickedBy::Person,
                &TickedBy::ALL,
                |one| one.name(),
            ),
            name: item.name,
            description: item.description,
        })
        .collect()
}

/// An item as the wire has it.
pub(super) fn write_item(item: &Item) -> v1::Item {
    v1::Item {
        name: item.name.clone(),
        description: item.description.clone(),
        by: item.by.name().to_owned(),
    }
}
