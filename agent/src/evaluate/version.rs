//! The version of an answer, as telemetry carries it on: where in its rollout the flag was.
//!
//! OpenFeature's hooks copy the flag metadata `version` to `feature_flag.version`. It is the same for everybody of a
//! stratum and stage, and says nothing of the unit or the arm. Form: `r<rollout>.<stage>.<stratum>`, in decimal.

use evaluation::{Exposure, Place};

/// How many stages there are at most.
const STAGES: u8 = 16;

/// The version of an answer that gave this exposure.
pub(crate) fn of(exposure: &Exposure) -> String {
    format!("r{}.{}.{}", exposure.rollout, exposure.stage, exposure.stratum)
}

/// What a version says; none if it is not one of ours.
pub(crate) fn read(version: &str) -> Option<Place> {
    let mut parts = version.strip_prefix('r')?.splitn(3, '.');
    let rollout = parts.next()?.parse().ok()?;
    let mut stage = || parts.next()?.parse().ok().filter(|stage| *stage < STAGES);
    let place = Place {
        rollout,
        stage: stage()?,
        stratum: stage()?,
    };
    Some(place)
}

#[cfg(test)]
mod tests {
    use evaluation::Arm;

    use super::*;
    use crate::samples::exposure;

    #[test]
    fn a_version_reads_back_as_it_was_written() {
        let exposure = Exposure {
            rollout: u32::MAX,
            stage: 15,
            stratum: 3,
            ..exposure(Arm::Treatment, 1)
        };
        assert_eq!(of(&exposure), "r4294967295.15.3");
        let place = Place {
            rollout: u32::MAX,
            stage: 15,
            stratum: 3,
        };
        assert_eq!(read(&of(&exposure)), Some(place));
    }

    #[test]
    fn a_version_of_somebody_else_says_nothing() {
        for other in [
            "", "7", "1.2.3", "r", "r1", "r1.2", "r1.16.0", "r1.0.16", "r1.2.3.4", "r-1.0.0", "r1.x.0",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
