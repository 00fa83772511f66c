//! What an edit of a flag would do to who gets a treatment: to the units of a rollout under way, and to those that an
//! abort took it from.
//!
//! Under a rollout an edit may neither move its units nor serve its treatment beside it; whoever wants that ends the
//! rollout by the same act (supersede). After an abort the treatment may come back only if the writer names the abort.

use std::collections::BTreeSet;

use evaluation::{Flag, Key, Rule, Serve};
use rollout::Phase;

use super::{Consent, Precondition};
use crate::{record::RolloutRecord, state::State};

/// Parts of a flag, as they are called.
const DEFAULT: &str = "the default";
const ALLOW_LIST: &str = "the allow list";

/// What stands against an edit, on behalf of the flag's rollouts.
pub(super) fn stands_against(
    state: &State,
    environment: &Key,
    before: &Flag,
    after: &Flag,
    consent: &Consent,
) -> Option<Precondition> {
    match state.holder(environment, &before.key) {
        Some(_) if consent.supersede => None,
        Some(rollout) => under_way(rollout, before, after),
        None => after_abort(state, environment, before, after, consent),
    }
}

/// What an edit would move of the units or the meaning of a rollout under way.
pub(super) fn under_way(rollout: &RolloutRecord, before: &Flag, after: &Flag) -> Option<Precondition> {
    let arms = [&rollout.plan.treatment, &rollout.plan.control];
    let arms = arms
        .into_iter()
        .filter(|arm| before.variants.get(*arm) != after.variants.get(*arm))
        .map(|arm| format!("the variant {arm}"));
    let others = [
        (before.salt != after.salt, "the salt"),
        (before.bucket_by != after.bucket_by, "the bucketing attributes"),
        (before.hash != after.hash, "the hash scheme"),
        (before.default != after.default, DEFAULT),
        (before.set != after.set, "the flag set"),
    ];
    let others = others.into_iter().filter(|(moved, _)| *moved);
    let served = serves_more(before, after, &rollout.plan.treatment);
    // Named units leave the rollout one by one, for whoever tries it out; that is no way around the stages.
    let served = served.into_iter().filter(|what| what != DEFAULT && what != ALLOW_LIST);
    let moved = others
        .map(|(_, what)| what.to_owned())
        .chain(arms)
        .chain(served)
        .collect::<Vec<_>>();
    let name = rollout.name();
    let description = format!(
        "{} cannot change while rollout {name} is under way, for it would change who is exposed; abort or roll it back \
         first, or end it by the same edit (supersede, with a reason)",
        moved.join(", ")
    );
    (!moved.is_empty()).then(|| Precondition::rollout(name, description))
}

/// What an edit would serve again of what an abort took away.
fn after_abort(
    state: &State,
    environment: &Key,
    before: &Flag,
    after: &Flag,
    consent: &Consent,
) -> Option<Precondition> {
    let newest = state
        .rollouts_of_flag(environment, &before.key)
        .rev()
        .find(|record| !record.state.visits.is_empty())?;
    let is_aborted = matches!(newest.state.phase, Phase::Aborting | Phase::Aborted);
    let name = newest.name();
    if !is_aborted || consent.acknowledge_abort == name || consent.acknowledge_abort == newest.id.to_string() {
        return None;
    }
    let more = serves_more(before, after, &newest.plan.treatment);
    let description = format!(
        "rollout {name} was aborted, and this edit would serve its treatment {:?} to more units by {}; if that is meant, \
         acknowledge the abort by its name ({name})",
        newest.plan.treatment,
        more.join(", ")
    );
    (!more.is_empty()).then(|| Precondition::rollout(name, description))
}

/// The parts of a flag by which an edit may serve a variant to more units, in words; errs on the side of naming one.
fn serves_more(before: &Flag, after: &Flag, variant: &str) -> Vec<String> {
    let mut more = Vec::new();
    if share(&after.default, variant) > share(&before.default, variant) {
        more.push(DEFAULT.to_owned());
    }
    let units = |flag: &Flag| -> BTreeSet<String> { flag.allow.get(variant).into_iter().flatten().cloned().collect() };
    if !units(after).is_subset(&units(before)) {
        more.push(ALLOW_LIST.to_owned());
    }
    // A rule is reached by whom the rules before it leave, so the whole list up to it counts.
    let serving = |rules: &[Rule]| rules.iter().rposition(|rule| share(&rule.serve, variant) > 0);
    if let Some(last) = serving(&after.rules)
        && before.rules.get(..=last) != after.rules.get(..=last)
    {
        more.push(format!("the rules up to {}", after.rules[last].name));
    }
    let serves_off = |flag: &Flag| flag.off_variant.as_deref() == Some(variant);
    if serves_off(after) && !serves_off(before) {
        more.push("the off variant".to_owned());
    }
    more
}

/// How much of the buckets a variant gets.
fn share(serve: &Serve, variant: &str) -> u32 {
    match serve {
        Serve::Variant(name) if name == variant => 100_000,
        Serve::Variant(_) | Serve::CallerDefault => 0,
        Serve::Split(split) => {
            let of_variant = split.shares.iter().filter(|share| share.variant == variant);
            of_variant.map(|share| share.buckets.get()).sum()
        }
    }
}
