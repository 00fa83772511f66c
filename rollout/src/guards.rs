//! What the guards of a plan say: from the sums of a rollout to the evidence numbers, the rules that have fired, and the
//! reasons to hold.
//!
//! Each guard becomes one or two tests ([`Tests`]): one against the live control, one against a number or a captured
//! baseline, which is used where there is no control. All of them share one budget (guard.md 5). The one rule: evidence of harm is worked out
//! from everything that was ever sealed, in a fixed order, so that it is the same to the last bit wherever it is done.
//! What follows from it is [`crate::judge`]'s to say.

mod balance;
mod certified;
mod compared;
mod examine;
mod finding;
mod horizons;
mod lately;
mod levels;
mod seen;
mod tests_of;

pub use certified::certified;
pub(crate) use compared::Compared;
pub use examine::{Examination, examine};
pub use finding::{Beyond, Broken, Finding};
pub(crate) use horizons::strata;
pub use lately::shared_countings;
pub(crate) use levels::fires_in;
pub use levels::{CONSECUTIVE, Level, Levels, fires};
pub use seen::{HorizonCounts, OnsetKey, SampledCounts, Seen, VisitKey};
pub use tests_of::{Missing, Test, Tests, onsets, tests_of};
