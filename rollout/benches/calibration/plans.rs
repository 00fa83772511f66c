//! Whole plans of unit splits, judged by 4a under one budget: several stages, ten horizons, one metric or six.
//!
//! One audience, so that each horizon has one stratum: the reached stage. Who is in treatment stays in. A unit fails
//! for the first time in a horizon after an exponential time; each metric has propensities of its own.

use rollout::evidence::budget::horizon_weight;
use rollout::evidence::unit::{Positions, Stratum, log_e, newly_bad};

use crate::random::Random;

/// (share, days) of each stage.
const STAGES: [(f64, u32); 3] = [(0.005, 1), (0.05, 2), (0.25, 7)];
const HORIZONS: usize = 10;
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
    /// How many of them are simulated: those without harm hardly matter to when the harm is found.
    pub(crate) simulated: u32,
}

/// A unit, and where its bucket lies between 0 and 1.
struct Unit {
    activity: f64,
    bucket: f64,
    position: u32,
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
        let first = (0..self.simulated).filter_map(|metric| {
            let harm = if metric == 0 { self.harm } else { 1.0 };
            self.metric(&units, harm, &mut random, log_limit)
        });
        // Days and fractions of them; the earliest metric is the culprit.
        let days = first.reduce(f64::min)?;
        Some(treated_until(&units, days))
    }

    /// When one metric reaches the limit, in days.
    fn metric(&self, units: &[Unit], harm: f64, random: &mut Random, log_limit: f64) -> Option<f64> {
        let correlation = self.population.3;
        let propensities: Vec<(f64, f64)> = units
            .iter()
            .map(|_| {
                let of_control = random.beta(self.rate, correlation);
                (of_control, (of_control * harm).min(1.0))
            })
            .collect();
        let log_weight = -libm::log(f64::from(self.metrics));
        for (horizon, share) in shares().enumerate() {
            let mut failures = Vec::new();
            let Population(count, requests, _, _) = self.population;
            let looks = libm::ceil(f64::from(count) * requests * share / GRAIN);
            for (unit, (of_control, of_treatment)) in units.iter().zip(&propensities) {
                let is_treated = unit.bucket < share;
                let propensity = if is_treated { of_treatment } else { of_control };
                let at = random.exponential() / (unit.activity * propensity);
                if at < 1.0 {
                    failures.push(((at * looks) as u32, unit.position, is_treated));
                }
            }
            failures.sort_unstable_by_key(|failure| failure.0);
            let limit = log_limit - log_weight - libm::log(horizon_weight(HORIZONS, horizon + 1));
            if let Some(look) = reaches(share, &failures, limit) {
                return Some(horizon as f64 + f64::from(look + 1) / looks);
            }
        }
        None
    }
}

/// The look at which one horizon's failures (look, position, is treated) reach the limit.
fn reaches(share: f64, failures: &[(u32, u32, bool)], limit: f64) -> Option<u32> {
    let mut seen = Positions::new();
    let mut stratum = Stratum {
        share,
        bad_treatment: 0,
        bad_control: 0,
    };
    for batch in failures.chunk_by(|one, other| one.0 == other.0) {
        let of_arm = |arm: bool| -> Vec<u32> {
            let failures = batch.iter().filter(|failure| failure.2 == arm);
            failures.map(|failure| failure.1).collect()
        };
        let (bad_treatment, bad_control) = newly_bad(&mut seen, &of_arm(true), &of_arm(false));
        stratum.bad_treatment += bad_treatment;
        stratum.bad_control += bad_control;
        // Only a bad unit under treatment can bring evidence up.
        if bad_treatment > 0 && log_e(1.0, &[stratum]) >= limit {
            return Some(batch[0].0);
        }
    }
    None
}

/// The share of each day.
fn shares() -> impl Iterator<Item = f64> {
    STAGES
        .into_iter()
        .flat_map(|(share, days)| (0..days).map(move |_| share))
}

fn treated_until(units: &[Unit], days: f64) -> f64 {
    let mut treated = 0.0;
    for (day, share) in shares().enumerate() {
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
