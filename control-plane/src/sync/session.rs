//! One agent's stream: sends what the agent lacks, one transfer at a time, and notes how far it has come.
//!
//! The latest snapshot wins: while a transfer is on its way, newer ones coalesce. An agent that does not read, does not
//! answer or falls silent costs its own stream and nothing else: sending has a deadline, and so has silence.

use std::{sync::Arc, time::Duration};

use evaluation::Revision;
use proto::{
    revision::read_digest,
    v1::{self, sync_request::Message, sync_response},
};
use runtime::shutdown::Shutdown;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tonic::{Status, Streaming};

use super::fleet::{Acked, Fleet, Held, Introduction};
use crate::{
    metrics as names,
    publish::{Published, Publisher, Transfer},
};

/// How long an agent may take to answer a transfer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// Of an agent's heartbeats this many are answered in an interval at most: one that answers ours, where an agent keeps
/// its own time, would be answered for ever.
const ANSWERED: u32 = 4;
/// How long agents are asked to stay away when the server goes.
const GO_AWAY_DELAY_US: i64 = 200_000;

/// An agent's stream.
pub(super) struct Session {
    pub(super) publisher: Arc<Publisher>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) connection: u64,
    pub(super) introduction: Introduction,
    pub(super) snapshots: watch::Receiver<Arc<Published>>,
    pub(super) outbound: mpsc::Sender<Result<v1::SyncResponse, Status>>,
}

/// Why a session ended.
pub(super) enum SessionEnd {
    /// The stream was closed, or the server goes.
    Closed,
    /// Three heartbeats were missed.
    Silent,
    /// What was sent was not read, or not answered, in time.
    Stuck,
    /// The agent has opened another stream.
    Replaced,
    /// A message that does not belong there.
    Wrong(Status),
}

/// What an agent said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// An ack or a nack.
    Answer,
    /// A heartbeat.
    Heartbeat,
}

/// Where the agent stands, as far as this stream knows.
struct Standing {
    /// What it holds.
    held: Option<Arc<Published>>,
    /// What was sent and is neither acked nor nacked, and whether it was whole.
    sent: Option<(Arc<Published>, bool)>,
    /// Until when it must answer what was sent; none if nothing is owed.
    answer_by: Option<Instant>,
    /// A revision whose whole snapshot it refused: nothing is sent until there is another.
    refused: Option<Revision>,
    /// Its own time from its last heartbeat, and when that came.
    agent_time_us: i64,
    /// From when on a heartbeat of it is answered at once.
    answers_from: Instant,
}

impl Standing {
    /// Whether a heartbeat that has just come is answered now, and not by our next one.
    fn is_answered(&mut self, beat: Duration) -> bool {
        let now = Instant::now();
        let answered = now >= self.answers_from;
        if answered {
            self.answers_from = now + beat / ANSWERED;
        }
        answered
    }
}

/// Heartbeats are this far apart, so that a large fleet does not drown the server.
fn heartbeat_interval(agents: usize) -> Duration {
    match agents {
        0..=1_000 => Duration::from_secs(2),
        1_001..=10_000 => Duration::from_secs(10),
        _ => Duration::from_secs(30),
    }
}

impl Session {
    /// Serves the stream until it ends.
    pub(super) async fn run(
        mut self,
        holds: Option<(Revision, Held)>,
        inbound: Streaming<v1::SyncRequest>,
        shutdown: &Shutdown,
    ) -> SessionEnd {
        let beat = heartbeat_interval(self.fleet.connections() + 1);
        let now_us = runtime::clock::now_us();
        let introduction = self.introduction.clone();
        let connected = self
            .fleet
            .connected(introduction, self.connection, beat.as_micros() as i64, now_us);
        let replaced = match connected {
            Ok(replaced) => replaced,
            Err(error) => return SessionEnd::Wrong(Status::resource_exhausted(error.to_string())),
        };
        metrics::gauge!(names::AGENTS_CONNECTED).set(self.fleet.connections() as f64);
        tracing::info!(
            agent = %self.introduction.agent,
            environment = %self.introduction.subscription.environment,
            version = %self.introduction.version,
            "agent connected"
        );
        let end = tokio::select! {
            served = self.serve(holds, inbound, shutdown, beat) => served.err().unwrap_or(SessionEnd::Closed),
            () = replaced.cancelled() => SessionEnd::Replaced,
        };
        self.fleet.disconnected(
            &self.introduction.subscription.environment,
            &self.introduction.agent,
            self.connection,
        );
        end
    }

