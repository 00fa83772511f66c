//! How flags and rollouts look: as text for people, as values for programs. Nothing here asks or decides.

pub(crate) mod flag;
pub(crate) mod rollout;
pub(crate) mod rollout_text;
