//! A service with users: evaluates through its agents, does its work, and reports how each request turned out.
//!
//! Whether a request fails is drawn from its number and its user alone, so that a run can be repeated. The rate is
//! bounded; a slow machine gets fewer requests, never a backlog. It keeps count of what the agents took, because what
//! arrives at the control plane must come to the same.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use proto::v1::{self, exposure_name::Name, outcomes_client::OutcomesClient};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tonic::Status;

use crate::{agent::Agent, evaluator::Evaluator, habit::Habit};

/// How often a burst of requests is made.
const BURST: Duration = Duration::from_millis(50);
/// Bursts in a second.
const BURSTS: u32 = 20;

/// What requests there are.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// The flag that every request evaluates.
    pub flag: String,
    /// How many users there are; they take turns. None: each request is a unit of its own.
    pub users: Option<u64>,
    /// Requests per second, over all agents.
    pub per_second: u32,
    /// How requests with treatment turn out.
    pub treatment: Habit,
    /// How those with control do.
    pub control: Habit,
}

/// What the service has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Evaluations that gave treatment.
    pub treatment: u64,
    /// Evaluations that gave control.
    pub control: u64,
    /// Evaluations outside any rollout.
    pub unexposed: u64,
    /// Outcomes that agents counted.
    pub counted: u64,
    /// Outcomes that agents dropped, with their reasons.
    pub dropped: u64,
    /// Why, each time.
    pub reasons: Vec<String>,
    /// Calls that failed.
    pub failed: Vec<String>,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    stop: watch::Sender<bool>,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Traffic {
    /// 300 requests a second of 397 users (a prime, so that each meets every agent in turn), none of which fails.
    pub fn of(flag: &str) -> Self {
        Self {
            flag: flag.to_owned(),
            users: Some(397),
            per_second: 300,
            treatment: Habit::default(),
            control: Habit::default(),
        }
    }

    /// The same with these failures.
    #[must_use]
    pub fn failing(self, treatment: f64, control: f64) -> Self {
        self.habits(Habit::failing(treatment), Habit::failing(control))
    }

    /// The same with these habits.
    #[must_use]
    pub fn habits(self, treatment: Habit, control: Habit) -> Self {
        Self {
            treatment,
            control,
            ..self
        }
    }

    /// The same with a unit for each request.
    #[must_use]
    pub fn by_request(self) -> Self {
        Self { users: None, ..self }
    }
}

impl Service {
    /// Starts to serve once its agents hold the flag, with its requests spread evenly over them.
    pub async fn start(traffic: Traffic, agents: &[&Agent]) -> Self {
        let doors: Vec<Evaluator> = agents.iter().map(|agent| agent.evaluator()).collect();
        for door in &doors {
            door.holds_boolean(&traffic.flag).await;
        }
        let (stop, stopped) = watch::channel(false);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(serve(traffic, doors, seen.clone(), stopped));
        Self { stop, seen, task }
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        locked(&self.seen).clone()
    }

    /// Ends once what is under way is reported, and tells what was seen in all.
    pub async fn stop(self) -> Seen {
        self.stop.send_replace(true);
        self.task.await.expect("the service did not panic");
        locked(&self.seen).clone()
    }
}

async fn serve(traffic: Traffic, doors: Vec<Evaluator>, seen: Arc<Mutex<Seen>>, mut stopped: watch::Receiver<bool>) {
    let mut bursts = interval(BURST);
    bursts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let size = u64::from(traffic.per_second.div_ceil(BURSTS));
    let agents = doors.len() as u64;
    let mut next = 0_u64;
    loop {
        tokio::select! {
            _ = bursts.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let requests = next..next + size;
        next = requests.end;
        let shares = doors.iter().zip(0..).map(|(door, place)| {
            let mine = requests.clone().filter(move |number| number % agents == place);
            burst(&traffic, door, mine, &seen)
        });
        join_all(shares).await;
    }
}

/// A burst at one agent: evaluates for each request, then reports them all.
async fn burst(traffic: &Traffic, door: &Evaluator, requests: impl Iterator<Item = u64>, seen: &Mutex<Seen>) {
    let evaluated = join_all(requests.map(|number| request(traffic, door, number, seen))).await;
    let observations: Vec<_> = evaluated.into_iter().flatten().collect();
    if observations.is_empty() {
        return;
    }
    let message = v1::ObserveRequest { observations };
    let answer = OutcomesClient::new(door.channel())
        .observe(futures::stream::iter([message]))
        .await;
    let mut seen = locked(seen);
    match answer {
        Ok(answer) => {
            let answer = answer.into_inner();
            seen.counted += answer.counted;
            seen.dropped += answer.dropped;
            seen.reasons.extend(answer.reasons);
        }
        Err(status) => seen.failed.push(said("observe", &status)),
    }
}

/// One request; its outcome, if it was exposed.
async fn request(traffic: &Traffic, door: &Evaluator, number: u64, seen: &Mutex<Seen>) -> Option<v1::Observation> {
    let unit = match traffic.users {
        Some(users) => format!("user-{}", number % users),
        None => format!("request-{number}"),
    };
    let answer = door.boolean(&traffic.flag, &unit).await;
    let mut seen = locked(seen);
    let answer = answer
        .map_err(|status| seen.failed.push(said("evaluate", &status)))
        .ok()?;
    let habit = match answer.arm.as_deref() {
        Some("treatment") => {
            seen.treatment += 1;
            &traffic.treatment
        }
        Some(_) => {
            seen.control += 1;
            &traffic.control
        }
        None => {
            seen.unexposed += 1;
            return None;
        }
    };
    let exposure = v1::ExposureName {
        name: answer.token.map(Name::Token),
    };
    habit.outcome(number, exposure)
}

fn said(call: &str, status: &Status) -> String {
    format!("{call}: {}: {}", status.code(), status.message())
}

/// Every write leaves the counts whole, so a poisoned lock is taken as it is.
fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
