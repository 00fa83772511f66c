//! A gRPC service under the layer: its outcomes are the codes that it answers with.
//!
//! ```sh
//! cargo run -p tidegate-client --example rpc -- [LISTEN] [AGENT]
//! ```
//!
//! The protocol is the health service of gRPC itself, so that any client of it can call: a flag decides whether the
//! new way of looking is used.

use tidegate_client::{Address, Client, Context, ReportLayer};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

#[derive(Debug)]
struct Looker {
    tidegate: Client,
}

#[tonic::async_trait]
impl Health for Looker {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let deep = self
            .tidegate
            .boolean("deep-look", false, &Context::user(&*service))
            .await;
        if deep.value && service.is_empty() {
            return Err(Status::internal("the new way has no whole"));
        }
        Ok(Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }

    type WatchStream = tokio_stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("look again instead"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let agent: Address = args
        .next()
        .map_or_else(|| Ok(Address::default()), |address| address.parse())?;
    let tidegate = Client::connect(agent)?;
    println!("serving on {listen}");
    Server::builder()
        .layer(ReportLayer::new(&tidegate))
        .add_service(HealthServer::new(Looker { tidegate }))
        .serve(listen.parse()?)
        .await?;
    Ok(())
}
