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

use super::{Read, Reading, Shown, Source};

/// The levels of one rollout.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct HeldLevels {
    /// By key of the metric.
    pub(crate) metrics: BTreeMap<String, Held>,
    /// The number of the last readings that were taken in; 0: none were.
    pub(crate) last: u64,
    /// When that was.
    pub(crate) noted_at_us: i64,
    /// The store revision of its last write; 0: it was never written.
    pub(crate) revision: u64,
}

/// What is held of one metric of one rollout.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Held {
    /// The arm that is rolled out.
    pub(crate) treatment: Side,
    /// The arm that it is compared with.
    pub(crate) control: Side,
    /// The last readings of treatment, the oldest first.
    pub(crate) recent: Vec<Estimates>,
    /// Where the last reading came from.
    pub(crate) source: Source,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Side {
    /// The last number; none: there never was one.
    pub(crate) value: Option<f64>,
    /// When it was so.
    pub(crate) at_us: i64,
    /// Until when it stands.
    pub(crate) until_us: i64,
    /// Why the last reading brought no number; empty if it did.
    pub(crate) missing: String,
}

impl HeldLevels {
    /// Takes readings in, together, under the next number.
    ///
    /// Of each a later one that is known wins. Of two arms that are read together control goes first, so that treatment
    /// is compared with what it was read with.
    pub(crate) fn take_in(&mut self, readings: &[Read], now_us: i64) {
        self.last += 1;
        self.noted_at_us = now_us;
        for (metric, arm, reading) in readings {
            self.metrics
                .entry(metric.clone())
                .or_default()
                .note(*arm, reading.clone());
        }
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
