//! The deny list and the allow lists: one map from unit to what is decided for it.
//!
//! A unit that stands in two places would be decided by an order that nobody wrote, so it is refused. The same unit
//! twice in one list is harmless.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::scope::Scope;
use crate::compiled::Listed;
use crate::flag::Flag;
use crate::limits;
use crate::names::BuildNameHasher;
use crate::violation::quoted;

/// Unit to decision.
type Units = HashMap<Box<str>, Listed, BuildNameHasher>;

/// Checks the lists and joins them.
pub(super) fn compile(scope: &mut Scope<'_>, flag: &Flag) -> Units {
    let total = flag.deny.len() + flag.allow.values().map(Vec::len).sum::<usize>();
    scope.count(
        &"allow",
        "listed units together with the deny list",
        total,
        limits::LISTED_UNITS,
    );
    let mut units = Units::with_capacity_and_hasher(total.min(limits::LISTED_UNITS), BuildNameHasher::default());
    for (at, unit) in flag.deny.iter().take(limits::LISTED_UNITS).enumerate() {
        list(scope, &mut units, &format!("deny[{at}]"), unit, Listed::Denied);
    }
    for (variant, allowed) in flag.allow.iter().take(limits::VARIANTS) {
        let field = format!("allow[{}]", quoted(variant));
        let listed = Listed::Allowed(scope.variant(&field, variant));
        for (at, unit) in allowed.iter().take(limits::LISTED_UNITS).enumerate() {
            list(scope, &mut units, &format!("{field}[{at}]"), unit, listed);
        }
    }
    units
}

/// Puts one unit on a list.
fn list(scope: &mut Scope<'_>, units: &mut Units, field: &str, unit: &str, listed: Listed) {
    if unit.is_empty() {
        scope.violations.add(field, "cannot be empty");
    }
    scope.bytes(&field, unit, limits::UNIT_BYTES);
    match units.entry(unit.into()) {
        Entry::Vacant(vacant) => {
            vacant.insert(listed);
        }
        Entry::Occupied(occupied) if *occupied.get() != listed => {
            let other = match occupied.get() {
                Listed::Denied => "the deny list",
                Listed::Allowed(_) => "the allow list of another variant",
            };
            scope
                .violations
                .add(field, format_args!("{} is also on {other}", quoted(unit)));
        }
        Entry::Occupied(_) => {}
    }
}
