//! A plan as a document (YAML or JSON), and its conversion to and from the wire.
//!
//! The one rule: what is written reads back as the very same plan, and texts (criteria, windows, values) stay as somebody
//! wrote them. A list of one may be written without brackets, and is; what is absent stays absent on the wire, where the
//! control plane gives it its default, so a 0 that would silently mean "the default" is refused. Here a text is
//! only parsed; whether the whole makes sense (percentages that rise, metrics that exist) is the control plane's to say.
//! docs/plans.md is this format for people.

mod checked;
mod guard;
mod item;
mod kill_switch;
mod metrics;
mod people;
mod risk;
mod stage;
mod time;
mod values;

use std::collections::BTreeMap;

use proto::v1;
use serde::{Serialize, Serializer};

pub(crate) use self::{checked::amount, stage::parse_stage};
use crate::{
    document::{Fields, Node, Problems, Tree},
    flag_document::KIND,
};

/// What is split between the arms, as documents write it.
const UNITS: [(&str, v1::SplittingUnit); 2] = [
    ("unit", v1::SplittingUnit::Unit),
    ("request", v1::SplittingUnit::Request),
];

/// A plan as people read it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanDocument(Tree);

impl Serialize for PlanDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl PlanDocument {
    /// The document of a plan: whose it is, when it may run, what is known before, then the stages and what stops them.
    pub(crate) fn from_wire(plan: &v1::Plan) -> Self {
        let unit = UNITS.iter().find(|(_, unit)| *unit == plan.unit());
        Self(Tree::fields([
            ("key", Tree::text(&plan.key)),
            ("environment", Tree::text(&plan.environment)),
            ("flag", Tree::text(&plan.flag)),
            ("description", Tree::text(&plan.description)),
            ("treatment", Tree::text(&plan.treatment)),
            ("control", Tree::text(&plan.control)),
            ("strategy", Tree::text(&plan.strategy)),
            ("labels", checked::write_map(&plan.labels)),
            ("links", checked::write_map(&plan.links)),
            ("risk", plan.risk.as_ref().map(risk::write)),
            ("people", plan.people.as_ref().map(people::write)),
            ("unit", unit.map(|(name, _)| Tree::Text((*name).into()))),
            ("unit_by", checked::write(&plan.unit_by)),
            ("traffic", metrics::write_traffic(plan)),
            ("baseline", plan.baseline.as_ref().map(metrics::write_baseline)),
            ("metrics", metrics::write_own(&plan.metrics)),
            ("primary_metric", Tree::text(&plan.primary_metric)),
            ("observed", checked::write(&plan.observed)),
            ("start_at", time::write_instant(plan.start_at_us)),
            ("windows", checked::write(&plan.windows)),
            ("freezes", checked::write_map(&plan.freezes)),
            ("approvals", values::write_count(plan.approvals)),
            ("preflight", item::write(&plan.preflight)),
            ("stages", stage::write(&plan.stages)),
            ("guards", guard::write(&plan.guards)),
            ("warning", checked::write(&plan.warning)),
            ("critical", checked::write(&plan.critical)),
            ("manual_triggers", checked::write(&plan.manual_triggers)),
            ("kill_switch", plan.kill_switch.as_ref().map(kill_switch::write)),
            ("bake", plan.bake_us.map(time::write_duration)),
            ("holdback", values::write_percentage(plan.holdback_buckets)),
            ("exit", item::write(&plan.exit)),
            ("stuck_after", time::write_positive(plan.stuck_after_us)),
            ("alpha", values::write_number(plan.alpha)),
            ("beta", values::write_number(plan.beta)),
            ("max_control_rate", values::write_number(plan.max_control_rate)),
            ("lost_after", time::write_positive(plan.lost_after_us)),
        ]))
    }
}

/// Reads one plan from a text; every problem as `file:line:column: field: what is wrong`.
pub(crate) fn parse(file: &str, text: &str) -> Result<v1::Plan, Vec<String>> {
    let mut problems = Problems::of(file);
    let mut plan = v1::Plan::default();
    match Node::parse(text) {
        Ok(nodes) => match nodes.as_slice() {
            [node] => plan = read(node, "", &mut problems),
            nodes => {
                let place = nodes.get(1).map(|node| node.place).unwrap_or_default();
                problems.wrong(place, "", format!("{} documents; one plan is wanted", nodes.len()));
            }
        },
        Err(error) => problems.syntax(&error),
    }
    match problems.into_lines() {
        (problems, _) if problems.is_empty() => Ok(plan),
        (problems, _) => Err(problems),
    }
}

