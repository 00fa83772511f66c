//! A document as written becomes one that can be evaluated; all validation of a flag is here, of a segment in `segment`.
//!
//! Every part is checked and flattened in one pass, and what is wrong is noted rather than returned, so that the author
//! hears everything at once. A name that is unknown resolves to the first variant meanwhile: the result is thrown away
//! as soon as one violation was noted. Lists beyond their limit are not looked at further than the limit.

mod conditions;
mod labels;
mod lists;
mod prerequisites;
mod rules;
mod scope;
mod segment;
mod serve;
mod step;
mod unit;
mod variants;

pub use self::segment::compile_segment;
use crate::compiled::{CompiledFlag, CompiledWhenStale, State, Targeting};
use crate::condition::Condition;
use crate::flag::{Flag, WhenStale};
use crate::shared::shared;
use crate::step::RolloutStep;
use crate::violation::Violation;
use conditions::Written;
use scope::Scope;
use serve::Splits;

/// Checks `flag` and the rollout step that holds it, and compiles both.
///
/// The error holds all violations, with paths such as `rules[2].serve.split[0].variant`; those of the step begin with
/// `rollout`. Listed are at most the first hundred; one more then says how many are not. Whether the flags and segments
/// exist that it names is for `check_references`. Never panics. Linear in the size of the flag, but for the sorting of
/// literals.
pub fn compile(flag: &Flag, step: Option<&RolloutStep>) -> Result<CompiledFlag, Vec<Violation>> {
    let mut scope = Scope::new(&flag.variants);
    let splits = Splits(flag.hash);
    labels::check(&mut scope, &flag.description, &flag.owner, &flag.tags);
    scope.salt(&"salt", &flag.salt);
    let variants = variants::compile(&mut scope, flag);
    let off = flag
        .off_variant
        .as_deref()
        .map(|name| scope.variant(&"off_variant", name));
    let default = splits.serve(&mut scope, &"default", &flag.default, &[&flag.salt]);
    let when_stale = when_stale(&mut scope, flag);
    let targeting = targeting(&mut scope, splits, flag, step);
    let compiled = CompiledFlag {
        key: flag.key.clone(),
        variants,
        default,
        set: flag.set.clone(),
        state: match (flag.killed, flag.enabled) {
            (true, _) => State::Killed,
            (false, true) => State::On,
            (false, false) => State::Disabled,
        },
        off,
        when_stale,
        flag_type: flag.flag_type,
        by_targeting_key: targeting.bucket_by.is_empty(),
        targeting: targeting.needed().then(|| Box::new(targeting)),
    };
    scope.violations.into_result(compiled)
}

/// What decides before the default, and what names the unit.
fn targeting(scope: &mut Scope<'_>, splits: Splits, flag: &Flag, step: Option<&RolloutStep>) -> Targeting {
    let prerequisites = prerequisites::compile(scope, flag);
    let (listed, decided) = lists::compile(scope, flag);
    let mut conditions = Written::default();
    let rules = rules::compile(scope, splits, &mut conditions, flag);
    let bucket_by = unit::compile(scope, &mut conditions, "bucket_by", &flag.bucket_by);
    let compiled_step = step.map(|step| step::compile(scope, &mut conditions, flag.hash, step));
    let (conditions, words) = conditions.finish(scope);
    let written: Vec<&Vec<Condition>> = flag.rules.iter().map(|rule| &rule.conditions).collect();
    let named_by_step = step.map_or(&[][..], |step| &step.bucket_by);
    let conditions = shared(&(written, &flag.bucket_by, named_by_step), conditions);
    Targeting {
        prerequisites,
        listed,
        decided,
        conditions,
        rules,
        words,
        // Put in its box last, so that it lies beside what leads to it.
        step: compiled_step.map(Box::new),
        bucket_by,
    }
}

fn when_stale(scope: &mut Scope<'_>, flag: &Flag) -> CompiledWhenStale {
    match &flag.when_stale {
        WhenStale::Keep => CompiledWhenStale::Keep,
        WhenStale::Variant(name) => CompiledWhenStale::Variant(scope.variant(&"when_stale.variant", name)),
        WhenStale::Off => CompiledWhenStale::Off,
    }
}
