//! Who acts: what a call says of itself, recorded with everything that it changes.
//!
//! Until identities exist an actor is what the caller says, and is recorded as unauthenticated.

use proto::{ACTOR, REASON};
use tonic::Request;

/// The actor of what the engine does by itself.
pub(crate) const ENGINE: &str = "tidegate";
/// Actors and reasons are cut to this many characters.
const LONGEST: usize = 1_000;

/// Who does something, why, from where and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    /// Who.
    pub(crate) name: String,
    /// Why; may be empty.
    pub(crate) reason: String,
    /// Where the call came from; empty for the engine.
    pub(crate) peer: String,
    /// When.
    pub(crate) at_us: i64,
}

impl Actor {
    /// The caller of an rpc.
    pub(crate) fn of<T>(request: &Request<T>, now_us: i64) -> Self {
        let text = |key: &str| {
            let value = request
                .metadata()
                .get(key)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            value.chars().take(LONGEST).collect::<String>()
        };
        let name = match text(ACTOR) {
            name if name.is_empty() => "unknown".to_owned(),
            name => name,
        };
        let peer = request
            .remote_addr()
            .map(|address| address.to_string())
            .unwrap_or_default();
        Self {
            name,
            reason: text(REASON),
            peer,
            at_us: now_us,
        }
    }

    /// The rollout engine.
    pub(crate) fn engine(reason: impl Into<String>, now_us: i64) -> Self {
        Self {
            name: ENGINE.to_owned(),
            reason: reason.into(),
            peer: String::new(),
            at_us: now_us,
        }
    }
}
