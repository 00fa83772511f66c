//! The door of delivery: takes an agent's stream, checks its Hello, and hands it to a session of its own.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use evaluation::{Key, Revision};
use proto::{
    revision::read_digest,
    status::{invalid, violation},
    v1::{self, sync_request::Message, sync_server::Sync},
};
use runtime::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::{
    fleet::{Fleet, Held, Introduction},
    session::{Session, SessionEnd},
};
use crate::{
    metrics as names,
    publish::{Publisher, Subscription},
};

/// Messages that wait for an agent to read.
const OUTBOUND: usize = 16;
/// How long an agent may take to say Hello.
const HELLO_DEADLINE: Duration = Duration::from_secs(10);

/// The service `tidegate.v1.Sync`.
#[derive(Debug, Clone)]
pub(crate) struct SyncService {
    publisher: Arc<Publisher>,
    fleet: Arc<Fleet>,
    shutdown: Shutdown,
    connections: Arc<AtomicU64>,
}

/// What a Hello says, checked.
pub(super) struct Greeting {
    pub(super) introduction: Introduction,
    pub(super) holds: Option<(Revision, Held)>,
}

impl SyncService {
    /// The service over what is published.
    pub(crate) fn new(publisher: Arc<Publisher>, fleet: Arc<Fleet>, shutdown: Shutdown) -> Self {
        Self {
            publisher,
            fleet,
            shutdown,
            connections: Arc::default(),
        }
    }
}

#[tonic::async_trait]
impl Sync for SyncService {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<v1::SyncResponse, Status>> + Send>>;

    async fn sync(&self, request: Request<Streaming<v1::SyncRequest>>) -> Result<Response<Self::SyncStream>, Status> {
        let address = request.remote_addr();
        let mut inbound = request.into_inner();
        let first = tokio::time::timeout(HELLO_DEADLINE, inbound.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no Hello within 10 s"))??;
        let Some(Message::Hello(hello)) = first.and_then(|request| request.message) else {
            return Err(Status::invalid_argument("the first message must be Hello"));
        };
        let mut greeting = greet(hello)?;
        greeting.introduction.address = address;
        let snapshots = self
            .publisher
            .subscribe(&greeting.introduction.subscription)
            .map_err(|error| {
                Status::not_found(format!(
                    "{error}; create it, or start the agent with another --environment"
                ))
            })?;
        let (outbound, responses) = mpsc::channel(OUTBOUND);
        let session = Session {
            publisher: self.publisher.clone(),
            fleet: self.fleet.clone(),
            connection: self.connections.fetch_add(1, Ordering::Relaxed),
            introduction: greeting.introduction,
            snapshots,
            outbound,
        };
        self.shutdown.spawn(
            "sync-session",
            serve(session, greeting.holds, inbound, self.shutdown.clone()),
        );
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}

/// Serves a stream to its end, and says how it ended.
async fn serve(
    session: Session,
    holds: Option<(Revision, Held)>,
    inbound: Streaming<v1::SyncRequest>,
    shutdown: Shutdown,
) {
    let (agent, fleet, outbound) = (
        session.introduction.agent.clone(),
        session.fleet.clone(),
        session.outbound.clone(),
    );
    let end = session.run(holds, inbound, &shutdown).await;
    metrics::gauge!(names::AGENTS_CONNECTED).set(fleet.connections() as f64);
    let status = match end {
        SessionEnd::Closed => {
            tracing::info!(%agent, "agent disconnected");
            return;
        }
        SessionEnd::Silent => Status::deadline_exceeded("three heartbeats were missed"),
        SessionEnd::Stuck => Status::deadline_exceeded("what was sent was not read or answered in time"),
        SessionEnd::Replaced => Status::aborted("the agent has opened another stream; is its id used twice?"),
        SessionEnd::Wrong(status) => status,
    };
    tracing::warn!(%agent, code = ?status.code(), reason = status.message(), "the stream of an agent was closed");
    // The agent may be gone already; then nobody needs the reason.
    let _ = outbound.try_send(Err(status));
}

/// Checks a Hello; every violation at once.
fn greet(hello: v1::Hello) -> Result<Greeting, Status> {
    let mut violations = Vec::new();
    if hello.agent.is_empty() || hello.agent.len() > 200 {
        violations.push(violation("hello.agent", "must be 1 to 200 bytes"));
    }
    let mut key = |field: &str, text: &str| {
        Key::parse(text)
            .map_err(|error| violations.push(violation(field, error.to_string())))
            .ok()
    };
    let environment = key("hello.environment", &hello.environment);
    let set = if hello.flag_set.is_empty() {
        None
    } else {
        key("hello.flag_set", &hello.flag_set)
    };
    let holds = hello.revision.as_ref().map(|revision| {
        let revision = Revision::try_from(revision)?;
        Ok((
            revision,
            Held {
                number: revision.number,
                digest: read_digest(&hello.digest)?,
            },
        ))
    });
    let holds = holds.transpose().map_err(|error: proto::revision::LengthError| {
        violations.push(violation(format!("hello.{}", error.field), error.to_string()));
    });
    match (environment, holds) {
        (Some(environment), Ok(holds)) if violations.is_empty() => {
            let introduction = Introduction {
                agent: hello.agent.into(),
                subscription: Subscription { environment, set },
                version: hello.version.chars().take(100).collect(),
                address: None,
                diskless: hello.diskless,
            };
            Ok(Greeting { introduction, holds })
        }
        _ => Err(invalid(&violations)),
    }
}

#[cfg(test)]
mod tests;
