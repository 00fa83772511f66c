//! What is around a plan in an environment, and what lint has to say about the plan there.
//!
//! The one place where plans are held against the state: whatever stores, starts or edits one refuses what
//! [`Report::violations`] holds. Whoever writes by what was read here guards the references of the environment
//! (`change::guard_references`). What is wrong with a plan is `rollout`'s to say; here is only what it cannot know.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{Key, Segment, Serve, Test, check_references};
use proto::v1;
use rollout::{
    Micros, Plan, Violation,
    lint::{self, Report, Surroundings},
};

use crate::{
    baseline::frozen::frozen,
    plan_wire::Written,
    references::{self, Overlay, StateDocuments},
    state::State,
};

/// Names of what comes with a request and goes with it.
const OF_REQUESTS: [&str; 13] = [
    "request",
    "req",
    "transaction",
    "tx",
    "order",
    "path",
    "url",
    "method",
    "header",
    "headers",
    "query",
    "ip",
    "body",
];

/// All that is to be said about a plan that would be started in an environment at `now`, with the baseline that it names.
/// One that is not there is a warning: it may be captured before the plan is started.
pub(crate) fn lint(state: &State, environment: &Key, plan: &Plan, now: Micros) -> Report {
    let (frozen, missing) = frozen(state, environment, plan, now);
    let mut report = lint::lint(&frozen, &around(state, environment, plan), now);
    for found in missing {
        if !report.warnings.contains(&found) {
            report.warnings.push(found);
        }
    }
    for found in misled(state, environment, plan) {
        if report.violations.iter().all(|known| known.field != found.field) {
            report.violations.push(found);
        }
    }
    if !plan.environment.is_empty() && plan.environment != environment.as_str() {
        let description = format!(
            "the plan is for {}, and the request for {environment}",
            plan.environment
        );
        report.violations.insert(0, violation("environment", description));
    }
    report
}

/// A plan as a request has it, as far as it can be read, and all that is to be said about it, by the fields of the request.
///
/// If anything could not be read there are no times and costs: they would be those of another plan.
pub(crate) fn read(state: &State, environment: &Key, wire: v1::Plan, now: Micros) -> (Plan, Report) {
    let written = Written::read(wire);
    let mut report = lint(state, environment, &written.plan, now);
    let as_written = |found: Vec<Violation>| {
        let named = |found: Violation| Some(violation(&written.field(&found.field)?, found.description));
        found.into_iter().filter_map(named).collect::<Vec<_>>()
    };
    report.violations = as_written(report.violations);
    report.warnings = as_written(report.warnings);
    if !written.unreadable.is_empty() {
        let unreadable = written.unreadable.into_iter();
        let unreadable = unreadable.map(|found| violation(&found.field, found.description));
        report = Report {
            violations: unreadable.chain(report.violations).collect(),
            calendar: Vec::new(),
            phase: None,
            waits: Vec::new(),
            stages: Vec::new(),
            limits: Vec::new(),
            thresholds: Vec::new(),
            ..report
        };
    }
    (written.plan, report)
}

/// What is known around a plan. Only the segments that it names are in it.
pub(crate) fn around<'s>(state: &'s State, environment: &'s Key, plan: &Plan) -> Surroundings<'s> {
    let flag = |key: &str| state.flag(environment, &Key::parse(key).ok()?);
    let own = flag(&plan.flag).map(|record| &record.flag);
    let default = own.and_then(|flag| match &flag.default {
        Serve::Variant(name) => Some(name.as_str()),
        Serve::Split(_) | Serve::CallerDefault => None,
    });
    let named = plan.stages.iter().flat_map(|stage| &stage.audience);
    let segments = named.filter_map(|key| segment(state, environment, key));
    let segments = segments.map(|found| {
        let per_request = per_request(state, environment, found);
        (found.key.as_str(), lint::Segment { per_request })
    });
    let killed = plan.kill_switch.as_ref().and_then(|kill| flag(&kill.flag));
    Surroundings {
        variants: own.map(|flag| flag.variants.keys().map(String::as_str).collect()),
        default,
        segments: segments.collect::<BTreeMap<_, _>>(),
        // A kill would reach nobody: an archived flag is not delivered.
        knows_kill_flag: killed.is_some_and(|record| record.archived_at_us.is_none()),
    }
}

/// Audiences that lead back to the flag itself, or too far. An evaluation of the flag would ask for its own answer.
fn misled(state: &State, environment: &Key, plan: &Plan) -> Vec<Violation> {
    let own = Key::parse(&plan.flag)
        .ok()
        .and_then(|key| state.flag(environment, &key));
    let Some(record) = own else {
        return Vec::new();
    };
    let (step, overlay) = (references::whole_step(plan), Overlay::default());
    let among = StateDocuments::new(state, environment, &overlay);
    let found = check_references(evaluation::Written::Flag(&record.flag, Some(&step)), &among).into_iter();
    let of_plan = found.filter_map(|found| {
        let place = found.field.strip_prefix("rollout.reached")?;
        Some(violation(&format!("stages{place}"), found.description))
    });
    of_plan.collect()
}

/// An attribute that may differ between two requests of one unit and that a segment reads, itself or by the segments that
/// it reads; none: it reads none.
///
/// An attribute is one of a request if its name, or the part of it before the first dot, is one of: request, req,
/// transaction, tx, order, path, url, method, header, headers, query, ip, body. A name cannot prove it; these are
/// those under which people pass on what belongs to a request, and a mistake is mended by `unit: request`.
fn per_request<'s>(state: &'s State, environment: &'s Key, segment: &'s Segment) -> Option<&'s str> {
    let mut seen = BTreeSet::from([segment.key.as_str()]);
    let mut ahead = vec![segment];
    while let Some(next) = ahead.pop() {
        for condition in next.groups.iter().flatten() {
            if is_of_request(&condition.attribute) {
                return Some(&condition.attribute);
            }
            if let Test::InSegment(read) = &condition.test {
                let read = read.iter().filter_map(|key| self::segment(state, environment, key));
                ahead.extend(read.filter(|read| seen.insert(&read.key)));
            }
        }
    }
    None
}

fn is_of_request(attribute: &str) -> bool {
    let first = attribute.split('.').next().unwrap_or_default();
    OF_REQUESTS.iter().any(|known| first.eq_ignore_ascii_case(known))
}

fn segment<'s>(state: &'s State, environment: &Key, key: &str) -> Option<&'s Segment> {
    let record = state.segment(environment, &Key::parse(key).ok()?)?;
    Some(&record.segment)
}

fn violation(field: &str, description: String) -> Violation {
    Violation {
        field: field.to_owned(),
        description,
    }
}

#[cfg(test)]
mod tests;
