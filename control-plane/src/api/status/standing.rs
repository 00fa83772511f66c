//! Where a flag stands: in each environment, and in a word over all of them. Pure, of one state.
//!
//! While a rollout holds the flag, its stage says how far the treatment came; otherwise the flag itself does, by what its
//! default serves. What the treatment of a flag is, its latest rollout says, else the latest plan; of a switch without
//! either it is what is on.

use std::collections::{BTreeMap, BTreeSet};

use evaluation::{EnvironmentKind, Key, Serve, Value};
use proto::v1;
use rollout::{
    Micros, Phase, Plan, Share,
    status::{Environment, FlagState, Kind, Stuck},
};
use tonic::Status;

use crate::{
    api::view,
    engine::facts::visit_counts,
    events::deployed,
    record::{EnvironmentRecord, FlagRecord, RolloutRecord},
    state::State,
};

/// Where all flags of a state stand.
#[derive(Debug)]
pub(super) struct Standings<'s> {
    state: &'s State,
    now_us: Micros,
    /// The latest rollout of each flag in each environment, by flag and environment.
    rollouts: BTreeMap<(&'s str, &'s Key), &'s RolloutRecord>,
    /// The latest plan document of each flag.
    plans: BTreeMap<&'s str, (Micros, &'s Plan)>,
}

/// Where a flag stands in one environment.
struct Standing {
    told: Environment,
    /// When that last changed; 0: never.
    changed_us: Micros,
    /// The share of all units that have it, as far as it is known.
    deployed: Share,
    measured: Option<u32>,
    shown: v1::StatusInEnvironment,
}

/// The flags that are in use anywhere.
pub(super) fn flags(state: &State) -> BTreeSet<Key> {
    let in_use = state.flags.iter().filter(|(_, record)| record.archived_at_us.is_none());
    in_use.map(|((_, key), _)| key.clone()).collect()
}

/// Flags by name, all of which are there.
pub(super) fn all_there(state: &State, named: BTreeSet<Key>) -> Result<BTreeSet<Key>, Status> {
    let known = state.flags.keys().map(|(_, key)| key).collect::<BTreeSet<_>>();
    let missing = named.iter().filter(|key| !known.contains(key)).map(Key::as_str);
    match missing.take(20).collect::<Vec<_>>().as_slice() {
        [] => Ok(named),
        missing => {
            let message = format!("no environment has flag {}", missing.join(", "));
            Err(Status::not_found(message))
        }
    }
}

impl<'s> Standings<'s> {
    /// Those of a state.
    pub(super) fn of(state: &'s State, now_us: Micros) -> Self {
        let mut rollouts = BTreeMap::new();
        // In the order of their ids, which is that of time: the last one stays.
        let rollouts_alone = state.rollouts.iter().filter(|(_, record)| !record.standing);
        for ((environment, _), record) in rollouts_alone {
            rollouts.insert((record.plan.flag.as_str(), environment), &**record);
        }
        let mut plans = BTreeMap::<_, (Micros, &Plan)>::new();
        for record in state.plans.values() {
            let found = plans
                .entry(record.plan.flag.as_str())
                .or_insert((record.updated_at_us, &*record.plan));
            if record.updated_at_us > found.0 {
                *found = (record.updated_at_us, &*record.plan);
            }
        }
        Self {
            state,
            now_us,
            rollouts,
            plans,
        }
    }

