//! A control plane that knows no environment: it refuses every agent, with NOT_FOUND.
//!
//! The real one has its environments for good, so it cannot be brought to refuse an agent that it once served; this one
//! speaks the same wire and stands behind a proxy that an agent is led to.

use std::net::SocketAddr;

use futures::stream::Empty;
use proto::v1::{
    self,
    sync_server::{Sync, SyncServer},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// It, while it runs; ends when it is dropped.
#[derive(Debug)]
pub struct Refusing {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Refusal(String);

#[tonic::async_trait]
impl Sync for Refusal {
    type SyncStream = Empty<Result<v1::SyncResponse, Status>>;

    async fn sync(&self, _: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Self::SyncStream>, Status> {
        Err(Status::not_found(self.0.clone()))
    }
}

/// Starts one that refuses in these words.
pub async fn start(words: &str) -> Refusing {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let service = SyncServer::new(Refusal(words.to_owned()));
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    let task = tokio::spawn(async move { serving.await.expect("a loopback server serves") });
    Refusing { address, task }
}
