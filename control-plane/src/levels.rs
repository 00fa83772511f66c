//! Levels: numbers of rollouts that are read from outside and belong to no outcome, as they were pushed, or as a
//! Prometheus says when it is asked for them.
//!
//! What is held of them is part of the state, as evidence is: whoever takes readings in makes them durable together
//! with what is held after them (`turn.rs`), and guards see them by way of the store alone. So what is durable is what
//! guards see, after a commit of which nobody heard and after a restart too. What nobody says any more is no data
//! (`held.rs`). Readings are kept as well, numbered, so that what was decided by them can be judged again (`log.rs`).

mod held;
mod log;
mod turn;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, Weak},
};

use evaluation::Arm;
use rollout::criterion::Estimates;
use runtime::clock::now_us;
use uuid::Uuid;

pub(crate) use self::{
    held::{Held, HeldLevels, Side},
    log::{Kept, Log},
};
use crate::{prometheus, record::RolloutRecord, state::State};

/// A shared, cheap handle of those who take readings in.
#[derive(Debug, Clone)]
pub(crate) struct Levels {
    turns: Arc<Mutex<HashMap<Uuid, Weak<turn::Queue>>>>,
    /// When the process began.
    began_us: i64,
    asks_prometheus: bool,
}

/// Where a reading comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// Somebody pushed it.
    #[default]
    Pushed,
    /// A Prometheus was asked for it.
    Prometheus,
}

/// A reading of one arm of one metric.
pub(crate) type Read = (String, Arm, Reading);

/// What is said of one arm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// The value; or why there is none.
    pub(crate) value: Result<f64, String>,
    /// When it was so.
    pub(crate) at_us: i64,
    /// Until when it stands.
    pub(crate) until_us: i64,
    /// Where it comes from.
    pub(crate) source: Source,
}

/// A level as people see it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Shown {
    /// Key of the metric.
    pub(crate) metric: String,
    /// What it is now.
    pub(crate) now: Estimates,
    /// When it was last read; 0: never.
    pub(crate) at_us: i64,
    /// Where it comes from.
    pub(crate) source: Source,
    /// Why the last reading brought no number of treatment, though the one before may still stand; empty if it did.
    pub(crate) missing: String,
    /// The same of control; empty too if nobody reads one.
    pub(crate) control_missing: String,
}

impl Levels {
    /// For a process that begins now; whether some are asked of a Prometheus.
    pub(crate) fn new(asks_prometheus: bool) -> Self {
        Self {
            turns: Arc::default(),
            began_us: now_us(),
            asks_prometheus,
        }
    }

    /// Whether a Prometheus is asked for those whose plans say so.
    pub(crate) fn asks_prometheus(&self) -> bool {
        self.asks_prometheus
    }

    /// The levels of a rollout, for people, by metric; those that are still to be read from a Prometheus too.
    pub(crate) fn shown(&self, state: &State, rollout: &RolloutRecord, now_us: i64) -> Vec<Shown> {
        let awaited = prometheus::awaited(rollout, self.asks_prometheus);
        let mut shown: BTreeMap<_, _> = awaited
            .map(|(metric, why)| {
                let awaited = Shown {
                    metric: metric.clone(),
                    source: Source::Prometheus,
                    missing: why.to_owned(),
                    ..Shown::default()
                };
                (metric, awaited)
            })
            .collect();
        shown.extend(state.levels_of(rollout.id).shown(now_us));
        shown.into_values().collect()
    }
}

impl Source {
    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Source::Pushed => "pushed",
            Source::Prometheus => "prometheus",
        }
    }
}

#[cfg(test)]
mod tests;
