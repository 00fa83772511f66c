//! Many rollouts on one control plane: what they cost while nothing happens to them, and how late a step is that is due.
//!
//! Each rollout is of a flag of its own and soaks in a stage that lasts longer than the bench, behind one real agent
//! that reports about all of them. The steps that are timed are starts with a start time: from that time until the
//! transition was decided, as the record has it; the write that follows is in `delivery`.

use std::time::Duration;

use integration_tests::{flags, plans, system::System, wait};
use proto::v1;

use crate::{
    Effort,
    sample::{Sample, ms},
};

/// How many rollouts are started at the same time.
const AT_ONCE: usize = 16;
/// Steps that are timed.
const TIMED: usize = 100;
/// How far ahead the first of them is due, and how far they are apart.
const AHEAD_US: i64 = 8_000_000;
const APART_US: i64 = 20_000;
/// How long the rest is measured.
const REST: Duration = Duration::from_secs(20);

/// Measures the rest and the steps with many rollouts.
pub(crate) async fn run(effort: Effort) {
    println!("\n## Many rollouts on one control plane (one agent, every stage soaking)\n");
    println!(
        "| active rollouts | processor time per second | of a core | resident memory | due -> decided median ms | p99 ms |"
    );
    println!("|---|---|---|---|---|---|");
    for count in effort.crowds {
        one(*count).await;
    }
}

async fn one(count: usize) {
    let system = System::start().await;
    let _agent = system.agent("bench").await;
    start_all(&system, count).await;
    soaking(&system, count).await;
    let plane = &system.control_plane;
    let (before, began) = (plane.processor_time(), std::time::Instant::now());
    tokio::time::sleep(REST).await;
    let (used, took) = (plane.processor_time() - before, began.elapsed());
    let resident = plane.resident_bytes();
    let late = timed(&system).await;
    let share = used.as_secs_f64() / took.as_secs_f64();
    println!(
        "| {count} | {:.1} ms | {:.1} % | {:.0} MiB | {} | {} |",
        share * 1_000.0,
        share * 100.0,
        resident as f64 / (1024.0 * 1024.0),
        ms(late.quantile(0.5)),
        ms(late.quantile(0.99)),
    );
}

async fn start_all(system: &System, count: usize) {
    let mut tasks = Vec::new();
    for part in 0..AT_ONCE {
        let operator = system.operator.clone();
        tasks.push(tokio::spawn(async move {
            for number in (part..count).step_by(AT_ONCE) {
                let key = format!("flag-{number:05}");
                operator.create(flags::boolean(&key)).await;
                operator
                    .start(plans::plan(&key, &[plans::half_for_long(), plans::everybody()]))
                    .await;
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

/// Starts with a start time: how late they are.
async fn timed(system: &System) -> Sample {
    let now_us = plans::micros(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("it is after 1970"),
    );
    let mut due = Vec::new();
    for number in 0..TIMED {
        let key = format!("timed-{number:03}");
        system.operator.create(flags::boolean(&key)).await;
        let at_us = now_us + AHEAD_US + APART_US * i64::try_from(number).expect("a hundred fits");
        let plan = v1::Plan {
            start_at_us: at_us,
            ..plans::plan(&key, &[plans::half_for_long(), plans::everybody()])
        };
        due.push((system.operator.start(plan).await.name, at_us));
    }
    let mut late = Sample::default();
    for (name, at_us) in due {
        let started = wait::until("a start that is due", async || {
            let rollout = system.operator.rollout(&name).await;
            let made = rollout.transitions.iter().find(|made| made.kind == "started");
            made.map(|made| made.at_us)
                .ok_or_else(|| format!("{name} is {:?}", rollout.phase()))
        })
        .await;
        late.add(Duration::from_micros((started - at_us).max(0).unsigned_abs()));
    }
    late
}
