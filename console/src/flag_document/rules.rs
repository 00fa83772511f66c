//! Rules: `{name: staff, conditions: [{attribute: team, equals: core}], serve: on}`, or one line each:
//! `staff: team=core -> on`.

use proto::v1;

use super::{Variants, serve};
use crate::{
    condition_document,
    document::{Fields, Kind, Node, Problems, Tree},
    rule,
};

/// The rules of a flag.
pub(super) fn read(fields: &mut Fields<'_>, variants: &Variants, problems: &mut Problems) -> Vec<v1::Rule> {
    let Some(node) = fields.take("rules") else {
        return Vec::new();
    };
    let path = fields.path("rules");
    match &node.kind {
        Kind::List(list) => {
            let items = list.iter().enumerate();
            items
                .filter_map(|(at, item)| read_rule(item, &format!("{path}[{at}]"), at, variants, problems))
                .collect()
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => {
            problems.expected(node, &path, "a list of rules");
            Vec::new()
        }
    }
}

/// One rule, the `at`-th.
pub(super) fn read_rule(
    node: &Node,
    path: &str,
    at: usize,
    variants: &Variants,
    problems: &mut Problems,
) -> Option<v1::Rule> {
    if let Kind::Text(line) = &node.kind {
        return read_line(node, line, path, variants, problems);
    }
    let mut fields = Fields::of(node, path, "a rule: {name, conditions, serve}, or one line", problems)?;
    let name = fields.text("name", problems);
    let conditions = match fields.take_any(&["conditions", "when", "if"], problems) {
        Some((name, node)) => condition_document::read_all(node, &fields.path(name), problems),
        None => {
            problems.wrong(
                node.place,
                &fields.path("conditions"),
                "missing; a rule has at least one",
            );
            Vec::new()
        }
    };
    let serve = match fields.take_even_null("serve") {
        Some(node) => serve::read(node, &fields.path("serve"), variants, problems),
        None => {
            problems.wrong(
                node.place,
                &fields.path("serve"),
                "missing; name the variant that is served, or none",
            );
            None
        }
    };
    let salt = fields.text("salt", problems).unwrap_or_default();
    let splits = matches!(
        &serve,
        Some(v1::Serve {
            kind: Some(v1::serve::Kind::Split(_))
        })
    );
    if name.is_none() && splits {
        let what = "missing; it is part of the salt of the rule's split, so moving a rule without one moves its units";
        problems.wrong(node.place, &fields.path("name"), what);
    }
    fields.finish(problems);
    Some(v1::Rule {
        name: name.unwrap_or_else(|| format!("rule-{}", at + 1)),
        conditions,
        serve,
        salt,
    })
}

fn read_line(node: &Node, line: &str, path: &str, variants: &Variants, problems: &mut Problems) -> Option<v1::Rule> {
    let rule = match rule::parse(line) {
        Ok(rule) => rule,
        Err(problem) => {
            problems.wrong(node.place, path, problem);
            return None;
        }
    };
    let named: Vec<&str> = match rule.serve.as_ref().and_then(|serve| serve.kind.as_ref()) {
        Some(v1::serve::Kind::Variant(variant)) => vec![variant],
        Some(v1::serve::Kind::Split(split)) => split.shares.iter().map(|share| share.variant.as_str()).collect(),
        Some(v1::serve::Kind::CallerDefault(_)) | None => Vec::new(),
    };
    for name in named {
        variants.check(name, node, path, problems);
    }
    Some(rule)
}

/// The rules as a document has them.
pub(super) fn write(rules: &[v1::Rule]) -> Option<Tree> {
    let one = |rule: &v1::Rule| {
        Tree::fields([
            ("name", Some(Tree::Text(rule.name.clone()))),
            ("conditions", Some(condition_document::write_all(&rule.conditions))),
            ("serve", Some(serve::write(rule.serve.as_ref()))),
            ("salt", Tree::text(&rule.salt)),
        ])
    };
    (!rules.is_empty()).then(|| Tree::List(rules.iter().map(one).collect()))
}
