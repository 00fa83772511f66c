//! The metrics that every plan may name without defining them, and how a name is understood.
//!
//! A definition says what kind of number a metric is, in what unit, and which way is better; that is all a limit needs
//! to be checked. The one rule: a name means one metric, however it is spelled, so spellings are settled here
//! ([`MetricKey`]) and nowhere else. A plan adds its own metrics ([`OwnDefinition`]) and [`Resolver`] looks in both.
//! Counting and judging are left to the agents and to [`evidence`](crate::evidence).

mod built_in;
mod distance;
mod key;
mod own;
mod query;

use crate::measure::Per;
pub use key::{KeyError, MetricKey};

pub use own::{OwnDefinition, Resolved, Resolver, UnknownMetric};
pub use query::{Names, Placeholder, Query, Template, TemplateError};

/// A metric of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// As criteria write it.
    pub key: &'static str,
    /// As pages show it.
    pub name: &'static str,
    /// Other spellings that mean it, in the form of a key.
    pub aliases: &'static [&'static str],
    /// How outcomes become the number.
    pub kind: Kind,
    /// What the number is of.
    pub unit: Unit,
    /// Which way is better.
    pub better: Direction,
    /// Where it comes from unless a plan says otherwise.
    pub source: Source,
    /// What values of it are divided by.
    pub per: Per,
    /// What is counted, in a sentence.
    pub description: &'static str,
}

/// How outcomes become a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The fraction of outcomes (or exposures) that are so: 0 to 1.
    Rate,
    /// The value that this many in a thousand stay at or below: 950 is p95.
    Quantile(u16),
    /// The mean over outcomes (or exposures).
    Mean,
    /// Events in a window.
    Count,
    /// A level read from outside, which belongs to no outcome.
    Gauge,
}

/// What a metric's number is of; an estimate is in the unit named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A part of 1.
    Fraction,
    /// Microseconds.
    Duration,
    /// Whole units of a currency.
    Money,
    /// How many.
    Count,
    /// A judge's number, on the judge's own scale.
    Score,
    /// Bytes.
    Bytes,
    /// How many in a second.
    PerSecond,
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Less is better: errors, latency, cost.
    Lower,
    /// More is better: revenue, faithfulness.
    Higher,
}

/// Where a metric's numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The outcome of each observation: ok, error, timeout.
    Outcome,
    /// The duration of each observation.
    Duration,
    /// A number that an observation carries under the metric's key.
    Value,
    /// A later event that is tracked for an exposure.
    Event,
    /// Pushed or fetched from outside: support desks, billing, judges of answers, Prometheus.
    External,
}

/// Every metric of the catalogue, in the order in which pages show them.
pub fn all() -> &'static [Definition] {
    built_in::DEFINITIONS
}

/// The metric that a text names: hyphens, underscores, spaces and case do not matter, and aliases count.
pub fn find(text: &str) -> Option<&'static Definition> {
    find_spelling(&key::spelling(text))
}

/// The metric whose key or alias is most like a text, if one is near enough to have been meant.
pub fn nearest(text: &str) -> Option<&'static Definition> {
    let wanted = key::spelling(text);
    let spellings = all().iter().flat_map(|definition| {
        let others = definition.aliases.iter().copied();
        std::iter::once(definition.key)
            .chain(others)
            .map(move |name| (name, definition))
    });
    distance::nearest(&wanted, spellings)
}

/// The name that was probably meant by one that is not there; none if all are too far from it.
pub fn nearest_name<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    distance::nearest(wanted, names.map(|name| (name, name)))
}

/// The metric with this key or alias, already in the form of a key.
fn find_spelling(spelling: &str) -> Option<&'static Definition> {
    all()
        .iter()
        .find(|definition| definition.key == spelling || definition.aliases.contains(&spelling))
}

#[cfg(test)]
mod tests;
