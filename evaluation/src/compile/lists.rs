//! The deny list and the allow lists: one set of units, and what is decided for each.
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
use crate::texts::TextSet;
use crate::violation::quoted;

/// What is decided for a unit so far, and the units in the order of their coming.
#[derive(Default)]
struct Lists<'f> {
    decided: HashMap<&'f str, Listed, BuildNameHasher>,
    units: Vec<(&'f str, Listed)>,
}

/// Checks the lists and joins them: units, and at each unit's place what is decided for it.
pub(super) fn compile(scope: &mut Scope<'_>, flag: &Flag) -> (TextSet, Box<[Listed]>) {
    let total = flag.deny.len() + flag.allow.values().map(Vec::len).sum::<usize>();
    scope.count(
        &"allow",
        "listed units together with the deny list",
        total,
        limits::LISTED_UNITS,
    );
    let mut lists = Lists::default();
    for (at, unit) in flag.deny.iter().take(limits::LISTED_UNITS).enumerate() {
        lists.add(scope, &format!("deny[{at}]"), unit, Listed::Denied);
    }
    for (variant, allowed) in flag.allow.iter().take(limits::VARIANTS) {
        let field = format!("allow[{}]", quoted(variant));
        let listed = Listed::Allowed(scope.variant(&field, variant));
        for (at, unit) in allowed.iter().take(limits::LISTED_UNITS).enumerate() {
            lists.add(scope, &format!("{field}[{at}]"), unit, listed);
        }
    }
    let units = TextSet::new(lists.units.iter().map(|(unit, _)| *unit));
    (units, lists.units.iter().map(|(_, listed)| *listed).collect())
}

impl<'f> Lists<'f> {
    /// Puts one unit on a list.
    fn add(&mut self, scope: &mut Scope<'_>, field: &str, unit: &'f str, listed: Listed) {
        scope.unit(&field, unit);
        match self.decided.entry(unit) {
            Entry::Vacant(vacant) => {
                vacant.insert(listed);
                self.units.push((unit, listed));
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
}