    async fn serve(
        &mut self,
        holds: Option<(Revision, Held)>,
        mut inbound: Streaming<v1::SyncRequest>,
        shutdown: &Shutdown,
        beat: Duration,
    ) -> Result<(), SessionEnd> {
        let mut standing = self.welcome(holds, beat).await?;
        let mut heartbeats = interval(beat);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silence = Instant::now() + 3 * beat;
        loop {
            if self.send_latest(&mut standing, beat).await? {
                // Nothing was read while the transfer went out.
                silence = Instant::now() + 3 * beat;
            }
            let answer_by = standing.answer_by.unwrap_or(silence + ANSWER_DEADLINE);
            tokio::select! {
                changed = self.snapshots.changed() => if changed.is_err() { return Err(self.deserted()) },
                message = inbound.message() => match message {
                    Ok(Some(message)) => {
                        silence = Instant::now() + 3 * beat;
                        if self.heard(&mut standing, message)? == Heard::Heartbeat && standing.is_answered(beat) {
                            // At once, so that the agent can tell its clock from the server's.
                            self.heartbeat(&standing, beat).await?;
                        }
                    }
                    Ok(None) | Err(_) => return Ok(()),
                },
                _ = heartbeats.tick() => self.heartbeat(&standing, beat).await?,
                () = tokio::time::sleep_until(silence) => return Err(SessionEnd::Silent),
                () = tokio::time::sleep_until(answer_by) => return Err(SessionEnd::Stuck),
                () = shutdown.draining() => {
                    let away = sync_response::Message::GoAway(v1::GoAway { delay_us: GO_AWAY_DELAY_US });
                    return self.send(away, beat).await;
                }
            }
        }
    }

    /// Nothing more will be published: the environment was deleted.
    fn deserted(&self) -> SessionEnd {
        let environment = &self.introduction.subscription.environment;
        SessionEnd::Wrong(Status::not_found(format!("environment {environment} was deleted")))
    }

    /// Finds out what the agent lacks; if it lacks nothing, says so.
    async fn welcome(&mut self, holds: Option<(Revision, Held)>, beat: Duration) -> Result<Standing, SessionEnd> {
        let latest = self.snapshots.borrow_and_update().clone();
        let mut standing = Standing {
            held: None,
            sent: None,
            answer_by: None,
            refused: None,
            agent_time_us: 0,
            answers_from: Instant::now(),
        };
        let Some((revision, held)) = holds else {
            return Ok(standing);
        };
        if held.digest == latest.digest() {
            let current = v1::Current {
                revision: Some(v1::Revision::from(latest.revision)),
            };
            self.send(sync_response::Message::Current(current), beat).await?;
            standing.held = Some(latest);
            standing.answer_by = Some(Instant::now() + ANSWER_DEADLINE);
        } else {
            standing.held = self
                .publisher
                .recent(&self.introduction.subscription, revision, held.digest);
        }
        Ok(standing)
    }

    /// Sends the latest snapshot, unless the agent has it, refused it, or still owes an answer; whether it was sent.
    async fn send_latest(&mut self, standing: &mut Standing, beat: Duration) -> Result<bool, SessionEnd> {
        let latest = self.snapshots.borrow_and_update().clone();
        let has = standing
            .held
            .as_ref()
            .is_some_and(|held| held.revision == latest.revision);
        if standing.sent.is_some() || has || standing.refused == Some(latest.revision) {
            return Ok(false);
        }
        let (transfer, whole) = match &standing.held {
            Some(held) => (latest.delta(held), false),
            None => (latest.whole(), true),
        };
        metrics::counter!(names::TRANSFERS_SENT, "form" => if whole { "snapshot" } else { "delta" }).increment(1);
        standing.sent = Some((latest, whole));
        self.transfer(&transfer, beat).await?;
        standing.answer_by = Some(Instant::now() + ANSWER_DEADLINE);
        Ok(true)
    }

    async fn transfer(&self, transfer: &Transfer, beat: Duration) -> Result<(), SessionEnd> {
        self.send(sync_response::Message::Begin(transfer.begin.clone()), beat)
            .await?;
        for part in &transfer.parts {
            self.send(sync_response::Message::Part(v1::Part { data: part.clone() }), beat)
                .await?;
        }
        self.send(sync_response::Message::End(v1::End {}), beat).await
    }

    async fn heartbeat(&self, standing: &Standing, beat: Duration) -> Result<(), SessionEnd> {
        let heartbeat = v1::ServerHeartbeat {
            server_time_us: runtime::clock::now_us(),
            revision: self.snapshots.borrow().revision.number,
            echoed_agent_time_us: standing.agent_time_us,
            interval_us: beat.as_micros() as i64,
        };
        self.send(sync_response::Message::Heartbeat(heartbeat), beat).await
    }

