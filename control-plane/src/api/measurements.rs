//! The service of measurements: what is pushed is read, found its place, made durable, and answered.
//!
//! A request is taken whole or not at all. What it says is read in `read.rs`, who its units are found out in `units.rs`, and
//! what it comes to in `taken.rs`; counting is the collector's. Nothing of a unit but its position is ever kept, and none
//! of its context is said in an answer or a log.

mod read;
mod taken;
mod units;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evaluation::{Exposure, Key};
use futures::future::try_join_all;
use metrics::counter;
use proto::{
    status::{invalid, violation},
    v1::{self, measurements_server::Measurements},
};
use runtime::clock::now_us;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use uuid::Uuid;

use self::{
    read::{Asked, Malformed},
    taken::Taken,
    units::Units,
};
use super::{race::Race, refusal, rollouts::found_rollout};
use crate::{
    health::{is_judged, metrics as names},
    identity::Actor,
    levels::Levels,
    push::{self, Waiting, content::Remembered, place::arm_name},
    record::RolloutRecord,
    state::State,
    store::{Guard, Txn, keys, model},
    truth::Truth,
};

/// When to come back if too many wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The service `tidegate.v1.Measurements`.
#[derive(Debug)]
pub(crate) struct MeasurementsApi {
    truth: Truth,
    levels: Levels,
    units: Units,
}

impl MeasurementsApi {
    /// The service over the truth, and over who takes levels in.
    pub(crate) fn new(truth: Truth, levels: Levels) -> Self {
        Self {
            units: Units::new(truth.clone()),
            truth,
            levels,
        }
    }

