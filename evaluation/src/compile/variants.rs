//! The variants: at least one, named, each with a value of the flag's type.

use super::scope::Scope;
use crate::compiled::CompiledVariant;
use crate::flag::Flag;
use crate::limits;
use crate::value::Value;
use crate::violation::quoted;

/// Checks the variants and lays them out in the order of their names, which is the order of their indexes.
pub(super) fn compile(scope: &mut Scope<'_>, flag: &Flag) -> Box<[CompiledVariant]> {
    if flag.variants.is_empty() {
        scope.violations.add("variants", "a flag has at least one variant");
    }
    scope.count(&"variants", "variants", flag.variants.len(), limits::VARIANTS);
    let checked = flag.variants.iter().take(limits::VARIANTS);
    checked
        .map(|(name, value)| compile_one(scope, flag, name, value))
        .collect()
}

fn compile_one(scope: &mut Scope<'_>, flag: &Flag, name: &str, value: &Value) -> CompiledVariant {
    let field = format!("variants[{}]", quoted(name));
    scope.name(&field, name);
    let (expected, found) = (flag.flag_type, value.flag_type());
    if found != expected {
        scope.violations.add(
            &field,
            format_args!("is of type {found}, the flag is of type {expected}"),
        );
    }
    match value {
        Value::Boolean(_) => {}
        Value::String(text) => scope.bytes(&field, text, limits::VALUE_BYTES),
    }
    CompiledVariant {
        name: name.into(),
        value: value.clone(),
    }
}
