//! What agents count for a plan, and what the counts come to.
//!
//! Every metric that a plan names becomes one or several [`Counting`]s: a numerator and a denominator for each arm and
//! unit bucket. [`counted`] lists them, the list is frozen with the rollout, and a metric's place in it is its number on
//! the wire. [`Sums`] are what came of it in one visit of a stage; [`readings`] turns them into the estimates that
//! criteria are compared with. What the sums prove is left to [`crate::guards`].

mod captured;
mod captured_arms;
mod counted;
mod counting;
mod events;
mod hours;
mod minute;
mod readings;
mod recent;
mod sums;
mod words;

pub use captured::{Captured, FEWEST_CAPTURED, Whose, captured};
pub use captured_arms::{CapturedArm, CapturedArms, MOST_BY_HOUR, captured_arms, is_arm};
pub use counted::{Counted, MOST_COUNTED, bound_of, counted, extended};
pub(crate) use counted::{is_level, is_of_durations, of_comparison};
pub use counting::{Counting, Per};
pub use events::Events;
pub use hours::{HOURS_OF_WEEK, hour_name, hour_of_week, hours_between, is_by_hour, needs_hours};
pub use minute::Minute;
use readings::number_of;
pub use readings::{Seen, reading, readings, subject};
pub use recent::{RECENT_US, Recent, Slot, recent_reading};
pub use sums::{Arms, DURATION_BUCKETS, Durations, Shown, Sums, duration_bounds, duration_bucket};
