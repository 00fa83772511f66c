//! The stored form of what is known of an agent, so that a restart forgets none.

use evaluation::Key;
use prost::Message;

use super::{ModelError, SCHEMA, key};

/// What is kept of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownAgent {
    /// Its environment.
    pub(crate) environment: Key,
    /// Its id.
    pub(crate) id: String,
    /// The flag set it serves; none: all.
    pub(crate) set: Option<Key>,
    /// Its version.
    pub(crate) version: String,
    /// Where it connected from; empty: not known.
    pub(crate) address: String,
    /// It keeps nothing on disk.
    pub(crate) diskless: bool,
    /// When it was first heard of.
    pub(crate) first_seen_at_us: i64,
    /// When it was last heard of, as far as was written.
    pub(crate) seen_at_us: i64,
    /// Its stream was open then.
    pub(crate) connected: bool,
}

/// An agent as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredAgent {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(string, tag = "2")]
    environment: String,
    #[prost(string, tag = "3")]
    id: String,
    #[prost(string, tag = "4")]
    set: String,
    #[prost(string, tag = "5")]
    version: String,
    #[prost(string, tag = "6")]
    address: String,
    #[prost(bool, tag = "7")]
    diskless: bool,
    #[prost(int64, tag = "8")]
    first_seen_at_us: i64,
    #[prost(int64, tag = "9")]
    seen_at_us: i64,
    #[prost(bool, tag = "10")]
    connected: bool,
}

impl From<&KnownAgent> for StoredAgent {
    fn from(agent: &KnownAgent) -> Self {
        Self {
            schema: SCHEMA,
            environment: agent.environment.to_string(),
            id: agent.id.clone(),
            set: agent.set.as_ref().map(Key::to_string).unwrap_or_default(),
            version: agent.version.clone(),
            address: agent.address.clone(),
            diskless: agent.diskless,
            first_seen_at_us: agent.first_seen_at_us,
            seen_at_us: agent.seen_at_us,
            connected: agent.connected,
        }
    }
}

impl StoredAgent {
    /// The agent.
    pub(super) fn read(self) -> Result<KnownAgent, ModelError> {
        Ok(KnownAgent {
            environment: key("environment", &self.environment)?,
            id: self.id,
            set: (!self.set.is_empty()).then(|| key("set", &self.set)).transpose()?,
            version: self.version,
            address: self.address,
            diskless: self.diskless,
            first_seen_at_us: self.first_seen_at_us,
            seen_at_us: self.seen_at_us,
            connected: self.connected,
        })
    }
}
