//! The parts of a document that only people read: bounded, otherwise free.

use std::collections::BTreeSet;

use super::scope::Scope;
use crate::limits;

/// Checks description, owner and tags.
pub(super) fn check(scope: &mut Scope<'_>, description: &str, owner: &str, tags: &BTreeSet<String>) {
    scope.bytes(&"description", description, limits::DESCRIPTION_BYTES);
    scope.bytes(&"owner", owner, limits::NAME_BYTES);
    scope.count(&"tags", "tags", tags.len(), limits::TAGS);
    for (at, tag) in tags.iter().take(limits::TAGS).enumerate() {
        scope.name(&format_args!("tags[{at}]"), tag);
    }
}
