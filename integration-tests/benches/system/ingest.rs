//! What a frame costs the control plane: many connections, each with a frame a second for a while, as fast as they go;
//! beside a bare server that decodes the same frames and acknowledges each message.

use std::time::{Duration, Instant};

use integration_tests::{
    flags,
    plans::{self, half_for_long},
    system::{PRODUCTION, System},
};
use proto::v1;

use crate::{
    Effort,
    reporters::{Reporter, now_us},
    sample::median,
    sink::SinkProcess,
};

/// Frames that each connection sends in one measurement.
const FRAMES: u64 = 50;

/// Measures the control plane and the sink.
pub(crate) async fn run(effort: Effort) {
    let count = effort.connections;
    let system = System::start().await;
    let _agent = system.agent("bench").await;
    system.operator.create(flags::boolean("bench")).await;
    let rollout = system.operator.start(plans::plan("bench", &[half_for_long()])).await;
    system.operator.delivered(1).await;
    let idle = system.control_plane.resident_bytes();
    let sink = SinkProcess::start().await;
    let mut ours = Reporter::connect(system.control_plane.address, "reporter", count).await;
    let mut bare = Reporter::connect(sink.address, "reporter", count).await;
    let each = |resident: u64| (resident.saturating_sub(idle)) as f64 / count as f64 / 1_024.0;
    // The first frame of each opens its stream for good.
    send(&mut ours, rollout.index, 1).await;
    send(&mut bare, rollout.index, 1).await;
    let memory = each(system.control_plane.resident_bytes());
    let frames = (count as u64 * FRAMES) as f64;
    let us = |used: Duration| used.as_secs_f64() * 1e6 / frames;
    let (mut costs, mut bare_costs, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let (before, began) = (system.control_plane.processor_time(), Instant::now());
        send(&mut ours, rollout.index, FRAMES).await;
        rates.push(frames / began.elapsed().as_secs_f64());
        costs.push(us(system.control_plane.processor_time() - before));
        let before = sink.processor_time();
        send(&mut bare, rollout.index, FRAMES).await;
        bare_costs.push(us(sink.processor_time() - before));
    }
    let (cost, bare_cost) = (median(&costs), median(&bare_costs));
    println!(
        "\n## Frames at the control plane ({count} connections, {FRAMES} frames each, acknowledged when durable; medians of {} rounds)\n",
        effort.rounds
    );
    println!(
        "| frames/s | control plane, us of processor time per frame | bare decode and ack, us | ratio | KiB per connection |"
    );
    println!("|---|---|---|---|---|");
    println!(
        "| {:.0} | {cost:.2} | {bare_cost:.2} | {:.2} | {memory:.0} |",
        median(&rates),
        cost / bare_cost,
    );
}

/// Sends so many frames on each connection and waits until all are acknowledged.
async fn send(reporters: &mut [Reporter], rollout: u32, frames: u64) {
    let all = reporters.iter_mut().map(|reporter| async move {
        for _ in 0..frames {
            let sequence = reporter.sequence + 1;
            reporter.send(frame(rollout, sequence)).await;
        }
        reporter.acked().await;
    });
    futures::future::join_all(all).await;
}

/// What an agent with a hundred requests a second reports: both arms, five buckets each, a failure.
fn frame(rollout: u32, sequence: u64) -> v1::Frame {
    let now_us = now_us();
    let tick = proto::tick::at(now_us);
    let cell = |arm: u32| v1::Cell {
        arm,
        exposures: 50,
        outcomes: 50,
        metrics: vec![v1::MetricCell {
            metric: 0,
            buckets: vec![1, 9, 17, 33, 60],
            num: vec![i64::from(arm == 0), 0, 0, 0, 0],
            den: vec![10; 5],
            bad_positions: if arm == 0 {
                vec![((sequence as u32) * 97) % 4_096 + 4_096]
            } else {
                Vec::new()
            },
        }],
        last_exposure_us: now_us,
        ..v1::Cell::default()
    };
    v1::Frame {
        rollout,
        sequence,
        first_tick: tick,
        last_tick: tick,
        horizon: 1,
        cells: vec![cell(0), cell(1)],
        environment: PRODUCTION.to_owned(),
        ..v1::Frame::default()
    }
}
