//! The register: what is known of agents, kept in the store, so that a restart of this process forgets none of them.
//!
//! Agents are written when they come, when they go, and once an hour while they stay; many at once, a few seconds late,
//! and never on the way of anything else. An agent that was connected when the process ended was heard of until then.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evaluation::Key;
use runtime::shutdown::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    store::{
        self, Order, Outcome, Store, Txn, keys,
        model::{self, KnownAgent, ModelError},
    },
    sync::fleet::Fleet,
};

/// How late an agent may be written.
const LATE: Duration = Duration::from_secs(3);
/// How often an agent that stays is written.
const AGAIN_US: i64 = 60 * 60 * 1_000_000;
/// Agents of one transaction.
const TOGETHER: usize = 100;
/// Agents read at once at the start.
const READ: usize = 1_000;

/// An agent by environment and id.
type AgentKey = (Key, Arc<str>);

/// What is to be written of an agent; none: it is forgotten.
type Change = (AgentKey, Option<KnownAgent>);

/// Why the register could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// An entry cannot be read.
    #[error("an agent's record {0}")]
    Model(#[from] ModelError),
}

/// What has been written of each agent.
#[derive(Debug)]
pub(crate) struct Register {
    store: Arc<dyn Store>,
    fleet: Arc<Fleet>,
    written: BTreeMap<AgentKey, KnownAgent>,
}

impl Register {
    /// Reads what is known, and tells the fleet of it.
    pub(crate) async fn load(store: Arc<dyn Store>, fleet: Arc<Fleet>, now_us: i64) -> Result<Self, RegisterError> {
        let mut written = BTreeMap::new();
        let (prefix, mut after) = (keys::agents(), None::<Vec<u8>>);
        loop {
            let page = store.range(&prefix, after.as_deref(), READ, Order::Ascending).await?;
            for item in &page.items {
                let mut agent = model::read_agent(&item.value)?;
                if agent.connected {
                    agent.seen_at_us = now_us;
                }
                fleet.remember(&agent);
                written.insert((agent.environment.clone(), Arc::from(agent.id.as_str())), agent);
            }
            after = page.items.last().map(|item| item.key.to_vec());
            if !page.more {
                break;
            }
        }
        Ok(Self { store, fleet, written })
    }

    /// Keeps the register until the process drains; then it writes a last time.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut looks = interval(LATE);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => self.look().await,
                () = shutdown.draining() => return self.look().await,
            }
        }
    }

    /// Writes what differs from what is written.
    pub(crate) async fn look(&mut self) {
        let known = self.fleet.known(runtime::clock::now_us());
        let gone = self.written.keys().filter(|key| !known.contains_key(*key));
        let gone = gone.cloned().map(|key| (key, None)).collect::<Vec<_>>();
        let is_news = |key: &AgentKey, agent: &KnownAgent| match self.written.get(key) {
            Some(before) => differs(before, agent),
            None => true,
        };
        let news = known.into_iter().filter(|(key, agent)| is_news(key, agent));
        let changes = news
            .map(|(key, agent)| (key, Some(agent)))
            .chain(gone)
            .collect::<Vec<_>>();
        for together in changes.chunks(TOGETHER) {
            if !self.write(together).await {
                return;
            }
        }
    }

    async fn write(&mut self, changes: &[Change]) -> bool {
        let put = |txn: Txn, (key, agent): &Change| {
            let at = keys::agent(&key.0, &key.1);
            match agent {
                Some(agent) => txn.put(at, model::write_agent(agent)),
                None => txn.delete(at),
            }
        };
        match self.store.txn(changes.iter().fold(Txn::default(), put)).await {
            Ok(Outcome::Committed(_)) => {
                for (key, agent) in changes {
                    match agent {
                        Some(agent) => self.written.insert(key.clone(), agent.clone()),
                        None => self.written.remove(key),
                    };
                }
                true
            }
            // Without guards nothing is refused.
            Ok(Outcome::Refused { .. }) => false,
            Err(error) => {
                tracing::warn!(%error, "what is known of agents was not written; it is tried again");
                false
            }
        }
    }
}

/// Whether an agent must be written again: it came, went, is another than it was, or an hour has gone by.
fn differs(before: &KnownAgent, now: &KnownAgent) -> bool {
    let same_moment = KnownAgent {
        seen_at_us: before.seen_at_us,
        ..now.clone()
    };
    same_moment != *before || now.seen_at_us - before.seen_at_us > AGAIN_US
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        builders::{self, production},
        store::redb::Redb,
        sync::fleet::Introduction,
    };

    fn introduction(agent: &str) -> Introduction {
        Introduction {
            version: "1.2.3".to_owned(),
            ..builders::introduction(&production(), agent)
        }
    }

    async fn register(store: &Arc<dyn Store>) -> (Register, Arc<Fleet>) {
        let fleet = Arc::new(Fleet::new());
        let now_us = runtime::clock::now_us();
        let register = Register::load(store.clone(), fleet.clone(), now_us).await.unwrap();
        (register, fleet)
    }

    #[tokio::test]
    async fn an_agent_is_known_after_a_restart_and_not_live() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Redb::open(&folder.path().join("store"), 1).unwrap());
        let (mut before, fleet) = register(&store).await;
        let now_us = runtime::clock::now_us();
        fleet.connected(introduction("one"), 1, 2_000_000, now_us).unwrap();
        before.look().await;

        let (_, fleet) = register(&store).await;
        let known = fleet.of(&production(), now_us);
        assert_eq!(known.len(), 1);
        assert!(!known[0].is_live(now_us) && known[0].seen_at_us >= now_us);
        assert_eq!(known[0].introduction.version, "1.2.3");
    }

    async fn revision(store: &Arc<dyn Store>) -> u64 {
        let page = store.range(&keys::agents(), None, 1, Order::Ascending).await;
        page.unwrap().revision
    }

    #[tokio::test]
    async fn what_has_not_changed_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(Redb::open(&folder.path().join("store"), 1).unwrap());
        let (mut register, fleet) = register(&store).await;
        for agent in 0..250 {
            let now_us = runtime::clock::now_us();
            let introduction = introduction(&format!("agent-{agent}"));
            fleet.connected(introduction, agent, 2_000_000, now_us).unwrap();
        }
        register.look().await;
        let written = revision(&store).await;
        assert_eq!(written, 3, "a hundred at a time");
        register.look().await;
        assert_eq!(revision(&store).await, written);
        fleet.disconnected(&production(), &Arc::from("agent-7"), 7);
        register.look().await;
        assert_eq!(revision(&store).await, written + 1);
    }
}
