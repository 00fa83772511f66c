//! The fleet: every agent that has been heard of, and how far it has come.
//!
//! Sessions write what their agent says; the engine and operators read. "Live" is a stream that is open and a heartbeat
//! within three intervals, so a frozen agent stops counting though its connection stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use evaluation::{Digest, Key};
use rollout::Delivery;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    publish::{Publisher, Subscription},
    store::model::KnownAgent,
};

/// Agents that are remembered at most; more are turned away.
const AGENTS_LIMIT: usize = 100_000;
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
    /// Ends that stream when the agent opens another.
    replaced: CancellationToken,
    /// When its stream was opened.
    connected_at_us: i64,
    /// When it was first heard of.
    pub(crate) first_seen_at_us: i64,
    /// When it was last heard of.
    pub(crate) seen_at_us: i64,
    /// From the publication of what it applied last until it said so; none: it was not connected at the time.
    pub(crate) lag_us: Option<i64>,
    /// How often it sends heartbeats.
    interval_us: i64,
    /// What it has in use.
    pub(crate) applied: Option<Held>,
    /// What it has on disk.
    pub(crate) persisted: Option<Held>,
    /// What it refused or holds back, in words.
    pub(crate) problems: Vec<String>,
    /// Keys of the flags that it holds back: of these it serves what it had before.
    held_back: BTreeSet<String>,
}

/// An agent's answer to a revision.
#[derive(Debug)]
pub(crate) struct Acked {
    /// What it has in use.
    pub(crate) held: Held,
    /// It is on disk, too.
    pub(crate) persisted: bool,
    /// When it was published, if this is the first answer to it.
    pub(crate) published_at_us: Option<i64>,
    /// What it holds back, in words.
    pub(crate) problems: Vec<String>,
    /// Keys of the flags that it holds back.
    pub(crate) held_back: BTreeSet<String>,
}

/// More agents than can be remembered.
#[derive(Debug, thiserror::Error)]
#[error("more than {AGENTS_LIMIT} agents are known already")]
pub(crate) struct TooMany;

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
    /// The live agents.
    pub(crate) live: Vec<Arc<str>>,
    /// Agents that were heard of in the last day, are not live and have not got it.
    pub(crate) unreached: Vec<String>,
}