    async fn send(&self, message: sync_response::Message, beat: Duration) -> Result<(), SessionEnd> {
        let response = v1::SyncResponse { message: Some(message) };
        match tokio::time::timeout(3 * beat, self.outbound.send(Ok(response))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(SessionEnd::Closed),
            Err(_) => Err(SessionEnd::Stuck),
        }
    }

    fn heard(&self, standing: &mut Standing, request: v1::SyncRequest) -> Result<Heard, SessionEnd> {
        let environment = &self.introduction.subscription.environment;
        let now_us = runtime::clock::now_us();
        self.fleet
            .heard(environment, &self.introduction.agent, self.connection, now_us);
        match request.message {
            Some(Message::Ack(ack)) => self.acked(standing, &ack).map(|()| Heard::Answer),
            Some(Message::Nack(nack)) => {
                self.nacked(standing, &nack);
                Ok(Heard::Answer)
            }
            Some(Message::Heartbeat(heartbeat)) => {
                standing.agent_time_us = heartbeat.agent_time_us;
                Ok(Heard::Heartbeat)
            }
            Some(Message::Hello(_)) => Err(wrong("Hello was said already")),
            None => Err(wrong("a message of no known kind")),
        }
    }

    fn acked(&self, standing: &mut Standing, ack: &v1::Ack) -> Result<(), SessionEnd> {
        let (revision, held, persisted) = read_ack(ack)?;
        let mut published_at_us = None;
        if standing
            .sent
            .as_ref()
            .is_some_and(|(sent, _)| sent.revision == revision)
        {
            standing.held = standing.sent.take().map(|(sent, _)| sent);
            published_at_us = standing.held.as_ref().map(|held| held.at_us);
        }
        let (environment, agent) = (&self.introduction.subscription.environment, &self.introduction.agent);
        let Some(known) = standing.held.as_ref().filter(|known| known.revision == revision) else {
            // What was superseded on its way to the disk is on the disk all the same.
            let is_ours = self
                .publisher
                .recent(&self.introduction.subscription, revision, held.digest)
                .is_some();
            if persisted && is_ours {
                self.fleet.persisted(environment, agent, self.connection, held);
            }
            return Ok(());
        };
        if known.digest() != held.digest {
            let number = revision.number;
            return Err(wrong(format!(
                "ack of revision {number} with a digest that is not its own"
            )));
        }
        standing.answer_by = standing.answer_by.filter(|_| standing.sent.is_some());
        let flags = ack
            .held_back
            .iter()
            .filter(|problem| problem.kind() == v1::EntryKind::Flag);
        let acked = Acked {
            held,
            persisted,
            published_at_us,
            problems: problems(&ack.held_back),
            held_back: flags.map(|problem| problem.key.clone()).collect(),
        };
        self.fleet.acked(environment, agent, self.connection, acked);
        Ok(())
    }

    fn nacked(&self, standing: &mut Standing, nack: &v1::Nack) {
        metrics::counter!(names::NACKS).increment(1);
        let problems = problems(&nack.problems);
        tracing::warn!(agent = %self.introduction.agent, ?problems, "agent refused a revision");
        self.fleet.refused(
            &self.introduction.subscription.environment,
            &self.introduction.agent,
            self.connection,
            problems,
        );
        standing.answer_by = None;
        if let Some((sent, whole)) = standing.sent.take() {
            standing.held = None;
            standing.refused = whole.then_some(sent.revision);
        }
    }
}

/// The revision of an ack, what is held, and whether it is on disk.
fn read_ack(ack: &v1::Ack) -> Result<(Revision, Held, bool), SessionEnd> {
    let revision = ack.revision.as_ref().ok_or_else(|| wrong("ack without a revision"))?;
    let revision = Revision::try_from(revision).map_err(|error| wrong(error.to_string()))?;
    let digest = read_digest(&ack.digest).map_err(|error| wrong(error.to_string()))?;
    let persisted = match ack.level() {
        v1::AckLevel::Applied => false,
        v1::AckLevel::Persisted => true,
        v1::AckLevel::Unspecified => return Err(wrong("ack without a level")),
    };
    let number = revision.number;
    Ok((revision, Held { number, digest }, persisted))
}

fn wrong(message: impl Into<String>) -> SessionEnd {
    SessionEnd::Wrong(Status::invalid_argument(message))
}

/// Problems in words, the first twenty.
fn problems(problems: &[v1::EntryProblem]) -> Vec<String> {
    let words = |problem: &v1::EntryProblem| match problem.key.as_str() {
        "" => problem.reason.clone(),
        key => format!("{key}: {}", problem.reason),
    };
    problems.iter().take(20).map(words).collect()
}

#[cfg(test)]
mod tests;
