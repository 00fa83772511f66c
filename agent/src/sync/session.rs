//! One open sync stream: what the server says and what this agent answers.
//!
//! The one rule: every transfer is answered, by an ack of what is in use or a nack of what was refused, before the next
//! one is read. "Persisted" is said when the disk says so. A server that is silent for three heartbeat intervals is
//! left.

use std::time::Duration;

use evaluation::{Revision, Snapshot};
use proto::v1::{self, sync_request::Message as Request, sync_response::Message as Response};
use runtime::clock::now_us;
use tokio::{sync::mpsc, time::Instant};
use tonic::{Status, Streaming};

use super::{
    apply::{ApplyError, Built, build},
    client::Client,
    transfer::{Assembly, OrderError, Transfer},
};
use crate::{
    metrics,
    server_clock::RoundTrips,
    snapshot::{Refusal, Stamp},
};

/// The heartbeat interval until the server names one.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);
/// A stream that was heard this long after it opened was no failed attempt.
const STEADY: Duration = DEFAULT_INTERVAL;
/// Bounds of the interval that a server may name.
const INTERVAL_BOUNDS_US: (i64, i64) = (100_000, 300_000_000);
/// Silence of this many intervals ends a connection.
const SILENT_INTERVALS: u32 = 3;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// Nobody there.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The server ended the stream with an error.
    #[error("{}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
    /// The server ended the stream.
    #[error("the stream was closed")]
    Closed,
    /// Nothing was heard for too long.
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    /// The server said that it will close.
    #[error("the control plane asked to reconnect")]
    GoAway(Duration),
    /// The server does not follow the protocol.
    #[error("the control plane broke the protocol: {0}")]
    Order(#[from] OrderError),
    /// The server does not read what it is sent.
    #[error("the control plane does not read")]
    Unread,
    /// Building a snapshot panicked, or the process is ending.
    #[error("a snapshot could not be built")]
    Unbuilt,
    /// The copy on disk is lost.
    #[error("the copy on disk is lost, a whole snapshot is needed")]
    WholeWanted,
}

impl Ended {
    /// How long the server asked to be left alone.
    pub(super) fn delay(&self) -> Duration {
        match self {
            Self::GoAway(delay) => *delay,
            Self::Unreachable(_)
            | Self::Status(_)
            | Self::Closed
            | Self::Silent(_)
            | Self::Order(_)
            | Self::Unread
            | Self::Unbuilt
            | Self::WholeWanted => Duration::ZERO,
        }
    }
}

/// Why a revision was refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// It could not be built.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// It was built and not installed.
    #[error(transparent)]
    Install(#[from] Refusal),
}

/// What the agent sends; never waits.
#[derive(Debug)]
pub(crate) struct Outbound(mpsc::Sender<v1::SyncRequest>);

impl Outbound {
    pub(super) fn new(sender: mpsc::Sender<v1::SyncRequest>) -> Self {
        Self(sender)
    }

    pub(super) fn send(&self, message: Request) -> Result<(), Ended> {
        self.0
            .try_send(v1::SyncRequest { message: Some(message) })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Ended::Unread,
                mpsc::error::TrySendError::Closed(_) => Ended::Closed,
            })
    }
}

/// One open stream.
pub(crate) struct Session<'c> {
    client: &'c mut Client,
    outbound: Outbound,
    assembly: Assembly,
    round_trips: RoundTrips,
    interval: Duration,
    opened_us: i64,
}

impl<'c> Session<'c> {
    pub(super) fn new(client: &'c mut Client, outbound: Outbound) -> Self {
        Self {
            assembly: Assembly::new(client.transfer_limit),
            client,
            outbound,
            round_trips: RoundTrips::default(),
            interval: DEFAULT_INTERVAL,
            opened_us: now_us(),
        }
    }

