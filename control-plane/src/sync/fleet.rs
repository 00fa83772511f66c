//! The fleet: every agent that has been heard of, and how far it has come.
//!
//! Sessions write what their agent says; the engine and operators read. "Live" is a stream that is open and a heartbeat
//! within three intervals, so a frozen agent stops counting though its connection stands.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use evaluation::{Digest, Key};
use rollout::Delivery;
use tokio::sync::watch;

use crate::publish::{Publisher, Subscription};

/// An agent that is not live is remembered for a day.
const REMEMBERED_US: i64 = 24 * 60 * 60 * 1_000_000;

/// What an agent says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Introduction {
    /// Its id.
    pub(crate) agent: Arc<str>,
    /// What it subscribes to.
    pub(crate) subscription: Subscription,
    /// Its version.
    pub(crate) version: String,
    /// Where it connects from.
    pub(crate) address: Option<SocketAddr>,
    /// It keeps nothing on disk.
    pub(crate) diskless: bool,
}

/// What is known of one agent.
#[derive(Debug, Clone)]
pub(crate) struct AgentRecord {
    /// What it said of itself.
    pub(crate) introduction: Introduction,
    /// Its open stream.
    connection: Option<u64>,
    /// When it was last heard of.
    pub(crate) seen_at_us: i64,
    /// How often it sends heartbeats.
    interval_us: i64,
    /// What it has in use.
    pub(crate) applied: Option<Held>,
    /// What it has on disk.
    pub(crate) persisted: Option<Held>,
    /// What it refused or holds back.
    pub(crate) problems: Vec<String>,
}

/// A revision that an agent holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its number.
    pub(crate) number: u64,
    /// Its digest.
    pub(crate) digest: Digest,
}

/// How far a wanted revision has come in the fleet of a flag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Counts over the live agents.
    pub(crate) delivery: Delivery,
    /// Agents that are not live and have not got it.
    pub(crate) unreached: Vec<String>,
}

/// Everything that is known of all agents.
#[derive(Debug)]
pub(crate) struct Fleet {
    agents: Mutex<BTreeMap<(Key, Arc<str>), AgentRecord>>,
    changes: watch::Sender<u64>,
}

impl AgentRecord {
    /// Whether its stream is open and it was heard of lately.
    pub(crate) fn is_live(&self, now_us: i64) -> bool {
        self.connection.is_some() && now_us - self.seen_at_us <= 3 * self.interval_us
    }

    fn holds(&self, set: Option<&Key>) -> bool {
        self.introduction.subscription.set.is_none() || self.introduction.subscription.set.as_ref() == set
    }
}

impl Fleet {
    /// An empty fleet.
    pub(crate) fn new() -> Self {
        Self {
            agents: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    fn agents(&self) -> MutexGuard<'_, BTreeMap<(Key, Arc<str>), AgentRecord>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes when anything about any agent has changed that a rollout may wait for.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// An agent has opened a stream. A later stream of the same agent replaces this one.
    pub(crate) fn connected(&self, introduction: Introduction, connection: u64, interval_us: i64, now_us: i64) {
        let key = (
            introduction.subscription.environment.clone(),
            introduction.agent.clone(),
        );
        let mut agents = self.agents();
        let before = agents.remove(&key);
        let (applied, persisted) = before.map_or((None, None), |before| (before.applied, before.persisted));
        let record = AgentRecord {
            introduction,
            connection: Some(connection),
            seen_at_us: now_us,
            interval_us,
            applied,
            persisted,
            problems: Vec::new(),
        };
        agents.insert(key, record);
        drop(agents);
        self.changed();
    }

    /// A stream has ended.
    pub(crate) fn disconnected(&self, environment: &Key, agent: &Arc<str>, connection: u64) {
        self.edit(environment, agent, connection, |record| record.connection = None);
        self.changed();
    }

    /// An agent was heard of.
    pub(crate) fn heard(&self, environment: &Key, agent: &Arc<str>, connection: u64, now_us: i64) {
        let mut revived = false;
        self.edit(environment, agent, connection, |record| {
            revived = !record.is_live(now_us);
            record.seen_at_us = now_us;
        });
        if revived {
            self.changed();
        }
    }

    /// An agent has a revision in use, and maybe on disk.
    pub(crate) fn acked(
        &self,
        environment: &Key,
        agent: &Arc<str>,
        connection: u64,
        held: Held,
        persisted: bool,
        problems: Vec<String>,
    ) {
        self.edit(environment, agent, connection, |record| {
            record.applied = Some(held);
            if persisted || record.introduction.diskless {
                record.persisted = Some(held);
            }
            record.problems = problems;
        });
        self.changed();
    }

    /// An agent refused a revision.
    pub(crate) fn refused(&self, environment: &Key, agent: &Arc<str>, connection: u64, problems: Vec<String>) {
        self.edit(environment, agent, connection, |record| record.problems = problems);
    }

    fn edit(&self, environment: &Key, agent: &Arc<str>, connection: u64, edit: impl FnOnce(&mut AgentRecord)) {
        if let Some(record) = self.agents().get_mut(&(environment.clone(), agent.clone()))
            && record.connection == Some(connection)
        {
            edit(record);
        }
    }

    /// How many streams are open.
    pub(crate) fn connections(&self) -> usize {
        self.agents()
            .values()
            .filter(|record| record.connection.is_some())
            .count()
    }

    /// Agents of an environment that are live or were heard of in the last day.
    pub(crate) fn of(&self, environment: &Key, now_us: i64) -> Vec<AgentRecord> {
        let mut agents = self.agents();
        agents.retain(|_, record| record.connection.is_some() || now_us - record.seen_at_us <= REMEMBERED_US);
        agents
            .iter()
            .filter(|((owner, _), _)| owner == environment)
            .map(|(_, record)| record.clone())
            .collect()
    }

    /// Live agents whose subscription holds the flags of a set (none: flags without a set).
    pub(crate) fn live_agents(&self, environment: &Key, set: Option<&Key>) -> Vec<Arc<str>> {
        let now_us = runtime::clock::now_us();
        let agents = self.agents();
        let live = agents
            .iter()
            .filter(|((owner, _), record)| owner == environment && record.is_live(now_us) && record.holds(set));
        live.map(|((_, agent), _)| agent.clone()).collect()
    }

    /// How far a store revision has come among the agents that hold a flag of a set.
    ///
    /// An agent has it if the revision it acked is not below it, or if it holds what is equal to the latest snapshot of
    /// its subscription and that snapshot shows the revision.
    pub(crate) fn reach(
        &self,
        publisher: &Publisher,
        environment: &Key,
        set: Option<&Key>,
        wanted: u64,
        now_us: i64,
    ) -> Reach {
        let mut reach = Reach::default();
        for record in self.of(environment, now_us) {
            if !record.holds(set) {
                continue;
            }
            let current = publisher.current(&record.introduction.subscription);
            let has = |held: Option<Held>| {
                held.is_some_and(|held| {
                    held.number >= wanted
                        || current.is_some_and(|(revision, digest)| revision >= wanted && digest == held.digest)
                })
            };
            if record.is_live(now_us) {
                reach.delivery.live += 1;
                reach.delivery.applied += u32::from(has(record.applied));
                reach.delivery.persisted += u32::from(has(record.persisted));
            } else if !has(record.persisted) {
                reach.unreached.push(record.introduction.agent.to_string());
            }
        }
        reach
    }
}
