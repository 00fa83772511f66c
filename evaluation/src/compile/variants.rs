//! The variants: at least one, named, each with a value of the flag's type.
//!
//! Most flags are boolean with the variants off and on; those share one table.

use std::sync::{Arc, LazyLock};

use super::scope::Scope;
use crate::compiled::CompiledVariant;
use crate::flag::Flag;
use crate::json::{self, Excess};
use crate::limits;
use crate::value::Value;
use crate::violation::quoted;

/// The variants of most flags.
static OFF_AND_ON: LazyLock<Arc<[CompiledVariant]>> = LazyLock::new(|| {
    let variant = |(name, value): (&str, bool)| CompiledVariant {
        name: name.into(),
        value: Value::Boolean(value),
    };
    [("off", false), ("on", true)].map(variant).into()
});

/// Checks the variants and lays them out in the order of their names, which is the order of their indexes.
pub(super) fn compile(scope: &mut Scope<'_>, flag: &Flag) -> Arc<[CompiledVariant]> {
    if flag.variants.is_empty() {
        scope.violations.add("variants", "a flag has at least one variant");
    }
    scope.count(&"variants", "variants", flag.variants.len(), limits::VARIANTS);
    for (name, value) in flag.variants.iter().take(limits::VARIANTS) {
        check(scope, flag, name, value);
    }
    let usual = OFF_AND_ON.iter().map(|variant| (&*variant.name, &variant.value));
    if flag
        .variants
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .eq(usual)
    {
        return Arc::clone(&OFF_AND_ON);
    }
    let checked = flag.variants.iter().take(limits::VARIANTS);
    checked
        .map(|(name, value)| CompiledVariant {
            name: name.as_str().into(),
            value: value.clone(),
        })
        .collect()
}

fn check(scope: &mut Scope<'_>, flag: &Flag, name: &str, value: &Value) {
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
        Value::Boolean(_) | Value::Integer(_) => {}
        Value::Float(number) => scope.finite(&field, *number),
        Value::String(text) => scope.bytes(&field, text, limits::VALUE_BYTES),
        Value::Object(object) => {
            let (bytes, levels) = (limits::VALUE_BYTES, limits::VALUE_LEVELS);
            match json::excess(object, bytes, levels) {
                Some(Excess::Bytes) => scope
                    .violations
                    .add(&field, format_args!("has more than {bytes} bytes as JSON")),
                Some(Excess::Levels) => scope
                    .violations
                    .add(&field, format_args!("is nested more than {levels} levels deep")),
                Some(Excess::NotFinite) => scope.violations.add(&field, "has a number that is not finite"),
                None => {}
            }
        }
    }
}
