//! What is wrong with the names, texts, lists and people of a plan.

use super::{Violation, report};
use crate::{
    Plan,
    plan::{Item, TickedBy},
};

/// The longest key, in bytes.
const LONGEST_KEY: usize = 200;
/// The longest description or rationale, in bytes.
const LONGEST_TEXT: usize = 4_096;
/// The longest label, link, name of a person, in bytes.
const LONGEST_LINE: usize = 500;
/// The most entries of a map or list of texts.
const MOST_TEXTS: usize = 64;
/// The most items of a list.
pub(super) const MOST_ITEMS: usize = 32;
/// The most attributes that name a unit.
const MOST_UNIT_NAMES: usize = 4;

pub(super) fn check(plan: &Plan, found: &mut Vec<Violation>) {
    for (field, value) in [("key", &plan.key), ("flag", &plan.flag)] {
        check_key(found, field, value);
    }
    if !plan.environment.is_empty() {
        check_key(found, "environment", &plan.environment);
    }
    check_text(found, "description", &plan.description, LONGEST_TEXT);
    for (field, value) in [("treatment", &plan.treatment), ("control", &plan.control)] {
        if !is_variant(value) {
            let description = format!("must name a variant: 1 to {LONGEST_KEY} bytes, no control characters");
            report(found, field, description);
        }
    }
    if plan.treatment == plan.control {
        let description = format!("must differ from control, both are {:?}", plan.control);
        report(found, "treatment", description);
    }
    check_maps(plan, found);
    check_people(plan, found);
    check_items(found, "preflight", &plan.preflight, &Item::PREFLIGHT_CHECKS);
    check_items(found, "exit", &plan.exit, &Item::EXIT_CHECKS);
    if let Some(risk) = &plan.risk {
        for (field, text) in [
            ("risk.user_impact.rationale", &risk.user_impact.rationale),
            ("risk.revenue_impact.rationale", &risk.revenue_impact.rationale),
            ("risk.criticality.rationale", &risk.criticality.rationale),
            ("risk.reversibility.rationale", &risk.reversibility.rationale),
        ] {
            check_text(found, field, text, LONGEST_TEXT);
        }
    }
    if plan.unit_by.len() > MOST_UNIT_NAMES {
        report(
            found,
            "unit_by",
            format!("must be at most {MOST_UNIT_NAMES} attributes"),
        );
    }
    for (position, name) in plan.unit_by.iter().enumerate().take(MOST_UNIT_NAMES) {
        if name.is_empty() || name.len() > LONGEST_KEY {
            report(
                found,
                format!("unit_by[{position}]"),
                format!("must be 1 to {LONGEST_KEY} bytes"),
            );
        }
    }
    if let Some(kill) = plan.kill_switch.as_ref().filter(|kill| !kill.flag.is_empty()) {
        check_key(found, "kill_switch.flag", &kill.flag);
    }
    check_list(found, "manual_triggers", &plan.manual_triggers);
    for (position, name) in plan.manual_triggers.iter().enumerate().take(MOST_TEXTS) {
        check_key(found, format!("manual_triggers[{position}]"), name);
    }
}

fn check_maps(plan: &Plan, found: &mut Vec<Violation>) {
    for (field, map) in [("labels", &plan.labels), ("links", &plan.links)] {
        if map.len() > MOST_ITEMS {
            report(found, field, format!("must be at most {MOST_ITEMS}, not {}", map.len()));
        }
        for (name, value) in map.iter().take(MOST_ITEMS) {
            if name.is_empty() || name.len() > LONGEST_LINE || value.len() > LONGEST_LINE || has_control(value) {
                report(
                    found,
                    format!("{field}.{name}"),
                    format!("must have a name, and be one line of at most {LONGEST_LINE} bytes"),
                );
            }
        }
    }
    if plan.freezes.len() > MOST_ITEMS {
        report(
            found,
            "freezes",
            format!("must be at most {MOST_ITEMS}, not {}", plan.freezes.len()),
        );
    }
    if plan.windows.len() > MOST_ITEMS {
        report(
            found,
            "windows",
            format!("must be at most {MOST_ITEMS}, not {}", plan.windows.len()),
        );
    }
}

