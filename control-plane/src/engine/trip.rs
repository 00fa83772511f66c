//! The kill switch of a plan, tripped by its conditions: the flag is killed as a person would kill it.
//!
//! Pure. A flag that is killed already, or that is not there, is left alone; nothing here revives one.

use evaluation::Key;
use rollout::{Facts, alarm, criterion::Criterion};

use crate::{
    change::flag::{self, Act},
    edit::{Edit, edited},
    identity::Actor,
    record::RolloutRecord,
    state::State,
    store::Txn,
};

/// The kill of the flag that a rollout's kill switch is for, and why; none while no condition holds.
pub(super) fn trip(state: &State, record: &RolloutRecord, known: &Facts, now_us: i64) -> Option<(String, Txn)> {
    if !record.state.is_live() {
        return None;
    }
    let condition = alarm::trips(&record.plan, known).first().copied()?;
    let kill = record.plan.kill_switch.as_ref()?;
    let key = if kill.flag.is_empty() {
        &record.plan.flag
    } else {
        &kill.flag
    };
    let environment = &record.environment;
    let before = state.flag(environment, &Key::parse(key).ok()?)?;
    if before.flag.killed {
        return None;
    }
    let reason = reason(record, condition);
    let actor = Actor::engine(reason.clone(), now_us);
    let after = edited(state, environment, before, Edit::Killed(true), now_us).ok()?;
    let act = Act::alone(environment, "flag.kill", &actor);
    let txn = flag::write(Txn::default(), state, act, Some(before), &after.record);
    Some((reason, txn))
}

fn reason(record: &RolloutRecord, condition: &Criterion) -> String {
    format!("the kill switch of rollout {} tripped: {condition}", record.name())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::{Measure, Phase, criterion::Estimates, plan::KillSwitch};

    use super::*;
    use crate::builders::{START_US, World, flag, key, moved, production};

    fn known(rate: f64) -> Facts {
        let estimates = Estimates {
            treatment: Some(rate),
            ..Estimates::default()
        };
        let measure = Measure {
            estimates,
            outcomes: 1_000,
            units: 50,
        };
        Facts {
            recent: [("error-rate".to_owned(), measure)].into(),
            ..Facts::default()
        }
    }

    #[test]
    fn a_condition_that_holds_kills_the_flag_once_and_says_why() {
        let mut world = World::new();
        world.write(flag("checkout"));
        let (started, _) = world.start("checkout");
        let mut record = moved(&started, Phase::Soak, "clock-started");
        let mut plan = (*record.plan).clone();
        plan.kill_switch = Some(KillSwitch {
            flag: String::new(),
            auto_trip: true,
            conditions: vec!["error-rate > 5 %".parse().unwrap()],
        });
        record.plan = plan.into();
        assert!(trip(&world.state, &record, &known(0.04), START_US).is_none());
        let (reason, txn) = trip(&world.state, &record, &known(0.06), START_US).unwrap();
        assert_eq!(
            reason,
            "the kill switch of rollout checkout#1 tripped: error-rate > 5 %"
        );
        world.commit(&txn);
        let killed = world.state.flag(&production(), &key("checkout")).unwrap();
        assert!(killed.flag.killed);
        assert!(
            trip(&world.state, &record, &known(0.06), START_US).is_none(),
            "it is killed"
        );
    }
}
