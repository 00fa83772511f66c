//! Capturing: a visit of a stage becomes a baseline.
//!
//! Taken are the numbers of the control arm; of everybody where nobody had the treatment. A visit needs a time in which
//! data was complete (15 minutes, unless the control plane was told otherwise), which also proves that reporting works,
//! and a hundred outcomes. Pure: how long a visit has soaked is for the caller to know.

use std::collections::BTreeMap;

use rollout::{
    Visit, duration,
    measure::{self, CapturedArms, FEWEST_CAPTURED, Sums, Whose},
};

use super::{Origin, Value};
use crate::{evidence::EvidenceRecord, record::RolloutRecord};

/// A visit, and how it went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visited {
    /// The visit.
    pub(crate) visit: Visit,
    /// When it ended; none: it is the present one.
    pub(crate) left_at_us: Option<i64>,
    /// How long data was complete.
    pub(crate) soaked_us: i64,
}

/// What was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capture {
    /// Where.
    pub(crate) origin: Origin,
    /// What the metrics were.
    pub(crate) values: BTreeMap<String, Value>,
    /// The unit buckets of its rates and means.
    pub(crate) arms: CapturedArms,
    /// Metrics without a value, each with why.
    pub(crate) left_out: Vec<String>,
}

/// Why a visit is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CaptureError {
    /// Everybody had the treatment.
    #[error("everybody had the treatment in stage {0}, so there is nothing that was before")]
    NoControl(String),
    /// Too short.
    #[error("stage {stage} has {} of complete data; a baseline needs {}", duration::exact(.soaked_us - .soaked_us % 1_000_000), duration::exact(*.shortest_us))]
    TooShort {
        /// The stage.
        stage: String,
        /// How much there is.
        soaked_us: i64,
        /// How much there must be.
        shortest_us: i64,
    },
    /// Too little.
    #[error("stage {stage} has {outcomes} outcomes of the control; a baseline needs {FEWEST_CAPTURED}")]
    TooFew {
        /// The stage.
        stage: String,
        /// How many there are.
        outcomes: u64,
    },
}

/// What a visit of a stage was like, if it has soaked for so long.
pub(crate) fn capture(
    rollout: &RolloutRecord,
    evidence: &EvidenceRecord,
    visited: &Visited,
    shortest_us: i64,
) -> Result<Capture, CaptureError> {
    let visit = visited.visit;
    let stage = rollout.plan.stages.get(visit.stage);
    let name = stage.map(|stage| stage.name.clone()).unwrap_or_default();
    let whose = whose(rollout, visit.stage).ok_or_else(|| CaptureError::NoControl(name.clone()))?;
    let soaked_us = visited.soaked_us;
    if soaked_us < shortest_us {
        return Err(CaptureError::TooShort {
            stage: name,
            soaked_us,
            shortest_us,
        });
    }
    let key = (visit.stage as u8, visit.visit);
    let counts = evidence.visit(key.0, key.1);
    let (outcomes, units) = match whose {
        Whose::Control => (counts.control.outcomes, counts.control.units_estimate()),
        Whose::Both => (
            counts.control.outcomes.saturating_add(counts.treatment.outcomes),
            counts
                .control
                .units_estimate()
                .saturating_add(counts.treatment.units_estimate()),
        ),
    };
    let sums = evidence.sums.get(&key).filter(|_| outcomes >= FEWEST_CAPTURED);
    let Some(sums) = sums else {
        return Err(CaptureError::TooFew { stage: name, outcomes });
    };
    let (found, left_out) = measure::captured(&rollout.plan, &rollout.counted, sums, whose, soaked_us);
    let hours = evidence.hours.range((key, 0)..=(key, u8::MAX));
    let hours: Vec<(u8, &Sums)> = hours.map(|((_, hour), sums)| (*hour, &**sums)).collect();
    let arms = measure::captured_arms(&rollout.plan, &rollout.counted, (sums, &hours), whose, units);
    let value = |outcomes, number| Value { number, outcomes };
    Ok(Capture {
        origin: Origin {
            rollout: rollout.id,
            name: rollout.name(),
            stage: name,
            visit: visit.visit,
            whose,
            from_us: visit.entered_at_us,
            until_us: visited.left_at_us.unwrap_or(evidence.sealed_at_us),
            soaked_us,
            units,
        },
        values: (found.into_iter())
            .map(|found| (found.metric, value(found.outcomes, found.value)))
            .collect(),
        arms,
        left_out,
    })
}

