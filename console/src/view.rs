//! How things look: as text for people, as values for programs. Nothing here asks or decides.

pub(crate) mod change;
pub(crate) mod explanation;
pub(crate) mod flag;
pub(crate) mod rollout;
pub(crate) mod rollout_text;
pub(crate) mod schedule;
pub(crate) mod segment;
pub(crate) mod version;
