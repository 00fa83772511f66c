//! The people of a plan: owner, approvers, who is on call in which stage, who is told what when.
//!
//! A duty for all stages without escalation is the name of who is on call.

use proto::v1;

use super::checked;
use crate::document::{Fields, Kind, Node, Problems, Tree};

/// Reads `people`.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<v1::People> {
    let path = fields.path("people");
    let what = "people: {owner, approvers, duties, stakeholders}";
    let mut inner = Fields::of(fields.take("people")?, path, what, problems)?;
    let people = v1::People {
        owner: checked::one(&mut inner, "owner", checked::any, problems),
        approvers: checked::list(&mut inner, "approvers", checked::any, problems),
        duties: each(&mut inner, &["duties", "on_call"], read_duty, problems),
        stakeholders: each(&mut inner, &["stakeholders"], read_stakeholder, problems),
    };
    inner.finish(problems);
    Some(people)
}

/// A list of people, or one alone.
fn each<T>(
    fields: &mut Fields<'_>,
    names: &[&'static str],
    read: fn(&Node, &str, &mut Problems) -> Option<T>,
    problems: &mut Problems,
) -> Vec<T> {
    let Some((name, node)) = fields.take_any(names, problems) else {
        return Vec::new();
    };
    let path = fields.path(name);
    match &node.kind {
        Kind::List(list) => {
            let numbered = list.iter().enumerate();
            numbered
                .filter_map(|(at, item)| read(item, &format!("{path}[{at}]"), problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            read(node, &path, problems).into_iter().collect()
        }
    }
}

fn read_duty(node: &Node, path: &str, problems: &mut Problems) -> Option<v1::Duty> {
    if let Kind::Text(on_call) = &node.kind {
        return Some(v1::Duty {
            on_call: on_call.clone(),
            ..v1::Duty::default()
        });
    }
    let what = "a duty: who is on call, or {stages, on_call, escalation}";
    let mut fields = Fields::of(node, path, what, problems)?;
    let duty = v1::Duty {
        stages: checked::list(&mut fields, "stages", checked::key, problems),
        on_call: checked::required(&mut fields, "on_call", checked::any, "name who is on call", problems),
        escalation: checked::list(&mut fields, "escalation", checked::any, problems),
    };
    fields.finish(problems);
    Some(duty)
}

fn read_stakeholder(node: &Node, path: &str, problems: &mut Problems) -> Option<v1::Stakeholder> {
    let mut fields = Fields::of(node, path, "a stakeholder: {role, channel, when}", problems)?;
    let told = v1::Stakeholder {
        role: checked::one(&mut fields, "role", checked::any, problems),
        channel: checked::one(&mut fields, "channel", checked::any, problems),
        when: checked::one(&mut fields, "when", checked::any, problems),
    };
    fields.finish(problems);
    Some(told)
}

/// As `read`, back.
pub(super) fn write(people: &v1::People) -> Tree {
    let list = |trees: Vec<Tree>| (!trees.is_empty()).then_some(Tree::List(trees));
    Tree::fields([
        ("owner", Tree::text(&people.owner)),
        ("approvers", checked::write(&people.approvers)),
        ("duties", list(people.duties.iter().map(write_duty).collect())),
        (
            "stakeholders",
            list(people.stakeholders.iter().map(write_stakeholder).collect()),
        ),
    ])
}

fn write_duty(duty: &v1::Duty) -> Tree {
    if duty.stages.is_empty() && duty.escalation.is_empty() {
        return Tree::Text(duty.on_call.clone());
    }
    Tree::fields([
        ("stages", checked::write(&duty.stages)),
        ("on_call", Tree::text(&duty.on_call)),
        ("escalation", checked::write(&duty.escalation)),
    ])
}

fn write_stakeholder(told: &v1::Stakeholder) -> Tree {
    Tree::fields([
        ("role", Tree::text(&told.role)),
        ("channel", Tree::text(&told.channel)),
        ("when", Tree::text(&told.when)),
    ])
}
