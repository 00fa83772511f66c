//! The words that other systems' files use: `rollout_percentage`, `rollout_type`, `targeting_rules`.
//!
//! They are mapped to what they mean here, with a note that says what became of them. `rollout_type: percentage` serves
//! the true variant to a share; `whitelist` to the listed units only; `blacklist` to all but the listed. Whoever meets a
//! targeting rule gets what the rule serves, before any percentage.

use evaluation::Buckets;
use proto::v1;

use super::{
    Percent, Variants,
    lists::{allow_true, read_units},
    rules,
    serve::{self, variant},
};
use crate::{
    condition_document,
    document::{Fields, Kind, Name, Node, Problems},
    edit,
};

/// Takes the older words; what they say of the default, if they are there.
pub(super) fn read(
    flag: &mut v1::Flag,
    fields: &mut Fields<'_>,
    variants: &Variants,
    problems: &mut Problems,
) -> Option<v1::Serve> {
    let percentage = fields.take("rollout_percentage");
    let rollout_type = fields.take("rollout_type");
    read_targeting(flag, fields, variants, problems);
    let node = rollout_type.or(percentage)?;
    if flag.off_variant.is_empty() {
        flag.off_variant = variants.only(false).unwrap_or_default().into();
    }
    let (Some(on), Some(off)) = (variants.only(true), variants.only(false)) else {
        let what = "of a boolean flag with one true and one false variant only; write default and percent instead";
        problems.wrong(node.place, &fields.path("rollout_type"), what);
        return None;
    };
    let kind = match rollout_type {
        Some(node) => crate::document::text_of(node, &fields.path("rollout_type"), problems)?,
        None => "percentage".into(),
    };
    let unused = |problems: &mut Problems| {
        if let Some(node) = percentage {
            let what = format!("says nothing for rollout_type {kind}; left out");
            problems.note(node.place, &fields.path("rollout_percentage"), what);
        }
    };
    match kind.as_str() {
        "percentage" => {
            let Some(node) = percentage else {
                problems.wrong(
                    node.place,
                    &fields.path("rollout_percentage"),
                    "missing; how many get it?",
                );
                return None;
            };
            let buckets = Percent::read(node, &fields.path("rollout_percentage"), problems)?;
            let what = format!("read as percent: `{on}` to that share, `{off}` to the rest");
            problems.note(node.place, &fields.path("rollout_percentage"), what);
            Some(edit::split(on, Buckets::new(buckets)?, off))
        }
        "whitelist" => {
            unused(problems);
            problems.note(
                node.place,
                &fields.path("rollout_type"),
                format!("read as allow lists; the rest gets `{off}`"),
            );
            let (path, units) = (
                fields.path("users"),
                read_units(fields, &["users", "user_ids"], problems),
            );
            if !units.is_empty() {
                flag.allow.extend(allow_true(node, &path, units, variants, problems));
            }
            Some(variant(off))
        }
        "blacklist" => {
            unused(problems);
            problems.note(
                node.place,
                &fields.path("rollout_type"),
                format!("read as a deny list; the rest gets `{on}`"),
            );
            flag.deny.extend(read_units(fields, &["users", "user_ids"], problems));
            Some(variant(on))
        }
        _ => {
            problems.wrong(
                node.place,
                &fields.path("rollout_type"),
                "write percentage, whitelist or blacklist",
            );
            None
        }
    }
}

/// `targeting_rules`: a list of rules, ours or with `{attribute, operator, values}`; or a map of attributes and values, all
/// of which must hold.
fn read_targeting(flag: &mut v1::Flag, fields: &mut Fields<'_>, variants: &Variants, problems: &mut Problems) {
    let Some(node) = fields.take("targeting_rules") else {
        return;
    };
    let path = fields.path("targeting_rules");
    match &node.kind {
        Kind::List(list) => {
            for (at, item) in list.iter().enumerate() {
                let path = format!("{path}[{at}]");
                let rule = if is_simple(item) {
                    read_simple(item, &path, at, variants, problems)
                } else {
                    rules::read_rule(item, &path, at, variants, problems)
                };
                flag.rules.extend(rule);
            }
        }
        Kind::Map(map) => {
            let conditions = map.iter().filter_map(|(name, values)| {
                let test = condition(name, &name.text, ("one_of", false), Some(values));
                condition_document::read(&test, &format!("{path}.{}", name.text), problems)
            });
            flag.rules.push(v1::Rule {
                name: "targeting".into(),
                conditions: conditions.collect(),
                serve: served(node, &path, None, variants, problems),
                salt: String::new(),
            });
        }
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => {
            problems.expected(node, &path, "a list of rules");
        }
    }
}

/// Whether a rule, or one of its conditions, says `operator`; an attribute alone with what it equals is one as well.
fn is_simple(rule: &Node) -> bool {
    let says_operator = |node: &Node| node.get("operator").is_some();
    says_operator(rule)
        || rule.get("serve").is_none() && rule.get("attribute").is_some()
        || matches!(rule.get("conditions"), Some(Node { kind: Kind::List(list), .. }) if list.iter().any(says_operator))
}

/// `{attribute: country, operator: in, values: [DE, AT]}`, or several of them under `conditions`.
fn read_simple(node: &Node, path: &str, at: usize, variants: &Variants, problems: &mut Problems) -> Option<v1::Rule> {
    let mut fields = Fields::of(node, path, "a rule: {attribute, operator, values}", problems)?;
    let name = fields
        .text("name", problems)
        .unwrap_or_else(|| format!("rule-{}", at + 1));
    let conditions = read_tests(node, &mut fields, path, problems);
    let percentage = fields
        .take_any(&["percentage", "rollout_percentage"], problems)
        .map(|(_, node)| node);
    let serve = match fields.take_any(&["variant", "serve"], problems) {
        Some((name, node)) => serve::read(node, &fields.path(name), variants, problems),
        None => served(node, path, percentage, variants, problems),
    };
    fields.finish(problems);
    Some(v1::Rule {
        name,
        conditions,
        serve,
        salt: String::new(),
    })
}

