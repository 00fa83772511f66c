//! Creating and starting rollouts. One that bakes yields to the next of its flag: it is completed by the same
//! transaction.

use std::{sync::Arc, time::Duration};

use evaluation::{Key, Serve};
use proto::v1;
use rollout::{Act, Phase, Plan, State as Progress, Transition, plan::Item};
use runtime::clock::now_us;
use tonic::Status;
use uuid::Uuid;

use super::{
    RolloutsApi, TRIES,
    acts::Asked,
    check_sequence, not_committed,
    planned::{frozen_plan, startable_plan},
};
use crate::{
    api::refusal,
    change::{
        guard_references,
        rollout::{self as change, Count},
    },
    engine::transit,
    identity::Actor,
    plan_wire,
    record::{FlagRecord, RolloutRecord, TransitionRecord},
    state::State,
    store::{Txn, keys},
};

/// How long an answer waits for the first stage to be entered.
const ENTERED: Duration = Duration::from_secs(2);

/// What a new rollout takes over from another.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// The rollout that it is a retry of.
    pub(super) retry_of: Option<Uuid>,
    /// Its salt; empty: the flag's.
    pub(super) salt: String,
    /// Whether it draws buckets of its own.
    pub(super) reshuffled: bool,
}

impl RolloutsApi {
    pub(super) async fn create(&self, request: v1::CreateRolloutRequest, actor: &Actor) -> Result<v1::Rollout, Status> {
        let environment = refusal::environment(&self.view.truth.state(), &request.environment)?;
        let _turn = self.starts.lock().await;
        for _ in 0..TRIES {
            let (state, count) = self.counted(&environment).await?;
            let plan = frozen_plan(
                (&state, &self.view.sources.levels),
                &environment,
                request.plan.clone(),
                &request.plan_key,
                actor.at_us,
            )?;
            let record = draft(&state, &environment, plan, count.value + 1, Origin::default(), actor);
            match self.view.truth.commit(change::create(&record, count, actor)).await {
                Ok(state) => return self.shown(&state, &environment, record.id),
                Err(error) => not_committed(error)?,
            }
            self.view.truth.newer(state.revision).await;
        }
        Err(collided())
    }

    pub(super) async fn start(&self, request: v1::StartRolloutRequest, actor: &Actor) -> Result<v1::Rollout, Status> {
        let environment = refusal::environment(&self.view.truth.state(), &request.environment)?;
        let given = [
            request.plan.is_some(),
            !request.plan_key.is_empty(),
            !request.rollout.is_empty(),
        ];
        if given.iter().filter(|given| **given).count() > 1 {
            let description = "must not be given beside another: a plan, the key of one, or a rollout that was created";
            return Err(proto::status::invalid(&[proto::status::violation(
                "rollout",
                description,
            )]));
        }
        let id = if request.rollout.is_empty() {
            let plan = |state: &State| {
                frozen_plan(
                    (state, &self.view.sources.levels),
                    &environment,
                    request.plan.clone(),
                    &request.plan_key,
                    actor.at_us,
                )
            };
            self.start_anew(&environment, plan, |_| Origin::default(), actor)
                .await?
        } else {
            let asked = Asked {
                environment: &request.environment,
                rollout: &request.rollout,
                expected_sequence: request.expected_sequence,
            };
            self.start_created(&environment, &asked, actor).await?
        };
        self.entered(&environment, id).await
    }

    /// Creates a rollout and starts it by one transaction.
    pub(super) async fn start_anew(
        &self,
        environment: &Key,
        plan: impl Fn(&State) -> Result<Arc<Plan>, Status>,
        origin: impl Fn(&State) -> Origin,
        actor: &Actor,
    ) -> Result<Uuid, Status> {
        let _turn = self.starts.lock().await;
        for _ in 0..TRIES {
            let (state, count) = self.counted(environment).await?;
            let plan = plan(&state)?;
            let flag = startable(&state, environment, &plan)?;
            let created = draft(&state, environment, plan, count.value + 1, origin(&state), actor);
            let asked = ask_start(&created, actor)?;
            self.check_yield(&state, &asked, actor)?;
            let txn = change::create(&asked, count, actor);
            let txn = self.take(txn, &state, &asked, flag, actor);
            let txn = guard_references(txn, &state, environment);
            match self.view.truth.commit(txn).await {
                Ok(_) => {
                    tracing::info!(rollout = %asked.name(), %environment, actor = %actor.name, "rollout started");
                    return Ok(asked.id);
                }
                Err(error) => not_committed(error)?,
            }
            self.view.truth.newer(state.revision).await;
        }
        Err(collided())
    }

