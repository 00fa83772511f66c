//! Half of a few units fail every request, the others none, judged by an absolute limit (4c): what no model of
//! independent requests foresees, and what must be found all the same.

use rollout::evidence::limit::{Kind, Limit, Side};
use rollout::evidence::robust::{Buckets, Rule, Stratum, judge};

use crate::independent::bucket;
use crate::random::Random;

/// Treated units; every second one is broken.
const UNITS: usize = 250;
/// Requests between two looks.
const GRAIN: u32 = 7;
/// When to stop looking, in requests.
const LONGEST: u32 = 5_000;
/// What is allowed.
const LIMIT: f64 = 0.01;

/// Treated requests until the evidence reaches `log_limit`; none if it never does.
pub(crate) fn run(seed: u64, log_limit: f64) -> Option<f64> {
    let rule = Rule {
        kind: Kind::Rate,
        limit: Limit::Absolute(LIMIT),
        harm: Side::Above,
    };
    let mut random = Random::new(seed);
    let units: Vec<usize> = (0..UNITS).map(|_| bucket(&mut random)).collect();
    let mut treatment = Buckets::new();
    for requests in 1..=LONGEST {
        let unit = (random.uniform() * UNITS as f64) as usize;
        treatment.add(units[unit], i64::from(unit.is_multiple_of(2)), 1);
        if !requests.is_multiple_of(GRAIN) {
            continue;
        }
        let stratum = Stratum {
            treatment: treatment.clone(),
            control: None,
        };
        if judge(&rule, &[stratum]).log_e().is_some_and(|log_e| log_e >= log_limit) {
            return Some(f64::from(requests));
        }
    }
    None
}