/// Values of metrics with their units, from a map at `path`.
pub(crate) fn amounts(node: &Node, path: &str, problems: &mut Problems) -> BTreeMap<String, String> {
    checked::map_of(node, path, checked::amount, problems)
}

/// A number with its unit; a bad one is a problem and none.
pub(crate) fn amount_of(node: &Node, path: &str, problems: &mut Problems) -> Option<String> {
    checked::of(node, path, checked::amount, problems)
}

/// The field `kind` of a document that can only be of one.
pub(crate) fn check_kind(fields: &mut Fields<'_>, kind: &'static str, problems: &mut Problems) {
    values::word(fields, KIND, &[kind], problems);
}

/// The field `key`, which is one; empty if it is absent.
pub(crate) fn key_of(fields: &mut Fields<'_>, problems: &mut Problems) -> String {
    checked::one(fields, "key", checked::key, problems)
}

/// Reads a plan from its node at `path`.
pub(crate) fn read(node: &Node, path: &str, problems: &mut Problems) -> v1::Plan {
    let Some(mut fields) = Fields::of(node, path, "a plan: a map of its fields", problems) else {
        return v1::Plan::default();
    };
    check_kind(&mut fields, "plan", problems);
    let (units_per_day, requests_per_day) = metrics::read_traffic(&mut fields, problems);
    let plan = v1::Plan {
        key: checked::one(&mut fields, "key", checked::key, problems),
        environment: checked::one(&mut fields, "environment", checked::key, problems),
        flag: checked::required(
            &mut fields,
            "flag",
            checked::key,
            "name the flag that is moved",
            problems,
        ),
        description: fields.text("description", problems).unwrap_or_default(),
        treatment: checked::required(
            &mut fields,
            "treatment",
            checked::any,
            "name the variant that is rolled out",
            problems,
        ),
        control: checked::required(
            &mut fields,
            "control",
            checked::any,
            "name the variant that is the default now",
            problems,
        ),
        strategy: values::word(
            &mut fields,
            "strategy",
            &values::names(&rollout::strategy::Strategy::ALL, |one| one.name()),
            problems,
        ),
        labels: checked::map(&mut fields, "labels", checked::any, problems),
        links: checked::map(&mut fields, "links", checked::any, problems),
        risk: risk::read(&mut fields, problems),
        people: people::read(&mut fields, problems),
        unit: read_unit(&mut fields, problems).into(),
        unit_by: checked::list(&mut fields, "unit_by", checked::any, problems),
        units_per_day,
        requests_per_day,
        baseline: metrics::read_baseline(&mut fields, problems),
        metrics: metrics::read_own(&mut fields, problems),
        primary_metric: checked::one(&mut fields, "primary_metric", checked::metric, problems),
        observed: checked::list(&mut fields, "observed", checked::metric, problems),
        start_at_us: time::instant(&mut fields, "start_at", problems),
        windows: checked::list(&mut fields, "windows", checked::window, problems),
        freezes: checked::map(&mut fields, "freezes", checked::window, problems),
        approvals: values::count(&mut fields, "approvals", problems).unwrap_or_default(),
        preflight: item::read(&mut fields, "preflight", problems),
        stages: stage::read(&mut fields, problems),
        guards: guard::read(&mut fields, problems),
        warning: checked::list(&mut fields, "warning", checked::criterion, problems),
        critical: checked::list(&mut fields, "critical", checked::criterion, problems),
        manual_triggers: checked::list(&mut fields, "manual_triggers", checked::key, problems),
        kill_switch: kill_switch::read(&mut fields, problems),
        bake_us: time::duration(&mut fields, "bake", problems),
        holdback_buckets: values::percentage(&mut fields, &["holdback"], problems).unwrap_or_default(),
        exit: item::read(&mut fields, "exit", problems),
        stuck_after_us: time::positive(&mut fields, "stuck_after", problems),
        alpha: values::probability(&mut fields, "alpha", problems),
        beta: values::probability(&mut fields, "beta", problems),
        max_control_rate: values::probability(&mut fields, "max_control_rate", problems),
        lost_after_us: time::positive(&mut fields, "lost_after", problems),
    };
    fields.finish(problems);
    plan
}

fn read_unit(fields: &mut Fields<'_>, problems: &mut Problems) -> v1::SplittingUnit {
    let word = values::word(fields, "unit", &UNITS.map(|(name, _)| name), problems);
    let unit = UNITS.iter().find(|(name, _)| *name == word);
    unit.map_or(v1::SplittingUnit::Unspecified, |(_, unit)| *unit)
}

#[cfg(test)]
mod tests;
