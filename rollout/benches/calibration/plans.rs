//! Whole plans of unit splits, judged by 4a under one budget: several stages, ten horizons, one metric or six.
//!
//! One audience, so that each horizon has one stratum: the reached stage. Who is in treatment stays in. A unit fails
//! for the first time in a horizon after an exponential time; each metric has propensities of its own. Failures of a unit
//! are a Poisson process, so a wait that is longer than a day goes on into the next, and most units are one draw a metric.

use rollout::evidence::budget::horizon_weight;
use rollout::evidence::unit::{Positions, Stratum, log_e, newly_bad};

use crate::random::Random;

/// Days of the plan, each a horizon.
const HORIZONS: usize = 10;
/// The share of each day: 0.5 % for 1 day, 5 % for 2, 25 % for 7.
const SHARES: [f64; HORIZONS] = [0.005, 0.05, 0.05, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25];
/// Treated requests between two looks, on average.
const GRAIN: f64 = 10.0;

/// A population: units, requests per day and unit, spread of their activity, correlation of their outcomes.
#[derive(Clone, Copy)]
pub(crate) struct Population(pub(crate) u32, pub(crate) f64, pub(crate) f64, pub(crate) f64);

/// A rollout over a whole plan.
#[derive(Clone, Copy)]
pub(crate) struct WholePlan {
    /// Whom it meets.
    pub(crate) population: Population,
    /// Error rate of control.
    pub(crate) rate: f64,
    /// Treatment's error rate as a multiple of control's, in the first metric.
    pub(crate) harm: f64,
    /// How many metrics share the budget.
    pub(crate) metrics: u32,
}

/// A unit, and where its bucket lies between 0 and 1.
struct Unit {
    activity: f64,
    bucket: f64,
    position: u32,
}

/// The first failure of a unit in a horizon.
struct Failure {
    look: u32,
    position: u32,
    is_treated: bool,
}

impl WholePlan {
    /// Treated requests until the evidence number reaches `log_limit`; none if it never does.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let mut random = Random::new(seed);
        let Population(units, requests, spread, _) = self.population;
        let units: Vec<Unit> = (0..units)
            .map(|_| Unit {
                activity: requests * random.lognormal(spread),
                bucket: random.uniform(),
                position: random.position(),
            })
            .collect();
        let first = (0..self.metrics).filter_map(|metric| {
            let harm = if metric == 0 { self.harm } else { 1.0 };
            self.metric(&units, harm, &mut random, log_limit)
        });
        // Days and fractions of them; the earliest metric is the culprit.
        let days = first.reduce(f64::min)?;
        Some(treated_until(&units, days))
    }

    /// When one metric reaches the limit, in days.
    fn metric(&self, units: &[Unit], harm: f64, random: &mut Random, log_limit: f64) -> Option<f64> {
        let Population(count, requests, _, correlation) = self.population;
        let looks = SHARES.map(|share| libm::ceil(f64::from(count) * requests * share / GRAIN));
        let mut failures: [Vec<Failure>; HORIZONS] = [const { Vec::new() }; HORIZONS];
        for unit in units {
            let of_control = random.beta_or_never(self.rate, correlation);
            unit.fail(
                [of_control, (of_control * harm).min(1.0)],
                &looks,
                random,
                &mut failures,
            );
        }
        let log_weight = -libm::log(f64::from(self.metrics));
        for (horizon, mut failures) in failures.into_iter().enumerate() {
            failures.sort_unstable_by_key(|failure| failure.look);
            let limit = log_limit - log_weight - libm::log(horizon_weight(HORIZONS, horizon + 1));
            if let Some(look) = reaches(SHARES[horizon], &failures, limit) {
                return Some(horizon as f64 + f64::from(look + 1) / looks[horizon]);
            }
        }
        None
    }
}

impl Unit {
    /// Adds the first failure of each day, with these propensities under control and under treatment.
    fn fail(
        &self,
        [of_control, of_treatment]: [f64; 2],
        looks: &[f64; HORIZONS],
        random: &mut Random,
        failures: &mut [Vec<Failure>; HORIZONS],
    ) {
        let entered = SHARES.iter().position(|share| self.bucket < *share).unwrap_or(HORIZONS);
        let (of_control, of_treatment) = (self.activity * of_control, self.activity * of_treatment);
        let mut day = 0;
        while day < HORIZONS {
            // Failures that are expected from here on: under control until it is entered, then under treatment.
            let before = entered.saturating_sub(day) as f64 * of_control;
            let after = (HORIZONS - entered.max(day)) as f64 * of_treatment;
            let drawn = random.uniform();
            // The wait, in failures that are expected, is longer than that: 1 - x is never above exp(-x).
            if drawn < 1.0 - before - after {
                return;
            }
            let wait = -libm::log(drawn);
            let at = if wait < before {
                day as f64 + wait / of_control
            } else {
                entered.max(day) as f64 + (wait - before) / of_treatment
            };
            if at >= HORIZONS as f64 {
                return;
            }
            let failed = at as usize;
            failures[failed].push(Failure {
                look: ((at - failed as f64) * looks[failed]) as u32,
                position: self.position,
                is_treated: failed >= entered,
            });
            day = failed + 1;
        }
    }
}

/// The look at which one horizon's failures reach the limit.
fn reaches(share: f64, failures: &[Failure], limit: f64) -> Option<u32> {
    let mut seen = Positions::new();
    let mut stratum = Stratum {
        share,
        bad_treatment: 0,
        bad_control: 0,
    };
    for batch in failures.chunk_by(|one, other| one.look == other.look) {
        let of_arm = |arm: bool| -> Vec<u32> {
            let failures = batch.iter().filter(|failure| failure.is_treated == arm);
            failures.map(|failure| failure.position).collect()
        };
        let (bad_treatment, bad_control) = newly_bad(&mut seen, &of_arm(true), &of_arm(false));
        stratum.bad_treatment += bad_treatment;
        stratum.bad_control += bad_control;
        // Only a bad unit under treatment can bring evidence up.
        if bad_treatment > 0 && log_e(1.0, &[stratum]) >= limit {
            return Some(batch[0].look);
        }
    }
    None
}

fn treated_until(units: &[Unit], days: f64) -> f64 {
    let mut treated = 0.0;
    for (day, share) in SHARES.into_iter().enumerate() {
        let part = (days - day as f64).clamp(0.0, 1.0);
        let of_day: f64 = units
            .iter()
            .filter(|unit| unit.bucket < share)
            .map(|unit| unit.activity)
            .sum();
        treated += part * of_day;
    }
    treated
}
