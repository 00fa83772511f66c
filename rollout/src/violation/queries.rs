//! What is wrong with metrics that a Prometheus is asked for. Whether the query itself can be filled in was seen when it
//! was read.

use super::{Violation, report};
use crate::{
    catalogue::{Kind, OwnDefinition, Query, Resolver},
    criterion::{Base, Criterion, Limit},
    duration,
};

/// Looks at one metric of the plan's own; `path` is its place.
pub(super) fn check(own: &OwnDefinition, path: &str, found: &mut Vec<Violation>) {
    let Some(query) = &own.prometheus else {
        return;
    };
    check_form(own, path, found);
    let (shortest, longest) = (Query::INTERVALS_US.start(), Query::INTERVALS_US.end());
    if !Query::INTERVALS_US.contains(&query.interval_us) {
        let description = format!(
            "must be {} to {}, not {}",
            duration::exact(*shortest),
            duration::exact(*longest),
            duration::exact(query.interval_us)
        );
        report(found, format!("{path}.prometheus.interval"), description);
        return;
    }
    let standing = Query::least_standing_us(query.interval_us)..=Query::LONGEST_STANDING_US;
    if !standing.contains(&query.stands_for_us) {
        let description = format!(
            "must be {} (two intervals) to {}, not {}",
            duration::exact(*standing.start()),
            duration::exact(*standing.end()),
            duration::exact(query.stands_for_us)
        );
        report(found, format!("{path}.prometheus.stands_for"), description);
    }
}

/// A number from outside is a level and nothing else.
fn check_form(own: &OwnDefinition, path: &str, found: &mut Vec<Violation>) {
    if let Some(level) = own.reads()
        && (own.unit, own.better) != (level.unit, level.better)
    {
        let description = format!(
            "{:?} is a built-in level ({}), whose unit and better are those of the list of metrics",
            own.key, level.name
        );
        report(found, format!("{path}.unit"), description);
    }
    if own.kind != Kind::Gauge {
        let description = "must be gauge, or left out: an answer of Prometheus is one number, with no outcomes and no units \
                           behind it";
        report(found, format!("{path}.kind"), description.to_owned());
    }
    let of_values = [
        ("per", own.per.is_some()),
        ("minimum", own.minimum.is_some()),
        ("maximum", own.maximum.is_some()),
    ];
    for (name, is_given) in of_values {
        if is_given {
            let description = "is for values that are counted; what Prometheus answers is taken as it is".to_owned();
            report(found, format!("{path}.{name}"), description);
        }
    }
}

/// Looks at a criterion: what has one number for both arms cannot be compared with one of them.
pub(super) fn check_criterion(field: &str, written: &Criterion, resolver: &Resolver<'_>, found: &mut Vec<Violation>) {
    let Criterion::Compare(comparison) = written else {
        return;
    };
    let of_control = match comparison.limit {
        Limit::Times { base, .. } | Limit::Plus { base, .. } => base == Base::Control,
        Limit::Absolute(_) => false,
    };
    let query = resolver.query(&comparison.metric).filter(|_| of_control);
    if query.is_some_and(|query| !query.template.tells_arms_apart()) {
        let description = format!(
            "the query of {} has neither {{{{arm}}}} nor {{{{variant}}}}, so both arms have one number: compare it with a \
             number, or name the arm in the query",
            comparison.metric
        );
        report(found, field, description);
    }
}