    async fn start_created(&self, environment: &Key, asked: &Asked<'_>, actor: &Actor) -> Result<Uuid, Status> {
        for _ in 0..TRIES {
            let state = self.view.truth.state();
            let record = self.found(&state, asked.environment, asked.rollout)?;
            check_sequence(&record, asked.expected_sequence)?;
            let after = ask_start(&record, actor)?;
            startable_plan(
                (&state, &self.view.sources.levels),
                environment,
                &record.plan,
                actor.at_us,
            )?;
            let flag = startable(&state, environment, &record.plan)?;
            self.check_yield(&state, &after, actor)?;
            let txn = change::act(&record, &after, "rollout.start", actor);
            let txn = self.take(txn, &state, &after, flag, actor);
            let txn = guard_references(txn, &state, environment);
            match self.view.truth.commit(txn).await {
                Ok(_) => return Ok(record.id),
                Err(error) => not_committed(error)?,
            }
            self.view.truth.newer(state.revision).await;
        }
        Err(collided())
    }

    /// Refuses a start that a baking rollout would yield to and that cannot happen now: what bakes would end for nothing.
    fn check_yield(&self, state: &State, record: &RolloutRecord, actor: &Actor) -> Result<(), Status> {
        let key = refusal::key("plan.flag", &record.plan.flag)?;
        let Some(holder) = state.holder(&record.environment, &key) else {
            return Ok(());
        };
        let mut facts = self.view.sources.gather(state, record, false, actor.at_us).known;
        // The default becomes the control by this very start.
        facts.checked.push(Item::FLAG_CONFIGURED.to_owned());
        let waits = rollout::waits(&record.plan, &record.state, &facts, actor.at_us);
        if waits.is_empty() {
            return Ok(());
        }
        let (name, holder) = (record.name(), holder.name());
        let found = waits.iter().map(|wait| {
            let description = format!(
                "rollout {holder} bakes, and yields only to a start that can happen now; {name} waits for {wait}"
            );
            refusal::Standing::new("WAITS", holder.clone(), description)
        });
        Err(refusal::standing(found.collect()))
    }

    /// Adds that a rollout takes its flag: a free one, or that of a rollout that bakes.
    fn take(&self, txn: Txn, state: &State, record: &RolloutRecord, flag: &FlagRecord, actor: &Actor) -> Txn {
        let key = &flag.flag.key;
        let Some((active, holder)) = state
            .active(&record.environment, key)
            .zip(state.holder(&record.environment, key))
        else {
            return change::take(txn, record, flag);
        };
        let facts = self.view.sources.gather(state, holder, false, actor.at_us);
        let completed = transit::yielded(state, holder, &facts, actor);
        let txn = change::yields(txn, holder, &completed, flag, facts.evidence_revision, actor);
        change::take_over(txn, record, flag, active)
    }

    /// A rollout once it is in its first stage; at once if it waits for something.
    pub(super) async fn entered(&self, environment: &Key, id: Uuid) -> Result<v1::Rollout, Status> {
        let mut states = self.view.truth.states();
        let is_decided = |state: &Arc<State>| {
            state.rollout(environment, id).is_none_or(|record| {
                let facts = self.view.sources.gather(state, record, false, now_us());
                record.state.phase != Phase::AwaitingStart
                    || !rollout::waits(&record.plan, &record.state, &facts.known, now_us()).is_empty()
            })
        };
        // The engine enters it; if that takes long, the answer says that it is still to come.
        let _ = tokio::time::timeout(ENTERED, states.wait_for(is_decided)).await;
        self.shown(&self.view.truth.state(), environment, id)
    }

    /// How many rollouts an environment has had, and a state that is not older than that.
    async fn counted(&self, environment: &Key) -> Result<(Arc<State>, Count), Status> {
        let broken = |error: String| Status::internal(format!("nothing was written: {error}"));
        let item = self.view.truth.store().get(&keys::rollout_count(environment)).await;
        let item = item.map_err(|error| broken(error.to_string()))?;
        let count = Count::read(item.as_ref()).map_err(|error| broken(error.to_string()))?;
        // Counted first: the state must not be older than the count, or a number would be given twice.
        let state = self.view.truth.at(count.revision.unwrap_or(0)).await?;
        Ok((state, count))
    }
}

