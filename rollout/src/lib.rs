//! Proceed, hold or abort: the pure half of a rollout.
//!
//! A [`Plan`] says what is wanted, a [`State`] how far it came, [`Facts`] what is known now; [`step`] turns the three
//! and the time into the next state and at most one [`Transition`], [`act()`] does so for what a person decides, and
//! [`rebase()`] for a new version of the plan. What a rollout waits for is [`waits`], worked out once. The tests that turn
//! counts into evidence of harm are in [`evidence`]; [`lint`] says what a plan lacks and costs, [`simulate`] walks it in
//! virtual time; [`status`] says in a word how far a flag has come, and [`Posterior`] what past rollouts say.
//!
//! Nothing here reads a clock, draws a random number or waits: the same values give the same answer to the last bit,
//! which is what lets a record be replayed. Storing, publishing and telling people are left to the control plane.

pub mod act;
pub mod alarm;
pub mod calendar;
pub mod catalogue;
pub mod cost;
pub mod criterion;
pub mod draft;
pub mod duration;
pub mod evidence;
pub mod gate;
pub mod guards;
pub mod lint;
pub mod measure;
pub mod plan;
pub mod recovery;
pub mod risk;
pub mod shown;
pub mod simulate;
pub mod state;
pub mod status;
pub mod strategy;

mod facts;
mod guard;
mod made;
mod posterior;
mod rebase;
mod signal;
mod stage;
mod step;
mod transition;
mod verdict;
mod violation;

pub use act::{Act, Acted, Refusal, Undismissed, act};
pub use evidence::budget::{EvidenceNumber, Ladder};
pub use facts::{ArmTotals, Concerns, Delivery, Facts, LONGEST_GAP_US, Measure, Totals};
pub use gate::{Wait, waits};
pub use guard::{Guard, Level};
pub use plan::{DAY_US, Plan, Unit};
pub use posterior::{Posterior, Posteriors};
pub use rebase::rebase;
pub use signal::{Signal, heard, is_dismissed, raised, standing_rung, undismissed};
pub use stage::{Share, Stage};
pub use state::{HoldReason, Horizon, Phase, State, Visit};
pub use step::{Step, next_deadline, observed, step};
pub use transition::{AbortCause, RollbackCause, Transition};
pub use verdict::{Verdict, judge};
pub use violation::Violation;

/// A point in time (microseconds since 1970 UTC) or a length of time, in microseconds.
pub type Micros = i64;
