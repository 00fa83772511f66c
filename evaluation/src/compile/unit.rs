//! What names the unit: of a flag's splits and rollout, or of its rollout alone.

use super::conditions::Written;
use super::scope::Scope;
use crate::attribute::{AttributeName, TARGETING_KEY};
use crate::limits;
use crate::violation::quoted;

/// Checks and compiles; empty: the targeting key. `field` is the list of names.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    written: &mut Written,
    field: &str,
    names: &[String],
) -> Box<[AttributeName]> {
    scope.count(&field, "attributes", names.len(), limits::BUCKET_BY);
    let names = &names[..names.len().min(limits::BUCKET_BY)];
    for (at, name) in names.iter().enumerate() {
        let field = format!("{field}[{at}]");
        scope.name(&field, name);
        if names[..at].contains(name) {
            scope
                .violations
                .add(field, format_args!("{} is named before already", quoted(name)));
        }
    }
    match names {
        [name] if name == TARGETING_KEY => Box::default(),
        names => names.iter().map(|name| written.other_name(name)).collect(),
    }
}
