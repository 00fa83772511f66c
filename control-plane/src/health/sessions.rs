//! What is owed to the agents that are connected: acks, refusals, intervals.
//!
//! An ack says "up to here", so of several that are owed only the last one is sent, and an agent that does not read
//! costs one entry for each of its rollouts and delays nobody. The rule: what was not handed over stays owed.

use std::collections::{BTreeMap, HashMap};

use proto::v1::{FrameAck, ReportInterval, ReportResponse};
use tokio::sync::mpsc::{Sender, error::TrySendError};
use tonic::Status;

use super::frames::Reporter;

/// What goes down the stream of an agent.
pub(crate) type Reply = Result<ReportResponse, Status>;

/// How long an agent that has closed its side may wait for its last acks.
const LEAVE_US: i64 = 10_000_000;

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: HashMap<Reporter, Session>,
}

#[derive(Debug)]
struct Session {
    reply: Sender<Reply>,
    acks: BTreeMap<u32, u64>,
    refusals: BTreeMap<u32, (u64, &'static str)>,
    intervals: BTreeMap<u32, i64>,
    told: BTreeMap<u32, i64>,
    leaving_at_us: Option<i64>,
}

impl Sessions {
    /// Frames came over a stream: what is owed to their reporter goes there from now on.
    pub(super) fn heard(&mut self, reporter: &Reporter, reply: Sender<Reply>) {
        match self.open.get_mut(reporter) {
            Some(session) if session.reply.same_channel(&reply) => {}
            Some(_) | None => {
                self.open.insert(reporter.clone(), Session::new(reply));
            }
        }
    }

    /// The agent will send nothing more over this stream.
    pub(super) fn leaving(&mut self, reporter: &Reporter, reply: &Sender<Reply>, now_us: i64) {
        if let Some(session) = self
            .open
            .get_mut(reporter)
            .filter(|session| session.reply.same_channel(reply))
        {
            session.leaving_at_us = Some(now_us);
        }
    }

    /// All frames up to a sequence are durable.
    pub(super) fn ack(&mut self, reporter: &Reporter, rollout: u32, sequence: u64) {
        if let Some(session) = self.open.get_mut(reporter) {
            let owed = session.acks.entry(rollout).or_default();
            *owed = sequence.max(*owed);
        }
    }

    /// A frame will never be counted.
    pub(super) fn refuse(&mut self, reporter: &Reporter, rollout: u32, sequence: u64, why: &'static str) {
        if let Some(session) = self.open.get_mut(reporter) {
            let owed = session.refusals.entry(rollout).or_default();
            *owed = (sequence.max(owed.0), why);
        }
    }

    /// How often frames of a rollout are due; sent when it differs from what this stream was told.
    pub(super) fn interval(&mut self, reporter: &Reporter, rollout: u32, interval_us: i64) {
        if let Some(session) = self.open.get_mut(reporter)
            && session.told.insert(rollout, interval_us) != Some(interval_us)
        {
            session.intervals.insert(rollout, interval_us);
        }
    }

    /// Ends a stream.
    pub(super) fn fail(&mut self, reporter: &Reporter, status: Status) {
        if let Some(session) = self.open.remove(reporter) {
            // There is room: `flush` leaves one place. What fails is to tell an agent that is gone.
            let _ = session.reply.try_send(Err(status));
        }
    }

    /// Sends what is owed, and lets go of streams that are gone, or whose agent leaves and waits for nothing more.
    pub(super) fn flush(&mut self, waits: impl Fn(&Reporter) -> bool, now_us: i64) {
        self.open.retain(|reporter, session| {
            let is_open = session.flush();
            let stays = session.leaving_at_us.is_none_or(|since_us| {
                now_us.saturating_sub(since_us) < LEAVE_US && (session.is_owed() || waits(reporter))
            });
            is_open && stays
        });
    }
}

impl Session {
    fn new(reply: Sender<Reply>) -> Self {
        Self {
            reply,
            acks: BTreeMap::new(),
            refusals: BTreeMap::new(),
            intervals: BTreeMap::new(),
            told: BTreeMap::new(),
            leaving_at_us: None,
        }
    }

