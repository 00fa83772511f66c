//! Standing kill switches: what is measured of a flag while no rollout holds it, so that its kill switch can trip at any
//! time.
//!
//! A plan with a kill switch that trips by itself has, for the flag that it kills, a **watch**: a rollout record that never
//! moves, in which everybody is treatment and everybody is served the flag's default, as in a shadow. Agents then expose,
//! count and report as ever, and the engine looks at the conditions alone. A rollout that holds the flag is measured
//! instead, by its own copy of the plan. Pure: the engine commits what is due here.
//!
//! A flag whose default is a split has no watch, for there is no one variant that everybody is served; nor has one with a
//! single variant.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use evaluation::{Key, Serve};
use rollout::{Horizon, Phase, Plan, Share, Stage, State as Progress, Visit, duration::Dwell, measure};
use uuid::Uuid;

use crate::{
    change::rollout::Count,
    plan_wire,
    record::{FlagRecord, RolloutRecord},
    state::State,
    store::{Guard, Txn, keys, model},
};

/// What a watch must be for.
type Wanted<'s> = BTreeMap<(&'s Key, Key), &'s Plan>;

/// A watch to begin, or one to end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Due {
    /// Nobody watches a flag whose kill switch stands.
    Begin {
        /// Where.
        environment: Key,
        /// The flag that is killed.
        flag: Key,
        /// The plan whose kill switch it is.
        plan: Box<Plan>,
    },
    /// A watch is for a plan that is gone or says something else by now.
    End(Arc<RolloutRecord>),
}

/// The first thing that is due; none if every standing kill switch has its watch.
pub(crate) fn due(state: &State) -> Option<Due> {
    let wanted = wanted(state);
    let mut watched = BTreeMap::new();
    for record in state.rollouts.values().filter(|record| record.standing) {
        let key = (record.environment.clone(), record.plan.flag.clone());
        let is_wanted = wanted
            .iter()
            .any(|((environment, flag), plan)| is_for(record, environment, flag, plan));
        if !is_wanted || watched.insert(key, ()).is_some() {
            return Some(Due::End(record.clone()));
        }
    }
    let unwatched = wanted
        .into_iter()
        .find(|((environment, flag), _)| !watched.contains_key(&((*environment).clone(), flag.to_string())));
    unwatched.map(|((environment, flag), plan)| Due::Begin {
        environment: environment.clone(),
        flag,
        plan: Box::new(plan.clone()),
    })
}

/// The kill switches that stand, by environment and the flag that they kill. Of several plans for one flag the first by key.
fn wanted(state: &State) -> Wanted<'_> {
    let mut wanted = Wanted::new();
    for ((environment, _), record) in state.plans.iter() {
        let plan = &*record.plan;
        let Some(kill) = plan.kill_switch.as_ref().filter(|kill| kill.auto_trip) else {
            continue;
        };
        let flag = if kill.flag.is_empty() { &plan.flag } else { &kill.flag };
        let Ok(flag) = Key::parse(flag) else { continue };
        if state
            .flag(environment, &flag)
            .and_then(|record| served(record))
            .is_some()
        {
            wanted.entry((environment, flag)).or_insert(plan);
        }
    }
    wanted
}

fn is_for(record: &RolloutRecord, environment: &Key, flag: &Key, plan: &Plan) -> bool {
    record.environment == *environment
        && record.plan.flag == flag.as_str()
        && record.plan.metrics == plan.metrics
        && record.plan.kill_switch.as_ref().map(|kill| &kill.conditions)
            == plan.kill_switch.as_ref().map(|kill| &kill.conditions)
}

/// The one variant that a flag serves by default, and another one, which a watch names and nobody is served; none of a flag
/// that is put away, or that has no such two.
pub(crate) fn served(flag: &FlagRecord) -> Option<(&str, &str)> {
    let default = match &flag.flag.default {
        Serve::Variant(variant) if flag.archived_at_us.is_none() => variant.as_str(),
        Serve::Variant(_) | Serve::Split(_) | Serve::CallerDefault => return None,
    };
    let other = flag.flag.variants.keys().find(|variant| *variant != default)?;
    Some((default, other))
}

/// A watch that begins now.
pub(crate) fn watch(
    environment: &Key,
    flag: &Key,
    plan: &Plan,
    (id, index): (Uuid, u32),
    now_us: i64,
) -> RolloutRecord {
    let mut stage = Stage::new("standing", Share::ALL, Dwell::Permanent);
    stage.shadow = true;
    let mut kill_switch = plan.kill_switch.clone();
    if let Some(kill) = &mut kill_switch {
        kill.flag = String::new();
    }
    let own = Plan {
        // Never served: what is served is the flag's default of the moment.
        treatment: "watched".to_owned(),
        control: "default".to_owned(),
        stages: vec![stage],
        metrics: plan.metrics.clone(),
        lost_after_us: plan.lost_after_us,
        kill_switch,
        ..Plan::new(&plan.key, flag.as_str())
    };
    let mut state = Progress::draft(plan_wire::hash(&own), now_us);
    state.phase = Phase::Soak;
    state.clock_started_at_us = Some(now_us);
    state.visits.push(Visit {
        stage: 0,
        visit: 1,
        entered_at_us: now_us,
    });
    state.horizons.push(Horizon {
        stage: 0,
        started_at_us: now_us,
    });
    RolloutRecord {
        id,
        environment: environment.clone(),
        index,
        number: 0,
        counted: measure::counted(&own).into(),
        plan: Arc::new(own),
        plan_version: 1,
        state,
        measuring_key: rand::random(),
        // Draws nothing: everybody is in.
        salt: "standing".to_owned(),
        started_by: crate::identity::ENGINE.to_owned(),
        started_at_us: now_us,
        transitions: Vec::new(),
        acked_buckets: 0,
        retry_of: None,
        reshuffled: false,
        standing: true,
        end: None,
        revision: 0,
    }
}

