//! Guards: what is harm, and what to do about it.
//!
//! `error-rate > 1 %` alone aborts; `{harm, level, weight}` says more. `{metric, limit}` is the ratio to the live
//! control, the older form.

use proto::v1;
use rollout::Level;

use super::{checked, values};
use crate::document::{Fields, Kind, Node, Problems, Tree};

/// What a guard is, for problems.
const FORMS: &str = "a guard: `error-rate > 1 %`, or {harm: p95 > 1 s, level: warn}";

/// Reads `guards`: a list, or one guard alone.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<v1::Guard> {
    let path = fields.path("guards");
    let Some(node) = fields.take("guards") else {
        return Vec::new();
    };
    match &node.kind {
        Kind::List(list) => {
            let numbered = list.iter().enumerate();
            numbered
                .filter_map(|(at, item)| read_one(item, &format!("{path}[{at}]"), problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            read_one(node, &path, problems).into_iter().collect()
        }
    }
}

fn read_one(node: &Node, path: &str, problems: &mut Problems) -> Option<v1::Guard> {
    if let Kind::Text(_) = &node.kind {
        let harm = checked::of(node, path, checked::comparison, problems)?;
        return Some(v1::Guard {
            harm,
            ..v1::Guard::default()
        });
    }
    let mut fields = Fields::of(node, path, FORMS, problems)?;
    let says = |name| node.get(name).is_some_and(|node| node.kind != Kind::Null);
    let (has_harm, has_metric, has_limit) = (says("harm"), says("metric"), says("limit"));
    let guard = v1::Guard {
        harm: checked::one(&mut fields, "harm", checked::comparison, problems),
        metric: checked::one(&mut fields, "metric", checked::metric, problems),
        limit: values::ratio(&mut fields, "limit", problems),
        level: read_level(&mut fields, problems).into(),
        weight: values::ratio(&mut fields, "weight", problems),
        except: checked::list(&mut fields, "except", checked::key, problems),
    };
    match (has_harm, has_metric || has_limit, has_metric) {
        (true, false, _) | (false, _, true) => {}
        (true, true, _) => {
            let what = "write either harm, or metric with a limit that is a ratio to control";
            problems.wrong(fields.place, path, what);
        }
        (false, _, false) => problems.wrong(fields.place, &fields.path("harm"), format!("missing; write {FORMS}")),
    }
    fields.finish(problems);
    Some(guard)
}

fn read_level(fields: &mut Fields<'_>, problems: &mut Problems) -> v1::GuardLevel {
    let word = values::word(fields, "level", &values::names(&Level::ALL, Level::name), problems);
    let levels = [v1::GuardLevel::Warn, v1::GuardLevel::Hold, v1::GuardLevel::Abort];
    let level = levels
        .into_iter()
        .find(|level| values::level_name(*level) == Some(word.as_str()));
    level.unwrap_or_default()
}

/// As `read`, back.
pub(super) fn write(guards: &[v1::Guard]) -> Option<Tree> {
    (!guards.is_empty()).then(|| Tree::List(guards.iter().map(write_one).collect()))
}

fn write_one(guard: &v1::Guard) -> Tree {
    let alone = v1::Guard {
        harm: guard.harm.clone(),
        ..v1::Guard::default()
    };
    if *guard == alone && !guard.harm.is_empty() {
        return Tree::Text(guard.harm.clone());
    }
    Tree::fields([
        ("harm", Tree::text(&guard.harm)),
        ("metric", Tree::text(&guard.metric)),
        ("limit", values::write_number(guard.limit)),
        ("level", values::level_name(guard.level()).and_then(Tree::text)),
        ("weight", values::write_number(guard.weight)),
        ("except", checked::write(&guard.except)),
    ])
}
