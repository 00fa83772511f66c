//! An agent that speaks the wire and does what a test wants.
//!
//! It answers evaluations from a table, keeps every observation and event it receives, and listens on a socket on disk, so that
//! it can go away and come back at the same address without a race for a port.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::v1::evaluation_server::{Evaluation, EvaluationServer};
use proto::v1::outcomes_server::{Outcomes, OutcomesServer};
use proto::v1::value::Kind;
use proto::v1::{
    ErrorCode, FlagType, Observation, ObserveRequest, ObserveResponse, Reason, ResolveAllRequest, ResolveAllResponse,
    ResolveRequest, ResolveResponse, TrackRequest, TrackedEvent, Value, WatchRequest, WatchResponse,
};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// What the fake does when it is asked for a flag.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// This result, if it is of the type that is asked for.
    Result(Box<proto::v1::Result>),
    Fail(Status),
    Never,
}

impl From<proto::v1::Result> for Answer {
    fn from(result: proto::v1::Result) -> Self {
        Self::Result(Box::new(result))
    }
}

/// What a fake knows and what it has heard; it outlives any one [`Agent`].
#[derive(Clone, Debug)]
pub(crate) struct World {
    answers: Arc<HashMap<&'static str, Answer>>,
    heard: Arc<watch::Sender<Vec<Observation>>>,
    tracked: Arc<watch::Sender<Vec<TrackedEvent>>>,
    callers: Arc<watch::Sender<Vec<Option<String>>>>,
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
            heard: Arc::default(),
            tracked: Arc::default(),
            callers: Arc::default(),
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
            .add_service(EvaluationServer::new(self.clone()))
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

    /// Waits until `count` events have been heard.
    pub(crate) async fn tracked(&self, count: usize) -> Vec<TrackedEvent> {
        self.tracked
            .subscribe()
            .wait_for(|tracked| tracked.len() >= count)
            .await
            .unwrap()
            .clone()
    }

    /// The events that have been heard so far.
    pub(crate) fn tracked_so_far(&self) -> Vec<TrackedEvent> {
        self.tracked.borrow().clone()
    }

    /// Who called, for each call so far.
    pub(crate) fn callers(&self) -> Vec<Option<String>> {
        self.callers.borrow().clone()
    }

    fn called<T>(&self, request: &Request<T>) {
        let caller = request.metadata().get(proto::CALLER);
        let caller = caller.map(|name| name.to_str().unwrap().to_owned());
        self.callers.send_modify(|callers| callers.push(caller));
    }

    async fn answer(&self, flag: &str) -> Result<Answer, Status> {
        match self.answers.get(flag) {
            Some(Answer::Never) => std::future::pending().await,
            Some(Answer::Fail(status)) => Err(status.clone()),
            Some(answer) => Ok(answer.clone()),
            None => Ok(failed(ErrorCode::FlagNotFound, "").into()),
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

/// A result that serves this value, as a rule would.
pub(crate) fn served(variant: &str, kind: Kind) -> proto::v1::Result {
    let flag_type = type_of(&kind);
    proto::v1::Result {
        value: Some(Value { kind: Some(kind) }),
        variant: variant.to_owned(),
        reason: Reason::TargetingMatch.into(),
        r#type: flag_type.into(),
        ..Default::default()
    }
}

/// A result that says why there is none.
pub(crate) fn failed(code: ErrorCode, words: &str) -> proto::v1::Result {
    proto::v1::Result {
        reason: Reason::Error.into(),
        error_code: code.into(),
        error_message: words.to_owned(),
        ..Default::default()
    }
}

fn type_of(kind: &Kind) -> FlagType {
    match kind {
        Kind::Boolean(_) => FlagType::Boolean,
        Kind::Text(_) => FlagType::String,
        Kind::Integer(_) => FlagType::Integer,
        Kind::Number(_) => FlagType::Float,
        Kind::Object(_) => FlagType::Object,
    }
}

#[tonic::async_trait]
impl Evaluation for World {
    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        self.called(&request);
        let request = request.into_inner();
        let result = match self.answer(&request.flag_key).await? {
            Answer::Result(result) if result.value.is_some() && result.r#type != request.r#type => {
                failed(ErrorCode::TypeMismatch, "")
            }
            Answer::Result(result) => *result,
            Answer::Fail(status) => return Err(status),
            Answer::Never => std::future::pending().await,
        };
        Ok(Response::new(ResolveResponse {
            result: Some(result),
            revision: 1,
        }))
    }

    async fn resolve_all(&self, _: Request<ResolveAllRequest>) -> Result<Response<ResolveAllResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    type WatchStream = tokio_stream::Once<Result<WatchResponse, Status>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::once(Ok(WatchResponse {
            revision: 1,
            flags: Vec::new(),
        }))))
    }
}

#[tonic::async_trait]
impl Outcomes for World {
    async fn observe(&self, request: Request<Streaming<ObserveRequest>>) -> Result<Response<ObserveResponse>, Status> {
        self.called(&request);
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
    async fn track(&self, request: Request<Streaming<TrackRequest>>) -> Result<Response<ObserveResponse>, Status> {
        self.called(&request);
        let mut stream = request.into_inner();
        let mut counted = 0;
        while let Some(batch) = stream.message().await? {
            counted += batch.events.len() as u64;
            self.tracked.send_modify(|tracked| tracked.extend(batch.events));
        }
        Ok(Response::new(ObserveResponse {
            counted,
            ..ObserveResponse::default()
        }))
    }
}
