//! Real people over real sockets: rollouts that harm nobody and rollouts that harm, judged side by side by the real processes.
//!
//! The people are sticky and heavy-tailed: how active each is, and how often each fails whatever it is given, is drawn once
//! (guard.md 9: activity lognormal with s = 1.5, failures Beta with mean 0.8 % and correlation 0.3). Counting requests
//! would abort about every fifth of the harmless rollouts. The calibration asks the same of the tests alone, many
//! thousand times; here everything between a request and an abort takes part.

use std::{f64::consts::TAU, time::Duration};

use futures::{StreamExt as _, future::join_all, stream};
use integration_tests::{
    agent::Agent,
    draws::Draws,
    flags,
    plans::{self, stage},
    system::System,
};
use proto::v1::{self, exposure_name::Name, outcomes_client::OutcomesClient};
use tokio::time::{Instant, interval};
use tonic::transport::Channel;

use crate::{Effort, sample::median};

/// People of each flag.
const PEOPLE: usize = 2_000;
/// Treatment's shares, in turns, of 100,000 buckets.
const SHARES: [u32; 3] = [5_000, 25_000, 50_000];
/// What treatment fails more often where it harms: five times the mean in all.
const HARM: f64 = 4.0 * MEAN;
/// How often people fail on average.
const MEAN: f64 = 0.008;
/// How alike the requests of one of them are.
const CORRELATION: f64 = 0.3;
/// How unlike they are in activity.
const SPREAD: f64 = 1.5;
/// How often requests are sent, and how many at once for each flag.
const PACE: Duration = Duration::from_millis(250);
const REQUESTS: usize = 125;
/// What is asked of every rollout.
const GUARDS: [&str; 3] = ["error-rate > 1x control", "revenue < 0.9x control", "p99 > 2 s"];

/// Whether treatment fails more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Harmless,
    Harmful,
}

/// One of the people of a flag.
#[derive(Debug)]
struct Person {
    token: String,
    is_treated: bool,
    fails: f64,
    /// How active all are up to and including this one.
    until: f64,
}

/// A flag under its rollout, and its people.
#[derive(Debug)]
struct Trial {
    kind: Kind,
    name: String,
    people: Vec<Person>,
    draws: Draws,
    door: OutcomesClient<Channel>,
}

/// Runs all rollouts for a while, and tells which were aborted.
pub(crate) async fn run(effort: Effort) {
    let system = System::start().await;
    let agent = system.agent("bench").await;
    let harmful = effort.harmless.div_ceil(4);
    let kinds = (0..effort.harmless)
        .map(|_| Kind::Harmless)
        .chain((0..harmful).map(|_| Kind::Harmful));
    let mut trials = Vec::new();
    for (number, kind) in kinds.enumerate() {
        trials.push(begin(&system, &agent, kind, number).await);
    }
    let began = Instant::now();
    let mut pace = interval(PACE);
    while began.elapsed() < effort.watched {
        pace.tick().await;
        let sent = trials.iter_mut().map(Trial::send);
        join_all(sent).await;
    }
    println!(
        "\n## People, sticky and heavy-tailed ({PEOPLE} a flag, {} requests/s each, {} guards, {} s)\n",
        REQUESTS as u128 * 1_000 / PACE.as_millis(),
        GUARDS.len(),
        effort.watched.as_secs()
    );
    println!("| treatment fails | share % | rollouts | aborted | held | treated outcomes at the decision, median |");
    println!("|---|---|---|---|---|---|");
    for kind in [Kind::Harmless, Kind::Harmful] {
        for (at, share) in SHARES.iter().enumerate() {
            let of_share = trials.iter().enumerate();
            let of_share = of_share.filter(|(number, trial)| number % SHARES.len() == at && trial.kind == kind);
            let names: Vec<&str> = of_share.map(|(_, trial)| trial.name.as_str()).collect();
            tell(&system, kind, *share, &names).await;
        }
    }
}

