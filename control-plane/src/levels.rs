//! Levels: numbers of rollouts that are read from outside and belong to no outcome, as they were pushed.
//!
//! In memory alone: whoever wrote one is asked again, and what nobody says any more is no data. The latest reading wins,
//! each stands until its time is over, and a reading that brought nothing ends a run of them. Whoever looks at a rollout
//! takes all of its levels at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use evaluation::Arm;
use rollout::{
    criterion::Estimates,
    guards::{CONSECUTIVE, Level},
};
use uuid::Uuid;

/// A shared, cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Levels(Arc<Mutex<HashMap<Uuid, BTreeMap<String, Held>>>>);

/// Where a reading comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// Somebody pushed it.
    #[default]
    Pushed,
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
    /// Why there is no number of treatment; empty if there is one.
    pub(crate) missing: String,
}

/// What is held of one metric of one rollout.
#[derive(Debug, Clone, Default)]
struct Held {
    treatment: Side,
    control: Side,
    /// The last readings of treatment, the oldest first.
    recent: Vec<Estimates>,
    source: Source,
}

/// One arm.
#[derive(Debug, Clone, Default)]
struct Side {
    value: Option<f64>,
    at_us: i64,
    until_us: i64,
    missing: String,
}

impl Levels {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, BTreeMap<String, Held>>> {
        // Every write leaves the map whole, so a poisoned lock is taken as it is.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reading of one arm in, unless a later one is known. Of two arms that are read together control goes first,
    /// so that treatment is compared with what it was read with.
    pub(crate) fn note(&self, rollout: Uuid, metric: &str, arm: Arm, reading: Reading) {
        let mut all = self.lock();
        let held = all.entry(rollout).or_default().entry(metric.to_owned()).or_default();
        held.note(arm, reading);
    }

    /// The levels of a rollout.
    pub(crate) fn of(&self, rollout: Uuid, now_us: i64) -> rollout::guards::Levels {
        let all = self.lock();
        let held = all.get(&rollout).into_iter().flatten();
        let levels = held.map(|(metric, held)| {
            let level = Level {
                now: held.now(now_us),
                recent: held.recent.clone(),
            };
            (metric.clone(), level)
        });
        levels.collect()
    }

    /// The levels of a rollout, for people.
    pub(crate) fn shown(&self, rollout: Uuid, now_us: i64) -> Vec<Shown> {
        let all = self.lock();
        let held = all.get(&rollout).into_iter().flatten();
        held.map(|(metric, held)| held.shown(metric, now_us)).collect()
    }

    /// Forgets all rollouts but some.
    pub(crate) fn retain(&self, is_known: impl Fn(&Uuid) -> bool) {
        self.lock().retain(|id, _| is_known(id));
    }
}

impl Held {
    fn note(&mut self, arm: Arm, reading: Reading) {
        let Reading {
            value,
            at_us,
            until_us,
            source,
        } = reading;
        let side = match arm {
            Arm::Treatment => &mut self.treatment,
            Arm::Control => &mut self.control,
        };
        if at_us < side.at_us {
            return;
        }
        match value {
            Ok(value) => {
                *side = Side {
                    value: Some(value),
                    at_us,
                    until_us,
                    missing: String::new(),
                };
            }
            // The last number stands until its time is over.
            Err(why) => side.missing = why,
        }
        self.source = source;
        if arm == Arm::Treatment {
            let is_missing = !self.treatment.missing.is_empty();
            let read = Estimates {
                treatment: self.treatment.value.filter(|_| !is_missing),
                control: self.control.at(at_us),
                baseline: None,
            };
            if self.recent.len() >= CONSECUTIVE as usize {
                self.recent.remove(0);
            }
            self.recent.push(read);
        }
    }

    fn now(&self, now_us: i64) -> Estimates {
        Estimates {
            treatment: self.treatment.at(now_us),
            control: self.control.at(now_us),
            baseline: None,
        }
    }

    fn shown(&self, metric: &str, now_us: i64) -> Shown {
        let now = self.now(now_us);
        let missing = match (now.treatment, self.treatment.missing.as_str()) {
            (Some(_), _) => String::new(),
            (None, "") if self.treatment.value.is_some() => "the last reading is too old".to_owned(),
            (None, "") => "it was never read".to_owned(),
            (None, why) => why.to_owned(),
        };
        Shown {
            metric: metric.to_owned(),
            now,
            at_us: self.treatment.at_us.max(self.control.at_us),
            source: self.source,
            missing,
        }
    }
}

impl Side {
    /// The value, if it still stands.
    fn at(&self, now_us: i64) -> Option<f64> {
        self.value.filter(|_| now_us < self.until_us)
    }
}

impl Source {
    /// In a word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Source::Pushed => "pushed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::nil();

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
        assert!(levels.of(ID, 0).is_empty());
        levels.note(ID, "cpu", Arm::Treatment, reading(Ok(0.5), 100));
        levels.note(ID, "cpu", Arm::Treatment, reading(Ok(0.4), 90));
        let at = |now_us| levels.of(ID, now_us)["cpu"].now.treatment;
        assert_eq!((at(144), at(145)), (Some(0.5), None));
        assert_eq!(levels.shown(ID, 145)[0].missing, "the last reading is too old");
        levels.note(ID, "cpu", Arm::Treatment, reading(Err("no series"), 110));
        assert_eq!(at(144), Some(0.5), "it stands");
        assert_eq!(levels.shown(ID, 145)[0].missing, "no series");
    }

    #[test]
    fn the_last_three_readings_are_kept_with_what_control_was_then() {
        let levels = Levels::default();
        for (at_us, value) in [(0, Ok(0.1)), (10, Ok(0.2)), (20, Err("down")), (30, Ok(0.4))] {
            levels.note(ID, "cpu", Arm::Control, reading(Ok(0.3), at_us));
            levels.note(ID, "cpu", Arm::Treatment, reading(value, at_us));
        }
        let level = &levels.of(ID, 30)["cpu"];
        assert_eq!(treatments(level), [Some(0.2), None, Some(0.4)]);
        assert!(level.recent.iter().all(|read| read.control == Some(0.3)));
        assert_eq!(level.now.treatment, Some(0.4));
    }

    #[test]
    fn rollouts_that_are_over_are_forgotten() {
        let levels = Levels::default();
        levels.note(ID, "cpu", Arm::Control, reading(Ok(0.3), 0));
        assert_eq!(levels.shown(ID, 1)[0].missing, "it was never read");
        levels.retain(|id| *id != ID);
        assert!(levels.of(ID, 1).is_empty());
    }
}
