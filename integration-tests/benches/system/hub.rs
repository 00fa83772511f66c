//! The bare reference of delivery: a tonic hub that appends and fdatasyncs a write, then sends its bytes to all streams.
//!
//! Latest wins, as in the control plane; no entries, no digest, no state. It speaks the Sync service's messages, so that
//! the same receivers acknowledge to both. A stream that introduces itself as the writer writes with each heartbeat.

use std::{fs::File, io::Write as _, net::SocketAddr, pin::Pin, process::Child, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use integration_tests::{
    stream::{RawSync, hello},
    system::PRODUCTION,
};
use proto::v1::{
    self,
    sync_request::Message as Sent,
    sync_response::Message,
    sync_server::{Sync, SyncServer},
};
use tokio::sync::{Mutex, watch};
use tokio_stream::wrappers::{ReceiverStream, WatchStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server},
};

/// The id of the stream that writes.
const WRITER: &str = "writer";
/// Bytes of a write, as much as a delta of one flag has.
const WRITTEN: usize = 200;

#[derive(Debug)]
struct Hub {
    latest: watch::Sender<Bytes>,
    log: Arc<Mutex<File>>,
}

type Responses = Pin<Box<dyn Stream<Item = Result<v1::SyncResponse, Status>> + Send>>;

fn part(data: Bytes) -> v1::SyncResponse {
    v1::SyncResponse {
        message: Some(Message::Part(v1::Part { data })),
    }
}

#[tonic::async_trait]
impl Sync for Hub {
    type SyncStream = Responses;

    async fn sync(&self, request: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Responses>, Status> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|request| request.message);
        let Some(Sent::Hello(hello)) = first else {
            return Err(Status::invalid_argument("a stream begins with Hello"));
        };
        if hello.agent == WRITER {
            return Ok(Response::new(self.write(requests)));
        }
        // Acknowledgements are read and counted by nobody.
        tokio::spawn(async move { while let Ok(Some(_)) = requests.message().await {} });
        let responses = WatchStream::new(self.latest.subscribe()).map(|data| Ok(part(data)));
        Ok(Response::new(Box::pin(responses)))
    }
}

impl Hub {
    fn write(&self, mut requests: Streaming<v1::SyncRequest>) -> Responses {
        let (answers, responses) = tokio::sync::mpsc::channel(16);
        let (latest, log) = (self.latest.clone(), self.log.clone());
        tokio::spawn(async move {
            let mut number = 0_u64;
            while let Ok(Some(_)) = requests.message().await {
                number += 1;
                let mut data = vec![7; WRITTEN];
                data[..8].copy_from_slice(&number.to_be_bytes());
                let mut file = log.clone().lock_owned().await;
                let data = tokio::task::spawn_blocking(move || {
                    file.write_all(&data).unwrap();
                    file.sync_data().unwrap();
                    Bytes::from(data)
                });
                let data = data.await.unwrap();
                latest.send_replace(data.clone());
                if answers.send(Ok(part(data))).await.is_err() {
                    return;
                }
            }
        });
        Box::pin(ReceiverStream::new(responses))
    }
}

/// Serves until it is killed; the log lies in the folder.
pub(crate) fn run(address: SocketAddr, folder: &std::path::Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let hub = Hub {
        latest: watch::Sender::new(Bytes::from_static(&[0; 8])),
        log: Arc::new(Mutex::new(File::create(folder.join("hub.log")).unwrap())),
    };
    runtime.block_on(async {
        Server::builder()
            .tcp_nodelay(true)
            .add_service(SyncServer::new(hub))
            .serve(address)
            .await
            .unwrap();
    });
}

/// The hub as a process of its own, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct HubProcess {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
}

impl HubProcess {
    /// Starts it with its log in the folder, on the disk that the store is on, and waits until it listens.
    pub(crate) async fn start(folder: &std::path::Path) -> Self {
        let address = integration_tests::ports::free();
        let own = std::env::current_exe().unwrap();
        let child = std::process::Command::new(own)
            .arg("--hub")
            .arg(address.to_string())
            .arg(folder)
            .spawn()
            .unwrap();
        integration_tests::wait::until("the hub to listen", async || {
            let connected = tokio::net::TcpStream::connect(address).await;
            connected.map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        Self { address, child }
    }
}

/// The stream that writes.
pub(crate) struct Writer(RawSync);

impl Writer {
    /// Opens it.
    pub(crate) async fn connect(hub: &HubProcess) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{}", hub.address)).unwrap();
        let first = Sent::Hello(hello(WRITER, PRODUCTION));
        Self(RawSync::open(endpoint.connect().await.unwrap(), first).await.unwrap())
    }

    /// Writes once, and waits until it is on disk and on its way.
    pub(crate) async fn write(&mut self) {
        let asked = Sent::Heartbeat(v1::AgentHeartbeat { agent_time_us: 1 });
        assert!(self.0.send(asked).await);
        self.0.responses.message().await.unwrap().unwrap();
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
