//! From harm to its end: a treatment that fails ten times as often, until the abort is decided and treatment is gone.
//!
//! The harm is there from the first request of the stage, so the time counts from when the agent had applied it. What it
//! costs is given in treated requests, beside the bound that no test can beat on average.

use std::time::Duration;

use integration_tests::{
    flags, plans,
    service::{Service, Traffic},
    system::System,
};

use crate::{
    Effort,
    sample::{Sample, median, ms},
};

/// The error rate of the control.
const CONTROL: f64 = 0.008;
/// Requests a second.
const RATE: u32 = 1_000;

/// Aborts rollouts, each in a system of its own.
pub(crate) async fn run(effort: Effort) {
    println!(
        "\n## Harm -> abort (share 50 %, {RATE} requests/s, control fails {:.1} %)\n",
        CONTROL * 100.0
    );
    println!(
        "| treatment fails | runs | treated outcomes at the decision | clock start -> decision s | decision -> applied ms | time to zero ms |"
    );
    println!("|---|---|---|---|---|---|");
    for factor in [5.0, 10.0] {
        let mut treated = Vec::new();
        let (mut decided, mut applied, mut zero) = (Sample::default(), Sample::default(), Sample::default());
        for _ in 0..effort.aborts {
            let end = Box::pin(one(CONTROL * factor)).await;
            treated.push(end.treated);
            decided.add(end.decided);
            applied.add(end.applied);
            zero.add(end.zero);
        }
        println!(
            "| {factor:.0}x | {} | {:.0} | {:.2} | {} | {} |",
            effort.aborts,
            median(&treated),
            decided.quantile(0.5).as_secs_f64(),
            ms(applied.quantile(0.5)),
            ms(zero.quantile(0.5)),
        );
    }
}

/// What one abort took.
struct End {
    treated: f64,
    decided: Duration,
    applied: Duration,
    zero: Duration,
}

async fn one(treatment: f64) -> End {
    let system = System::start().await;
    system.operator.create(flags::boolean("bench")).await;
    let agent = system.agent("bench").await;
    let traffic = Traffic {
        users: Some(19_997),
        per_second: RATE,
        ..Traffic::of("bench").failing(treatment, CONTROL)
    };
    let service = Service::start(traffic, &[&agent]).await;
    let started = system
        .operator
        .start(plans::plan("bench", &[plans::half_for_long(), plans::everybody()]))
        .await;
    let aborted = system.operator.aborted(&started.name).await;
    service.stop().await;
    let end = aborted.end.expect("an aborted rollout has an end");
    let clock_us = aborted.clock_started_at_us;
    let micros = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or_default());
    End {
        treated: end
            .counts
            .and_then(|counts| counts.treatment)
            .map_or(0.0, |arm| arm.outcomes as f64),
        decided: micros(end.decided_at_us - clock_us),
        applied: micros(end.applied_at_us - end.decided_at_us),
        zero: micros(end.time_to_zero_us),
    }
}
