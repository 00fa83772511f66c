//! What the tower layer adds to a request, beside a bare service call.
//!
//! Prints a markdown table: nanoseconds of processor time per request (median and 25th percentile of rounds), and what is
//! added to the bare call of the same run, until the response is produced and with all that is done for it afterwards, up
//! to the agent's socket. Everything runs on one thread, so that nothing hides on another; the agent is on its own.
//! Requests come in bursts, and the agent has all reports of one before the next: a queue that nobody empties would grow
//! out of the caches, as it never does in a service.
//! Cases take turns within a round, starting with another one each time, so that a busy neighbour disturbs all of them
//! alike. `--quick` runs few short rounds, to see that it works.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot go on has failed"
)]

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use proto::v1::outcomes_server::{Outcomes, OutcomesServer};
use proto::v1::{ObserveRequest, ObserveResponse, TrackRequest};
use tidegate_client::{Address, Client, Exposure, Options, ReportLayer};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Status, Streaming};
use tower::{Layer as _, Service, service_fn};

/// Requests of a burst: a full message.
const BURST: usize = 500;

/// How much is run.
struct Effort {
    rounds: usize,
    bursts: usize,
}

/// A service to time.
struct Case {
    name: &'static str,
    call: Box<dyn FnMut()>,
    /// Reports that one call makes.
    reports: u64,
    /// Processor time per request until the response is produced.
    request_ns: Vec<f64>,
    /// And with what is done in the background.
    whole_ns: Vec<f64>,
}

/// Counts what arrives, and keeps nothing.
#[derive(Clone, Default)]
struct Sink(Arc<watch::Sender<u64>>);

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let effort = if quick {
        Effort { rounds: 5, bursts: 5 }
    } else {
        Effort { rounds: 31, bursts: 20 }
    };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent.sock");
    let sink = Sink::default();
    let agent = sink.listen(&socket);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = Options::default().queue(1_000_000);
        let client = Client::connect_with(Address::unix(&socket), options).unwrap();
        let mut cases = cases(&client);
        for round in 0..effort.rounds {
            for turn in 0..cases.len() {
                let at = (round + turn) % cases.len();
                cases[at].time(effort.bursts, &sink).await;
            }
        }
        assert_eq!(client.dropped(), 0, "what is dropped costs less");
        print(&cases);
    });
    agent.shutdown_background();
}

fn cases(client: &Client) -> Vec<Case> {
    let layer = ReportLayer::new(client);
    let token = |number: usize| Exposure::of_token(format!("token-of-22-letters-{number:02}"));
    let exposures: Vec<_> = (0..5).map(token).collect();
    let using = |count: usize, values: bool| layer.layer(service(exposures[..count].to_vec(), values));
    vec![
        Case::new("bare service call", 0, service(Vec::new(), false)),
        Case::new("layer, no flag used", 0, using(0, false)),
        Case::new("layer, 1 flag used", 1, using(1, false)),
        Case::new("layer, 5 flags used", 1, using(5, false)),
        Case::new("layer, 1 flag used, 2 values and a class", 1, using(1, true)),
    ]
}

/// A service that was exposed so, and answers at once. The evaluation itself is a call to the agent and no cost of the
/// layer: what an evaluation tells its request is told here in its place.
fn service(
    exposures: Vec<Exposure>,
    values: bool,
) -> impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone + 'static {
    let exposures: Arc<[Exposure]> = exposures.into();
    service_fn(move |_: Request<()>| {
        let exposures = Arc::clone(&exposures);
        async move {
            if !exposures.is_empty() {
                let request = tidegate_client::Request::current();
                for exposure in exposures.iter() {
                    request.expose(exposure);
                }
                if values {
                    request
                        .value("revenue", 12.5)
                        .value("tokens", 170)
                        .class("card-declined");
                }
            }
            Ok(Response::new(Full::from("done")))
        }
    })
}

impl Case {
    fn new<S, B>(name: &'static str, reports: u64, service: S) -> Self
    where
        S: Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone + 'static,
        B: Body<Data = Bytes>,
    {
        Self {
            name,
            call: Box::new(move || call(service.clone())),
            reports,
            request_ns: Vec::new(),
            whole_ns: Vec::new(),
        }
    }

    /// Runs bursts of requests, and waits after each until the agent has all reports.
    async fn time(&mut self, bursts: usize, sink: &Sink) {
        let (mut requested, mut whole) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..bursts {
            let awaited = *sink.0.borrow() + self.reports * BURST as u64;
            let begun = processor_time();
            for _ in 0..BURST {
                (self.call)();
            }
            requested += processor_time() - begun;
            sink.0
                .subscribe()
                .wait_for(|counted| *counted >= awaited)
                .await
                .unwrap();
            whole += processor_time() - begun;
        }
        let per_request = |time: Duration| time.as_nanos() as f64 / (bursts * BURST) as f64;
        self.request_ns.push(per_request(requested));
        self.whole_ns.push(per_request(whole));
    }
}

/// One request, its body included, to a service of its own, as routers clone theirs for each request.
fn call<S, B>(mut service: S)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut answer = std::pin::pin!(service.call(black_box(Request::new(()))));
    let Poll::Ready(Ok(response)) = answer.as_mut().poll(&mut cx) else {
        panic!("the service answers at once");
    };
    let mut body = std::pin::pin!(response.into_body());
    while !body.is_end_stream() {
        let frame: Poll<_> = Pin::as_mut(&mut body).poll_frame(&mut cx);
        black_box(frame.is_ready());
    }
}

/// The processor time that this thread has used.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The first case is the bare call.
fn print(cases: &[Case]) {
    let bare = |times: &[f64]| quantile(times, 0.5);
    let (request, whole) = (bare(&cases[0].request_ns), bare(&cases[0].whole_ns));
    println!("| case | median ns | 25th percentile ns | added ns | added ns, background included |");
    println!("|---|---|---|---|---|");
    for case in cases {
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} |",
            case.name,
            quantile(&case.request_ns, 0.5),
            quantile(&case.request_ns, 0.25),
            quantile(&case.request_ns, 0.5) - request,
            quantile(&case.whole_ns, 0.5) - whole,
        );
    }
}

/// The time below which this part of the rounds lies.
fn quantile(times_ns: &[f64], part: f64) -> f64 {
    let mut times = times_ns.to_vec();
    times.sort_unstable_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * part) as usize]
}

impl Sink {
    /// Listens on a thread of its own.
    fn listen(&self, socket: &std::path::Path) -> tokio::runtime::Runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(socket).unwrap()
        };
        let server = tonic::transport::Server::builder()
            .add_service(OutcomesServer::new(self.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        runtime.spawn(async move { server.await.unwrap() });
        runtime
    }
}

#[tonic::async_trait]
impl Outcomes for Sink {
    async fn observe(
        &self,
        request: tonic::Request<Streaming<ObserveRequest>>,
    ) -> Result<tonic::Response<ObserveResponse>, Status> {
        let mut stream = request.into_inner();
        while let Some(batch) = stream.message().await? {
            self.0
                .send_modify(|counted| *counted += batch.observations.len() as u64);
        }
        Ok(tonic::Response::new(ObserveResponse::default()))
    }

    async fn track(
        &self,
        _: tonic::Request<Streaming<TrackRequest>>,
    ) -> Result<tonic::Response<ObserveResponse>, Status> {
        Err(Status::unimplemented("nothing is tracked here"))
    }
}
