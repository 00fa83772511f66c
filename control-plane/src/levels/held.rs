//! What is held of the levels of one rollout: pure, so that a replay of the readings that were kept holds what was held.
//!
//! The one rule: readings are taken in the order of their numbers; the latest wins, each stands until its time is over, and
//! one that brought nothing ends a run of them.

use std::collections::BTreeMap;

use evaluation::Arm;
use rollout::{
    criterion::Estimates,
    guards::{CONSECUTIVE, Level},
};

use super::{Reading, Shown, Source};

/// The levels of one rollout.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldLevels {
    metrics: BTreeMap<String, Held>,
    /// The number of the last reading that was taken in; 0: none was.
    last: u64,
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

impl HeldLevels {
    /// Takes the reading of this number in.
    pub(crate) fn note(&mut self, number: u64, metric: &str, arm: Arm, reading: Reading) {
        self.last = number;
        self.metrics.entry(metric.to_owned()).or_default().note(arm, reading);
    }

    /// The number of the last reading; 0: nothing was read since the process began.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// As the guards read them.
    pub(crate) fn at(&self, now_us: i64) -> rollout::guards::Levels {
        let levels = self.metrics.iter().map(|(metric, held)| {
            let level = Level {
                now: held.now(now_us),
                recent: held.recent.clone(),
            };
            (metric.clone(), level)
        });
        levels.collect()
    }

    /// As people see them.
    pub(super) fn shown(&self, now_us: i64) -> impl Iterator<Item = (String, Shown)> + '_ {
        let metrics = self.metrics.iter();
        metrics.map(move |(metric, held)| (metric.clone(), held.shown(metric, now_us)))
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
        let is_control_read = self.control.value.is_some() || !self.control.missing.is_empty();
        Shown {
            metric: metric.to_owned(),
            now: self.now(now_us),
            at_us: self.treatment.at_us.max(self.control.at_us),
            source: self.source,
            missing: self.treatment.why_missing(now_us),
            control_missing: if is_control_read {
                self.control.why_missing(now_us)
            } else {
                String::new()
            },
        }
    }
}

impl Side {
    /// The value, if it still stands.
    fn at(&self, now_us: i64) -> Option<f64> {
        self.value.filter(|_| now_us < self.until_us)
    }

    /// Why the last reading brought no value, though the one before may still stand; empty if it did.
    fn why_missing(&self, now_us: i64) -> String {
        match (self.at(now_us), self.missing.as_str()) {
            (Some(_), why) => why.to_owned(),
            (None, "") if self.value.is_some() => "the last reading is too old".to_owned(),
            (None, "") => "it was never read".to_owned(),
            (None, why) => why.to_owned(),
        }
    }
}
