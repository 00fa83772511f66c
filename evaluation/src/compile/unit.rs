//! What names the unit of a flag's splits and rollout.

use super::conditions::Written;
use super::scope::Scope;
use crate::attribute::{AttributeName, TARGETING_KEY};
use crate::flag::Flag;
use crate::limits;
use crate::violation::quoted;

/// Checks and compiles; empty: the targeting key.
pub(super) fn compile(scope: &mut Scope<'_>, written: &mut Written, flag: &Flag) -> Box<[AttributeName]> {
    let names = &flag.bucket_by;
    scope.count(&"bucket_by", "attributes", names.len(), limits::BUCKET_BY);
    let names = &names[..names.len().min(limits::BUCKET_BY)];
    for (at, name) in names.iter().enumerate() {
        let field = format!("bucket_by[{at}]");
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