    /// Where a flag stands.
    pub(super) fn of_flag(&self, flag: &Key) -> v1::StatusOfFlag {
        let latest = self.latest(flag);
        let plan = latest
            .map(|record| &*record.plan)
            .or_else(|| self.plans.get(flag.as_str()).map(|(_, plan)| *plan));
        let mut environments = self.state.environments.values().collect::<Vec<_>>();
        environments.sort_by_key(|record| record.environment.order);
        let standings = environments
            .into_iter()
            .map(|environment| self.standing(environment, flag, plan))
            .collect::<Vec<_>>();
        let told = standings.iter().map(|standing| standing.told).collect::<Vec<_>>();
        let state = FlagState::of(&told);
        let changed_us = last_changed(&standings);
        let threshold_us = plan.map_or(Plan::DEFAULT_STUCK_AFTER_US, |plan| plan.stuck_after_us);
        let unchanged_us = self.now_us.saturating_sub(changed_us);
        let stuck = (changed_us > 0)
            .then(|| Stuck::of(state, unchanged_us, threshold_us))
            .flatten();
        let label = |name: &str| {
            plan.and_then(|plan| plan.labels.get(name))
                .cloned()
                .filter(|text| !text.is_empty())
        };
        v1::StatusOfFlag {
            flag: flag.to_string(),
            state: state.to_string(),
            deployed_pct: deployed_pct(&standings),
            measured_pct: measured(&standings),
            last_changed_us: changed_us,
            stuck: stuck.is_some(),
            question: stuck.map(Stuck::question).unwrap_or_default(),
            cycle: label("cycle").unwrap_or_else(|| flag.to_string()),
            component: label("component").unwrap_or_default(),
            pattern: label("pattern").unwrap_or_default(),
            rollout: latest.map(RolloutRecord::name).unwrap_or_default(),
            environments: standings.into_iter().map(|standing| standing.shown).collect(),
        }
    }

    /// The latest rollout of a flag, in whatever environment.
    fn latest(&self, flag: &Key) -> Option<&'s RolloutRecord> {
        let environments = self.state.environments.keys();
        let found = environments.filter_map(|environment| self.rollouts.get(&(flag.as_str(), environment)));
        found.copied().max_by_key(|record| record.id)
    }

    fn standing(&self, environment: &EnvironmentRecord, flag: &Key, plan: Option<&Plan>) -> Standing {
        let key = &environment.environment.key;
        let (kind, kind_name) = match environment.environment.kind {
            EnvironmentKind::Development => (Kind::Development, "development"),
            EnvironmentKind::Staging => (Kind::Staging, "staging"),
            EnvironmentKind::Production => (Kind::Production, "production"),
        };
        let record = self
            .state
            .flag(key, flag)
            .filter(|record| record.archived_at_us.is_none());
        let holder = self.state.holder(key, flag).map(|record| &**record);
        let last = holder.or_else(|| self.rollouts.get(&(flag.as_str(), key)).copied());
        let (reached, changed_us) = match (record, holder) {
            (None, _) => (None, 0),
            (Some(record), Some(holder)) => held(record, holder),
            (Some(record), None) => free(record, last, plan),
        };
        let live = last.filter(|last| last.state.is_live());
        let stage = live.and_then(|live| live.plan.stages.get(live.state.stage));
        Standing {
            told: Environment {
                kind,
                reached,
                of_some: live
                    .is_some_and(|live| live.plan.deployed(live.state.stage) < live.plan.wanted(live.state.stage)),
                serves_everybody: reached == Some(Share::ALL) && holder.is_none(),
            },
            changed_us,
            deployed: live.map_or(reached.unwrap_or(Share::NONE), |live| {
                let is_on = record.is_some_and(|record| is_on(record));
                if is_on {
                    live.plan.deployed(live.state.stage)
                } else {
                    Share::NONE
                }
            }),
            measured: live.and_then(|live| {
                let evidence = self.state.evidence_of(live.id);
                view::measured(&visit_counts(live, &evidence))
            }),
            shown: v1::StatusInEnvironment {
                environment: key.to_string(),
                kind: kind_name.to_owned(),
                exists: record.is_some(),
                on: record.is_some_and(|record| is_on(record)),
                rollout: last.map(RolloutRecord::name).unwrap_or_default(),
                phase: last.map(|last| last.state.phase.name().to_owned()).unwrap_or_default(),
                stage: stage.map(|stage| stage.name.clone()).unwrap_or_default(),
                percentage: live.map_or(0.0, |live| percent(deployed(&live.plan, live.state.stage).get())),
            },
        }
    }
}

