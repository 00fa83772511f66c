//! The door of health: reads an agent's stream, checks each message whole, and hands its frames to the collector.
//!
//! A stream belongs to one process of one agent in one environment; its first message says which. Answers come from the
//! collector, so reading and answering never wait for each other, except that a full queue stops the reading. Whatever
//! is wrong ends the stream with a status that names it: an agent that went on would have its frames counted in part.

use std::{
    pin::{Pin, pin},
    sync::Arc,
};

use evaluation::{Key, Violation};
use futures::StreamExt as _;
use metrics::counter;
use proto::{
    status::{invalid, violation},
    v1::{ReportRequest, ReportResponse, health_server::Health},
};
use runtime::shutdown::Shutdown;
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status, Streaming};

use super::{
    check::check,
    frames::{Checked, Reporter},
    intake::Intake,
    metrics as names,
    sessions::Reply,
};
use crate::{state::State, sync::fleet::Fleet};

/// Answers that wait for an agent to read.
const OUTBOUND: usize = 16;
/// Messages that are handed over together if they are there; their frames fill a quarter of the queue at most.
const TOGETHER: usize = 16;
/// The longest id of an agent, in bytes.
const AGENT_BYTES: usize = 200;
/// Of what is wrong in a message so much is logged.
const LOGGED: usize = 3;

/// The service `tidegate.v1.Health`.
#[derive(Debug, Clone)]
pub(crate) struct HealthService {
    intake: Intake,
    fleet: Arc<Fleet>,
    states: watch::Receiver<Arc<State>>,
    shutdown: Shutdown,
}

/// Who speaks on a stream, fixed by its first message and its first frame.
#[derive(Debug, Default)]
struct Speaker {
    reporter: Option<Reporter>,
    environment: Option<Key>,
    /// Whether the collector knows where its answers go.
    is_known: bool,
}

/// How a stream ends before its agent closes it.
#[derive(Debug)]
enum End {
    /// The connection is gone.
    Gone,
    /// A message was not taken.
    Refused(Refusal),
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    /// It is no message, or too large.
    #[error("a message cannot be read: {0}")]
    Unreadable(String),
    /// It is malformed.
    #[error("malformed")]
    Malformed(Vec<Violation>),
    /// There is no such environment.
    #[error("environment {0:?} does not exist; create it, or start the agent with another --environment")]
    NoEnvironment(String),
    /// It serves another.
    #[error("agent {agent:?} serves environment {serves}, not {claimed}; two agents must not have one id")]
    ElsewhereAlive {
        /// Who speaks.
        agent: String,
        /// What it says that it serves.
        claimed: Key,
        /// What it does.
        serves: Key,
    },
}

impl HealthService {
    /// The service before a collector.
    pub(crate) fn new(
        intake: Intake,
        fleet: Arc<Fleet>,
        states: watch::Receiver<Arc<State>>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            intake,
            fleet,
            states,
            shutdown,
        }
    }

    /// Reads a stream to its end.
    async fn read(self, requests: Streaming<ReportRequest>, reply: mpsc::Sender<Reply>) {
        let mut speaker = Speaker::default();
        let mut requests = pin!(requests.ready_chunks(TOGETHER));
        let mut over = pin!(async {
            tokio::select! {
                () = self.shutdown.draining() => {}
                () = reply.closed() => {}
            }
        });
        loop {
            let messages = tokio::select! {
                biased;
                messages = requests.next() => messages,
                // Asked when nothing is there to read; who hands over learns of an end there.
                () = &mut over => return,
            };
            match messages {
                Some(messages) => {
                    if !self.pass_on(&mut speaker, messages, &reply).await {
                        return;
                    }
                }
                None => {
                    if let Some(reporter) = speaker.reporter {
                        // If the collector has stopped, so has the process: the stream ends anyway.
                        let _ = self.intake.leave(reporter, reply.clone()).await;
                    }
                    return;
                }
            }
        }
    }

    /// Hands messages on that came together; false if the stream must end.
    async fn pass_on(
        &self,
        speaker: &mut Speaker,
        messages: Vec<Result<ReportRequest, Status>>,
        reply: &mpsc::Sender<Reply>,
    ) -> bool {
        let (frames, end) = speaker.admit_all(&self.states.borrow(), &self.fleet, messages, runtime::clock::now_us());
        if let Some(reporter) = &speaker.reporter {
            let reply = (!std::mem::replace(&mut speaker.is_known, true)).then(|| reply.clone());
            if self.intake.submit(reporter.clone(), frames, reply).await.is_err() {
                return false;
            }
        }
        match end {
            None => true,
            // Whoever could be told is gone with the connection.
            Some(End::Gone) => false,
            Some(End::Refused(refusal)) => {
                counter!(names::MESSAGES_REFUSED, "reason" => refusal.name()).increment(1);
                tracing::warn!(reporter = ?speaker.reporter, refusal = refusal.said(), "a message of frames was refused");
                // An agent that is gone needs no reason.
                let _ = reply.send(Err(refusal.into())).await;
                false
            }
        }
    }
}

