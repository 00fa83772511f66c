//! What a frame costs the control plane: many connections, each with a frame a second for a while, as fast as they go;
//! beside a bare server that decodes the same frames and acknowledges each message.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::{StreamExt as _, stream};
use integration_tests::{
    flags,
    plans::{self, half_for_long},
    system::{PRODUCTION, System},
};
use proto::v1::{self, health_client::HealthClient};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

use crate::{Effort, sink::SinkProcess};

/// Frames that each connection sends in one measurement.
const FRAMES: u64 = 20;

/// An agent that is none: frames up, acks down.
struct Reporter {
    frames: mpsc::Sender<v1::ReportRequest>,
    acks: Streaming<v1::ReportResponse>,
    agent: String,
    sequence: u64,
}

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
    let mut ours = connect(system.control_plane.address, count).await;
    let mut bare = connect(sink.address, count).await;
    let each = |resident: u64| (resident.saturating_sub(idle)) as f64 / count as f64 / 1_024.0;
    // The first frame of each opens its stream for good.
    send(&mut ours, rollout.index, 1).await;
    send(&mut bare, rollout.index, 1).await;
    let memory = each(system.control_plane.resident_bytes());
    let (before, began) = (system.control_plane.processor_time(), Instant::now());
    send(&mut ours, rollout.index, FRAMES).await;
    let (used, took) = (system.control_plane.processor_time() - before, began.elapsed());
    let before = sink.processor_time();
    send(&mut bare, rollout.index, FRAMES).await;
    let used_bare = sink.processor_time() - before;
    let frames = (count as u64 * FRAMES) as f64;
    let us = |used: Duration| used.as_secs_f64() * 1e6 / frames;
    println!(
        "\n## Frames at the control plane ({count} connections, {FRAMES} frames each, acknowledged when durable)\n"
    );
    println!(
        "| frames/s | control plane, us of processor time per frame | bare decode and ack, us | ratio | KiB per connection |"
    );
    println!("|---|---|---|---|---|");
    println!(
        "| {:.0} | {:.1} | {:.1} | {:.2} | {memory:.0} |",
        frames / took.as_secs_f64(),
        us(used),
        us(used_bare),
        us(used) / us(used_bare),
    );
}

async fn connect(address: std::net::SocketAddr, count: usize) -> Vec<Reporter> {
    let connect = |number: usize| async move {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel: Channel = endpoint.connect().await.unwrap();
        let (frames, receiver) = mpsc::channel(64);
        let acks = HealthClient::new(channel)
            .report(ReceiverStream::new(receiver))
            .await
            .unwrap();
        Reporter {
            frames,
            acks: acks.into_inner(),
            agent: format!("reporter-{number}"),
            sequence: 0,
        }
    };
    stream::iter(0..count).map(connect).buffer_unordered(50).collect().await
}

/// Sends so many frames on each connection and waits until all are acknowledged.
async fn send(reporters: &mut [Reporter], rollout: u32, frames: u64) {
    let all = reporters.iter_mut().map(|reporter| async move {
        for _ in 0..frames {
            reporter.sequence += 1;
            let message = v1::ReportRequest {
                agent: reporter.agent.clone(),
                epoch: 1,
                frames: vec![frame(rollout, reporter.sequence)],
            };
            reporter.frames.send(message).await.unwrap();
        }
        let mut acked = 0;
        while acked < reporter.sequence {
            let response = reporter.acks.message().await.unwrap().expect("the stream goes on");
            acked = response.acks.iter().map(|ack| ack.sequence).fold(acked, u64::max);
        }
    });
    futures::future::join_all(all).await;
}

/// What an agent with a hundred requests a second reports: both arms, five buckets each, a failure.
fn frame(rollout: u32, sequence: u64) -> v1::Frame {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now_us = i64::try_from(now.as_micros()).unwrap();
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
