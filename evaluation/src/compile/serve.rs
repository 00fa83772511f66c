//! What a rule or the default serves: its names resolved, its shares made intervals.

use std::fmt::Display;

use super::scope::Scope;
use crate::bucket::Salted;
use crate::compiled::CompiledServe;
use crate::flag::Serve;
use crate::limits;
use crate::percentage::BUCKETS;
use crate::split::{CompiledSplit, Interval, Share};

/// Checks and compiles; a split draws with the salt that `salt` joins to.
pub(super) fn compile(scope: &mut Scope<'_>, field: &dyn Display, serve: &Serve, salt: &[&str]) -> CompiledServe {
    match serve {
        Serve::Variant(name) => CompiledServe::Variant(scope.variant(&format_args!("{field}.variant"), name)),
        Serve::Split(shares) => {
            let intervals = intervals(scope, &format!("{field}.split"), shares);
            CompiledServe::Split(Box::new(CompiledSplit {
                salted: Salted::new(salt),
                intervals,
            }))
        }
        Serve::CallerDefault => CompiledServe::CallerDefault,
    }
}

/// The shares as cumulative intervals, in the order written.
fn intervals(scope: &mut Scope<'_>, field: &str, shares: &[Share]) -> Box<[Interval]> {
    scope.count(&field, "shares", shares.len(), limits::VARIANTS);
    let sum: u64 = shares.iter().map(|share| u64::from(share.buckets.get())).sum();
    if sum != u64::from(BUCKETS) {
        scope.violations.add(
            field,
            format_args!("the shares sum to {sum} buckets instead of {BUCKETS}"),
        );
    }
    let mut end = 0;
    let mut interval = |(at, share): (usize, &Share)| {
        // At most 100 x 100,000 even if the sum is wrong.
        end += share.buckets.get();
        Interval {
            end,
            variant: scope.variant(&format_args!("{field}[{at}].variant"), &share.variant),
        }
    };
    shares
        .iter()
        .take(limits::VARIANTS)
        .enumerate()
        .map(&mut interval)
        .collect()
}
