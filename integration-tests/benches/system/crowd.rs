//! Many rollouts on one control plane: what they cost while nothing happens to them, and how late a step is that is due.
//!
//! Each rollout is of a flag of its own and soaks in a stage that lasts longer than the bench, behind one real agent
//! that reports about all of them. The steps that are timed are starts with a start time: from that time until the
//! transition was decided, as the record has it, and until a flagd client of the agent has its event: by then it was
//! decided, written, published, delivered and applied.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};
use integration_tests::{agent::Agent, evaluator::Evaluator, flags, plans, system::System, wait};
use proto::{
    flagd::evaluation_v2::{EventStreamRequest, service_client::ServiceClient},
    v1::{self, exposure_name::Name, outcomes_client::OutcomesClient},
};
use tokio::task::JoinHandle;

use crate::{Effort, reporters::now_us, sample::Sample};

/// How many rollouts are started at the same time.
const AT_ONCE: usize = 16;
/// Steps that are timed.
const TIMED: usize = 100;
/// How far ahead the first of them is due, and how far they are apart.
const AHEAD_US: i64 = 8_000_000;
const APART_US: i64 = 20_000;
/// How long the rest is measured.
const REST: Duration = Duration::from_secs(20);
/// What guards judge.
const GUARDS: [&str; 6] = [
    "error-rate > 2x control",
    "error-rate > 20 %",
    "p99 > 2 s",
    "cost-per-query > $5.00",
    "cost-per-query > 3x control",
    "timeout-rate > 2x control",
];
/// Users whose outcomes each rollout has every second.
const USERS: usize = 20;
/// Seconds of outcomes before the measurement, and in it.
const WARM: usize = 5;
const ROUNDS: usize = 20;

/// Measures the rest and the steps with many rollouts.
pub(crate) async fn run(effort: Effort) {
    println!("\n## Many rollouts on one control plane (one agent, every stage soaking)\n");
    println!(
        "| active rollouts | processor time per second | of a core | resident memory | due -> decided median / p99 ms | due -> event at a client median / p99 ms |"
    );
    println!("|---|---|---|---|---|---|");
    for count in effort.crowds {
        one(*count).await;
    }
    guarded(effort.guarded).await;
}

/// So many rollouts with six guards each, of which every one has new outcomes in both arms each second: what a look at one
/// takes, its evidence, its guards and the step together.
async fn guarded(count: usize) {
    let system = System::start().await;
    let agent = system.agent("bench").await;
    start_all(&system, count, &GUARDS).await;
    soaking(&system, count).await;
    let mut tokens = Vec::with_capacity(count);
    let door = agent.evaluator();
    for number in 0..count {
        let key = format!("flag-{number:05}");
        let answers = stream::iter(0..USERS).map(|user| {
            let (door, key) = (&door, &key);
            async move {
                door.boolean(key, &format!("user-{user}"))
                    .await
                    .expect("it answers")
                    .token
            }
        });
        let answers: Vec<Option<String>> = answers.buffered(USERS).collect().await;
        tokens.push(answers.into_iter().flatten().collect::<Vec<_>>());
    }
    let plane = &system.control_plane;
    let read = async || {
        let (work, looks) = ("tidegate_engine_pass_seconds_sum", "tidegate_engine_looks_total");
        (plane.metric(work).await, plane.metric(looks).await)
    };
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut before = None;
    for round in 0..WARM + ROUNDS {
        seconds.tick().await;
        if round == WARM {
            before = Some((read().await, plane.processor_time(), std::time::Instant::now()));
        }
        let observations = tokens.iter().flat_map(|tokens| tokens.iter().enumerate());
        let observations = observations.map(|(user, token)| observation(token, (user + round).is_multiple_of(50)));
        let messages = observations.collect::<Vec<_>>();
        let messages = messages.chunks(1_000).map(|part| v1::ObserveRequest {
            observations: part.to_vec(),
        });
        let messages = stream::iter(messages.collect::<Vec<_>>());
        OutcomesClient::new(door.channel())
            .observe(messages)
            .await
            .expect("they are counted");
    }
    let ((work, looks), used, began) = before.expect("it was warm");
    let (work_after, looks_after) = read().await;
    let share = (plane.processor_time() - used).as_secs_f64() / began.elapsed().as_secs_f64();
    println!(
        "\n## Steps of rollouts under guard ({count} rollouts, six guards, new outcomes of both arms each second)\n"
    );
    println!("| looks | a look (evidence, guards, step), us | control plane, of a core |");
    println!("|---|---|---|");
    println!(
        "| {:.0} | {:.0} | {:.1} % |",
        looks_after - looks,
        (work_after - work) * 1e6 / (looks_after - looks),
        share * 100.0
    );
}

fn observation(token: &str, failed: bool) -> v1::Observation {
    let outcome = if failed {
        v1::OutcomeKind::Error
    } else {
        v1::OutcomeKind::Ok
    };
    v1::Observation {
        exposures: vec![v1::ExposureName {
            name: Some(Name::Token(token.to_owned())),
        }],
        outcome: outcome.into(),
        duration_us: Some(120_000),
        values: vec![v1::MetricValue {
            metric: "cost-per-query".to_owned(),
            value: 0.3,
        }],
        ..v1::Observation::default()
    }
}

