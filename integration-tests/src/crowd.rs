//! A client whose units are known one by one: it evaluates them over and over, reports that each request went well, and
//! remembers who was ever in treatment.
//!
//! The promise it watches is the one that people notice when it is broken: nobody who has the treatment loses it. Whoever
//! did is named, with the agent that said so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use proto::v1::{self, evaluation_client::EvaluationClient, exposure_name::Name, outcomes_client::OutcomesClient};
use serde_json::Value;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tonic::{Status, transport::Channel};

use crate::{agent::Agent, json, wait};

/// How often all of them are asked about.
const ROUND: Duration = Duration::from_millis(250);

/// One of the crowd: a name for the test, and the context that its requests bring.
#[derive(Debug, Clone)]
pub struct Member {
    /// For the test.
    pub name: String,
    /// What a request of it says.
    pub context: Value,
}

/// What was seen of the crowd.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// How often every member was asked about at every agent.
    pub rounds: u64,
    /// Who is in treatment, by agent.
    pub inside: BTreeMap<String, BTreeSet<String>>,
    /// Who was in treatment and is not any more, once for each time.
    pub left: Vec<String>,
    /// Calls that failed.
    pub failed: Vec<String>,
}

/// A running client.
#[derive(Debug)]
pub struct Crowd {
    stop: watch::Sender<bool>,
    watched: Arc<Mutex<Watched>>,
    task: JoinHandle<()>,
}

impl Watched {
    /// Nobody has left, and every call was answered.
    pub fn went_well(&self) {
        assert_eq!(self.left, Vec::<String>::new(), "nobody leaves");
        assert_eq!(self.failed, Vec::<String>::new(), "every call is answered");
    }
}

impl Crowd {
    /// Starts to ask about everybody at every agent; `treatment` is the variant to watch.
    pub fn start(flag: &str, treatment: &str, members: Vec<Member>, agents: &[&Agent]) -> Self {
        let doors = agents
            .iter()
            .map(|agent| (agent.id.clone(), agent.evaluator().channel()));
        let doors: Vec<_> = doors.collect();
        let (flag, treatment) = (flag.to_owned(), treatment.to_owned());
        let (stop, mut stopped) = watch::channel(false);
        let watched = Arc::new(Mutex::new(Watched::default()));
        let seen = watched.clone();
        let task = tokio::spawn(async move {
            let mut rounds = interval(ROUND);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = rounds.tick() => {}
                    _ = stopped.wait_for(|stopped| *stopped) => return,
                }
                let at_all = doors.iter().map(|door| ask(&flag, &treatment, &members, door, &seen));
                join_all(at_all).await;
                locked(&seen).rounds += 1;
            }
        });
        Self { stop, watched, task }
    }

    /// What was seen so far.
    pub fn watched(&self) -> Watched {
        locked(&self.watched).clone()
    }

    /// Waits until everybody was asked about anew, twice, and tells who is in treatment at every agent; nobody may have
    /// left.
    pub async fn inside(&self) -> BTreeSet<String> {
        let from = self.watched().rounds;
        let watched = wait::until("two rounds through the crowd", async || {
            let watched = self.watched();
            if watched.rounds >= from + 2 {
                Ok(watched)
            } else {
                Err(format!("{} rounds, from {from}", watched.rounds))
            }
        })
        .await;
        watched.went_well();
        let mut by_agent = watched.inside.into_values();
        let first = by_agent.next().unwrap_or_default();
        for other in by_agent {
            assert_eq!(first, other, "agents agree");
        }
        first
    }

    /// Ends, and tells what was seen in all.
    pub async fn stop(self) -> Watched {
        self.stop.send_replace(true);
        self.task.await.expect("the crowd did not panic");
        locked(&self.watched).clone()
    }
}

/// Asks one agent about everybody, and reports the outcomes of those who were exposed.
async fn ask(flag: &str, treatment: &str, members: &[Member], door: &(String, Channel), seen: &Mutex<Watched>) {
    let (agent, channel) = door;
    let asked = members.iter().map(|member| resolve(channel, flag, &member.context));
    let results: Result<Vec<_>, _> = join_all(asked).await.into_iter().collect();
    let results = match results {
        Ok(results) => results,
        Err(status) => return locked(seen).failed.push(format!("resolve at {agent}: {status}")),
    };
    let now = members.iter().zip(&results);
    let now = now.filter(|(_, result)| result.variant == treatment);
    let now: BTreeSet<String> = now.map(|(member, _)| member.name.clone()).collect();
    {
        let mut seen = locked(seen);
        let before = seen.inside.insert(agent.clone(), now.clone()).unwrap_or_default();
        let left = before.difference(&now).map(|name| format!("{name} at {agent}"));
        seen.left.extend(left);
    }
    let exposed = results.into_iter().filter(|result| !result.token.is_empty());
    let observations = exposed.map(|result| v1::Observation {
        exposures: vec![v1::ExposureName {
            name: Some(Name::Token(result.token)),
        }],
        outcome: v1::OutcomeKind::Ok.into(),
        duration_us: Some(200_000),
        values: vec![v1::MetricValue {
            metric: "revenue".to_owned(),
            value: 10.0,
        }],
        ..v1::Observation::default()
    });
    let observations: Vec<_> = observations.collect();
    if observations.is_empty() {
        return;
    }
    let message = v1::ObserveRequest { observations };
    let answer = OutcomesClient::new(channel.clone())
        .observe(futures::stream::iter([message]))
        .await;
    if let Err(status) = answer {
        locked(seen).failed.push(format!("observe at {agent}: {status}"));
    }
}

async fn resolve(channel: &Channel, flag: &str, context: &Value) -> Result<v1::Result, Status> {
    let request = v1::ResolveRequest {
        flag_key: flag.to_owned(),
        context: Some(json::fields(context)),
        ..v1::ResolveRequest::default()
    };
    let response = EvaluationClient::new(channel.clone()).resolve(request).await?;
    Ok(response.into_inner().result.expect("a response has a result"))
}

/// Every write leaves it whole, so a poisoned lock is taken as it is.
fn locked(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}
