//! The bare reference: a tonic server that answers flagd's boolean call with a constant of the same size.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    process::Child,
};

use futures::Stream;
use proto::flagd::evaluation_v2::{
    EventStreamRequest, EventStreamResponse, ResolveBooleanRequest, ResolveBooleanResponse, ResolveFloatRequest,
    ResolveFloatResponse, ResolveIntRequest, ResolveIntResponse, ResolveObjectRequest, ResolveObjectResponse,
    ResolveStringRequest, ResolveStringResponse,
    service_server::{Service, ServiceServer},
};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, transport::Server};

#[derive(Debug)]
struct Echo;

type Events = Pin<Box<dyn Stream<Item = Result<EventStreamResponse, Status>> + Send>>;

fn bare<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("the echo answers booleans"))
}

#[tonic::async_trait]
impl Service for Echo {
    type EventStreamStream = Events;

    async fn resolve_boolean(
        &self,
        _: Request<ResolveBooleanRequest>,
    ) -> Result<Response<ResolveBooleanResponse>, Status> {
        Ok(Response::new(ResolveBooleanResponse {
            value: Some(false),
            reason: "STATIC".to_owned(),
            variant: Some("off".to_owned()),
            metadata: Some(prost_types::Struct::default()),
        }))
    }

    async fn resolve_string(
        &self,
        _: Request<ResolveStringRequest>,
    ) -> Result<Response<ResolveStringResponse>, Status> {
        bare()
    }

    async fn resolve_float(&self, _: Request<ResolveFloatRequest>) -> Result<Response<ResolveFloatResponse>, Status> {
        bare()
    }

    async fn resolve_int(&self, _: Request<ResolveIntRequest>) -> Result<Response<ResolveIntResponse>, Status> {
        bare()
    }

    async fn resolve_object(
        &self,
        _: Request<ResolveObjectRequest>,
    ) -> Result<Response<ResolveObjectResponse>, Status> {
        bare()
    }

    async fn event_stream(&self, _: Request<EventStreamRequest>) -> Result<Response<Events>, Status> {
        bare()
    }
}

/// Serves on an address and on a Unix socket until it is killed.
pub(crate) fn run(address: SocketAddr, socket: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let echo = || {
            Server::builder()
                .tcp_nodelay(true)
                .add_service(ServiceServer::new(Echo))
        };
        let incoming = UnixListenerStream::new(UnixListener::bind(socket).unwrap());
        let (tcp, unix) = tokio::join!(echo().serve(address), echo().serve_with_incoming(incoming));
        tcp.unwrap();
        unix.unwrap();
    });
}

/// The echo as a process of its own, killed when it is dropped.
#[derive(Debug)]
pub(crate) struct EchoProcess {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its Unix socket.
    pub(crate) socket: PathBuf,
    child: Child,
}

impl EchoProcess {
    /// Starts it with its socket in the folder.
    pub(crate) fn start(folder: &Path) -> Self {
        let socket = folder.join("echo.sock");
        let address = integration_tests::ports::free();
        let own = std::env::current_exe().unwrap();
        let child = std::process::Command::new(own)
            .arg("--echo")
            .arg(address.to_string())
            .arg(&socket)
            .spawn()
            .unwrap();
        Self { address, socket, child }
    }
}

impl Drop for EchoProcess {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