/// A rollout that is created.
fn draft(
    state: &State,
    environment: &Key,
    plan: Arc<Plan>,
    index: u32,
    origin: Origin,
    actor: &Actor,
) -> RolloutRecord {
    let flag = Key::parse(&plan.flag).ok();
    let of_flag = flag.iter().flat_map(|flag| state.rollouts_of_flag(environment, flag));
    let number = of_flag.map(|record| record.number).max().unwrap_or(0) + 1;
    let salt_of_flag = flag
        .as_ref()
        .and_then(|key| state.flag(environment, key))
        .map(|record| record.flag.salt.clone());
    RolloutRecord {
        id: Uuid::now_v7(),
        environment: environment.clone(),
        index,
        number,
        state: Progress::draft(plan_wire::hash(&plan), actor.at_us),
        counted: rollout::measure::counted(&plan).into(),
        plan,
        plan_version: 1,
        measuring_key: rand::random(),
        salt: if origin.salt.is_empty() {
            salt_of_flag.unwrap_or_default()
        } else {
            origin.salt
        },
        started_by: actor.name.clone(),
        started_at_us: actor.at_us,
        transitions: vec![TransitionRecord {
            sequence: 0,
            at_us: actor.at_us,
            kind: "created".to_owned(),
            stage: 0,
            detail: actor.reason.clone(),
            actor: actor.name.clone(),
            dismissals: Vec::new(),
        }],
        acked_buckets: 0,
        retry_of: origin.retry_of,
        reshuffled: origin.reshuffled,
        standing: false,
        recovery_of: None,
        end: None,
        revision: 0,
    }
}

/// A rollout that somebody has started, as it is then.
fn ask_start(record: &RolloutRecord, actor: &Actor) -> Result<RolloutRecord, Status> {
    let facts = rollout::Facts::default();
    let acted = rollout::act(
        &record.plan,
        &record.state,
        &facts,
        &Act::Start,
        &actor.name,
        actor.at_us,
    )
    .map_err(|error| super::acts::refused(record, &error))?;
    let detail = if actor.reason.is_empty() {
        "to be started".to_owned()
    } else {
        actor.reason.clone()
    };
    Ok(transit::moved(
        record,
        &acted.state,
        &Transition::StartAsked,
        detail,
        actor,
    ))
}

/// The flag of a plan, if a rollout of it may start now.
fn startable<'s>(state: &'s State, environment: &Key, plan: &Plan) -> Result<&'s FlagRecord, Status> {
    let key = refusal::key("plan.flag", &plan.flag)?;
    let record = state.flag(environment, &key).ok_or_else(|| {
        Status::not_found(format!(
            "flag {key} does not exist in environment {environment}; create it first"
        ))
    })?;
    let holder = state.holder(environment, &key);
    let baking = holder.filter(|holder| holder.state.phase == Phase::Baking);
    let mut found = Vec::new();
    if let Some(holder) = holder.filter(|_| baking.is_none()) {
        let name = holder.name();
        let description = format!(
            "flag {key} is held by rollout {name}, which is {}; wait for its end, roll it back or abort it",
            holder.state.phase.name()
        );
        found.push(refusal::Standing::new("ROLLOUT", name, description));
    }
    let flag = &record.flag;
    if record.archived_at_us.is_some() {
        let description = format!("flag {key} is archived; unarchive it first");
        found.push(refusal::Standing::new("ARCHIVED", key.to_string(), description));
    }
    if flag.killed || !flag.enabled {
        let how = if flag.killed {
            "killed; revive it first"
        } else {
            "disabled; enable it first"
        };
        found.push(refusal::Standing::new(
            "FLAG",
            key.to_string(),
            format!("flag {key} is {how}"),
        ));
    }
    // What bakes becomes the default by this start.
    let default = baking.map_or_else(
        || flag.default.clone(),
        |baking| Serve::Variant(baking.plan.treatment.clone()),
    );
    if default != Serve::Variant(plan.control.clone()) {
        let description = format!(
            "the default of flag {key} must be the plan's control {:?}, so that everybody outside the rollout gets it",
            plan.control
        );
        found.push(refusal::Standing::new("FLAG", key.to_string(), description));
    }
    if found.is_empty() {
        Ok(record)
    } else {
        Err(refusal::standing(found))
    }
}

fn collided() -> Status {
    Status::aborted("the flag or another rollout changed at the same time; try again")
}