impl Speaker {
    /// Checks messages in their order: the frames of those before the first that is not taken, and why that one is not.
    fn admit_all(
        &mut self,
        state: &State,
        fleet: &Fleet,
        messages: Vec<Result<ReportRequest, Status>>,
        now_us: i64,
    ) -> (Vec<Checked>, Option<End>) {
        let mut admitted = Vec::new();
        for message in messages {
            let request = match message {
                Ok(request) => request,
                Err(status) => return (admitted, Some(End::of(&status))),
            };
            match self.admit(state, fleet, request, now_us) {
                Ok(frames) if admitted.is_empty() => admitted = frames,
                Ok(frames) => admitted.extend(frames),
                Err(refusal) => return (admitted, Some(End::Refused(refusal))),
            }
        }
        (admitted, None)
    }

    /// Checks a message. On an error nothing of it is counted.
    fn admit(
        &mut self,
        state: &State,
        fleet: &Fleet,
        request: ReportRequest,
        now_us: i64,
    ) -> Result<Vec<Checked>, Refusal> {
        self.meet(&request)?;
        let Some(first) = request.frames.first() else {
            return Ok(Vec::new());
        };
        let environment = match &self.environment {
            Some(environment) => environment.clone(),
            None => home(fleet, environment(state, &first.environment)?, &request.agent, now_us)?,
        };
        let frames = check(state, &environment, request.frames, now_us).map_err(Refusal::Malformed)?;
        self.environment = Some(environment);
        Ok(frames)
    }

    /// Learns who speaks, or checks that it is still the same.
    fn meet(&mut self, request: &ReportRequest) -> Result<(), Refusal> {
        let mut violations = Vec::new();
        if request.agent.is_empty() || request.agent.len() > AGENT_BYTES {
            violations.push(violation("agent", "must be 1 to 200 bytes"));
        }
        if let Some(first) = &self.reporter {
            if *first.agent != *request.agent {
                violations.push(violation("agent", "must be that of the stream's first message"));
            }
            if first.epoch != request.epoch {
                violations.push(violation("epoch", "must be that of the stream's first message"));
            }
        }
        if !violations.is_empty() {
            return Err(Refusal::Malformed(violations));
        }
        self.reporter.get_or_insert_with(|| Reporter {
            agent: request.agent.as_str().into(),
            epoch: request.epoch,
        });
        Ok(())
    }
}

fn environment(state: &State, text: &str) -> Result<Key, Refusal> {
    let environment = Key::parse(text)
        .map_err(|error| Refusal::Malformed(vec![violation("frames[0].environment", error.to_string())]))?;
    if state.environments.contains_key(&environment) {
        Ok(environment)
    } else {
        Err(Refusal::NoEnvironment(text.to_owned()))
    }
}

/// The environment, unless its agent is known to serve another.
fn home(fleet: &Fleet, claimed: Key, agent: &str, now_us: i64) -> Result<Key, Refusal> {
    match fleet.lives_elsewhere(&claimed, agent, now_us) {
        None => Ok(claimed),
        Some(serves) => Err(Refusal::ElsewhereAlive {
            agent: agent.to_owned(),
            claimed,
            serves,
        }),
    }
}

impl End {
    /// What ended it, as the transport tells: a message that cannot be decoded is the agent's, all else the connection's.
    fn of(status: &Status) -> Self {
        match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => {
                Self::Refused(Refusal::Unreadable(status.message().to_owned()))
            }
            Code::Internal if status.message().contains("decode") => {
                Self::Refused(Refusal::Unreadable(status.message().to_owned()))
            }
            _ => Self::Gone,
        }
    }
}

impl Refusal {
    /// As a label.
    fn name(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => names::UNREADABLE,
            Self::Malformed(_) => names::MALFORMED,
            Self::NoEnvironment(_) => names::NO_ENVIRONMENT,
            Self::ElsewhereAlive { .. } => names::OTHER_ENVIRONMENT,
        }
    }

    /// With the first of what is wrong, for the log.
    fn said(&self) -> String {
        match self {
            Self::Malformed(violations) => {
                let first = violations.iter().take(LOGGED);
                let first = first.map(|violation| format!("{}: {}", violation.field, violation.description));
                format!("{self}: {}", first.collect::<Vec<_>>().join("; "))
            }
            Self::Unreadable(_) | Self::NoEnvironment(_) | Self::ElsewhereAlive { .. } => self.to_string(),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::Malformed(violations) => invalid(violations),
            Refusal::Unreadable(_) => Self::invalid_argument(refusal.to_string()),
            Refusal::NoEnvironment(_) => Self::not_found(refusal.to_string()),
            Refusal::ElsewhereAlive { .. } => Self::failed_precondition(refusal.to_string()),
        }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    type ReportStream = Pin<Box<dyn Stream<Item = Result<ReportResponse, Status>> + Send>>;

    async fn report(&self, request: Request<Streaming<ReportRequest>>) -> Result<Response<Self::ReportStream>, Status> {
        let (reply, answers) = mpsc::channel(OUTBOUND);
        let (service, shutdown) = (self.clone(), self.shutdown.clone());
        self.shutdown
            .spawn("health-stream", service.read(request.into_inner(), reply));
        let answers = ReceiverStream::new(answers).take_until(async move { shutdown.draining().await });
        Ok(Response::new(Box::pin(answers)))
    }
}

#[cfg(test)]
mod tests;
