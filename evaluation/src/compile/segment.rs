//! A segment as written becomes one that can be evaluated; all validation of a segment is here.

use std::collections::BTreeMap;

use super::conditions::Written;
use super::labels;
use super::scope::Scope;
use crate::limits;
use crate::segment::{CompiledSegment, Segment};
use crate::texts::TextSet;
use crate::violation::{Violation, quoted};

/// Checks `segment` and compiles it.
///
/// The error holds all violations, with paths such as `groups[0].conditions[1].version.version`; listed are at most the
/// first hundred, and one more then says how many are not. Whether the flags and segments exist that it names is for
/// `check_references`. Never panics. Linear in the size of the segment, but for the sorting of numbers.
pub fn compile_segment(segment: &Segment) -> Result<CompiledSegment, Vec<Violation>> {
    let no_variants = BTreeMap::new();
    let mut scope = Scope::new(&no_variants);
    labels::check(&mut scope, &segment.description, &segment.owner, &segment.tags);
    let (included, excluded) = members(&mut scope, segment);
    scope.count(&"groups", "groups", segment.groups.len(), limits::GROUPS);
    let mut conditions = Written::default();
    for (at, group) in segment.groups.iter().take(limits::GROUPS).enumerate() {
        let field = format!("groups[{at}].conditions");
        if group.is_empty() {
            scope.violations.add(&field, "a group has at least one condition");
        }
        conditions.add(&mut scope, &field, group);
    }
    let (conditions, _) = conditions.finish(&mut scope);
    let compiled = CompiledSegment {
        key: segment.key.clone(),
        excluded,
        included,
        conditions,
    };
    scope.violations.into_result(compiled)
}

/// Checks both lists and compiles them; no unit stands on both.
fn members(scope: &mut Scope<'_>, segment: &Segment) -> (TextSet, TextSet) {
    let (included, excluded) = (&segment.included, &segment.excluded);
    let count = included.len() + excluded.len();
    let bytes: usize = included.iter().chain(excluded).map(String::len).sum();
    scope.count(
        &"included",
        "members together with the excluded",
        count,
        limits::MEMBERS,
    );
    if bytes > limits::MEMBER_BYTES {
        let most = limits::MEMBER_BYTES;
        let description = format!("has {bytes} bytes together with the excluded, at most {most} are allowed");
        scope.violations.add("included", description);
    }
    if count > limits::MEMBERS || bytes > limits::MEMBER_BYTES {
        return (TextSet::default(), TextSet::default());
    }
    for (list, units) in [("included", included), ("excluded", excluded)] {
        for (at, unit) in units.iter().enumerate() {
            scope.unit(&format_args!("{list}[{at}]"), unit);
        }
    }
    let included = TextSet::new(included.iter().map(String::as_str));
    for (at, unit) in excluded.iter().enumerate() {
        if included.contains(unit) {
            let description = format!("{} is also included", quoted(unit));
            scope.violations.add(format_args!("excluded[{at}]"), description);
        }
    }
    (included, TextSet::new(excluded.iter().map(String::as_str)))
}