    fn is_owed(&self) -> bool {
        !(self.acks.is_empty() && self.refusals.is_empty() && self.intervals.is_empty())
    }

    /// False when the stream is gone.
    fn flush(&mut self) -> bool {
        if !self.is_owed() {
            return !self.reply.is_closed();
        }
        if self.reply.capacity() == 1 {
            // The last place is for the status that ends the stream.
            return true;
        }
        let acks = self.acks.iter().map(|(rollout, sequence)| ack(*rollout, *sequence, ""));
        let refusals = self
            .refusals
            .iter()
            .map(|(rollout, (sequence, why))| ack(*rollout, *sequence, why));
        let intervals = self.intervals.iter();
        let response = ReportResponse {
            acks: refusals.chain(acks).collect(),
            intervals: intervals
                .map(|(&rollout, &interval_us)| ReportInterval { rollout, interval_us })
                .collect(),
        };
        match self.reply.try_send(Ok(response)) {
            Ok(()) => {
                self.acks.clear();
                self.refusals.clear();
                self.intervals.clear();
                true
            }
            Err(TrySendError::Full(_)) => true,
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

fn ack(rollout: u32, sequence: u64, refused: &str) -> FrameAck {
    FrameAck {
        rollout,
        sequence,
        refused: refused.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::sync::mpsc;

    use super::*;

    fn reporter() -> Reporter {
        Reporter {
            agent: "agent".into(),
            epoch: 1,
        }
    }

    #[test]
    fn a_slow_agent_gets_the_latest_ack_once_it_reads() {
        let (reply, mut answers) = mpsc::channel(2);
        let mut sessions = Sessions::default();
        sessions.heard(&reporter(), reply);
        for sequence in [3, 5, 4] {
            sessions.ack(&reporter(), 7, sequence);
            sessions.flush(|_| true, 0);
        }
        assert_eq!(answers.try_recv().unwrap().unwrap().acks, [ack(7, 3, "")]);
        sessions.flush(|_| true, 0);
        assert_eq!(answers.try_recv().unwrap().unwrap().acks, [ack(7, 5, "")]);
    }

    #[test]
    fn an_interval_is_told_once_to_each_stream() {
        let (reply, mut answers) = mpsc::channel(4);
        let mut sessions = Sessions::default();
        sessions.heard(&reporter(), reply.clone());
        for _ in 0..3 {
            sessions.heard(&reporter(), reply.clone());
            sessions.interval(&reporter(), 7, 1_000_000);
            sessions.flush(|_| true, 0);
        }
        assert_eq!(answers.try_recv().unwrap().unwrap().intervals.len(), 1);
        assert!(answers.try_recv().is_err());
        let (reply, mut answers) = mpsc::channel(4);
        sessions.heard(&reporter(), reply);
        sessions.interval(&reporter(), 7, 1_000_000);
        sessions.flush(|_| true, 0);
        assert_eq!(answers.try_recv().unwrap().unwrap().intervals.len(), 1);
    }

    #[test]
    fn a_leaving_agent_is_kept_until_its_last_ack_but_not_for_ever() {
        for (waits, now_us, is_open) in [(true, LEAVE_US - 1, true), (false, 1, false), (true, LEAVE_US, false)] {
            let (reply, answers) = mpsc::channel(1);
            let mut sessions = Sessions::default();
            sessions.heard(&reporter(), reply.clone());
            sessions.leaving(&reporter(), &reply, 0);
            drop(reply);
            sessions.flush(|_| waits, now_us);
            assert_eq!(answers.sender_strong_count() == 1, is_open, "{waits} {now_us}");
        }
    }
}
