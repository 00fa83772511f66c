//! Worse than what? Treatment against control, and both against how it was before (guard.md 7).
//!
//! What both arms suffer is not proven to be treatment's doing. Shortly after a stage change it may be (treatment fills
//! a queue that control drains too), so it holds and aborts unless it recovers; at any other time it is someone else's
//! incident and the stage's clock stops. A frozen baseline alone would abort on every shared incident: it holds and
//! alerts, unless no control is possible or the plan insists.

use crate::Micros;

/// How close to a stage change something must begin to be suspected of it, and how long it has to recover.
pub const SPILL_OVER_US: Micros = 5 * 60 * 1_000_000;
/// How long a baseline should be captured at least, which also proves that reporting works.
pub const SHORTEST_CAPTURE_US: Micros = 15 * 60 * 1_000_000;

/// What a relative limit is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Base {
    /// The other arm, live.
    #[default]
    Control,
    /// How it was before the first stage with treatment.
    Baseline,
    /// How it was before, at the same hour.
    BaselineSameHour,
    /// A number in the plan.
    Fixed,
}

/// How one thing stands to another, as far as its test can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The evidence says worse.
    Worse,
    /// It does not.
    Equal,
}

/// What is known when a decision is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Treatment against live control; none where no control is possible (100 %).
    pub against_control: Option<Comparison>,
    /// Treatment against the baseline.
    pub treatment: Comparison,
    /// Control against the baseline; equal where there is none.
    pub control: Comparison,
    /// When "worse than the baseline" began, if something is.
    pub worse_since_us: Micros,
    /// When the stage last changed.
    pub stage_changed_at_us: Micros,
    /// Whether the plan says `abort: always`.
    pub aborts_always: bool,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Nothing stands in the way.
    Proceed,
    /// Hold and alert: worse than the baseline, which alone proves nothing.
    Alert,
    /// Hold: both arms are worse, and the stage's clock stops.
    SharedIncident,
    /// Hold until then: spill-over of a stage change is suspected. If it has not recovered, abort.
    SpillOver {
        /// When the patience ends.
        until_us: Micros,
    },
    /// Abort.
    Abort,
}

/// What follows from a sighting.
pub fn decide(sighting: &Sighting, now: Micros) -> Decision {
    use Comparison::{Equal, Worse};
    match (sighting.against_control, sighting.treatment, sighting.control) {
        (Some(Worse), Worse | Equal, Worse | Equal) => Decision::Abort,
        (None, Worse, Worse | Equal) => Decision::Abort,
        (Some(Equal), Worse, Worse | Equal) if sighting.aborts_always => Decision::Abort,
        (Some(Equal), Worse, Worse) => both_worse(sighting, now),
        (Some(Equal), Worse, Equal) => Decision::Alert,
        (Some(Equal) | None, Equal, Worse | Equal) => Decision::Proceed,
    }
}

/// Both arms are worse than the baseline, and treatment no worse than control.
fn both_worse(sighting: &Sighting, now: Micros) -> Decision {
    let after_change = sighting.worse_since_us.saturating_sub(sighting.stage_changed_at_us);
    let until_us = sighting.worse_since_us.saturating_add(SPILL_OVER_US);
    if !(0..=SPILL_OVER_US).contains(&after_change) {
        Decision::SharedIncident
    } else if now < until_us {
        Decision::SpillOver { until_us }
    } else {
        Decision::Abort
    }
}

#[cfg(test)]
mod tests {
    use super::Comparison::{Equal, Worse};
    use super::*;

    const MINUTE_US: Micros = 60_000_000;

    fn sighting(against_control: Option<Comparison>, treatment: Comparison, control: Comparison) -> Sighting {
        Sighting {
            against_control,
            treatment,
            control,
            worse_since_us: 100 * MINUTE_US,
            stage_changed_at_us: 40 * MINUTE_US,
            aborts_always: false,
        }
    }

    #[test]
    fn the_table_of_two_bases_holds() {
        let table = [
            (Some(Worse), Equal, Equal, Decision::Abort),
            (Some(Worse), Equal, Worse, Decision::Abort),
            (Some(Worse), Worse, Equal, Decision::Abort),
            (Some(Worse), Worse, Worse, Decision::Abort),
            (Some(Equal), Worse, Worse, Decision::SharedIncident),
            (Some(Equal), Worse, Equal, Decision::Alert),
            (Some(Equal), Equal, Worse, Decision::Proceed),
            (Some(Equal), Equal, Equal, Decision::Proceed),
            (None, Worse, Equal, Decision::Abort),
            (None, Equal, Equal, Decision::Proceed),
        ];
        for (against_control, treatment, control, expected) in table {
            let seen = sighting(against_control, treatment, control);
            assert_eq!(decide(&seen, 101 * MINUTE_US), expected, "{seen:?}");
        }
    }

    #[test]
    fn what_begins_with_a_stage_has_five_minutes_to_recover() {
        let began_after = |minutes: Micros| Sighting {
            stage_changed_at_us: (100 - minutes) * MINUTE_US,
            ..sighting(Some(Equal), Worse, Worse)
        };
        let until_us = 105 * MINUTE_US;
        assert_eq!(decide(&began_after(5), until_us - 1), Decision::SpillOver { until_us });
        assert_eq!(decide(&began_after(5), until_us), Decision::Abort);
        assert_eq!(decide(&began_after(6), until_us), Decision::SharedIncident);
        assert_eq!(decide(&began_after(-1), until_us), Decision::SharedIncident);
    }

    #[test]
    fn only_a_plan_that_insists_aborts_on_a_baseline_alone() {
        for control in [Worse, Equal] {
            let insisting = Sighting {
                aborts_always: true,
                ..sighting(Some(Equal), Worse, control)
            };
            assert_eq!(decide(&insisting, 101 * MINUTE_US), Decision::Abort);
        }
    }
}
