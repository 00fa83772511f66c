//! Levels: numbers of rollouts that are read from outside and belong to no outcome, as they were pushed, or as a Prometheus
//! says when it is asked for them.
//!
//! Held in memory: whoever wrote one is asked again after a restart, and what nobody says any more is no data. Every reading
//! is made durable before it is taken in (`turn.rs`), numbered, so that what was decided by it can be judged again. Whoever
//! looks at a rollout takes all of its levels at once.

mod held;
mod turn;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use evaluation::Arm;
use rollout::criterion::Estimates;
use uuid::Uuid;

pub(crate) use self::{held::HeldLevels, turn::Read};
use crate::{prometheus, record::RolloutRecord};

/// A shared, cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Levels {
    held: Arc<Mutex<HashMap<Uuid, HeldLevels>>>,
    /// Readings are taken in one after the other, in the order in which they are kept.
    turns: Arc<tokio::sync::Mutex<()>>,
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

/// A reading as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// Key of the metric.
    pub(crate) metric: String,
    /// Of this arm.
    pub(crate) arm: Arm,
    /// What was said.
    pub(crate) reading: Reading,
    /// When it was taken in.
    pub(crate) noted_at_us: i64,
    /// Whether it is the first since the process began, which knew of none before.
    pub(crate) is_first: bool,
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
    /// No levels yet; whether some are asked of a Prometheus.
    pub(crate) fn new(asks_prometheus: bool) -> Self {
        Self {
            held: Arc::default(),
            turns: Arc::default(),
            asks_prometheus,
        }
    }

    /// Whether a Prometheus is asked for those whose plans say so.
    pub(crate) fn asks_prometheus(&self) -> bool {
        self.asks_prometheus
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, HeldLevels>> {
        // Every write leaves the map whole, so a poisoned lock is taken as it is.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reading of one arm in, unless a later one is known. Of two arms that are read together control goes first,
    /// so that treatment is compared with what it was read with.
    fn note(&self, rollout: Uuid, number: u64, metric: &str, arm: Arm, reading: Reading) {
        self.lock()
            .entry(rollout)
            .or_default()
            .note(number, metric, arm, reading);
    }

    /// The number of the last reading of a rollout; 0: nothing was read of it since the process began.
    fn last(&self, rollout: Uuid) -> u64 {
        self.lock().get(&rollout).map_or(0, HeldLevels::last)
    }

    /// The levels of a rollout, and the number of the last reading that they rest on.
    pub(crate) fn of(&self, rollout: Uuid, now_us: i64) -> (rollout::guards::Levels, u64) {
        let all = self.lock();
        all.get(&rollout)
            .map(|held| (held.at(now_us), held.last()))
            .unwrap_or_default()
    }

    /// The levels of a rollout, for people, by metric; those that are still to be read from a Prometheus too.
    pub(crate) fn shown(&self, rollout: &RolloutRecord, now_us: i64) -> Vec<Shown> {
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
        let all = self.lock();
        shown.extend(all.get(&rollout.id).into_iter().flat_map(|held| held.shown(now_us)));
        shown.into_values().collect()
    }

    /// Forgets all rollouts but some.
    pub(crate) fn retain(&self, is_known: impl Fn(&Uuid) -> bool) {
        self.lock().retain(|id, _| is_known(id));
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use rollout::guards::Level;
    use rollout::{
        Phase, Plan,
        catalogue::{Direction, Kind, OwnDefinition, Query, Template, Unit},
    };

    use super::*;
    use crate::builders;

    const ID: Uuid = Uuid::nil();

    /// A rollout with a level that a Prometheus is asked for.
    fn asking() -> RolloutRecord {
        let own = OwnDefinition {
            key: "depth".to_owned(),
            kind: Kind::Gauge,
            unit: Unit::Count,
            better: Direction::Lower,
            per: None,
            minimum: None,
            maximum: None,
            prometheus: Some(Query {
                template: Template::parse("max(depth)").unwrap(),
                interval_us: 5_000_000,
                stands_for_us: 15_000_000,
            }),
        };
        let mut record = builders::rollout();
        record.id = ID;
        record.plan = Arc::new(Plan {
            metrics: vec![own],
            ..(*record.plan).clone()
        });
        record
    }

    /// A rollout without one.
    fn rollout() -> RolloutRecord {
        RolloutRecord {
            id: ID,
            ..builders::rollout()
        }
    }

    fn reading(value: Result<f64, &str>, at_us: i64) -> Reading {
        Reading {
            value: value.map_err(str::to_owned),
            at_us,
            until_us: at_us + 45,
            source: Source::Pushed,
        }
    }

    fn treatments(level: &Level) -> Vec<Option<f64>> {
        level.recent.iter().map(|read| read.treatment).collect()
    }

    #[test]
    fn the_latest_reading_stands_until_its_time_is_over() {
        let levels = Levels::default();
        assert!(levels.of(ID, 0).0.is_empty());
        levels.note(ID, 1, "cpu", Arm::Treatment, reading(Ok(0.5), 100));
        levels.note(ID, 1, "cpu", Arm::Treatment, reading(Ok(0.4), 90));
        let at = |now_us| levels.of(ID, now_us).0["cpu"].now.treatment;
        assert_eq!((at(144), at(145)), (Some(0.5), None));
        assert_eq!(levels.shown(&rollout(), 145)[0].missing, "the last reading is too old");
        levels.note(ID, 1, "cpu", Arm::Treatment, reading(Err("no series"), 110));
        assert_eq!(at(144), Some(0.5), "it stands");
        assert_eq!(
            levels.shown(&rollout(), 144)[0].missing,
            "no series",
            "and is told at once"
        );
        assert_eq!(levels.shown(&rollout(), 145)[0].missing, "no series");
    }

    #[test]
    fn the_last_three_readings_are_kept_with_what_control_was_then() {
        let levels = Levels::default();
        for (at_us, value) in [(0, Ok(0.1)), (10, Ok(0.2)), (20, Err("down")), (30, Ok(0.4))] {
            levels.note(ID, 1, "cpu", Arm::Control, reading(Ok(0.3), at_us));
            levels.note(ID, 1, "cpu", Arm::Treatment, reading(value, at_us));
        }
        let level = &levels.of(ID, 30).0["cpu"];
        assert_eq!(treatments(level), [Some(0.2), None, Some(0.4)]);
        assert!(level.recent.iter().all(|read| read.control == Some(0.3)));
        assert_eq!(level.now.treatment, Some(0.4));
    }

    #[test]
    fn what_is_to_be_read_is_shown_before_it_was_ever_read_with_the_reason() {
        let shown = |levels: &Levels, record: &RolloutRecord| {
            let shown = levels.shown(record, 1);
            let [one] = shown.as_slice() else { panic!("{shown:?}") };
            (one.metric.clone(), one.source, one.missing.clone())
        };
        let levels = Levels::new(true);
        let (metric, source, missing) = shown(&levels, &asking());
        assert_eq!((metric.as_str(), source), ("depth", Source::Prometheus));
        assert_eq!(missing, "it was not asked for yet");
        let (_, _, missing) = shown(&Levels::default(), &asking());
        assert!(missing.contains("--prometheus URL"), "{missing}");
        let from_prometheus = Reading {
            source: Source::Prometheus,
            ..reading(Err("no data"), 0)
        };
        levels.note(ID, 1, "depth", Arm::Treatment, from_prometheus);
        assert_eq!(shown(&levels, &asking()).2, "no data");
        let mut ended = asking();
        ended.state.phase = Phase::Completed;
        assert_eq!(Levels::new(true).shown(&ended, 1), [], "nobody asks any more");
    }

    #[test]
    fn a_control_that_is_missing_is_told_beside_a_treatment_that_is_not() {
        let levels = Levels::default();
        levels.note(ID, 1, "cpu", Arm::Treatment, reading(Ok(0.5), 100));
        assert_eq!(levels.shown(&rollout(), 110)[0].control_missing, "", "nobody reads one");
        levels.note(ID, 1, "cpu", Arm::Control, reading(Err("no data"), 100));
        let shown = &levels.shown(&rollout(), 110)[0];
        assert_eq!(
            (shown.missing.as_str(), shown.control_missing.as_str()),
            ("", "no data")
        );
    }

    #[test]
    fn rollouts_that_are_over_are_forgotten() {
        let levels = Levels::default();
        levels.note(ID, 1, "cpu", Arm::Control, reading(Ok(0.3), 0));
        assert_eq!(levels.shown(&rollout(), 1)[0].missing, "it was never read");
        levels.retain(|id| *id != ID);
        assert!(levels.of(ID, 1).0.is_empty());
    }
}
