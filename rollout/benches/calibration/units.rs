//! Units with habits, judged by 4a over one horizon of a day, looked at after every batch.
//!
//! Activity is lognormal, the propensity to fail is Beta, the first failure is exponential with their product as its
//! rate: users who come often, users for whom nothing works, and most who notice nothing. For contrast the same world
//! is also judged by its bad *requests*, as if each were a unit.

use rollout::evidence::unit::{Positions, Stratum, log_e, newly_bad};

use crate::random::Random;

/// A rollout of one horizon.
pub(crate) struct Units {
    /// How many units there are.
    pub(crate) units: u32,
    /// Requests per unit and day, on average.
    pub(crate) requests: f64,
    /// Deviation of the logarithm of a unit's activity.
    pub(crate) spread: f64,
    /// Correlation of the outcomes of one unit.
    pub(crate) stickiness: f64,
    /// Treatment's share.
    pub(crate) share: f64,
    /// Error rate of control.
    pub(crate) rate: f64,
    /// Treatment's propensity to fail as a multiple of control's.
    pub(crate) harm: f64,
    /// Batches in the day.
    pub(crate) batches: u32,
    /// What is counted.
    pub(crate) counted: Counted,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Counted {
    /// Positions, each once: 4a.
    Units,
    /// Every bad request: what 4a is there to avoid.
    Requests,
}

/// Something went bad.
struct Failure {
    /// The batch that reports it, from 0.
    batch: u32,
    position: u32,
    is_treated: bool,
}

impl Units {
    /// Treated requests until the evidence reaches `log_limit`; none if it does not within the day.
    pub(crate) fn run(&self, seed: u64, log_limit: f64) -> Option<f64> {
        let (mut failures, treated_activity) = self.day(&mut Random::new(seed));
        failures.sort_by_key(|failure| failure.batch);
        let mut seen = Positions::new();
        let mut stratum = Stratum {
            share: self.share,
            bad_treatment: 0,
            bad_control: 0,
        };
        for batch in failures.chunk_by(|one, other| one.batch == other.batch) {
            let (bad_treatment, bad_control) = self.count(&mut seen, batch);
            stratum.bad_treatment += bad_treatment;
            stratum.bad_control += bad_control;
            if log_e(1.0, &[stratum]) >= log_limit {
                let sealed_at = f64::from(batch[0].batch + 1) / f64::from(self.batches);
                return Some(sealed_at * treated_activity);
            }
        }
        None
    }

    /// Everything that goes bad in a day, and how many requests treatment has in it.
    fn day(&self, random: &mut Random) -> (Vec<Failure>, f64) {
        let mut failures = Vec::new();
        let mut treated_activity = 0.0;
        for _ in 0..self.units {
            let is_treated = random.chance(self.share);
            let activity = self.requests * random.lognormal(self.spread);
            let harm = if is_treated { self.harm } else { 1.0 };
            let propensity = (random.beta(self.rate, self.stickiness) * harm).min(1.0);
            if is_treated {
                treated_activity += activity;
            }
            let position = random.position();
            let mut at = random.exponential() / (activity * propensity);
            while at < 1.0 {
                let batch = (at * f64::from(self.batches)) as u32;
                failures.push(Failure {
                    batch,
                    position,
                    is_treated,
                });
                match self.counted {
                    Counted::Units => break,
                    Counted::Requests => at += random.exponential() / (activity * propensity),
                }
            }
        }
        (failures, treated_activity)
    }

    /// What a batch adds to the counts of treatment and of control.
    fn count(&self, seen: &mut Positions, batch: &[Failure]) -> (u64, u64) {
        let of_arm = |is_treated: bool| batch.iter().filter(move |failure| failure.is_treated == is_treated);
        let positions = |is_treated| of_arm(is_treated).map(|failure| failure.position).collect::<Vec<_>>();
        match self.counted {
            Counted::Units => newly_bad(seen, &positions(true), &positions(false)),
            Counted::Requests => (of_arm(true).count() as u64, of_arm(false).count() as u64),
        }
    }
}
