//! The rules: named, each with conditions and something to serve, flattened into two arrays.
//!
//! The split of a rule draws with a salt of its own, or else with the flag's salt and the rule's name: two rules of one
//! flag draw independently.

use std::collections::HashSet;

use super::conditions::Written;
use super::scope::Scope;
use super::serve::Splits;
use crate::compiled::CompiledServe;
use crate::flag::Flag;
use crate::limits;
use crate::rule::{CompiledRule, Rule};
use crate::violation::quoted;

/// Separates the flag's salt from the rule's name.
const SALT_SEPARATOR: &str = "/";

/// Checks the rules, and lays them and their conditions out in order.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    splits: Splits,
    conditions: &mut Written,
    flag: &Flag,
) -> Box<[CompiledRule]> {
    scope.count(&"rules", "rules", flag.rules.len(), limits::RULES);
    let (mut rules, mut names) = (Vec::new(), HashSet::new());
    for (at, rule) in flag.rules.iter().take(limits::RULES).enumerate() {
        let field = format!("rules[{at}]");
        scope.name(&format_args!("{field}.name"), &rule.name);
        if !names.insert(rule.name.as_str()) {
            let description = format!("another rule is named {} too", quoted(&rule.name));
            scope.violations.add(format_args!("{field}.name"), description);
        }
        if rule.conditions.is_empty() {
            scope
                .violations
                .add(format_args!("{field}.conditions"), "a rule has at least one condition");
        }
        conditions.add(scope, &format!("{field}.conditions"), &rule.conditions);
        rules.push(CompiledRule {
            name: rule.name.as_str().into(),
            serve: compile_serve(scope, splits, &field, flag, rule),
        });
    }
    rules.into()
}

/// What a rule serves.
fn compile_serve(scope: &mut Scope<'_>, splits: Splits, field: &str, flag: &Flag, rule: &Rule) -> CompiledServe {
    let joined = [flag.salt.as_str(), SALT_SEPARATOR, rule.name.as_str()];
    let salt = if rule.salt.is_empty() {
        &joined[..]
    } else {
        scope.salt(&format_args!("{field}.salt"), &rule.salt);
        &[rule.salt.as_str()]
    };
    splits.serve(scope, &format_args!("{field}.serve"), &rule.serve, salt)
}
