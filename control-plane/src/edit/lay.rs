//! Which buckets the shares of a flag's splits get: where they are already, as far as they can stay.
//!
//! A split is laid over the one before it: the default over the default, a rule's over that of the rule with the same
//! name, because the name is a part of what its buckets are drawn with.

use std::collections::BTreeMap;

use evaluation::{Flag, Serve, Share, Split, allot};

/// Takes away ranges that do not hold exactly the shares: they are of another edit, and are laid anew.
pub(super) fn drop_unfitting(flag: &mut Flag) {
    for split in splits(flag) {
        if totals(&split.ranges) != totals(&split.shares) {
            split.ranges.clear();
        }
    }
}

/// Lays every split whose ranges are not given over the one before it; a flag that compiles.
pub(super) fn lay(before: Option<&Flag>, flag: &mut Flag) {
    let present = before.and_then(|before| split_of(&before.default));
    lay_serve(present, &mut flag.default);
    for rule in &mut flag.rules {
        let namesake = before.and_then(|before| before.rules.iter().find(|other| other.name == rule.name));
        lay_serve(namesake.and_then(|namesake| split_of(&namesake.serve)), &mut rule.serve);
    }
}

fn lay_serve(present: Option<&Split>, serve: &mut Serve) {
    if let Serve::Split(split) = serve {
        if split.ranges.is_empty() {
            split.ranges = allot(present, &split.shares);
        } else {
            split.ranges = merged(&split.ranges);
        }
        // Shares in the order written need no ranges.
        if split.ranges == merged(&split.shares) {
            split.ranges.clear();
        }
    }
}

/// The same runs, without empty ones and with neighbours of one variant joined.
fn merged(runs: &[Share]) -> Vec<Share> {
    let mut merged = Vec::<Share>::new();
    for run in runs.iter().filter(|run| run.buckets.get() > 0) {
        let joined = merged
            .last_mut()
            .filter(|last| last.variant == run.variant)
            .and_then(|last| {
                last.buckets = evaluation::Buckets::new(last.buckets.get() + run.buckets.get())?;
                Some(())
            });
        if joined.is_none() {
            merged.push(run.clone());
        }
    }
    merged
}

/// How many buckets each variant has; variants without any are left out.
fn totals(runs: &[Share]) -> BTreeMap<&str, u64> {
    let mut totals = BTreeMap::new();
    for run in runs.iter().filter(|run| run.buckets.get() > 0) {
        *totals.entry(run.variant.as_str()).or_default() += u64::from(run.buckets.get());
    }
    totals
}

fn split_of(serve: &Serve) -> Option<&Split> {
    match serve {
        Serve::Split(split) => Some(split),
        Serve::Variant(_) | Serve::CallerDefault => None,
    }
}

fn splits(flag: &mut Flag) -> impl Iterator<Item = &mut Split> {
    let serves = std::iter::once(&mut flag.default).chain(flag.rules.iter_mut().map(|rule| &mut rule.serve));
    serves.filter_map(|serve| match serve {
        Serve::Split(split) => Some(split),
        Serve::Variant(_) | Serve::CallerDefault => None,
    })
}
