//! What a plan costs, and how often it would stop without cause: arithmetic for lints and for the plan document.
//!
//! Everything is known before a rollout starts: base rates, limits, shares, traffic. [`samples`] says how many treated
//! requests it takes to find a harm, [`certify`] how many to prove there is none, [`time`] how long a stage needs for
//! them, and [`odds`] how often a rule without a budget fires on a harmless rollout.
//!
//! Nothing here decides anything: a rollout is judged by `evidence` alone. Figures are expectations, from formulas and
//! from the calibration of the tests, never promises about one rollout. What has no finite answer is `None`.

pub mod certify;
pub mod means;
pub mod odds;
pub mod price;
pub mod samples;
pub mod time;

mod calibration;
mod divergence;
mod tail;

pub use price::Price;
pub use samples::{Harm, Samples, Test};
pub use time::Traffic;
