//! What the data says that somebody should know of, and what trips the kill switch.
//!
//! All of these are thresholds on a minimum of data (guard.md 4f): 100 outcomes of 3 units, none for counts of events.
//! They are no part of the evidence; the kill switch stands beside the ladder and says so in the record. It looks at the
//! last ten minutes, and not further back than to the flag's last change, so that one that was revived is given a chance.

use crate::{
    Facts, Plan,
    criterion::Criterion,
    gate::{self, Finding, Minimum},
};

/// What a threshold needs before it is believed.
pub(crate) const BELIEVED: Minimum = Minimum {
    outcomes: 100,
    units: 3,
};

/// The conditions of the kill switch that hold, if it trips without a person.
pub fn trips<'p>(plan: &'p Plan, facts: &Facts) -> Vec<&'p Criterion> {
    let kill = plan.kill_switch.as_ref().filter(|kill| kill.auto_trip);
    let recent = Facts {
        measures: facts.recent.clone(),
        ..Facts::default()
    };
    kill.map_or_else(Vec::new, |kill| holding(plan, &recent, &kill.conditions))
}

/// What raises a warning now.
pub fn warnings<'p>(plan: &'p Plan, facts: &Facts) -> Vec<&'p Criterion> {
    holding(plan, facts, &plan.warning)
}

/// What raises a critical alert now.
pub fn criticals<'p>(plan: &'p Plan, facts: &Facts) -> Vec<&'p Criterion> {
    holding(plan, facts, &plan.critical)
}

fn holding<'p>(plan: &'p Plan, facts: &Facts, criteria: &'p [Criterion]) -> Vec<&'p Criterion> {
    let holds = |written: &&Criterion| gate::on_minimum(plan, BELIEVED, facts, written) == Finding::Holds;
    criteria.iter().filter(holds).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Measure, criterion::Estimates, plan::KillSwitch};

    fn plan(auto_trip: bool) -> Plan {
        let conditions = vec!["error-rate > 5 %".parse().unwrap()];
        Plan {
            kill_switch: Some(KillSwitch {
                flag: String::new(),
                auto_trip,
                conditions: conditions.clone(),
            }),
            warning: conditions,
            ..Plan::new("plan", "flag")
        }
    }

    fn facts(rate: f64, outcomes: u64, units: u64) -> Facts {
        let estimates = Estimates {
            treatment: Some(rate),
            ..Estimates::default()
        };
        let measure = Measure {
            estimates,
            outcomes,
            units,
        };
        Facts {
            measures: [("error-rate".to_owned(), measure)].into(),
            recent: [("error-rate".to_owned(), measure)].into(),
            ..Facts::default()
        }
    }

    #[test]
    fn a_kill_switch_trips_on_a_minimum_of_data_and_never_for_one_user() {
        for (rate, outcomes, units, expected) in [
            (0.2, 100, 3, 1),
            (0.05, 100, 3, 0),
            (0.2, 99, 3, 0),
            (1.0, 10_000, 2, 0),
        ] {
            let found = trips(&plan(true), &facts(rate, outcomes, units)).len();
            assert_eq!(found, expected, "{rate} of {outcomes} by {units}");
        }
        assert!(trips(&plan(false), &facts(0.2, 100, 3)).is_empty(), "a person trips it");
        assert_eq!(warnings(&plan(false), &facts(0.2, 100, 3)).len(), 1);
        assert!(criticals(&plan(true), &facts(0.2, 100, 3)).is_empty());
    }
}
