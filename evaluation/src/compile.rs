//! A flag as written becomes one that can be evaluated; all validation of a flag is here.
//!
//! Every part is checked and flattened in one pass, and what is wrong is noted rather than returned, so that the author
//! hears everything at once. A name that is unknown resolves to the first variant meanwhile: the result is thrown away
//! as soon as one violation was noted. Lists beyond their limit are not looked at further than the limit.

mod labels;
mod lists;
mod rules;
mod scope;
mod serve;
mod step;
mod variants;

use crate::compiled::{CompiledFlag, CompiledServe};
use crate::flag::Flag;
use crate::step::RolloutStep;
use crate::violation::Violation;
use scope::Scope;

/// Checks `flag` and the rollout step that holds it, and compiles both.
///
/// The error holds all violations, with paths such as `rules[2].serve.split[0].variant`; those of the step begin with
/// `rollout`. Listed are at most the first hundred; one more then says how many are not. Never panics. Linear in the
/// size of the flag, but for the sorting of numbers.
pub fn compile(flag: &Flag, step: Option<&RolloutStep>) -> Result<CompiledFlag, Vec<Violation>> {
    let mut scope = Scope::new(&flag.variants);
    labels::check(&mut scope, flag);
    let variants = variants::compile(&mut scope, flag);
    let off = flag
        .off_variant
        .as_deref()
        .map(|name| scope.variant(&"off_variant", name));
    let default = serve::compile(&mut scope, &"default", &flag.default, &[&flag.salt]);
    let listed = lists::compile(&mut scope, flag);
    let (rules, conditions) = rules::compile(&mut scope, flag);
    let step = step.map(|step| Box::new(step::compile(&mut scope, step)));
    let alone = listed.is_empty() && rules.is_empty() && step.is_none();
    let constant = alone && matches!(default, CompiledServe::Variant(_));
    let compiled = CompiledFlag {
        key: flag.key.clone(),
        set: flag.set.clone(),
        flag_type: flag.flag_type,
        on: flag.enabled && !flag.killed,
        constant,
        variants,
        off,
        listed,
        rules,
        conditions,
        step,
        default,
    };
    scope.violations.into_result(compiled)
}
