//! The rules: named, each with conditions and something to serve, flattened into two arrays.
//!
//! The split of a rule draws with the flag's salt and the rule's name: two rules of one flag draw independently.

use std::collections::HashSet;

use super::scope::Scope;
use super::serve;
use crate::condition::{CompiledCondition, Condition, Literal, Test};
use crate::flag::Flag;
use crate::limits;
use crate::rule::{CompiledRule, Rule};
use crate::violation::quoted;

/// Separates the flag's salt from the rule's name.
const SALT_SEPARATOR: &str = "/";

/// Checks the rules, and lays them and their conditions out in order.
pub(super) fn compile(scope: &mut Scope<'_>, flag: &Flag) -> (Box<[CompiledRule]>, Box<[CompiledCondition]>) {
    scope.count(&"rules", "rules", flag.rules.len(), limits::RULES);
    let (mut rules, mut conditions, mut names) = (Vec::new(), Vec::new(), HashSet::new());
    for (at, rule) in flag.rules.iter().take(limits::RULES).enumerate() {
        let field = format!("rules[{at}]");
        scope.name(&format_args!("{field}.name"), &rule.name);
        if !names.insert(rule.name.as_str()) {
            let description = format!("another rule is named {} too", quoted(&rule.name));
            scope.violations.add(format_args!("{field}.name"), description);
        }
        let first = index(conditions.len());
        compile_conditions(scope, &field, rule, &mut conditions);
        let salt = [flag.salt.as_str(), SALT_SEPARATOR, rule.name.as_str()];
        rules.push(CompiledRule {
            name: rule.name.as_str().into(),
            first,
            end: index(conditions.len()),
            serve: serve::compile(scope, &format_args!("{field}.serve"), &rule.serve, &salt),
        });
    }
    (rules.into(), conditions.into())
}

/// Appends the conditions of one rule.
fn compile_conditions(scope: &mut Scope<'_>, rule_field: &str, rule: &Rule, conditions: &mut Vec<CompiledCondition>) {
    let field = format!("{rule_field}.conditions");
    if rule.conditions.is_empty() {
        scope.violations.add(&field, "a rule has at least one condition");
    }
    scope.count(&field, "conditions", rule.conditions.len(), limits::CONDITIONS);
    for (at, condition) in rule.conditions.iter().take(limits::CONDITIONS).enumerate() {
        check_condition(scope, &format!("{field}[{at}]"), condition);
        conditions.push(CompiledCondition::new(condition));
    }
}

/// Checks one condition.
fn check_condition(scope: &mut Scope<'_>, field: &str, condition: &Condition) {
    scope.name(&format_args!("{field}.attribute"), &condition.attribute);
    match &condition.test {
        Test::OneOf(literals) => {
            let field = format!("{field}.one_of");
            if literals.is_empty() {
                scope.violations.add(&field, "an attribute cannot be one of nothing");
            }
            scope.count(&field, "literals", literals.len(), limits::LITERALS);
            for (at, literal) in literals.iter().take(limits::LITERALS).enumerate() {
                check_literal(scope, &field, at, literal);
            }
        }
    }
}

/// Checks one literal.
fn check_literal(scope: &mut Scope<'_>, list_field: &str, at: usize, literal: &Literal) {
    match literal {
        Literal::Text(text) => scope.bytes(&format_args!("{list_field}[{at}]"), text, limits::VALUE_BYTES),
        Literal::Number(number) if !number.is_finite() => {
            scope.violations.add(
                format_args!("{list_field}[{at}]"),
                format_args!("{number} is not a finite number"),
            );
        }
        Literal::Number(_) | Literal::Boolean(_) => {}
    }
}

/// An index into the conditions: there are at most 200 x 50 of them.
fn index(place: usize) -> u32 {
    place as u32
}
