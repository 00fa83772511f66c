//! Where a measurement counts: which visit of which stage, for which arm.
//!
//! An exposure says its stage, stratum and arm itself; an arm as a whole counts in the stage that was there at the time.
//! A place that the rollout never had is refused: its numbers would be compared with nothing, or with the wrong thing.

use evaluation::{Arm, Exposure};
use rollout::{Share, Visit, guards::VisitKey};

use crate::record::RolloutRecord;

/// Where a measurement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The visit of a stage.
    pub(crate) visit: VisitKey,
    /// The stage that gave the units their share.
    pub(crate) stratum: u8,
    /// Whose it is.
    pub(crate) arm: Arm,
    /// The unit bucket, 0 to 63.
    pub(crate) bucket: u8,
}

/// Why a measurement counts nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceError {
    /// No stage had been entered by then.
    #[error("the rollout was in no stage at that time")]
    NotStarted,
    /// A stage that the rollout has not been in.
    #[error("is of a stage that the rollout has not reached")]
    Stage,
    /// Nobody has that arm there.
    #[error("nobody has the {arm} in stage {stage}")]
    NoArm {
        /// The arm.
        arm: &'static str,
        /// The stage.
        stage: String,
    },
}

/// The place of an exposure.
pub(crate) fn of_exposure(rollout: &RolloutRecord, exposure: &Exposure) -> Result<Place, PlaceError> {
    let visits = &rollout.state.visits;
    let latest = |stage: u8| visits.iter().rposition(|visit| visit.stage == usize::from(stage));
    let at = latest(exposure.stage).ok_or(PlaceError::Stage)?;
    // Whoever is in the audiences of several reached stages has the share of one of them.
    let has_stratum = visits[..=at]
        .iter()
        .any(|visit| visit.stage == usize::from(exposure.stratum));
    if !has_stratum {
        return Err(PlaceError::Stage);
    }
    Ok(Place {
        visit: (exposure.stage, visits[at].visit),
        stratum: exposure.stratum,
        arm: exposure.arm,
        bucket: exposure.position.unit_bucket(),
    })
}

/// The place of an arm as a whole at a time. `spread` stands for the unit, which nobody knows: each measurement is one of
/// its own.
pub(crate) fn of_arm(rollout: &RolloutRecord, arm: Arm, at_us: i64, spread: u64) -> Result<Place, PlaceError> {
    let visit = visit_at(&rollout.state.visits, at_us).ok_or(PlaceError::NotStarted)?;
    let stage = rollout.plan.stages.get(visit.stage).ok_or(PlaceError::Stage)?;
    let share = rollout.plan.wanted(visit.stage);
    let is_there = match arm {
        Arm::Treatment => share > Share::NONE,
        Arm::Control => share < Share::ALL,
    };
    if !is_there {
        return Err(PlaceError::NoArm {
            arm: arm_name(arm),
            stage: stage.name.clone(),
        });
    }
    let number = u8::try_from(visit.stage).map_err(|_| PlaceError::Stage)?;
    Ok(Place {
        visit: (number, visit.visit),
        stratum: number,
        arm,
        bucket: (spread % 64) as u8,
    })
}

/// The visit that was there at a time.
fn visit_at(visits: &[Visit], at_us: i64) -> Option<Visit> {
    visits.iter().rfind(|visit| visit.entered_at_us <= at_us).copied()
}

/// An arm in a word.
pub(crate) fn arm_name(arm: Arm) -> &'static str {
    match arm {
        Arm::Treatment => "treatment",
        Arm::Control => "control",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::Position;
    use rollout::Unit;

    use super::*;
    use crate::builders::{SECOND_US, START_US, rollout_of};

    fn rollout() -> RolloutRecord {
        let mut rollout = rollout_of(Unit::Unit, &[5, 100], SECOND_US);
        rollout.state.visits[1].entered_at_us = START_US + 10 * SECOND_US;
        rollout
    }

    fn exposure(stage: u8, stratum: u8) -> Exposure {
        Exposure {
            rollout: 7,
            stage,
            stratum,
            arm: Arm::Treatment,
            position: Position::new(3 << 12).unwrap(),
        }
    }

    #[test]
    fn an_exposure_counts_in_the_latest_visit_of_its_stage() {
        let mut rollout = rollout();
        let again = Visit {
            stage: 0,
            visit: 2,
            entered_at_us: START_US + 20 * SECOND_US,
        };
        rollout.state.visits.push(again);
        let place = of_exposure(&rollout, &exposure(0, 0)).unwrap();
        assert_eq!((place.visit, place.stratum, place.bucket), ((0, 2), 0, 3));
        assert_eq!(of_exposure(&rollout, &exposure(1, 0)).unwrap().visit, (1, 1));
        assert_eq!(of_exposure(&rollout, &exposure(2, 0)), Err(PlaceError::Stage));
    }

    #[test]
    fn a_stratum_is_one_that_was_reached_by_then() {
        let mut rollout = rollout();
        assert!(of_exposure(&rollout, &exposure(1, 1)).is_ok());
        rollout.state.visits.pop();
        assert_eq!(of_exposure(&rollout, &exposure(0, 1)), Err(PlaceError::Stage));
    }

    #[test]
    fn an_arm_counts_in_the_stage_of_the_time_if_somebody_has_it_there() {
        let rollout = rollout();
        let at = |arm, seconds| of_arm(&rollout, arm, START_US + seconds * SECOND_US, 70);
        let place = at(Arm::Control, 9).unwrap();
        assert_eq!((place.visit, place.stratum, place.bucket), ((0, 1), 0, 6));
        assert_eq!(at(Arm::Treatment, 10).unwrap().visit, (1, 1));
        assert_eq!(
            at(Arm::Control, 10),
            Err(PlaceError::NoArm {
                arm: "control",
                stage: "at-100".to_owned()
            })
        );
        assert_eq!(at(Arm::Treatment, -1), Err(PlaceError::NotStarted));
    }
}
