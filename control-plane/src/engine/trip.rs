//! The kill switch of a plan, tripped by its conditions: the flag is killed as a person would kill it, and people are
//! alerted in the same transaction, at each trip.
//!
//! Pure. A flag that is killed already, or that is not there, is left alone; nothing here revives one.

use evaluation::Key;
use rollout::{Facts, alarm, criterion::Criterion};

use super::alarms::figures;
use crate::{
    change::{
        alert as change,
        flag::{self, Act},
    },
    edit::{Edit, edited},
    events::alert::{About, Alert, Severity},
    identity::Actor,
    record::RolloutRecord,
    state::State,
    store::Txn,
};

/// A kill switch that trips.
#[derive(Debug)]
pub(super) struct Trip {
    /// Why, in words.
    pub(super) reason: String,
    /// What people are told.
    pub(super) alert: Alert,
    /// The kill, and the alert.
    pub(super) txn: Txn,
}

/// The kill of the flag that a rollout's kill switch is for; none while no condition holds.
pub(super) fn trip(state: &State, record: &RolloutRecord, known: &Facts, now_us: i64) -> Option<Trip> {
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
    let alert = alert(record, known, condition, (key, before.version));
    Some(Trip {
        txn: change::tell(txn, record, &alert, now_us),
        reason,
        alert,
    })
}

/// That a flag is killed, at this version of it.
fn alert(record: &RolloutRecord, known: &Facts, condition: &Criterion, (flag, version): (&str, u32)) -> Alert {
    let (metric, value, limit) = figures(&record.plan, &known.recent, condition);
    Alert {
        severity: Severity::Critical,
        about: About::KillSwitch(version),
        title: format!("the kill switch of {} killed {flag}: {condition}", record.name()),
        criterion: Some(condition.to_string()),
        metric,
        value,
        limit,
    }
}

fn reason(record: &RolloutRecord, condition: &Criterion) -> String {
    format!("the kill switch of rollout {} tripped: {condition}", record.name())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::{Measure, Phase, criterion::Estimates, plan::KillSwitch};
    use serde_json::{Value as Json, json};
    use uuid::Uuid;

    use super::*;
    use crate::{
        builders::{START_US, World, flag, key, moved, plan_of, production},
        events::{
            Kind,
            tests::{schema, schema_of_events},
        },
        record::PlanRecord,
        standing::{self, Due},
        store::{keys, model},
    };

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
        let tripped = trip(&world.state, &record, &known(0.06), START_US).unwrap();
        assert_eq!(
            tripped.reason,
            "the kill switch of rollout checkout#1 tripped: error-rate > 5 %"
        );
        world.commit(&tripped.txn);
        let killed = world.state.flag(&production(), &key("checkout")).unwrap();
        assert!(killed.flag.killed);
        assert!(
            trip(&world.state, &record, &known(0.06), START_US).is_none(),
            "it is killed"
        );
    }

    /// The alerts in the outbox.
    fn told(world: &World) -> Vec<Json> {
        let prefix = keys::outbox();
        let items = world.shelf.items.iter().filter(|(key, _)| key.starts_with(&prefix));
        let events = items.flat_map(|(_, item)| model::read_events(&item.value).unwrap());
        let alerts = events.filter(|event| event.kind == Kind::Alert);
        alerts.map(|event| serde_json::from_str(&event.json).unwrap()).collect()
    }

    #[test]
    fn each_trip_alerts_in_the_transaction_of_the_kill_with_and_without_a_rollout() {
        let mut world = World::new();
        world.write(flag("checkout"));
        let kill_switch = Some(KillSwitch {
            flag: String::new(),
            auto_trip: true,
            conditions: vec!["error-rate > 5 %".parse().unwrap()],
        });
        let plan = rollout::Plan {
            kill_switch,
            ..plan_of("checkout", rollout::Unit::Unit, &[50], 0)
        };
        let stored = PlanRecord {
            plan: plan.into(),
            version: 7,
            created_at_us: START_US,
            updated_at_us: START_US,
            updated_by: String::new(),
            reason: String::new(),
            revision: 0,
        };
        let at = keys::plan(&production(), &key("new-checkout"));
        world.commit(&Txn::default().put(at, model::write_plan(&stored)));
        let Some(Due::Begin(watch)) = standing::due(&world.state) else {
            panic!("{:?}", standing::due(&world.state))
        };
        let count = world.count();
        let watch = watch.record((Uuid::from_u128(0x0199 << 100), count.value + 1), START_US);
        world.commit(&standing::begin(&watch, count));
        for trips in 1..=2 {
            let tripped = trip(&world.state, &watch, &known(0.06), START_US).unwrap();
            world.commit(&tripped.txn);
            assert!(world.flag("checkout").flag.killed);
            let told = told(&world);
            assert_eq!(told.len(), trips, "a trip after a revival is another one");
            for event in &told {
                assert_eq!(
                    schema::wrong(&schema_of_events(), event),
                    Vec::<String>::new(),
                    "{event}"
                );
                let data = &event["data"];
                for (field, expected) in [
                    ("severity", json!("critical")),
                    ("about", json!("kill-switch")),
                    ("criterion", json!("error-rate > 5 %")),
                    ("metric", json!("error-rate")),
                    ("value", json!(0.06)),
                    ("limit", json!(0.05)),
                    ("flag", json!("checkout")),
                    ("rollout", json!("checkout#standing")),
                    ("plan_version", json!(7)),
                ] {
                    assert_eq!(data[field], expected, "{field}");
                }
                let title = "the kill switch of checkout#standing killed checkout: error-rate > 5 %";
                assert_eq!(data["title"], title);
            }
            assert!(told.first().map(|event| &event["id"]) != told.get(1).map(|event| &event["id"]));
            // Revived.
            world.write(flag("checkout"));
        }
    }
}
