//! The parts of a flag that only people read, and its salt: bounded, otherwise free.

use super::scope::Scope;
use crate::flag::Flag;
use crate::limits;

/// Checks description, owner, tags and salt.
pub(super) fn check(scope: &mut Scope<'_>, flag: &Flag) {
    scope.bytes(&"description", &flag.description, limits::DESCRIPTION_BYTES);
    scope.bytes(&"owner", &flag.owner, limits::NAME_BYTES);
    scope.count(&"tags", "tags", flag.tags.len(), limits::TAGS);
    for (at, tag) in flag.tags.iter().take(limits::TAGS).enumerate() {
        scope.name(&format_args!("tags[{at}]"), tag);
    }
    scope.salt(&"salt", &flag.salt);
}