/// How far the treatment came while a rollout holds the flag, and since when.
fn held(flag: &FlagRecord, holder: &RolloutRecord) -> (Option<Share>, Micros) {
    let state = &holder.state;
    let entered_us = state
        .visits
        .last()
        .map_or(state.entered_at_us, |visit| visit.entered_at_us);
    if !is_on(flag) {
        return (Some(Share::NONE), entered_us.max(flag.updated_at_us));
    }
    let share = if state.is_live() {
        deployed(&holder.plan, state.stage)
    } else {
        Share::NONE
    };
    (Some(share), entered_us)
}

/// How far the treatment came by the flag itself, and since when; none if it never came anywhere.
fn free(flag: &FlagRecord, last: Option<&RolloutRecord>, plan: Option<&Plan>) -> (Option<Share>, Micros) {
    let ended_us = last
        .and_then(|last| last.end.as_ref())
        .map_or(0, |end| end.decided_at_us);
    let treatment = last
        .map(|last| &*last.plan)
        .or(plan)
        .map(|plan| plan.treatment.as_str());
    let served = treatment
        .or_else(|| on(flag))
        .map_or(Share::NONE, |treatment| served(flag, treatment));
    if served > Share::NONE {
        let completed = last.is_some_and(|last| last.state.phase == Phase::Completed);
        let since_us = if completed { ended_us } else { flag.updated_at_us };
        return (Some(served), since_us);
    }
    let was_reached = last.is_some_and(|last| !last.state.visits.is_empty());
    if was_reached {
        (Some(Share::NONE), ended_us)
    } else {
        (None, 0)
    }
}

/// The variant that a flag without a plan is there for, if it is a switch.
fn on(flag: &FlagRecord) -> Option<&str> {
    let mut variants = flag.flag.variants.iter();
    variants.find_map(|(name, value)| (*value == Value::Boolean(true)).then_some(name.as_str()))
}

/// The share that a flag's default gives to a variant.
fn served(flag: &FlagRecord, variant: &str) -> Share {
    if !is_on(flag) {
        return Share::NONE;
    }
    match &flag.flag.default {
        Serve::Variant(name) if name == variant => Share::ALL,
        Serve::Variant(_) | Serve::CallerDefault => Share::NONE,
        Serve::Split(split) => {
            let found = split.shares.iter().find(|share| share.variant == variant);
            found
                .and_then(|share| Share::new(share.buckets.get()))
                .unwrap_or(Share::NONE)
        }
    }
}

fn is_on(flag: &FlagRecord) -> bool {
    flag.flag.enabled && !flag.flag.killed
}

/// When what the word is of last changed: production if anything is there, else staging. 0: never.
fn last_changed(standings: &[Standing]) -> Micros {
    let of = |kind: Kind| {
        let of_kind = standings.iter().filter(move |standing| standing.told.kind == kind);
        of_kind.map(|standing| standing.changed_us).max().unwrap_or(0)
    };
    match of(Kind::Production) {
        0 => of(Kind::Staging),
        changed_us => changed_us,
    }
}

/// The share of all units of production that have the treatment, in percent, each environment counting alike.
fn deployed_pct(standings: &[Standing]) -> f64 {
    let production = standings
        .iter()
        .filter(|standing| standing.told.kind == Kind::Production);
    let shares = production
        .map(|standing| percent(standing.deployed.get()))
        .collect::<Vec<_>>();
    if shares.is_empty() {
        0.0
    } else {
        shares.iter().sum::<f64>() / shares.len() as f64
    }
}

/// The share of exposures in production that got the treatment, each environment that saw any counting alike.
fn measured(standings: &[Standing]) -> Option<f64> {
    let production = standings
        .iter()
        .filter(|standing| standing.told.kind == Kind::Production);
    let seen = production
        .filter_map(|standing| standing.measured)
        .map(f64::from)
        .collect::<Vec<_>>();
    (!seen.is_empty()).then(|| seen.iter().sum::<f64>() / seen.len() as f64 / 1_000.0)
}

fn percent(buckets: u32) -> f64 {
    f64::from(buckets) / 1_000.0
}

#[cfg(test)]
mod tests;