    /// Speaks until the connection ends; `lively` says whether the server was heard after the first moments. One that
    /// answers and ends each stream at once, as two agents with one id make it do, must not be asked ever faster.
    pub(super) async fn run(mut self, mut inbound: Streaming<v1::SyncResponse>, lively: &mut bool) -> Ended {
        let opened = Instant::now();
        let mut persisted = self.client.persisted();
        let whole_wanted = self.client.whole_becomes_wanted();
        tokio::pin!(whole_wanted);
        let (mut heard, mut beat) = (Instant::now(), Instant::now());
        loop {
            let silence = self.interval * SILENT_INTERVALS;
            let step = tokio::select! {
                message = inbound.message() => {
                    let step = match message {
                        Ok(Some(message)) => {
                            *lively |= opened.elapsed() >= STEADY;
                            self.heard(*lively);
                            self.hear(message).await
                        }
                        Ok(None) => Err(Ended::Closed),
                        Err(status) => Err(Ended::Status(Box::new(status))),
                    };
                    heard = Instant::now();
                    step
                }
                stamp = next_persisted(&mut persisted) => self.ack(stamp, v1::AckLevel::Persisted),
                () = tokio::time::sleep_until(beat) => {
                    beat = Instant::now() + self.interval;
                    self.outbound.send(Request::Heartbeat(v1::AgentHeartbeat { agent_time_us: now_us() }))
                }
                () = tokio::time::sleep_until(heard + silence) => Err(Ended::Silent(silence)),
                () = &mut whole_wanted => Err(Ended::WholeWanted),
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    /// The control plane said something. An error is no sign that it stands behind what is held.
    fn heard(&mut self, lively: bool) {
        self.client.contact.heard();
        if lively {
            self.client.steady();
        }
    }

    async fn hear(&mut self, message: v1::SyncResponse) -> Result<(), Ended> {
        match message.message {
            Some(Response::Begin(begin)) => Ok(self.assembly.begin(&begin)?),
            Some(Response::Part(part)) => Ok(self.assembly.part(&part.data)?),
            Some(Response::End(_)) => match self.assembly.end()? {
                Ok(transfer) => self.take(transfer).await,
                Err((revision, wrong)) => self.nack(revision, &wrong.to_string()),
            },
            Some(Response::Current(current)) => self.current(&current),
            Some(Response::Heartbeat(heartbeat)) => {
                self.heartbeat(&heartbeat);
                Ok(())
            }
            Some(Response::GoAway(go_away)) => {
                let delay_us = u64::try_from(go_away.delay_us.clamp(0, INTERVAL_BOUNDS_US.1)).unwrap_or(0);
                Err(Ended::GoAway(Duration::from_micros(delay_us)))
            }
            // A message that a later server may send; nothing of this version depends on it.
            None => Ok(()),
        }
    }

    /// Builds, installs and answers a complete transfer.
    async fn take(&mut self, transfer: Transfer) -> Result<(), Ended> {
        let (held, to) = (self.client.holder.load_full(), transfer.to);
        let built = tokio::task::spawn_blocking(move || build(&held, transfer))
            .await
            .map_err(|_| Ended::Unbuilt)?;
        match built
            .map_err(Refused::from)
            .and_then(|built| Ok(self.client.install(built, to)?))
        {
            Ok(()) => {
                tracing::info!(revision = %to.revision, held_back = self.client.held_back.len(), "snapshot in use");
                self.ack(to, v1::AckLevel::Applied)
            }
            Err(refused) => self.nack(to.revision, &refused.to_string()),
        }
    }

    /// The server holds what is held here, under a number that may be another.
    fn current(&mut self, current: &v1::Current) -> Result<(), Ended> {
        let revision =
            Revision::try_from(current.revision.as_ref().ok_or(OrderError::Unnamed)?).map_err(OrderError::from)?;
        let held = self.client.holder.load_full();
        let mut stamp = Stamp {
            revision: held.revision(),
            digest: held.digest(),
        };
        if revision != stamp.revision {
            stamp.revision = revision;
            let snapshot = Snapshot::new(revision, held.index().clone());
            let renamed = Built {
                snapshot,
                held_back: Vec::new(),
                received: Vec::new(),
                whole: false,
            };
            if let Err(refusal) = self.client.install(renamed, stamp) {
                return self.nack(revision, &refusal.to_string());
            }
        }
        self.ack(stamp, v1::AckLevel::Applied)?;
        let persisted = self.client.persisted().and_then(|persisted| *persisted.borrow());
        match persisted.filter(|persisted| *persisted == stamp) {
            Some(stamp) => self.ack(stamp, v1::AckLevel::Persisted),
            None => Ok(()),
        }
    }

    fn heartbeat(&mut self, heartbeat: &v1::ServerHeartbeat) {
        let (least, most) = INTERVAL_BOUNDS_US;
        if heartbeat.interval_us > 0 {
            self.interval = Duration::from_micros(u64::try_from(heartbeat.interval_us.clamp(least, most)).unwrap_or(0));
        }
        metrics::revision_wanted(heartbeat.revision);
        // An echo from before this stream opened is of another one.
        let sent_us = Some(heartbeat.echoed_agent_time_us).filter(|sent_us| *sent_us >= self.opened_us);
        if let Some(offset_us) = self.round_trips.add(sent_us, now_us(), heartbeat.server_time_us) {
            self.client.clock.adjust(offset_us);
        }
    }

    fn ack(&self, stamp: Stamp, level: v1::AckLevel) -> Result<(), Ended> {
        self.outbound.send(Request::Ack(v1::Ack {
            revision: Some(stamp.revision.into()),
            digest: proto::revision::write_digest(stamp.digest),
            level: level.into(),
            held_back: self.client.held_back.iter().map(v1::EntryProblem::from).collect(),
        }))
    }

    fn nack(&self, revision: Revision, reason: &str) -> Result<(), Ended> {
        tracing::error!(%revision, reason, "snapshot refused; serving what is held");
        metrics::nack();
        let kind = v1::EntryKind::Unspecified.into();
        let problem = v1::EntryProblem {
            kind,
            key: String::new(),
            reason: reason.to_owned(),
        };
        self.outbound.send(Request::Nack(v1::Nack {
            revision: Some(revision.into()),
            problems: vec![problem],
        }))
    }
}

/// The next snapshot that reached the disk.
async fn next_persisted(persisted: &mut Option<tokio::sync::watch::Receiver<Option<Stamp>>>) -> Stamp {
    if let Some(persisted) = persisted {
        while persisted.changed().await.is_ok() {
            if let Some(stamp) = *persisted.borrow_and_update() {
                return stamp;
            }
        }
    }
    std::future::pending().await
}
