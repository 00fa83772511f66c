//! Proceed, hold or abort: the pure half of a rollout.
//!
//! A [`Plan`] says what is wanted, a [`State`] how far it came, [`Facts`] what is known now; [`step`] turns the three
//! and the time into the next state and at most one [`Transition`]. The tests that turn counts into evidence of harm
//! are in [`evidence`].
//!
//! Nothing here reads a clock, draws a random number or waits: the same values give the same answer to the last bit,
//! which is what lets a record be replayed. Storing, publishing and telling people are left to the control plane.

pub mod evidence;

mod facts;
mod gate;
mod guard;
mod metric;
mod plan;
mod stage;
mod state;
mod step;
mod transition;
mod verdict;
mod violation;

pub use evidence::budget::{EvidenceNumber, Ladder};
pub use facts::{ArmTotals, Delivery, Facts, Totals};
pub use gate::{Gate, no_harm};
pub use guard::{Guard, Level};
pub use metric::Metric;
pub use plan::{DAY_US, Plan, Unit};
pub use stage::{Share, Stage};
pub use state::{HoldReason, Horizon, Phase, State, Visit};
pub use step::{Step, start, step};
pub use transition::{AbortCause, Transition};
pub use verdict::{Verdict, judge};
pub use violation::Violation;

/// A point in time (microseconds since 1970 UTC) or a length of time, in microseconds.
pub type Micros = i64;