async fn tell(system: &System, kind: Kind, share: u32, names: &[&str]) {
    let (mut aborted, mut held, mut treated) = (0, 0, Vec::new());
    for name in names {
        let rollout = system.operator.rollout(name).await;
        held += usize::from(rollout.phase() == v1::RolloutPhase::Held);
        let Some(end) = rollout.end else { continue };
        aborted += 1;
        let arm = end.counts.and_then(|counts| counts.treatment);
        treated.push(arm.map_or(0.0, |arm| arm.outcomes as f64));
    }
    let times = match kind {
        Kind::Harmless => "as control",
        Kind::Harmful => "5x",
    };
    let decided = if treated.is_empty() {
        "-".to_owned()
    } else {
        format!("{:.0}", median(&treated))
    };
    println!(
        "| {times} | {} | {} | {aborted} | {held} | {decided} |",
        share / 1_000,
        names.len()
    );
}

/// Starts a rollout, and learns who of its people has the treatment.
async fn begin(system: &System, agent: &Agent, kind: Kind, number: usize) -> Trial {
    let flag = format!("people-{number}");
    system.operator.create(flags::boolean(&flag)).await;
    let guard = |harm: &str| v1::Guard {
        harm: harm.to_owned(),
        ..v1::Guard::default()
    };
    let share = SHARES[number % SHARES.len()];
    let plan = v1::Plan {
        guards: GUARDS.map(guard).to_vec(),
        ..plans::plan(&flag, &[stage("canary", share, Duration::from_secs(86_400))])
    };
    let rollout = system.operator.start(plan).await;
    system.operator.delivered(1).await;
    let door = agent.evaluator();
    let asked = (0..PEOPLE).map(|person| {
        let (door, flag) = (door.clone(), flag.clone());
        async move { door.boolean(&flag, &format!("{flag}-person-{person}")).await.unwrap() }
    });
    let answers: Vec<_> = stream::iter(asked).buffered(64).collect().await;
    let mut draws = Draws::new(number as u64 + 1);
    let mut until = 0.0;
    let people = answers.into_iter().map(|answer| {
        until += (SPREAD * normal(&mut draws)).exp();
        Person {
            token: answer.token.expect("a flag under a rollout gives tokens"),
            is_treated: answer.value == Some(true),
            fails: beta(
                &mut draws,
                MEAN * (1.0 / CORRELATION - 1.0),
                (1.0 - MEAN) * (1.0 / CORRELATION - 1.0),
            ),
            until,
        }
    });
    Trial {
        kind,
        name: rollout.name,
        people: people.collect(),
        draws,
        door: OutcomesClient::new(door.channel()),
    }
}

impl Trial {
    /// Sends the requests of one moment.
    async fn send(&mut self) {
        let observations = (0..REQUESTS).map(|_| self.request()).collect();
        let message = v1::ObserveRequest { observations };
        self.door.observe(stream::iter([message])).await.unwrap();
    }

    fn request(&mut self) -> v1::Observation {
        let all = self.people.last().map_or(0.0, |last| last.until);
        let at = uniform(&mut self.draws) * all;
        let who = self.people.partition_point(|person| person.until < at);
        let person = &self.people[who.min(self.people.len() - 1)];
        let more = if person.is_treated && self.kind == Kind::Harmful {
            HARM
        } else {
            0.0
        };
        let fails = uniform(&mut self.draws) < person.fails + more;
        let buys = !fails && uniform(&mut self.draws) < 0.05;
        let duration_ms = 80.0 * (0.5 * normal(&mut self.draws)).exp();
        v1::Observation {
            exposures: vec![v1::ExposureName {
                name: Some(Name::Token(person.token.clone())),
            }],
            outcome: if fails {
                v1::OutcomeKind::Error
            } else {
                v1::OutcomeKind::Ok
            }
            .into(),
            duration_us: Some((duration_ms * 1_000.0) as i64),
            values: Vec::from_iter(buys.then(|| v1::MetricValue {
                metric: "revenue".to_owned(),
                value: 40.0 * (0.8 * normal(&mut self.draws)).exp(),
            })),
            ..v1::Observation::default()
        }
    }
}

/// Above 0, at most 1.
fn uniform(draws: &mut Draws) -> f64 {
    (draws.below(1 << 53) + 1) as f64 / (1_u64 << 53) as f64
}

/// Box and Muller, 1958.
fn normal(draws: &mut Draws) -> f64 {
    let (radius, angle) = (uniform(draws), uniform(draws));
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

/// Jöhnk, 1964: for shapes below 1 about as fast as any.
fn beta(draws: &mut Draws, a: f64, b: f64) -> f64 {
    loop {
        let (x, y) = (uniform(draws).powf(1.0 / a), uniform(draws).powf(1.0 / b));
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
}
