//! The built-in metrics as operators see them.

use proto::v1;
use rollout::catalogue::{self, Definition, Source};

use crate::plan_wire::{direction_name, kind_name, unit_name};

/// All of them, in the order of the catalogue.
pub(super) fn all() -> Vec<v1::MetricDefinition> {
    catalogue::all().iter().map(metric).collect()
}

fn metric(definition: &Definition) -> v1::MetricDefinition {
    let source = match definition.source {
        Source::Outcome => "outcome",
        Source::Duration => "duration",
        Source::Value => "value",
        Source::Event => "event",
        Source::External => "external",
    };
    v1::MetricDefinition {
        key: definition.key.to_owned(),
        name: definition.name.to_owned(),
        aliases: definition.aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        kind: kind_name(definition.kind).to_owned(),
        unit: unit_name(definition.unit).to_owned(),
        better: direction_name(definition.better).to_owned(),
        source: source.to_owned(),
        description: definition.description.to_owned(),
    }
}
