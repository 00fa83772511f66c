//! What past rollouts say about the next: the chance of a win, as a beta posterior per component and pattern.
//!
//! A rollout counts by the share that it reached: a win at 10 % of the units is a tenth of a win. Counts are whole
//! numbers per 100,000, as shares are, so that a sum is exact and the order in which outcomes arrive never shows. The
//! prior is Beta(1, 1): nothing known, every chance as likely as any other. Logarithms and gamma functions are `libm`'s,
//! so that the same counts give the same interval to the last bit. What a win is, is left to the caller.

mod incomplete_beta;

use std::collections::BTreeMap;

use self::incomplete_beta::quantile;
use crate::Share;

/// The wins and losses of one component and pattern, as a distribution of the chance of a win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Posterior {
    /// Per 100,000 of a win.
    wins: u64,
    /// Per 100,000 of a loss.
    losses: u64,
}

/// The posteriors of all components and patterns, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Posteriors(BTreeMap<(String, String), Posterior>);

impl Posterior {
    /// What is known before anything happened: Beta(1, 1).
    pub const PRIOR: Posterior = Posterior { wins: 0, losses: 0 };

    /// Counts a rollout that reached `deployed`. Counts stop at the largest, 10^14 whole rollouts.
    pub fn add(&mut self, won: bool, deployed: Share) {
        let count = if won { &mut self.wins } else { &mut self.losses };
        *count = count.saturating_add(u64::from(deployed.get()));
    }

    /// The same as if everything that `other` counted had been counted here.
    #[must_use]
    pub fn and(self, other: Posterior) -> Posterior {
        Posterior {
            wins: self.wins.saturating_add(other.wins),
            losses: self.losses.saturating_add(other.losses),
        }
    }

    /// Wins, per 100,000 of one.
    pub fn wins_per_100_000(self) -> u64 {
        self.wins
    }

    /// Losses, per 100,000 of one.
    pub fn losses_per_100_000(self) -> u64 {
        self.losses
    }

    /// Wins and one: the first parameter.
    pub fn alpha(self) -> f64 {
        parameter(self.wins)
    }

    /// Losses and one: the second parameter.
    pub fn beta(self) -> f64 {
        parameter(self.losses)
    }

    /// The expected chance of a win, above 0 and below 1.
    pub fn mean(self) -> f64 {
        self.alpha() / (self.alpha() + self.beta())
    }

    /// Where the chance of a win lies with probability `mass`, as much left out below as above. A `mass` outside of 0 to
    /// 1 is read as the nearer of the two, and one that is no number as 0.
    pub fn interval(self, mass: f64) -> (f64, f64) {
        let mass = if mass.is_nan() { 0.0 } else { mass.clamp(0.0, 1.0) };
        let tail = (1.0 - mass) / 2.0;
        let (alpha, beta) = (self.alpha(), self.beta());
        // The upper end is the lower end of the chance of a loss: 1 - tail would lose the digits of a small tail.
        (quantile(alpha, beta, tail), 1.0 - quantile(beta, alpha, tail))
    }
}

impl Posteriors {
    /// Counts a rollout of a component that followed a pattern.
    pub fn add(&mut self, component: &str, pattern: &str, won: bool, deployed: Share) {
        let key = (component.to_owned(), pattern.to_owned());
        self.0.entry(key).or_default().add(won, deployed);
    }

    /// What is known of a component and pattern; the prior if there was no rollout of them.
    pub fn of(&self, component: &str, pattern: &str) -> Posterior {
        let key = (component.to_owned(), pattern.to_owned());
        self.0.get(&key).copied().unwrap_or(Posterior::PRIOR)
    }

    /// Every component, pattern and posterior, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Posterior)> {
        self.0
            .iter()
            .map(|((component, pattern), posterior)| (component.as_str(), pattern.as_str(), *posterior))
    }
}

fn parameter(count: u64) -> f64 {
    1.0 + count as f64 / f64::from(Share::ALL.get())
}

#[cfg(test)]
mod tests;
