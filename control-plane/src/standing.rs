//! Watches: what is measured of a flag while no rollout holds it, so that its kill switch can trip at any time, and so
//! that it is known whether what harmed recovers after an abort.
//!
//! A **watch** is a rollout record that never moves, in which everybody is served the flag's default. Agents then expose,
//! count and report as ever. A plan with a kill switch that trips by itself has one for the flag that it kills: everybody
//! is treatment, as in a shadow, and the engine looks at the conditions alone. An abort by evidence has one until its
//! recovery is known, counting what the rollout did: everybody is control. What is to be watched for both has one watch. A
//! rollout that holds the flag is measured instead, by its own copy of the plan. Pure: the engine commits what is due here.
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

/// What watches must be for, by environment and flag.
type Wanted<'s> = BTreeMap<(Key, Key), Want<'s>>;

/// What one watch is for.
#[derive(Debug, Clone, Copy, Default)]
struct Want<'s> {
    /// The plan whose kill switch stands.
    kill: Option<&'s Plan>,
    /// The version of that plan.
    version: u32,
    /// The aborted rollout whose recovery is not known yet.
    recovery: Option<&'s RolloutRecord>,
}

/// A watch to begin, or one to end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Due {
    /// Nobody watches a flag that must be watched.
    Begin(Box<Watch>),
    /// A watch is for what is gone or says something else by now.
    End(Arc<RolloutRecord>),
}

/// A watch that is to begin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Watch {
    /// Where.
    pub(crate) environment: Key,
    /// The flag that is watched.
    pub(crate) flag: Key,
    /// What it measures, and the conditions of the kill switch.
    plan: Plan,
    /// What agents count for it.
    counted: Arc<[measure::Counted]>,
    recovery_of: Option<Uuid>,
    /// The version of the plan whose kill switch stands, or that was aborted.
    plan_version: u32,
}

/// The first thing that is due; none if all that must be watched is.
pub(crate) fn due(state: &State) -> Option<Due> {
    let mut unwatched = wanted(state);
    for record in state.rollouts.values().filter(|record| record.standing) {
        let flag = Key::parse(&record.plan.flag).ok();
        let want = flag.and_then(|flag| unwatched.remove(&(record.environment.clone(), flag)));
        if !want.is_some_and(|want| want.is_met_by(record)) {
            return Some(Due::End(record.clone()));
        }
    }
    let (at, want) = unwatched.pop_first()?;
    Some(Due::Begin(Box::new(want.watch(at))))
}

/// The kill switches that stand and the recoveries that are not known yet. Of several plans for one flag the first by key.
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
            let at = (environment.clone(), flag);
            let want = wanted.entry(at).or_default();
            if want.kill.is_none() {
                (want.kill, want.version) = (Some(plan), record.version);
            }
        }
    }
    for ((environment, _), record) in state.rollouts.iter().filter(|(_, record)| is_recovering(record)) {
        let Ok(flag) = Key::parse(&record.plan.flag) else {
            continue;
        };
        let is_free = state.active(environment, &flag).is_none();
        if is_free
            && state
                .flag(environment, &flag)
                .and_then(|record| served(record))
                .is_some()
        {
            // Ids are in the order of time, so the newest is left.
            wanted.entry((environment.clone(), flag)).or_default().recovery = Some(record);
        }
    }
    wanted
}

fn is_recovering(record: &RolloutRecord) -> bool {
    let recovery = record.end.as_ref().and_then(|end| end.recovery.as_ref());
    recovery.is_some_and(|recovery| recovery.outcome.is_none())
}