/// Whose numbers tell what was before; none where everybody had the treatment.
fn whose(rollout: &RolloutRecord, stage: usize) -> Option<Whose> {
    // In a shadow stage both arms get the control.
    if rollout.plan.stages.get(stage).is_some_and(|stage| stage.shadow) {
        return Some(Whose::Both);
    }
    let share = rollout.plan.wanted(stage);
    (share < rollout::Share::ALL).then_some(Whose::Control)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::Unit;

    use super::*;
    use crate::builders::{SECOND_US, START_US, rollout_of};

    const QUARTER_US: i64 = 15 * 60 * SECOND_US;

    fn visited(stage: usize, soaked_us: i64) -> Visited {
        Visited {
            visit: Visit {
                stage,
                visit: 1,
                entered_at_us: START_US,
            },
            left_at_us: Some(START_US + 2 * QUARTER_US),
            soaked_us,
        }
    }

    /// Control with 2 bad outcomes of 200 in each stage, treatment with 50 bad of 100.
    fn evidence() -> EvidenceRecord {
        let mut evidence = EvidenceRecord {
            batches: 1,
            ..EvidenceRecord::default()
        };
        for stage in 0..2 {
            let counts = evidence.visit_mut(stage, 1);
            (counts.control.outcomes, counts.treatment.outcomes) = (200, 100);
            let arms = evidence.sums_mut((stage, 1)).metrics.entry((0, stage)).or_default();
            arms.control.add(1, 2, 200);
            arms.treatment.add(2, 50, 100);
        }
        evidence
    }

    fn error_rate(capture: &Capture) -> (String, u64) {
        let value = capture.values["error-rate"];
        (value.number.to_string(), value.outcomes)
    }

    #[test]
    fn a_visit_of_a_quarter_of_an_hour_is_what_its_control_was() {
        let rollout = rollout_of(Unit::Unit, &[5, 50], SECOND_US);
        let captured = capture(&rollout, &evidence(), &visited(0, QUARTER_US), QUARTER_US).unwrap();
        assert_eq!(error_rate(&captured), ("1 %".to_owned(), 200));
        assert_eq!(captured.origin.until_us, START_US + 2 * QUARTER_US);
        assert_eq!(
            capture(&rollout, &evidence(), &visited(0, QUARTER_US - 1), QUARTER_US),
            Err(CaptureError::TooShort {
                stage: "at-5".to_owned(),
                soaked_us: QUARTER_US - 1,
                shortest_us: QUARTER_US
            })
        );
    }

    #[test]
    fn a_visit_without_a_control_or_without_outcomes_is_no_baseline() {
        let rollout = rollout_of(Unit::Unit, &[5, 100], SECOND_US);
        assert_eq!(
            capture(&rollout, &evidence(), &visited(1, QUARTER_US), QUARTER_US),
            Err(CaptureError::NoControl("at-100".to_owned()))
        );
        assert_eq!(
            capture(
                &rollout,
                &EvidenceRecord::default(),
                &visited(0, QUARTER_US),
                QUARTER_US
            ),
            Err(CaptureError::TooFew {
                stage: "at-5".to_owned(),
                outcomes: 0
            })
        );
    }

    #[test]
    fn a_shadow_stage_is_what_everybody_was() {
        let mut rollout = rollout_of(Unit::Unit, &[5, 50], SECOND_US);
        let mut plan = (*rollout.plan).clone();
        plan.stages[0].shadow = true;
        rollout.plan = plan.into();
        let captured = capture(&rollout, &evidence(), &visited(0, QUARTER_US), QUARTER_US).unwrap();
        assert_eq!(error_rate(&captured), ("17.333333 %".to_owned(), 300));
        assert_eq!(captured.origin.whose, Whose::Both);
        let buckets = captured.arms.of(&rollout.counted[0].counting).unwrap();
        let spoken: Vec<_> = buckets.sums().filter(|(_, outcomes)| *outcomes > 0).collect();
        assert_eq!(
            spoken,
            [(2, 200), (50, 100)],
            "with the buckets that its number comes from"
        );
        assert_eq!(captured.arms.by_hour(&rollout.counted[0].counting), None);
        let mut by_hour = evidence();
        let sums = by_hour.sums[&(0, 1)].clone();
        by_hour.hours.insert(((0, 1), 33), sums);
        let captured = capture(&rollout, &by_hour, &visited(0, QUARTER_US), QUARTER_US).unwrap();
        let hours = captured.arms.by_hour(&rollout.counted[0].counting).unwrap();
        assert_eq!(hours.keys().collect::<Vec<_>>(), [&33]);
    }
}
