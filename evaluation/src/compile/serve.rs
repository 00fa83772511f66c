//! What a rule or the default serves: its names resolved, its shares made intervals.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use super::scope::Scope;
use crate::bucket::Salted;
use crate::compiled::CompiledServe;
use crate::flag::{HashScheme, Serve};
use crate::limits;
use crate::percentage::BUCKETS;
use crate::split::{CompiledSplit, Interval, Ranges, Share, Split};
use crate::violation::quoted;

/// Compiles what is served in one flag, whose units are hashed by one scheme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Splits(pub(super) HashScheme);

impl Splits {
    /// Checks and compiles; a split draws with the salt that `salt` joins to.
    pub(super) fn serve(
        self,
        scope: &mut Scope<'_>,
        field: &dyn Display,
        serve: &Serve,
        salt: &[&str],
    ) -> CompiledServe {
        match serve {
            Serve::Variant(name) => CompiledServe::Variant(scope.variant(&format_args!("{field}.variant"), name)),
            Serve::Split(split) => CompiledServe::Split(CompiledSplit {
                salted: Salted::new(self.0, salt),
                ranges: compile_ranges(scope, &format!("{field}.split"), split),
            }),
            Serve::CallerDefault => CompiledServe::CallerDefault,
        }
    }
}

/// Checks the shares and the ranges; the intervals are those of the ranges, or else of the shares in order.
fn compile_ranges(scope: &mut Scope<'_>, field: &str, split: &Split) -> Ranges {
    let shares = &split.shares;
    scope.count(&field, "shares", shares.len(), limits::VARIANTS);
    let sum: u64 = shares.iter().map(|share| u64::from(share.buckets.get())).sum();
    if sum != u64::from(BUCKETS) {
        scope.violations.add(
            field,
            format_args!("the shares sum to {sum} buckets instead of {BUCKETS} (100 %)"),
        );
    }
    let mut variants = HashSet::new();
    for (at, share) in shares.iter().take(limits::VARIANTS).enumerate() {
        if !variants.insert(share.variant.as_str()) {
            let description = format!("another share is for {} too", quoted(&share.variant));
            scope.violations.add(format_args!("{field}[{at}].variant"), description);
        }
    }
    let by_shares = intervals(scope, field, shares, limits::VARIANTS);
    if split.ranges.is_empty() {
        return Ranges::new(by_shares);
    }
    let field = format!("{field}.ranges");
    scope.count(&field, "runs of buckets", split.ranges.len(), limits::RANGES);
    let by_ranges = intervals(scope, &field, &split.ranges, limits::RANGES);
    let (wanted, found) = (totals(shares), totals(&split.ranges));
    if wanted != found {
        scope.violations.add(&field, "the runs do not hold exactly the shares");
    }
    Ranges::new(by_ranges)
}

/// Runs as intervals that end where the next begins; empty ones are left out.
fn intervals(scope: &mut Scope<'_>, field: &str, runs: &[Share], most: usize) -> Vec<Interval> {
    let mut end: u32 = 0;
    let mut intervals = Vec::new();
    for (at, run) in runs.iter().take(most).enumerate() {
        let variant = scope.variant(&format_args!("{field}[{at}].variant"), &run.variant);
        if run.buckets.get() > 0 {
            end = end.saturating_add(run.buckets.get());
            intervals.push(Interval { end, variant });
        }
    }
    intervals
}

/// How many buckets each variant has in all; variants without any are left out.
fn totals(runs: &[Share]) -> BTreeMap<&str, u64> {
    let mut totals = BTreeMap::new();
    for run in runs.iter().filter(|run| run.buckets.get() > 0) {
        *totals.entry(run.variant.as_str()).or_default() += u64::from(run.buckets.get());
    }
    totals
}
