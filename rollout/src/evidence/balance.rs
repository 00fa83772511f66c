//! Are the arms as large as they should be? (guard.md 4d)
//!
//! A test of its own with a budget of its own: broken bucketing is no harm, and every other test would be deceived by
//! it. One position in 64 is followed; it is labelled by its first exposure, once per stage visit and stratum, so that
//! neither a busy unit nor a repeated frame weighs more. The formula is 4a's with ratios on both sides of 1.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::grid::{SIZE, log_spaced};
use super::unit::{self, POSITIONS, Stratum};

/// Positions whose low 6 bits are 0 are followed.
pub const SAMPLED_EVERY: u32 = 64;

static GRID: LazyLock<[f64; SIZE]> = LazyLock::new(|| log_spaced(0.25, 4.0));

/// The sampled positions of one stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// Treatment's share of the units (pi), a fraction. With 0 or 1 there is nothing to compare.
    pub share: f64,
    /// Positions first exposed under treatment.
    pub treatment: u64,
    /// Positions first exposed under control.
    pub control: u64,
}

/// An exposure of a sampled position. Earlier ones come first; at the same tick the agent's id decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FirstExposure {
    /// Seconds since 2020 by the server's clock.
    pub tick: u32,
    /// Who reports it.
    pub agent: String,
    /// Whether it gave treatment. An agent names a position once; should it contradict itself, control it is.
    pub is_treatment: bool,
}

/// The first exposures of one stage visit and stratum, whatever the order in which they became known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    first: BTreeMap<u32, FirstExposure>,
}

impl Labels {
    /// Takes an exposure in. Positions that are not sampled, or no positions, count nowhere.
    pub fn insert(&mut self, position: u32, exposure: FirstExposure) {
        if position >= POSITIONS || !position.is_multiple_of(SAMPLED_EVERY) {
            return;
        }
        match self.first.get_mut(&position) {
            Some(known) if *known <= exposure => {}
            Some(known) => *known = exposure,
            None => {
                self.first.insert(position, exposure);
            }
        }
    }

    /// How many positions were first exposed under treatment, and how many under control.
    pub fn counts(&self) -> (u64, u64) {
        let treatment = self.first.values().filter(|exposure| exposure.is_treatment).count();
        (treatment as u64, (self.first.len() - treatment) as u64)
    }
}

/// The ratios, ascending: exp(-ln 4 + j 2 ln 4 / 15) for j = 0..15.
pub fn grid() -> [f64; SIZE] {
    *GRID
}

/// ln of the e-value against "the arms are as large as their shares".
pub fn log_e(strata: &[Sampled]) -> f64 {
    let strata: Vec<Stratum> = strata
        .iter()
        .map(|sampled| Stratum {
            share: sampled.share,
            bad_treatment: sampled.treatment,
            bad_control: sampled.control,
        })
        .collect();
    unit::log_e_over(&grid(), 1.0, &strata)
}

/// Whether the rollout is to hold, and somebody to be paged: at 0.5 / alpha, of the test's own budget.
pub fn holds(log_e: f64, alpha: f64) -> bool {
    log_e >= libm::log(0.5 / alpha)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tick: u32, agent: &str, is_treatment: bool) -> FirstExposure {
        FirstExposure {
            tick,
            agent: agent.to_owned(),
            is_treatment,
        }
    }

    #[test]
    fn the_first_exposure_labels_a_position() {
        let exposures = [
            (64, at(5, "b", true)),
            (64, at(5, "a", false)),
            (64, at(6, "a", true)),
            (128, at(9, "a", true)),
            (65, at(1, "a", true)),
            (POSITIONS, at(1, "a", true)),
        ];
        let (mut forwards, mut backwards) = (Labels::default(), Labels::default());
        for (position, exposure) in &exposures {
            forwards.insert(*position, exposure.clone());
        }
        for (position, exposure) in exposures.iter().rev() {
            backwards.insert(*position, exposure.clone());
        }
        assert_eq!(forwards, backwards);
        assert_eq!(forwards.counts(), (1, 1));
    }

    #[test]
    fn an_arm_that_is_never_exposed_is_soon_noticed() {
        let first = |share: f64, is_treatment: bool| {
            let missing = |seen: u64| Sampled {
                share,
                treatment: if is_treatment { 0 } else { seen },
                control: if is_treatment { seen } else { 0 },
            };
            (0..1_000).find(|seen| holds(log_e(&[missing(*seen)]), 0.01))
        };
        // Documented: after 20 to 180 positions; the first bound is for both arms at one half.
        assert_eq!(first(0.5, true), first(0.5, false));
        assert!(first(0.5, true) <= Some(20), "{:?}", first(0.5, true));
        assert!(first(0.05, true) <= Some(180), "{:?}", first(0.05, true));
    }
}