impl Want<'_> {
    /// Whether the watch of the flag is for this.
    fn is_met_by(&self, record: &RolloutRecord) -> bool {
        let (is, must) = (&*record.plan, self.plan(&record.plan.flag));
        let conditions = |plan: &Plan| plan.kill_switch.as_ref().map(|kill| kill.conditions.clone());
        record.recovery_of == self.recovery.map(|record| record.id)
            && is.metrics == must.metrics
            && is.unit_by == must.unit_by
            && is.lost_after_us == must.lost_after_us
            && conditions(is) == conditions(&must)
    }

    /// What is measured: the conditions of the kill switch, and the metrics of both. Where both define a metric the kill
    /// switch's words stand, for what a recovery is held against is told by the numbers of the rollout's countings.
    fn plan(&self, flag: &str) -> Plan {
        let recovering = self.recovery.map(|record| &*record.plan);
        let mut metrics = self.kill.map(|plan| plan.metrics.clone()).unwrap_or_default();
        for metric in recovering.iter().flat_map(|plan| &plan.metrics) {
            if metrics.iter().all(|known| known.key != metric.key) {
                metrics.push(metric.clone());
            }
        }
        let mut kill_switch = self.kill.and_then(|plan| plan.kill_switch.clone());
        if let Some(kill) = &mut kill_switch {
            kill.flag = String::new();
        }
        let mut stage = Stage::new("standing", Share::ALL, Dwell::Permanent);
        stage.shadow = true;
        if recovering.is_some() {
            // Nobody is told of a treatment after an abort.
            stage = Stage::new("recovery", Share::NONE, Dwell::Permanent);
        }
        let named = self.kill.or(recovering).map_or("", |plan| &plan.key);
        // A recovery is counted as its bar was: of the units that the rollout had, and as patiently.
        let like = recovering.or(self.kill);
        let own = Plan::new(named, flag);
        Plan {
            // Never served: what is served is the flag's default of the moment.
            treatment: "watched".to_owned(),
            control: "default".to_owned(),
            stages: vec![stage],
            metrics,
            lost_after_us: like.map_or(own.lost_after_us, |plan| plan.lost_after_us),
            unit_by: recovering.map_or_else(|| own.unit_by.clone(), |plan| plan.unit_by.clone()),
            kill_switch,
            ..own
        }
    }

    fn watch(&self, (environment, flag): (Key, Key)) -> Watch {
        let plan = self.plan(flag.as_str());
        let before = self.recovery.map_or(&[][..], |record| &record.counted);
        Watch {
            environment,
            counted: measure::extended(before, &plan).into(),
            recovery_of: self.recovery.map(|record| record.id),
            plan_version: match (self.kill, self.recovery) {
                (None, Some(record)) => record.plan_version,
                (Some(_), _) | (None, None) => self.version,
            },
            plan,
            flag,
        }
    }
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

impl Watch {
    /// Its record, if it begins now.
    pub(crate) fn record(&self, (id, index): (Uuid, u32), now_us: i64) -> RolloutRecord {
        let mut state = Progress::draft(plan_wire::hash(&self.plan), now_us);
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
            environment: self.environment.clone(),
            index,
            number: 0,
            counted: self.counted.clone(),
            plan: Arc::new(self.plan.clone()),
            plan_version: self.plan_version,
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
            recovery_of: self.recovery_of,
            end: None,
            revision: 0,
        }
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
            model::write_exposure(0, record.plan.wanted(0).get()),
        )
}

/// Ends a watch: what it measured is read no more, for what it was asked is no longer asked. The pages of who reported and
/// failed stay where they are; they are bounded, and their index is given to nobody else.
pub(crate) fn end(record: &RolloutRecord) -> Txn {
    let environment = &record.environment;
    let visit = (0, 1);
    let own = keys::rollout(environment, record.id);
    let gone: [Bytes; 6] = [
        // While the record is there, its exposure tells whose entries agents must give up.
        keys::exposure(environment, record.id),
        own.clone(),
        keys::index(environment, record.index),
        keys::evidence(environment, record.id),
        keys::levels(environment, record.id),
        keys::sums_of(environment, record.id, visit),
    ];
    let guard = Guard::Unchanged(own, record.revision);
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
        let Some(Due::Begin(watch)) = due(&world.state) else {
            panic!("{:?}", due(&world.state))
        };
        let count = world.count();
        let id = Uuid::from_u128((u128::from(count.value) + 0x0199) << 100);
        let record = watch.record((id, count.value + 1), START_US);
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
        let touched = world.commit(&end(&first));
        let told = touched
            .values()
            .flatten()
            .map(|id| id.key.to_string())
            .collect::<Vec<_>>();
        assert!(told.contains(&"checkout".to_owned()), "agents give it up: {told:?}");
        assert!(told.contains(&first.index.to_string()), "agents give it up: {told:?}");
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
