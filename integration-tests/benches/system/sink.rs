//! The bare reference of health: tonic services that decode the same messages, count them and acknowledge, and no more.

use std::{net::SocketAddr, pin::Pin, process::Child, time::Duration};

use futures::{Stream, StreamExt as _};
use proto::v1::{
    self,
    health_server::{Health, HealthServer},
    outcomes_server::{Outcomes, OutcomesServer},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};

#[derive(Debug)]
struct Sink;

type Acks = Pin<Box<dyn Stream<Item = Result<v1::ReportResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Sink {
    type ReportStream = Acks;

    async fn report(&self, request: Request<Streaming<v1::ReportRequest>>) -> Result<Response<Acks>, Status> {
        let mut requests = request.into_inner();
        let (answers, acks) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok(Some(message)) = requests.message().await {
                let acks = message.frames.iter().map(|frame| v1::FrameAck {
                    rollout: frame.rollout,
                    sequence: frame.sequence,
                    refused: String::new(),
                });
                let response = v1::ReportResponse {
                    acks: acks.collect(),
                    intervals: Vec::new(),
                };
                if answers.send(Ok(response)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(acks))))
    }
}

#[tonic::async_trait]
impl Outcomes for Sink {
    async fn observe(
        &self,
        request: Request<Streaming<v1::ObserveRequest>>,
    ) -> Result<Response<v1::ObserveResponse>, Status> {
        let mut counted = 0;
        let mut messages = request.into_inner();
        while let Some(message) = messages.next().await {
            counted += message?.observations.len() as u64;
        }
        Ok(Response::new(v1::ObserveResponse {
            counted,
            ..v1::ObserveResponse::default()
        }))
    }

    async fn track(&self, _: Request<Streaming<v1::TrackRequest>>) -> Result<Response<v1::ObserveResponse>, Status> {
        Err(Status::unimplemented("the sink takes observations and frames"))
    }
}

/// Serves on an address until it is killed.
pub(crate) fn run(address: SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        Server::builder()
            .tcp_nodelay(true)
            .add_service(HealthServer::new(Sink))
            .add_service(OutcomesServer::new(Sink))
            .serve(address)
            .await
            .unwrap();
    });
}

/// The sink as a process of its own, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct SinkProcess {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
}

impl SinkProcess {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start() -> Self {
        let address = integration_tests::ports::free();
        let own = std::env::current_exe().unwrap();
        let child = std::process::Command::new(own)
            .arg("--sink")
            .arg(address.to_string())
            .spawn()
            .unwrap();
        integration_tests::wait::until("the sink to listen", async || {
            let connected = tokio::net::TcpStream::connect(address).await;
            connected.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        Self { address, child }
    }

    /// The processor time that it has used.
    pub(crate) fn processor_time(&self) -> Duration {
        integration_tests::process::processor_time_of(self.child.id())
    }
}

impl Drop for SinkProcess {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
