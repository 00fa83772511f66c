//! Everybody is treated, and judged by what was captured before: with the unit buckets of the baseline (4c), or by its
//! bare number.
//!
//! The units of the capture and those of the rollout are drawn from one population, each by themselves, so that nothing
//! but chance lies between them.

use rollout::evidence::limit::{Kind, Limit, Rule};
use rollout::evidence::robust::{Buckets, Stratum, judge};

use crate::habits::Habits;
use crate::random::Random;

/// A day of everybody after a capture.
#[derive(Clone, Copy)]
pub(crate) struct Captured {
    /// The population, all of it treated in one stratum; the harm is that of the rollout.
    pub(crate) habits: Habits,
    /// The part of a day that was captured.
    pub(crate) part: f64,
    /// How many times the baseline's rate is allowed.
    pub(crate) times: f64,
    /// Whether the baseline's number is all that is known of it.
    pub(crate) is_number: bool,
}

impl Captured {
    /// Treated requests until the limit of evidence is reached; none if it is not within the day.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let mut random = Random::new(seed);
        let before = Habits {
            harm: 1.0,
            ..self.habits
        };
        let baseline = before.one_arm(&mut random, &[self.part]).remove(0);
        let looks: Vec<f64> = (1..=self.habits.looks)
            .map(|look| f64::from(look) / f64::from(self.habits.looks))
            .collect();
        let mut seen = self.habits.one_arm(&mut random, &looks).into_iter();
        let is_found = |treatment: &Buckets| {
            let (limit, control) = if self.is_number {
                (Limit::Absolute(self.times * rate(&baseline)), None)
            } else {
                (Limit::Relative(self.times), Some(baseline.clone()))
            };
            let rule = Rule {
                kind: Kind::Rate,
                limit,
                harm: rollout::evidence::limit::Side::Above,
            };
            let stratum = Stratum {
                treatment: treatment.clone(),
                control,
            };
            judge(&rule, &[stratum]).log_e().is_some_and(|log_e| log_e >= log_limit)
        };
        seen.find(is_found).map(|found| {
            let treated: u64 = found.sums().map(|(_, requests)| requests).sum();
            treated as f64
        })
    }
}

fn rate(buckets: &Buckets) -> f64 {
    let (bad, all) = buckets
        .sums()
        .fold((0, 0), |(bad, all), (num, den)| (bad + num, all + den));
    bad as f64 / all as f64
}
