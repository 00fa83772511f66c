//! Levels that are read from outside (processor time, a gauge of one's own): numbers without units and without a
//! variance, so nothing is proved by them. They are compared as they are (guard.md 4f), and a single reading decides
//! nothing: a guard fires when the last three were beyond its limit. No reading is no verdict.

use std::collections::BTreeMap;

use super::Beyond;
use crate::{
    Plan,
    criterion::{Comparison, Estimates, holds},
    evidence::threshold::Streak,
};

/// How many readings in a row must be beyond a limit.
pub const CONSECUTIVE: u32 = 3;

/// Levels by the key of their metric.
pub type Levels = BTreeMap<String, Level>;

/// A level as it was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Level {
    /// What it is now; nothing where the last reading is too old.
    pub now: Estimates,
    /// The last readings, the oldest first; one that brought nothing has no treatment.
    pub recent: Vec<Estimates>,
}

/// Whether a level that is compared with a number was beyond it for long enough.
pub fn fires(harm: &Comparison, level: &Level) -> bool {
    beyond(harm, Some(level), None) == Beyond::Fired
}

/// Whether a plan's level was beyond a limit for long enough, whatever the limit is relative to.
pub(crate) fn fires_in(plan: &Plan, harm: &Comparison, levels: &Levels) -> bool {
    let metric = harm.metric.as_str();
    let baseline = plan.baseline.values.get(metric).map(|value| value.as_f64());
    beyond(harm, levels.get(metric), baseline) == Beyond::Fired
}

/// How a level stands to a limit that is harm beyond. `baseline`: what it was before, as far as the plan knows.
pub(super) fn beyond(harm: &Comparison, level: Option<&Level>, baseline: Option<f64>) -> Beyond {
    let Some(level) = level else {
        return Beyond::Unknown;
    };
    let is_beyond = |estimates: &Estimates| {
        let known = Estimates {
            baseline: estimates.baseline.or(baseline),
            ..*estimates
        };
        holds(harm, &known)
    };
    let in_a_row = level.recent.iter().rev();
    let in_a_row = in_a_row.take_while(|estimates| is_beyond(estimates) == Some(true));
    let streak = Streak(u32::try_from(in_a_row.count()).unwrap_or(u32::MAX));
    match is_beyond(&level.now) {
        None => Beyond::Unknown,
        Some(false) => Beyond::Within,
        Some(true) if streak.0 >= CONSECUTIVE => Beyond::Fired,
        Some(true) => Beyond::Early,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::criterion::Criterion;

    fn harm(text: &str) -> Comparison {
        match text.parse().unwrap() {
            Criterion::Compare(harm) => harm,
            Criterion::Stable | Criterion::Parity => panic!("{text}"),
        }
    }

    fn read(treatment: Option<f64>, control: Option<f64>) -> Estimates {
        Estimates {
            treatment,
            control,
            baseline: None,
        }
    }

    /// The last of these is what it is now.
    fn level(readings: &[Option<f64>]) -> Level {
        let recent: Vec<_> = readings.iter().map(|&value| read(value, Some(0.4))).collect();
        Level {
            now: *recent.last().unwrap(),
            recent,
        }
    }

    #[test]
    fn three_readings_in_a_row_fire_and_nothing_less() {
        let harm = harm("cpu > 80 %");
        let stands = |readings: &[Option<f64>]| beyond(&harm, Some(&level(readings)), None);
        let (over, under) = (Some(0.9), Some(0.5));
        assert_eq!(beyond(&harm, None, None), Beyond::Unknown);
        assert_eq!(stands(&[under]), Beyond::Within);
        assert_eq!(stands(&[over]), Beyond::Early);
        assert_eq!(stands(&[over, over]), Beyond::Early);
        assert_eq!(stands(&[over, over, over]), Beyond::Fired);
        assert_eq!(stands(&[over, under, over]), Beyond::Early);
        assert_eq!(stands(&[over, over, None]), Beyond::Unknown);
        assert_eq!(
            stands(&[over, None, over]),
            Beyond::Early,
            "what is not known is not beyond"
        );
        assert_eq!(stands(&[over, over, under]), Beyond::Within);
    }

    #[test]
    fn a_level_that_is_too_old_is_no_verdict() {
        let mut old = level(&[Some(0.9); 3]);
        old.now = Estimates::default();
        assert_eq!(beyond(&harm("cpu > 80 %"), Some(&old), None), Beyond::Unknown);
    }

    #[test]
    fn a_level_is_compared_with_control_or_with_what_was_before() {
        let three = level(&[Some(0.9); 3]);
        assert_eq!(beyond(&harm("cpu > 2x control"), Some(&three), None), Beyond::Fired);
        assert_eq!(beyond(&harm("cpu > 3x control"), Some(&three), None), Beyond::Within);
        assert_eq!(beyond(&harm("cpu > 2x baseline"), Some(&three), None), Beyond::Unknown);
        assert_eq!(
            beyond(&harm("cpu > 2x baseline"), Some(&three), Some(0.4)),
            Beyond::Fired
        );
    }
}