async fn one(count: usize) {
    let system = System::start().await;
    let agent = system.agent("bench").await;
    start_all(&system, count, &[]).await;
    soaking(&system, count).await;
    let plane = &system.control_plane;
    let (before, began) = (plane.processor_time(), std::time::Instant::now());
    tokio::time::sleep(REST).await;
    let (used, took) = (plane.processor_time() - before, began.elapsed());
    let resident = plane.resident_bytes();
    let Late { decided, heard } = timed(&system, &agent).await;
    let share = used.as_secs_f64() / took.as_secs_f64();
    println!(
        "| {count} | {:.1} ms | {:.1} % | {:.0} MiB | {} / {} | {} / {} |",
        share * 1_000.0,
        share * 100.0,
        resident as f64 / (1024.0 * 1024.0),
        decided.median_ms(),
        decided.p99_ms(),
        heard.median_ms(),
        heard.p99_ms(),
    );
}

async fn start_all(system: &System, count: usize, guards: &[&str]) {
    let guard = |harm: &&str| v1::Guard {
        harm: (*harm).to_owned(),
        ..v1::Guard::default()
    };
    let guards: Vec<v1::Guard> = guards.iter().map(guard).collect();
    let mut tasks = Vec::new();
    for part in 0..AT_ONCE {
        let (operator, guards) = (system.operator.clone(), guards.clone());
        tasks.push(tokio::spawn(async move {
            for number in (part..count).step_by(AT_ONCE) {
                let key = format!("flag-{number:05}");
                operator.create(flags::boolean(&key)).await;
                let plan = v1::Plan {
                    guards: guards.clone(),
                    ..plans::plan(&key, &[plans::half_for_long(), plans::everybody()])
                };
                operator.start(plan).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("every rollout is started");
    }
}

/// Waits until the last rollouts soak.
async fn soaking(system: &System, count: usize) {
    for number in [0, count / 2, count - 1] {
        let name = format!("flag-{number:05}#1");
        system
            .operator
            .rollout_until("soak", &name, |rollout| {
                rollout.phase() == v1::RolloutPhase::Soaking || rollout.clock_started_at_us > 0
            })
            .await;
    }
}

/// How late steps were.
#[derive(Default)]
struct Late {
    decided: Sample,
    heard: Sample,
}

/// Starts with a start time: how late they are.
async fn timed(system: &System, agent: &Agent) -> Late {
    let keys: Vec<String> = (0..TIMED).map(|number| format!("timed-{number:03}")).collect();
    for key in &keys {
        system.operator.create(flags::boolean(key)).await;
    }
    let first_us = now_us() + AHEAD_US;
    let mut due = BTreeMap::new();
    for (number, key) in (0..).zip(&keys) {
        let at_us = first_us + APART_US * number;
        let plan = v1::Plan {
            start_at_us: at_us,
            ..plans::plan(key, &[plans::half_for_long(), plans::everybody()])
        };
        due.insert(key.clone(), (system.operator.start(plan).await.name, at_us));
    }
    let listening = listen(
        agent,
        due.iter().map(|(key, (_, at_us))| (key.clone(), *at_us)).collect(),
    );
    let mut late = Late::default();
    for (name, at_us) in due.values() {
        let started = wait::until("a start that is due", async || {
            let rollout = system.operator.rollout(name).await;
            let made = rollout.transitions.iter().find(|made| made.kind == "started");
            made.map(|made| made.at_us)
                .ok_or_else(|| format!("{name} is {:?}", rollout.phase()))
        })
        .await;
        late.decided.add(micros(started - at_us));
    }
    late.heard = listening.await.expect("the client hears of every start");
    late
}

/// A flagd client that notes how long after its time each flag is said to have changed.
fn listen(agent: &Agent, mut due: BTreeMap<String, i64>) -> JoinHandle<Sample> {
    let client = Evaluator::new(agent.address);
    tokio::spawn(async move {
        let mut heard = Sample::default();
        let mut service = ServiceClient::new(client.channel());
        let events = service.event_stream(EventStreamRequest {}).await;
        let mut events = events.expect("the agent answers").into_inner();
        while !due.is_empty() {
            let event = events.message().await.expect("the stream stands").expect("it goes on");
            let at_us = now_us();
            let Some(flags) = event.data.as_ref().and_then(|data| data.fields.get("flags")) else {
                continue;
            };
            let Some(prost_types::value::Kind::StructValue(flags)) = &flags.kind else {
                continue;
            };
            // What is said of a flag before its time is that it exists.
            for key in flags.fields.keys() {
                if let Some(due_us) = due.get(key).copied().filter(|due_us| *due_us <= at_us) {
                    due.remove(key);
                    heard.add(micros(at_us - due_us));
                }
            }
        }
        heard
    })
}

fn micros(late_us: i64) -> Duration {
    Duration::from_micros(late_us.max(0).unsigned_abs())
}