/// Begins a watch.
pub(crate) fn begin(record: &RolloutRecord, count: Count) -> Txn {
    let environment = &record.environment;
    let (key, count_key) = (keys::rollout(environment, record.id), keys::rollout_count(environment));
    let guard = match count.revision {
        Some(revision) => Guard::Unchanged(count_key.clone(), revision),
        None => Guard::Absent(count_key.clone()),
    };
    Txn::default()
        .guard(Guard::Absent(key.clone()))
        .guard(guard)
        .put(count_key, model::write_count(count.value + 1))
        .put(keys::index(environment, record.index), model::write_id(record.id))
        .put(key, model::write_rollout(record))
        .put(
            keys::exposure(environment, record.id),
            model::write_exposure(0, Share::ALL.get()),
        )
}

/// Ends a watch: what it measured is forgotten, for what it was asked is no longer asked.
pub(crate) fn end(record: &RolloutRecord) -> Txn {
    let environment = &record.environment;
    let visit = (0, 1);
    let gone: [Bytes; 5] = [
        keys::rollout(environment, record.id),
        keys::exposure(environment, record.id),
        keys::index(environment, record.index),
        keys::evidence(environment, record.id),
        keys::sums_of(environment, record.id, visit),
    ];
    let guard = Guard::Unchanged(gone[0].clone(), record.revision);
    gone.into_iter().fold(Txn::default().guard(guard), Txn::delete)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::plan::KillSwitch;

    use super::*;
    use crate::{
        builders::{START_US, World, flag, key, plan_of, production},
        compile,
        record::PlanRecord,
    };

    fn plan(condition: &str, auto_trip: bool) -> Plan {
        Plan {
            kill_switch: Some(KillSwitch {
                flag: String::new(),
                auto_trip,
                conditions: vec![condition.parse().unwrap()],
            }),
            ..plan_of("checkout", rollout::Unit::Unit, &[50], 0)
        }
    }

    fn store_plan(world: &mut World, plan: Plan) {
        let record = PlanRecord {
            plan: Arc::new(plan),
            version: 1,
            created_at_us: START_US,
            updated_at_us: START_US,
            updated_by: String::new(),
            reason: String::new(),
            revision: 0,
        };
        let at = keys::plan(&production(), &key("new-checkout"));
        world.commit(&Txn::default().put(at, model::write_plan(&record)));
    }

    fn begun(world: &mut World) -> Arc<RolloutRecord> {
        let Some(Due::Begin {
            environment,
            flag,
            plan,
        }) = due(&world.state)
        else {
            panic!("{:?}", due(&world.state))
        };
        let count = world.count();
        let id = Uuid::from_u128((u128::from(count.value) + 0x0199) << 100);
        let record = watch(&environment, &flag, &plan, (id, count.value + 1), START_US);
        world.commit(&begin(&record, count));
        world.state.rollout(&production(), id).unwrap().clone()
    }

    #[test]
    fn a_kill_switch_that_trips_by_itself_has_a_watch_for_as_long_as_it_stands() {
        let mut world = World::new();
        world.write(flag("checkout"));
        assert_eq!(due(&world.state), None);
        store_plan(&mut world, plan("error-rate > 5 %", false));
        assert_eq!(due(&world.state), None, "a person trips it");
        store_plan(&mut world, plan("error-rate > 5 %", true));
        let first = begun(&mut world);
        assert_eq!(due(&world.state), None);
        store_plan(&mut world, plan("error-rate > 9 %", true));
        assert_eq!(due(&world.state), Some(Due::End(first.clone())));
        world.commit(&end(&first));
        assert!(world.state.rollouts.is_empty());
        let second = begun(&mut world);
        assert_ne!(first.index, second.index, "a number never means two things");
    }

    #[test]
    fn everybody_is_exposed_and_served_the_default() {
        let mut world = World::new();
        world.write(flag("checkout"));
        store_plan(&mut world, plan("error-rate > 5 %", true));
        let record = begun(&mut world);
        let step = compile::step_of(&world.state, &production(), &key("checkout")).unwrap();
        assert_eq!(
            (step.rollout, step.control.as_str(), step.shadow),
            (record.index, "old", true)
        );
        assert_eq!(step.reached[0].share, evaluation::Buckets::ALL);
        let document = &world.flag("checkout").flag;
        assert!(evaluation::compile(document, Some(&step)).is_ok(), "agents take it");
        let (rollout, _) = world.start("checkout");
        let step = compile::step_of(&world.state, &production(), &key("checkout")).unwrap();
        assert_eq!(step.rollout, rollout.index, "a rollout is measured instead");
    }
}
