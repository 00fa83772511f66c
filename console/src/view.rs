//! How things look: as text for people, as values for programs. Nothing here asks or decides.

pub(crate) mod amount;
pub(crate) mod baseline;
pub(crate) mod change;
pub(crate) mod desk;
pub(crate) mod explanation;
pub(crate) mod flag;
pub(crate) mod guard;
pub(crate) mod level;
pub(crate) mod lint;
pub(crate) mod plan;
pub(crate) mod record;
mod recovery;
pub(crate) mod replay;
pub(crate) mod rollout;
pub(crate) mod rollout_text;
pub(crate) mod rollout_tree;
pub(crate) mod schedule;
pub(crate) mod segment;
pub(crate) mod series;
pub(crate) mod side;
pub(crate) mod signal;
pub(crate) mod status;
pub(crate) mod version;
pub(crate) mod walk;
pub(crate) mod webhook;