/// The conditions of a rule: one, in the rule itself, or a list, in which ours may stand too.
fn read_tests(node: &Node, fields: &mut Fields<'_>, path: &str, problems: &mut Problems) -> Vec<v1::Condition> {
    let Some(list) = fields.take("conditions") else {
        return read_test(node, fields, path, problems).into_iter().collect();
    };
    let path = fields.path("conditions");
    let Kind::List(list) = &list.kind else {
        problems.expected(list, &path, "a list of {attribute, operator, values}");
        return Vec::new();
    };
    let is_ours = |item: &Node| {
        ["operator", "values", "value"]
            .iter()
            .all(|word| item.get(word).is_none())
    };
    let condition = |(at, item): (usize, &Node)| {
        let path = format!("{path}[{at}]");
        if is_ours(item) {
            return condition_document::read(item, &path, problems);
        }
        let mut fields = Fields::of(item, &path, "a condition: {attribute, operator, values}", problems)?;
        let condition = read_test(item, &mut fields, &path, problems);
        fields.finish(problems);
        condition
    };
    list.iter().enumerate().filter_map(condition).collect()
}

/// `attribute`, `operator` and `values` as a condition.
fn read_test(node: &Node, fields: &mut Fields<'_>, path: &str, problems: &mut Problems) -> Option<v1::Condition> {
    let attribute = fields.text("attribute", problems).unwrap_or_default();
    let word = fields.text("operator", problems).unwrap_or_else(|| "equals".into());
    let values = fields.take_any(&["values", "value"], problems).map(|(_, node)| node);
    let Some(test) = operator(&word) else {
        let what = format!("no operator {word:?}; write a rule of ours: {{attribute: a, equals: b}} under conditions");
        problems.wrong(node.place, path, what);
        return None;
    };
    if let (name, true) = test
        && name != "exists"
    {
        let what = format!("{word}: who has no {attribute} does not meet it; add a rule with exists: false for them");
        problems.note(node.place, path, what);
    }
    let place = Name {
        place: node.place,
        text: String::new(),
    };
    condition_document::read(&condition(&place, &attribute, test, values), path, problems)
}

/// The variant that means true, to everybody or to a share.
fn served(
    node: &Node,
    path: &str,
    percentage: Option<&Node>,
    variants: &Variants,
    problems: &mut Problems,
) -> Option<v1::Serve> {
    let Some(on) = variants.only(true) else {
        problems.wrong(node.place, path, "say which variant it serves: variant: NAME");
        return None;
    };
    match (percentage, variants.only(false)) {
        (None, _) => Some(variant(on)),
        (Some(percentage), Some(off)) => {
            let buckets = Percent::read(percentage, path, problems)?;
            Some(edit::split(on, Buckets::new(buckets)?, off))
        }
        (Some(_), None) => {
            problems.wrong(node.place, path, "the rest needs a variant that means false");
            None
        }
    }
}

/// A condition as our documents have it.
fn condition(place: &Name, attribute: &str, (test, not): (&str, bool), values: Option<&Node>) -> Node {
    let node = |kind| Node {
        place: place.place,
        kind,
    };
    let name = |text: &str| Name {
        place: place.place,
        text: text.into(),
    };
    let values = match (test, values) {
        ("exists", None) => node(Kind::Boolean(true)),
        // A list of one is an equality.
        (
            "equals",
            Some(Node {
                kind: Kind::List(list), ..
            }),
        ) if list.len() == 1 => list[0].clone(),
        (_, Some(values)) => values.clone(),
        (_, None) => node(Kind::Null),
    };
    node(Kind::Map(vec![
        (name("attribute"), node(Kind::Text(attribute.into()))),
        (name(test), values),
        (name("not"), node(Kind::Boolean(not))),
    ]))
}

/// The test that an operator of another system is, and whether it is negated.
fn operator(word: &str) -> Option<(&'static str, bool)> {
    let word = word.to_lowercase().replace(['-', ' '], "_");
    Some(match word.as_str() {
        "=" | "==" | "eq" | "equals" | "equal" | "is" => ("equals", false),
        "!=" | "<>" | "ne" | "neq" | "not_equals" | "not_equal" | "is_not" => ("equals", true),
        "in" | "one_of" | "is_one_of" | "any" => ("one_of", false),
        "not_in" | "nin" | "not_one_of" | "is_not_one_of" => ("one_of", true),
        "contains" => ("contains", false),
        "not_contains" | "does_not_contain" => ("contains", true),
        "starts_with" | "startswith" | "prefix" => ("starts_with", false),
        "ends_with" | "endswith" | "suffix" => ("ends_with", false),
        "matches" | "regex" | "matches_regex" => ("matches", false),
        ">" | "gt" | "greater_than" => ("greater", false),
        ">=" | "gte" | "ge" | "greater_than_or_equal" | "greater_than_or_equals" => ("greater_or_equal", false),
        "<" | "lt" | "less_than" => ("less", false),
        "<=" | "lte" | "le" | "less_than_or_equal" | "less_than_or_equals" => ("less_or_equal", false),
        "between" => ("between", false),
        "before" => ("before", false),
        "after" => ("after", false),
        "exists" | "is_set" => ("exists", false),
        "not_exists" | "is_not_set" => ("exists", true),
        _ => return None,
    })
}