/// A flag, as agents hold it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag<'a> {
    /// Its environment.
    pub(crate) environment: &'a Key,
    /// Its flag set.
    pub(crate) set: Option<&'a Key>,
    /// Its key.
    pub(crate) key: &'a str,
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

    /// Whether it was heard of in the last day; an agent that was not is no longer waited for.
    fn is_remembered(&self, now_us: i64) -> bool {
        self.connection.is_some() || now_us - self.seen_at_us <= REMEMBERED_US
    }

    fn known(&self) -> KnownAgent {
        let introduction = &self.introduction;
        KnownAgent {
            environment: introduction.subscription.environment.clone(),
            id: introduction.agent.to_string(),
            set: introduction.subscription.set.clone(),
            version: introduction.version.clone(),
            address: introduction
                .address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            diskless: introduction.diskless,
            first_seen_at_us: self.first_seen_at_us,
            seen_at_us: self.seen_at_us,
            connected: self.connection.is_some(),
        }
    }

    /// Whether it serves what its revision says of a flag.
    fn serves(&self, flag: &str) -> bool {
        !self.held_back.contains(flag)
    }

    /// Whether what it has in use, or on disk, is what its subscription should hold.
    pub(crate) fn is_at(&self, wanted: u64) -> (bool, bool) {
        let reached = |held: Option<Held>| held.is_some_and(|held| held.number >= wanted);
        (reached(self.applied), reached(self.persisted))
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

    /// An agent has opened a stream; an earlier stream of the same agent is ended.
    ///
    /// What it held before counts for nothing until it says so again: it may have come back with less. The token that
    /// is returned is cancelled when the agent opens yet another stream.
    pub(crate) fn connected(
        &self,
        introduction: Introduction,
        connection: u64,
        interval_us: i64,
        now_us: i64,
    ) -> Result<CancellationToken, TooMany> {
        let key = (
            introduction.subscription.environment.clone(),
            introduction.agent.clone(),
        );
        let replaced = CancellationToken::new();
        let mut record = AgentRecord {
            introduction,
            connection: Some(connection),
            replaced: replaced.clone(),
            connected_at_us: now_us,
            first_seen_at_us: now_us,
            seen_at_us: now_us,
            lag_us: None,
            interval_us,
            applied: None,
            persisted: None,
            problems: Vec::new(),
            held_back: BTreeSet::new(),
        };
        let mut agents = self.agents();
        if agents.len() >= AGENTS_LIMIT {
            forget(&mut agents, now_us);
        }
        if agents.len() >= AGENTS_LIMIT && !agents.contains_key(&key) {
            return Err(TooMany);
        }
        record.first_seen_at_us = agents.get(&key).map_or(now_us, |before| before.first_seen_at_us);
        if let Some(before) = agents.insert(key, record) {
            before.replaced.cancel();
        }
        drop(agents);
        self.changed();
        Ok(replaced)
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
    pub(crate) fn acked(&self, environment: &Key, agent: &Arc<str>, connection: u64, acked: Acked) {
        self.edit(environment, agent, connection, |record| {
            record.applied = Some(acked.held);
            if acked.persisted || record.introduction.diskless {
                record.persisted = Some(acked.held);
            }
            let published_at_us = acked.published_at_us.filter(|at_us| *at_us >= record.connected_at_us);
            record.lag_us = published_at_us.map_or(record.lag_us, |at_us| Some((record.seen_at_us - at_us).max(0)));
            record.problems = acked.problems;
            record.held_back = acked.held_back;
        });
        self.changed();
    }

    /// An agent has on disk what was superseded on its way there.
    pub(crate) fn persisted(&self, environment: &Key, agent: &Arc<str>, connection: u64, held: Held) {
        self.edit(environment, agent, connection, |record| {
            if record.persisted.is_none_or(|persisted| persisted.number < held.number) {
                record.persisted = Some(held);
            }
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

    /// An agent that was heard of before this process began.
    pub(crate) fn remember(&self, known: &KnownAgent) {
        let agent: Arc<str> = Arc::from(known.id.as_str());
        let record = AgentRecord {
            introduction: Introduction {
                agent: agent.clone(),
                subscription: Subscription {
                    environment: known.environment.clone(),
                    set: known.set.clone(),
                },
                version: known.version.clone(),
                address: known.address.parse().ok(),
                diskless: known.diskless,
            },
            connection: None,
            replaced: CancellationToken::new(),
            connected_at_us: known.seen_at_us,
            first_seen_at_us: known.first_seen_at_us,
            seen_at_us: known.seen_at_us,
            lag_us: None,
            interval_us: 0,
            applied: None,
            persisted: None,
            problems: Vec::new(),
            held_back: BTreeSet::new(),
        };
        self.agents().insert((known.environment.clone(), agent), record);
    }

    /// What is to be kept of every agent that is connected or was heard of in the last day.
    pub(crate) fn known(&self, now_us: i64) -> BTreeMap<(Key, Arc<str>), KnownAgent> {
        let agents = self.agents();
        let remembered = agents.iter().filter(|(_, record)| record.is_remembered(now_us));
        remembered.map(|(key, record)| (key.clone(), record.known())).collect()
    }

    /// Whether an agent has been heard of.
    pub(crate) fn knows(&self, environment: &Key, agent: &str) -> bool {
        self.agents().contains_key(&(environment.clone(), Arc::from(agent)))
    }

    /// The environment in which an agent lives, if that is another and only another.
    pub(crate) fn lives_elsewhere(&self, environment: &Key, agent: &str, now_us: i64) -> Option<Key> {
        let agents = self.agents();
        let mut lives = agents
            .iter()
            .filter(|((_, id), record)| **id == *agent && record.is_live(now_us))
            .map(|((owner, _), _)| owner);
        let first = lives.next()?;
        (first != environment && lives.all(|owner| owner != environment)).then(|| first.clone())
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
        forget(&mut agents, now_us);
        agents
            .iter()
            .filter(|((owner, _), _)| owner == environment)
            .map(|(_, record)| record.clone())
            .collect()
    }

    /// Live agents whose subscription holds the flags of a set (none: flags without a set).
    pub(crate) fn live_agents(&self, environment: &Key, set: Option<&Key>) -> Arc<[Arc<str>]> {
        let now_us = runtime::clock::now_us();
        let agents = self.agents();
        let live = agents
            .iter()
            .filter(|((owner, _), record)| owner == environment && record.is_live(now_us) && record.holds(set));
        live.map(|((_, agent), _)| agent.clone()).collect()
    }

    /// How far a store revision has come among the agents that hold a flag: those of its set, and those whose own flags
    /// read it.
    ///
    /// An agent has it if the revision it acked is not below it, or if it holds what is equal to the latest snapshot of
    /// its subscription and that snapshot shows the revision; and if it does not hold back this very flag.
    pub(crate) fn reach(&self, publisher: &Publisher, flag: Flag<'_>, wanted: u64, now_us: i64) -> Reach {
        let mut reach = Reach::default();
        // Most agents have the same subscription.
        let mut latest = None;
        let agents = self.agents();
        let all = (flag.environment.clone(), Arc::from(""))..;
        let of_environment = agents
            .range(all)
            .take_while(|((environment, _), _)| environment == flag.environment);
        for ((_, agent), record) in of_environment {
            let subscription = &record.introduction.subscription;
            if !record.holds(flag.set) && !publisher.holds(subscription, flag.key) {
                continue;
            }
            let current = match latest {
                Some((of, current)) if of == subscription => current,
                Some(_) | None => publisher.current(subscription),
            };
            latest = Some((subscription, current));
            let has = |held: Option<Held>| {
                held.filter(|_| record.serves(flag.key)).is_some_and(|held| {
                    held.number >= wanted
                        || current.is_some_and(|(revision, digest)| revision >= wanted && digest == held.digest)
                })
            };
            if record.is_live(now_us) {
                reach.live.push(agent.clone());
                reach.delivery.live += 1;
                reach.delivery.applied += u32::from(has(record.applied));
                reach.delivery.persisted += u32::from(has(record.persisted));
            } else if record.is_remembered(now_us) && !has(record.persisted) {
                reach.unreached.push(agent.to_string());
            }
        }
        reach
    }
}

fn forget(agents: &mut BTreeMap<(Key, Arc<str>), AgentRecord>, now_us: i64) {
    agents.retain(|_, record| record.is_remembered(now_us));
}

#[cfg(test)]
mod tests;
