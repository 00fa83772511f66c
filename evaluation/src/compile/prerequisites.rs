//! The flags that must serve something before this one decides.

use super::conditions::variant_test;
use super::scope::Scope;
use crate::flag::Flag;
use crate::limits;
use crate::test::VariantTest;

/// Checks and compiles. Whether the flags and variants exist, and whether they lead back here, is for
/// `check_references`; a flag that waits for itself is seen at once.
pub(super) fn compile(scope: &mut Scope<'_>, flag: &Flag) -> Box<[VariantTest]> {
    let prerequisites = &flag.prerequisites;
    scope.count(
        &"prerequisites",
        "prerequisites",
        prerequisites.len(),
        limits::PREREQUISITES,
    );
    let checked = prerequisites.iter().take(limits::PREREQUISITES).enumerate();
    checked
        .map(|(at, prerequisite)| {
            let field = format!("prerequisites[{at}]");
            if prerequisite.flag == *flag.key {
                scope
                    .violations
                    .add(format_args!("{field}.flag"), "a flag cannot wait for itself");
            }
            variant_test(scope, &field, &prerequisite.flag, &prerequisite.variants)
        })
        .collect()
}
