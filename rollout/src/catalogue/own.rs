//! Metrics that a plan defines for itself, and looking a key up in both places.
//!
//! A plan may not take a name that the catalogue already gives a meaning ([`OwnDefinition::shadows`]), aliases
//! included; a key therefore never means two things. It may say where a level of the catalogue is read, which keeps its
//! meaning. Refusing such a plan is left to the plan's own checks.

use crate::{criterion::Decimal, measure::Per};

use super::{Definition, Direction, Kind, MetricKey, Query, Source, Unit, distance, find, find_spelling, key, nearest};

/// A metric that a plan defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDefinition {
    /// As the plan spells it; looked up whatever the case, hyphens and underscores.
    pub key: String,
    /// How outcomes become the number.
    pub kind: Kind,
    /// What the number is of.
    pub unit: Unit,
    /// Which way is better.
    pub better: Direction,
    /// What its values are divided by; none: counts by exposures, all else by values.
    pub per: Option<Per>,
    /// The least that one value counts for; none: the least of its unit.
    pub minimum: Option<Decimal>,
    /// The greatest that one value counts for; none: the greatest of its unit.
    pub maximum: Option<Decimal>,
    /// What a Prometheus is asked for it; none: it is reported or pushed.
    pub prometheus: Option<Query>,
}

/// What is known of a metric, wherever it is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// As its definition spells it.
    pub key: &'a str,
    /// How outcomes become the number.
    pub kind: Kind,
    /// What the number is of.
    pub unit: Unit,
    /// Which way is better.
    pub better: Direction,
}

/// Nobody defines this metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is not a metric of the catalogue or of this plan{}", suggestion(.nearest.as_deref()))]
pub struct UnknownMetric {
    /// What was named.
    pub key: MetricKey,
    /// What may have been meant.
    pub nearest: Option<String>,
}

/// Looks keys up in the catalogue and among a plan's own metrics.
#[derive(Debug, Clone, Copy)]
pub struct Resolver<'a> {
    own: &'a [OwnDefinition],
}

impl OwnDefinition {
    /// The metric of the catalogue whose name this one takes; a plan with such a metric is to be refused.
    pub fn shadows(&self) -> Option<&'static Definition> {
        find(&self.key).filter(|_| self.reads().is_none())
    }

    /// The level of the catalogue that this one says where to read.
    pub fn reads(&self) -> Option<&'static Definition> {
        let is_level =
            |definition: &&Definition| definition.kind == Kind::Gauge && definition.source == Source::External;
        find(&self.key).filter(|definition| self.prometheus.is_some() && is_level(definition))
    }
}

impl<'a> Resolver<'a> {
    /// Looks in the catalogue and in these.
    pub fn new(own: &'a [OwnDefinition]) -> Self {
        Resolver { own }
    }

    /// What is known of a metric.
    pub fn resolve(&self, metric: &MetricKey) -> Result<Resolved<'a>, UnknownMetric> {
        if let Some(definition) = find_spelling(metric.as_str()) {
            return Ok(Resolved {
                key: definition.key,
                kind: definition.kind,
                unit: definition.unit,
                better: definition.better,
            });
        }
        let same = |own: &&OwnDefinition| key::spelling(&own.key) == metric.as_str();
        match self.own.iter().find(same) {
            Some(own) => Ok(Resolved {
                key: &own.key,
                kind: own.kind,
                unit: own.unit,
                better: own.better,
            }),
            None => Err(UnknownMetric {
                key: metric.clone(),
                nearest: self.nearest(metric),
            }),
        }
    }

    /// What a Prometheus is asked for a metric; none: it is reported or pushed.
    pub fn query(&self, metric: &MetricKey) -> Option<&'a Query> {
        let mut own = self.own.iter();
        let same = |own: &&OwnDefinition| MetricKey::new(&own.key).is_ok_and(|key| key == *metric);
        own.find(same)?.prometheus.as_ref()
    }

    /// A plan's own metric goes before one of the catalogue: whoever wrote the plan has its names in mind.
    fn nearest(&self, metric: &MetricKey) -> Option<String> {
        let spellings: Vec<String> = self.own.iter().map(|own| key::spelling(&own.key)).collect();
        let own = spellings
            .iter()
            .zip(self.own)
            .map(|(spelling, own)| (spelling.as_str(), own.key.as_str()));
        distance::nearest(metric.as_str(), own)
            .or_else(|| nearest(metric.as_str()).map(|definition| definition.key))
            .map(str::to_owned)
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(key) => format!(": did you mean {key}?"),
        None => ": define it in the plan's metrics, or name one of the catalogue".to_owned(),
    }
}