fn check_people(plan: &Plan, found: &mut Vec<Violation>) {
    let people = &plan.people;
    check_text(found, "people.owner", &people.owner, LONGEST_LINE);
    check_list(found, "people.approvers", &people.approvers);
    if people.duties.len() > MOST_ITEMS || people.stakeholders.len() > MOST_TEXTS {
        report(
            found,
            "people",
            format!("must be at most {MOST_ITEMS} duties and {MOST_TEXTS} stakeholders"),
        );
    }
    for (position, duty) in people.duties.iter().enumerate().take(MOST_ITEMS) {
        let field = format!("people.duties[{position}]");
        if duty.on_call.trim().is_empty() {
            report(found, format!("{field}.on_call"), "must name somebody".to_owned());
        }
        for name in &duty.stages {
            if !plan.stages.iter().any(|stage| stage.name == *name) {
                report(found, format!("{field}.stages"), format!("there is no stage {name:?}"));
            }
        }
        check_list(found, &format!("{field}.escalation"), &duty.escalation);
    }
    for (position, told) in people.stakeholders.iter().enumerate().take(MOST_TEXTS) {
        let field = format!("people.stakeholders[{position}]");
        for (name, text) in [("role", &told.role), ("channel", &told.channel), ("when", &told.when)] {
            check_text(found, format!("{field}.{name}"), text, LONGEST_LINE);
        }
        if told.role.trim().is_empty() {
            report(found, format!("{field}.role"), "must say what they are".to_owned());
        }
    }
    let approvers = u32::try_from(people.approvers.len()).unwrap_or(u32::MAX);
    let asked = std::iter::once(("approvals".to_owned(), plan.approvals)).chain(
        (0..)
            .zip(&plan.stages)
            .map(|(position, stage): (usize, _)| (format!("stages[{position}].approvals"), stage.approvals)),
    );
    for (field, need) in asked.take(1 + MOST_ITEMS) {
        if approvers > 0 && need > approvers {
            let description = format!("asks for {need} approvals, and only {approvers} people may approve");
            report(found, field, description);
        } else if need > 20 {
            report(found, field, format!("must be at most 20 approvals, not {need}"));
        }
    }
}

fn check_items(found: &mut Vec<Violation>, field: &str, items: &[Item], checks: &[&str]) {
    if items.len() > MOST_ITEMS {
        report(
            found,
            field,
            format!("must be at most {MOST_ITEMS} items, not {}", items.len()),
        );
    }
    for (position, item) in items.iter().enumerate().take(MOST_ITEMS) {
        let path = format!("{field}[{position}]");
        check_key(found, format!("{path}.name"), &item.name);
        check_text(found, format!("{path}.description"), &item.description, LONGEST_LINE);
        if items[..position].iter().any(|other| other.name == item.name) {
            report(
                found,
                format!("{path}.name"),
                format!("{:?} is on the list twice", item.name),
            );
        }
        if item.by == TickedBy::Check && !checks.contains(&item.name.as_str()) {
            let description = format!(
                "no check knows {:?}; checks know: {}; let an automation or a person tick it",
                item.name,
                checks.join(", ")
            );
            report(found, format!("{path}.by"), description);
        }
    }
}

fn check_list(found: &mut Vec<Violation>, field: &str, texts: &[String]) {
    if texts.len() > MOST_TEXTS {
        report(
            found,
            field,
            format!("must be at most {MOST_TEXTS}, not {}", texts.len()),
        );
    }
    for (position, text) in texts.iter().enumerate().take(MOST_TEXTS) {
        if text.trim().is_empty() {
            report(found, format!("{field}[{position}]"), "must not be empty".to_owned());
        }
        check_text(found, format!("{field}[{position}]"), text, LONGEST_LINE);
    }
}

fn check_text(found: &mut Vec<Violation>, field: impl Into<String>, text: &str, longest: usize) {
    if text.len() > longest {
        report(
            found,
            field,
            format!("must be at most {longest} bytes, not {}", text.len()),
        );
    }
}

/// A key: `[A-Za-z0-9][A-Za-z0-9._:~-]{0,199}`.
pub(super) fn check_key(found: &mut Vec<Violation>, field: impl Into<String>, text: &str) {
    let is_key = text.len() <= LONGEST_KEY
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte));
    if !is_key {
        let shown: String = text.chars().take(40).collect();
        report(
            found,
            field,
            format!(
                "must begin with a letter or digit and hold only these and . _ : ~ -, 1 to {LONGEST_KEY} of them, not {shown:?}"
            ),
        );
    }
}

fn is_variant(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len()) && !has_control(text)
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}
