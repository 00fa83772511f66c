//! The worlds in which the tests are measured, and the figures that were documented for them.
//!
//! Each world has a null rate of 0.8 % and 40,000 treated requests at most. Batches have 100 treated requests on
//! average, the grain of the documented medians (200, 500, 1,900, 3,800); finer ones show what that grain costs.

use crate::requests::Requests;
use crate::units::{Counted, Units};

/// Error rate of control.
pub(crate) const RATE: f64 = 0.008;
/// Treated requests in a batch, on average.
pub(crate) const TREATED_PER_BATCH: f64 = 100.0;
/// Treated requests in a fine batch, on average.
pub(crate) const TREATED_PER_FINE_BATCH: f64 = 20.0;
/// Treated requests in a run.
const LONGEST: f64 = 40_000.0;
/// Units of a unit split.
const UNITS: u32 = 40_000;
/// Requests per unit and day.
const REQUESTS_PER_UNIT: f64 = 20.0;

/// One line of the table.
pub(crate) struct Case {
    /// What it is.
    pub(crate) name: &'static str,
    /// Treatment's share.
    pub(crate) share: f64,
    /// The world.
    pub(crate) world: World,
    /// What is documented for runs without harm.
    pub(crate) null: Null,
    /// Harm as a multiple of control's rate, and the documented median of treated requests until it is found.
    pub(crate) found_after: &'static [(f64, f64)],
    /// The most times the bound that the median may be, with fine batches.
    pub(crate) bar: f64,
}

/// What is documented for runs without harm, in per cent of false aborts.
#[derive(Clone, Copy)]
pub(crate) enum Null {
    /// About so many; the budget is what is judged.
    Within(&'static str),
    /// The budget is broken, by this much.
    Broken(f64, f64),
}

/// What a run simulates.
#[derive(Clone, Copy)]
pub(crate) enum World {
    /// Requests split one by one, 4b.
    Requests,
    /// Units of equal activity, each request failing by itself, 4a.
    Independent,
    /// Sticky units of very unequal activity, 4a.
    Sticky,
    /// The same units, their bad requests counted as if each were a unit.
    StickyByRequest,
}

/// All lines of the table.
pub(crate) const CASES: [Case; 5] = [
    Case {
        name: "4b, share 5 %, independent requests, onset prior off",
        share: 0.05,
        world: World::Requests,
        null: Null::Within("0.4 %"),
        found_after: &[(2.0, 1_900.0), (5.0, 200.0)],
        bar: 1.35,
    },
    Case {
        name: "4b, share 50 %, independent requests, onset prior off",
        share: 0.5,
        world: World::Requests,
        null: Null::Within("0.6 %"),
        found_after: &[(2.0, 3_800.0), (5.0, 500.0)],
        bar: 1.35,
    },
    Case {
        name: "4a, one horizon, 40,000 units, share 5 %, independent outcomes",
        share: 0.05,
        world: World::Independent,
        null: Null::Within("<= 1 %"),
        found_after: &[(2.0, 1_860.0), (5.0, 220.0)],
        bar: 1.5,
    },
    Case {
        name: "4a, same, sticky (c = 0.3) and heavy-tailed (s = 1.5)",
        share: 0.05,
        world: World::Sticky,
        null: Null::Within("<= 1 %"),
        found_after: &[],
        bar: 1.5,
    },
    Case {
        name: "for contrast: same, requests counted instead of units",
        share: 0.05,
        world: World::StickyByRequest,
        null: Null::Broken(18.0, 23.0),
        found_after: &[],
        bar: 1.5,
    },
];

impl Case {
    /// Treated requests until one run aborts; none if it does not. `grain` is in treated requests per batch.
    pub(crate) fn run(&self, harm: f64, grain: f64, seed: u64, log_limit: f64) -> Option<f64> {
        match self.world {
            World::Requests => self.requests(harm, grain).run(seed, log_limit),
            World::Independent => self.units(harm, grain, 0.0, 0.0).run(seed, log_limit),
            World::Sticky => self.units(harm, grain, 1.5, 0.3).run(seed, log_limit),
            World::StickyByRequest => {
                let units = self.units(harm, grain, 1.5, 0.3);
                Units {
                    counted: Counted::Requests,
                    ..units
                }
                .run(seed, log_limit)
            }
        }
    }

    fn requests(&self, harm: f64, grain: f64) -> Requests {
        let batch = libm::round(grain / self.share) as u64;
        Requests {
            share: self.share,
            rate: RATE,
            harm,
            batch,
            longest: LONGEST as u64,
        }
    }

    fn units(&self, harm: f64, grain: f64, spread: f64, stickiness: f64) -> Units {
        let treated = f64::from(UNITS) * self.share * REQUESTS_PER_UNIT;
        Units {
            units: UNITS,
            requests: REQUESTS_PER_UNIT,
            spread,
            stickiness,
            share: self.share,
            rate: RATE,
            harm,
            batches: libm::round(treated / grain) as u32,
            counted: Counted::Units,
        }
    }
}
