//! Outcomes: whether what a rollout tried has won, and what all outcomes say together.
//!
//! An outcome is read from the record of the ended rollout, which is kept for ever: the posteriors need no store of their
//! own, are exact after a restart, and no two ends ever wait for each other. Only a completion wins and only an abort
//! loses; what was rolled back or superseded has said nothing.

use std::collections::BTreeMap;

use rollout::{Posterior, Share};

use crate::{
    record::{EndCause, RolloutRecord},
    state::State,
};

/// What came of a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome<'r> {
    /// The label component.
    pub(crate) component: &'r str,
    /// The label pattern.
    pub(crate) pattern: &'r str,
    /// Whether the treatment became the default.
    pub(crate) won: bool,
    /// How far it came: what the last stage gave it to, or, of an abort, the highest share that was acknowledged.
    pub(crate) share: Share,
}

/// What all outcomes of a component and pattern say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Weighted by how far they came.
    pub(crate) posterior: Posterior,
    /// How many they are.
    pub(crate) outcomes: u32,
}

impl<'r> Outcome<'r> {
    /// The outcome of a rollout; none if it has not won or lost, or its plan does not say what it tried.
    pub(crate) fn of(record: &'r RolloutRecord) -> Option<Self> {
        let label = |name: &str| record.plan.labels.get(name).filter(|text| !text.is_empty());
        let (component, pattern) = (label("component")?, label("pattern")?);
        let (won, share) = match record.end.as_ref()?.cause {
            EndCause::Completed => (true, record.plan.deployed(record.state.stage)),
            EndCause::Evidence | EndCause::Rule | EndCause::Person | EndCause::Trigger => {
                (false, Share::new(record.acked_buckets).unwrap_or(Share::ALL))
            }
            EndCause::Criterion | EndCause::Withdrawn | EndCause::Edit | EndCause::Time => return None,
        };
        Some(Self {
            component,
            pattern,
            won,
            share,
        })
    }
}

/// What is known of every component and pattern, in their order.
pub(crate) fn tallies(state: &State) -> BTreeMap<(&str, &str), Tally> {
    let mut tallies = BTreeMap::<_, Tally>::new();
    for outcome in state.rollouts.values().filter_map(|record| Outcome::of(record)) {
        let tally = tallies.entry((outcome.component, outcome.pattern)).or_default();
        tally.posterior.add(outcome.won, outcome.share);
        tally.outcomes = tally.outcomes.saturating_add(1);
    }
    tallies
}
