//! From the first bad outcome to the ack of the last of a thousand agents; and an abort alone, beside a bare hub.
//!
//! A treatment of 5 % of the units fails every time. One real agent serves and reports; a thousand streams hold the flag
//! beside it and acknowledge at once, so that the control plane is measured and not a thousand processes on two cores. The
//! abort alone is asked for by a person, which is the same write as one that the guard decides; an abort and a write to
//! the hub, which does one fdatasync first and whose receivers acknowledge too, take turns.

use std::time::{Duration, Instant};

use integration_tests::{
    flags, plans,
    service::{Service, Traffic},
    system::System,
};
use proto::v1;
use tokio::task::JoinSet;

use crate::{
    Effort,
    hub::{HubProcess, Writer},
    receivers::Receivers,
    reporters::{Reporter, now_us},
    sample::{Sample, ratio},
};

/// Streams that acknowledge.
const STREAMS: usize = 1_000;
/// Requests a second at the agent.
const RATE: u32 = 1_000;
/// Treatment's share of the 100,000 buckets.
const SHARE: u32 = 5_000;
/// Aborts are this far apart.
const APART: Duration = Duration::from_millis(20);

/// Measures both.
pub(crate) async fn run(effort: Effort) {
    let system = System::start().await;
    let agent = system.agent("bench").await;
    let mut streams = Receivers::connect(system.control_plane.address, STREAMS).await;
    println!(
        "\n## Harm -> the last ack ({STREAMS} streams, share 5 %, treatment fails every time, {RATE} requests/s)\n"
    );
    println!(
        "| runs | treated outcomes at the decision | first bad outcome -> decided median / max s | decided -> last ack median / max ms |"
    );
    println!("|---|---|---|---|");
    let (mut treated, mut decided, mut acked) = (Vec::new(), Sample::default(), Sample::default());
    for number in 0..effort.aborts {
        let key = format!("harm-{number}");
        system.operator.create(flags::boolean(&key)).await;
        let traffic = Traffic {
            users: Some(19_997),
            per_second: RATE,
            ..Traffic::of(&key).failing(1.0, 0.008)
        };
        let service = Service::start(traffic, &[&agent]).await;
        let reporters = Reporter::connect(system.control_plane.address, "stream", STREAMS).await;
        let started = system.operator.start(plans::plan(&key, &[twentieth()])).await;
        // The others have nothing to say, and say so: a batch waits until the fleet has spoken.
        let mut others = JoinSet::new();
        for reporter in reporters {
            others.spawn(reporter.be_silent(started.index));
        }
        let first_us = first_treatment(&service).await;
        let aborted = system.operator.aborted(&started.name).await;
        service.stop().await;
        others.shutdown().await;
        let end = aborted.end.expect("an aborted rollout has an end");
        treated.push(
            end.counts
                .and_then(|counts| counts.treatment)
                .map_or(0.0, |arm| arm.outcomes as f64),
        );
        decided.add(micros(end.decided_at_us - first_us));
        acked.add(micros(end.persisted_at_us - end.decided_at_us));
    }
    println!(
        "| {} | {:.0} | {:.2} / {:.2} | {} / {} |",
        effort.aborts,
        crate::sample::median(&treated),
        decided.quantile(0.5).as_secs_f64(),
        decided.quantile(1.0).as_secs_f64(),
        acked.median_ms(),
        crate::sample::ms(acked.quantile(1.0)),
    );
    Box::pin(alone(effort, &system, &mut streams)).await;
}

/// Aborts by a person, each of a rollout of its own, in turns with writes to the hub.
async fn alone(effort: Effort, system: &System, streams: &mut Receivers) {
    let hub = HubProcess::start(system.folder()).await;
    let mut bare = Receivers::connect(hub.address, STREAMS).await;
    let mut writer = Writer::connect(&hub).await;
    let mut names = Vec::new();
    for number in 0..effort.writes {
        let key = format!("trip-{number:03}");
        system.operator.create(flags::boolean(&key)).await;
        names.push(system.operator.start(plans::plan(&key, &[twentieth()])).await.name);
    }
    for name in &names {
        let reached = |rollout: &v1::Rollout| rollout.clock_started_at_us > 0;
        system.operator.rollout_until("its clock to start", name, reached).await;
    }
    let (mut ours, mut theirs) = (Sample::default(), Sample::default());
    for (number, name) in (1..).zip(&names) {
        let began = Instant::now();
        let aborted = system.operator.try_abort(name).await.expect("it can be aborted");
        streams
            .all_at(aborted.delivery.expect("it says what it wants").wanted_revision)
            .await;
        ours.add(began.elapsed());
        tokio::time::sleep(APART).await;
        let began = Instant::now();
        writer.write().await;
        bare.all_at(number).await;
        theirs.add(began.elapsed());
        tokio::time::sleep(APART).await;
    }
    println!(
        "\n## Abort -> the last ack of {STREAMS} streams, with {} rollouts\n",
        names.len()
    );
    println!("| what | median ms | p99 ms |");
    println!("|---|---|---|");
    println!(
        "| abort asked for -> last ack | {} | {} |",
        ours.median_ms(),
        ours.p99_ms()
    );
    println!(
        "| the same with a bare hub | {} | {} |",
        theirs.median_ms(),
        theirs.p99_ms()
    );
    println!(
        "| ratio | {:.2} | {:.2} |",
        ratio(&ours, &theirs, 0.5),
        ratio(&ours, &theirs, 0.99)
    );
}

/// A stage of a twentieth of the units that nothing but an abort ends.
fn twentieth() -> v1::Stage {
    plans::stage("twentieth", SHARE, Duration::from_secs(86_400))
}

/// When the first treatment was served, microseconds since 1970 UTC.
async fn first_treatment(service: &Service) -> i64 {
    while service.seen().treatment == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    now_us()
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}
