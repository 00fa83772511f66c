//! An agent that speaks the wire and does what a test wants.
//!
//! It answers evaluations from a table, keeps every observation it receives, and listens on a socket on disk, so that
//! it can go away and come back at the same address without a race for a port.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost_types::Struct;
use prost_types::value::Kind;
use proto::flagd::evaluation_v2::service_server::{Service, ServiceServer};
use proto::flagd::evaluation_v2::{
    EventStreamRequest, EventStreamResponse, ResolveBooleanRequest, ResolveBooleanResponse, ResolveFloatRequest,
    ResolveFloatResponse, ResolveIntRequest, ResolveIntResponse, ResolveObjectRequest, ResolveObjectResponse,
    ResolveStringRequest, ResolveStringResponse,
};
use proto::v1::outcomes_server::{Outcomes, OutcomesServer};
use proto::v1::{Observation, ObserveRequest, ObserveResponse};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// What the fake does when it is asked for a flag.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Boolean {
        value: Option<bool>,
        token: Option<&'static str>,
    },
    Text {
        value: &'static str,
        token: Option<&'static str>,
    },
    Fail(Status),
    Never,
}

/// What a fake knows and what it has heard; it outlives any one [`Agent`].
#[derive(Clone, Debug)]
pub(crate) struct World {
    answers: Arc<HashMap<&'static str, Answer>>,
    heard: Arc<watch::Sender<Vec<Observation>>>,
}

/// A fake that listens until it is stopped or dropped. It has a runtime of its own, so that stopping is what killing a
/// process is: every connection is cut, nothing is drained.
pub(crate) struct Agent {
    runtime: Option<Runtime>,
    path: PathBuf,
}

impl World {
    pub(crate) fn new(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        Self {
            answers: Arc::new(answers.into_iter().collect()),
            heard: Arc::new(watch::Sender::new(Vec::new())),
        }
    }

    /// Listens at `path`.
    pub(crate) fn listen(&self, path: &Path) -> Agent {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(path).unwrap()
        };
        let server = Server::builder()
            .add_service(ServiceServer::new(self.clone()))
            .add_service(OutcomesServer::new(self.clone()))
            .serve_with_incoming(UnixListenerStream::new(listener));
        runtime.spawn(async move { server.await.unwrap() });
        Agent {
            runtime: Some(runtime),
            path: path.to_owned(),
        }
    }

    /// Waits until `count` observations have been heard.
    pub(crate) async fn heard(&self, count: usize) -> Vec<Observation> {
        self.heard
            .subscribe()
            .wait_for(|heard| heard.len() >= count)
            .await
            .unwrap()
            .clone()
    }

    /// What has been heard so far.
    pub(crate) fn heard_so_far(&self) -> Vec<Observation> {
        self.heard.borrow().clone()
    }

    async fn answer(&self, flag: &str) -> Result<Answer, Status> {
        match self.answers.get(flag) {
            Some(Answer::Never) => std::future::pending().await,
            Some(Answer::Fail(status)) => Err(status.clone()),
            Some(answer) => Ok(answer.clone()),
            None => Err(Status::not_found("Flag not found")),
        }
    }
}

impl Agent {
    /// Cuts every connection and leaves nothing at the path.
    pub(crate) async fn stop(mut self) {
        let runtime = self.runtime.take();
        tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
        std::fs::remove_file(&self.path).unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn metadata(token: Option<&str>) -> Option<Struct> {
    let mut metadata = Struct::default();
    if let Some(token) = token {
        let token = prost_types::Value {
            kind: Some(Kind::StringValue(token.to_owned())),
        };
        metadata.fields.insert(proto::METADATA_TOKEN.to_owned(), token);
    }
    Some(metadata)
}

fn type_mismatch() -> Status {
    Status::invalid_argument("Type mismatch error")
}

#[tonic::async_trait]
impl Service for World {
    async fn resolve_boolean(
        &self,
        request: Request<ResolveBooleanRequest>,
    ) -> Result<Response<ResolveBooleanResponse>, Status> {
        let Answer::Boolean { value, token } = self.answer(&request.get_ref().flag_key).await? else {
            return Err(type_mismatch());
        };
        Ok(Response::new(ResolveBooleanResponse {
            value,
            variant: value.map(|value| if value { "on" } else { "off" }.to_owned()),
            reason: if value.is_some() { "TARGETING_MATCH" } else { "DEFAULT" }.to_owned(),
            metadata: metadata(token),
        }))
    }

    async fn resolve_string(
        &self,
        request: Request<ResolveStringRequest>,
    ) -> Result<Response<ResolveStringResponse>, Status> {
        let Answer::Text { value, token } = self.answer(&request.get_ref().flag_key).await? else {
            return Err(type_mismatch());
        };
        Ok(Response::new(ResolveStringResponse {
            value: Some(value.to_owned()),
            variant: Some(value.to_owned()),
            reason: "STATIC".to_owned(),
            metadata: metadata(token),
        }))
    }

    async fn resolve_float(&self, _: Request<ResolveFloatRequest>) -> Result<Response<ResolveFloatResponse>, Status> {
        Err(type_mismatch())
    }

    async fn resolve_int(&self, _: Request<ResolveIntRequest>) -> Result<Response<ResolveIntResponse>, Status> {
        Err(type_mismatch())
    }

    async fn resolve_object(
        &self,
        _: Request<ResolveObjectRequest>,
    ) -> Result<Response<ResolveObjectResponse>, Status> {
        Err(type_mismatch())
    }

    type EventStreamStream = tokio_stream::Empty<Result<EventStreamResponse, Status>>;

    async fn event_stream(&self, _: Request<EventStreamRequest>) -> Result<Response<Self::EventStreamStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}

#[tonic::async_trait]
impl Outcomes for World {
    async fn observe(&self, request: Request<Streaming<ObserveRequest>>) -> Result<Response<ObserveResponse>, Status> {
        let mut stream = request.into_inner();
        let mut counted = 0;
        while let Some(batch) = stream.message().await? {
            counted += batch.observations.len() as u64;
            self.heard.send_modify(|heard| heard.extend(batch.observations));
        }
        Ok(Response::new(ObserveResponse {
            counted,
            ..ObserveResponse::default()
        }))
    }
}
