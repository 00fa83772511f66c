//! The sentences that people say instead of a comparison.
//!
//! Each means exactly one criterion and is displayed as that one. A text with a relation's sign in it is never a
//! sentence, so a plan's own metric may be called anything.

use super::{Base, Comparison, Criterion, Decimal, Limit, Number, Problem, Relation, Written};
use crate::catalogue::MetricKey;

/// The criterion that a sentence means; none if it is no sentence.
pub(super) fn read(text: &str) -> Option<Result<Criterion, Problem>> {
    let words: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["all", "metrics", "stable"] | ["metrics", "stable"] | ["stable"] => Some(Ok(Criterion::Stable)),
        ["parity", "with", "control"] | ["parity"] => Some(Ok(Criterion::Parity)),
        ["no", "more", name @ .., "than", "control"] => Some(compare(name, Relation::AtMost, once(Base::Control))),
        ["no", "more", name @ .., "than", "baseline"] | ["no", "more", name @ ..] => {
            Some(compare(name, Relation::AtMost, once(Base::Baseline)))
        }
        ["no", name @ ..] => Some(compare(name, Relation::AtMost, NONE)),
        ["any", name @ ..] => Some(compare(name, Relation::Above, NONE)),
        _ => None,
    }
}

/// Not a single one.
const NONE: Limit = Limit::Absolute(Number {
    value: Decimal::ZERO,
    written: Written::Plain,
});

fn once(base: Base) -> Limit {
    Limit::Times {
        base,
        factor: Decimal::ONE,
    }
}

fn compare(name: &[&str], relation: Relation, limit: Limit) -> Result<Criterion, Problem> {
    let metric = MetricKey::new(&name.join(" ")).map_err(|error| Problem::Metric { column: 1, error })?;
    Ok(Criterion::Compare(Comparison {
        metric,
        relation,
        limit,
        window: None,
    }))
}