    /// What was pushed before under the keys of a request.
    async fn remembered(
        &self,
        rollout: &RolloutRecord,
        asked: &[Asked],
    ) -> Result<BTreeMap<String, Remembered>, Status> {
        let store = self.truth.store();
        let read = asked.iter().map(|asked| async move {
            let item = store
                .get(&keys::pushed(&rollout.environment, rollout.id, &asked.key))
                .await?;
            let read = item.map(|item| model::read_pushed(&item.value)).transpose();
            let read = read.map_err(|error| Status::data_loss(format!("measurement {}: {error}", asked.key)))?;
            Ok::<_, Status>(read.map(|read| (asked.key.clone(), read)))
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }

    /// What is wrong with a request that is malformed: of what is well-formed in it, too.
    async fn refuse(&self, rollout: Option<&RolloutRecord>, mut malformed: Malformed, actor: &Actor) -> Status {
        if let Some(rollout) = rollout {
            let (places, asked): (Vec<_>, Vec<_>) = std::mem::take(&mut malformed.asked).into_iter().unzip();
            let known =
                futures::future::try_join(self.remembered(rollout, &asked), self.units.exposures(rollout, &asked));
            let (before, exposures) = match known.await {
                Ok(known) => known,
                Err(status) => return status,
            };
            // What was pushed before is right.
            let new = places.into_iter().zip(asked.iter().zip(&exposures));
            let new = new.filter(|(_, (asked, _))| !before.contains_key(&asked.key));
            malformed
                .found
                .extend(taken::take(rollout, new, actor).err().into_iter().flatten());
        }
        invalid(&malformed.violations())
    }

    /// Makes what is new durable, and answers.
    async fn take(
        &self,
        rollout: &RolloutRecord,
        asked: &[Asked],
        exposures: &[Option<Exposure>],
        actor: &Actor,
    ) -> Result<v1::PushResponse, Status> {
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = self.remembered(rollout, asked).await?;
            check_repeats(rollout, asked, exposures, &before)?;
            if before.len() < asked.len() {
                check_open(rollout, actor.at_us)?;
            }
            let new = asked.iter().zip(exposures).enumerate();
            let new = new.filter(|(_, (asked, _))| !before.contains_key(&asked.key));
            let taken = taken::take(rollout, new, actor).map_err(|found| {
                let malformed = Malformed {
                    found,
                    ..Malformed::default()
                };
                invalid(&malformed.violations())
            })?;
            if !taken.remembered.is_empty() {
                check_room(&state, rollout, &taken)?;
                let txn = txn(rollout, &taken);
                let is_committed = if taken.levels.is_empty() {
                    race.commit(&state, txn).await?.is_some()
                } else {
                    let turn = self.levels.turn(rollout.id).await;
                    let state = self.truth.state();
                    let now = state.rollout(&rollout.environment, rollout.id);
                    let now = now.ok_or_else(|| Status::failed_precondition(ended(&rollout.name())))?;
                    let txn = turn.keep(txn, &state, now, &taken.levels, now_us());
                    race.commit(&state, txn).await?.is_some()
                };
                if !is_committed {
                    continue;
                }
            }
            counter!(names::PUSHED, "result" => "taken").increment(taken.remembered.len() as u64);
            counter!(names::PUSHED, "result" => "repeated").increment(before.len() as u64);
            return Ok(answer(rollout, asked, before, taken.remembered));
        }
    }
}

#[tonic::async_trait]
impl Measurements for MeasurementsApi {
    async fn push(&self, request: Request<v1::PushRequest>) -> Result<Response<v1::PushResponse>, Status> {
        let actor = Actor::of(&request, now_us());
        let v1::PushRequest {
            environment,
            rollout,
            flag,
            measurements,
        } = request.into_inner();
        let state = self.truth.state();
        let environment = refusal::environment(&state, &environment)?;
        let named = named(&state, &environment, &rollout, &flag)?;
        let asked = match read::read(&state, &environment, measurements) {
            Ok(asked) => asked,
            Err(malformed) => return Err(self.refuse(named.as_deref(), malformed, &actor).await),
        };
        let rollout = rollout_of(&state, &environment, named, &asked)?;
        let exposures = self.units.exposures(&rollout, &asked).await?;
        let answer = self.take(&rollout, &asked, &exposures, &actor).await?;
        Ok(Response::new(answer))
    }
}

/// The rollout that a request names, itself or by its flag; none: its tokens tell.
fn named(state: &State, environment: &Key, rollout: &str, flag: &str) -> Result<Option<Arc<RolloutRecord>>, Status> {
    match (rollout, flag) {
        ("", "") => Ok(None),
        ("", flag) => of_flag(state, environment, flag).map(Some),
        (rollout, "") => found_rollout(state, environment, rollout).map(Some),
        (_, _) => {
            let description = "must not be given beside rollout: one or the other";
            Err(invalid(&[violation("flag", description)]))
        }
    }
}

/// The rollout that a request is about.
fn rollout_of(
    state: &State,
    environment: &Key,
    named: Option<Arc<RolloutRecord>>,
    asked: &[Asked],
) -> Result<Arc<RolloutRecord>, Status> {
    let mut tokens = asked.iter().filter_map(|asked| asked.named.token());
    let found = match (named, tokens.next()) {
        (Some(named), _) => named,
        (None, Some(token)) => state
            .rollout_at(environment, token.exposure.rollout)
            .cloned()
            .ok_or_else(|| Status::failed_precondition(ended("the rollout of the tokens")))?,
        (None, None) => {
            let description = "name the rollout, or the flag, unless every measurement has a token";
            return Err(invalid(&[violation("rollout", description)]));
        }
    };
    let others = asked.iter().enumerate().filter(|(_, asked)| {
        let token = asked.named.token();
        token.is_some_and(|token| token.exposure.rollout != found.index)
    });
    let others = others.map(|(at, _)| {
        let description = format!("is of another rollout than {}", found.name());
        violation(format!("measurements[{at}].token"), description)
    });
    let others = others.collect::<Vec<_>>();
    if !others.is_empty() {
        return Err(invalid(&others));
    }
    Ok(found)
}

/// The rollout that holds a flag, else the watch of its kill switch, else its newest rollout: what is said after an
/// abort is said of what was aborted, and not of whether it recovers.
fn of_flag(state: &State, environment: &Key, flag: &str) -> Result<Arc<RolloutRecord>, Status> {
    let flag = refusal::key("flag", flag)?;
    let held = state.holder(environment, &flag);
    let of_kill_switch = |watch: &&Arc<RolloutRecord>| watch.plan.kill_switch.is_some();
    let watch = || state.watch_of(environment, &flag).filter(of_kill_switch);
    let found = held.or_else(watch);
    match found {
        Some(found) => Ok(found.clone()),
        None => found_rollout(state, environment, &flag),
    }
}

/// Refuses a key that named something else before.
fn check_repeats(
    rollout: &RolloutRecord,
    asked: &[Asked],
    exposures: &[Option<Exposure>],
    before: &BTreeMap<String, Remembered>,
) -> Result<(), Status> {
    let differences = asked.iter().zip(exposures).filter_map(|(asked, exposure)| {
        let first = before.get(&asked.key)?;
        let difference = first
            .content
            .difference(&asked.content(exposure.as_ref(), &first.content))?;
        Some(format!("{} was pushed with {difference}", asked.key))
    });
    let differences = differences.collect::<Vec<_>>();
    if differences.is_empty() {
        return Ok(());
    }
    counter!(names::PUSHED, "result" => "other_content").increment(differences.len() as u64);
    Err(Status::already_exists(format!(
        "to rollout {}: {}; nothing of this request was taken, choose other keys",
        rollout.name(),
        differences.join("; ")
    )))
}

/// Refuses what comes before the start, or too late.
fn check_open(rollout: &RolloutRecord, now_us: i64) -> Result<(), Status> {
    let name = rollout.name();
    if rollout.state.visits.is_empty() {
        let description = format!("rollout {name} has not started: nobody has either arm");
        return Err(refusal::precondition("STATE", &name, description));
    }
    if !is_judged(rollout, now_us) {
        return Err(refusal::precondition("STATE", &name, ended(&format!("rollout {name}"))));
    }
    Ok(())
}

fn ended(what: &str) -> String {
    format!("{what} ended more than 60 minutes ago, or is not known; nothing is counted for it any more")
}

/// Refuses what there is no room for.
fn check_room(state: &State, rollout: &RolloutRecord, taken: &Taken) -> Result<(), Status> {
    let (mut requests, mut measurements) = (0, taken.remembered.len() as u64);
    for waiting in state.waiting_of(rollout.id) {
        requests += 1;
        measurements += u64::from(waiting.measurements);
    }
    measurements = measurements.saturating_add(state.evidence_of(rollout.id).pushed);
    if measurements > push::ROLLOUT_LIMIT {
        return Err(Status::resource_exhausted(format!(
            "rollout {} has {} pushed measurements already; report what comes so often to an agent (Outcomes.Track)",
            rollout.name(),
            push::ROLLOUT_LIMIT
        )));
    }
    if requests >= push::WAITING_LIMIT {
        return Err(Status::with_error_details(
            Code::ResourceExhausted,
            format!("{requests} requests of rollout {} wait to be counted", rollout.name()),
            ErrorDetails::with_retry_info(Some(RETRY_AFTER)),
        ));
    }
    Ok(())
}

/// Everything that is new, in one transaction: each under its key, and what is to be counted in the queue.
fn txn(rollout: &RolloutRecord, taken: &Taken) -> Txn {
    let environment = &rollout.environment;
    let txn = taken.remembered.iter().fold(Txn::default(), |txn, (key, remembered)| {
        let at = keys::pushed(environment, rollout.id, key);
        txn.guard(Guard::Absent(at.clone()))
            .put(at, model::write_pushed(remembered))
    });
    if taken.items.is_empty() {
        return txn;
    }
    let waiting = Waiting {
        environment: environment.clone(),
        id: Uuid::now_v7(),
        horizon: u32::try_from(rollout.state.horizons.len()).unwrap_or(u32::MAX),
        items: taken.items.clone(),
        measurements: u32::try_from(taken.remembered.len()).unwrap_or(u32::MAX),
        revision: 0,
    };
    let at = keys::push_waiting(environment, rollout.id, waiting.id);
    txn.put(at, model::write_waiting(&waiting))
}

fn answer(
    rollout: &RolloutRecord,
    asked: &[Asked],
    before: BTreeMap<String, Remembered>,
    new: BTreeMap<String, Remembered>,
) -> v1::PushResponse {
    let repeated_before = u32::try_from(before.len()).unwrap_or(u32::MAX);
    let mut known = before;
    known.extend(new);
    let pushed = asked.iter().filter_map(|asked| {
        let remembered = known.get(&asked.key)?;
        Some(v1::Pushed {
            key: asked.key.clone(),
            metric: remembered.content.metric.clone(),
            arm: arm_name(remembered.arm).to_owned(),
            stage: remembered.stage.clone(),
            at_us: remembered.at_us,
        })
    });
    v1::PushResponse {
        rollout: rollout.name(),
        pushed: pushed.collect(),
        repeated_before,
    }
}

#[cfg(test)]
mod tests;
