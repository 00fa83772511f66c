//! Who acts: what a call says of itself, recorded with everything that it changes.
//!
//! Until identities exist an actor is what the caller says, and is recorded as unauthenticated.

use proto::said::Said;
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
        // What is recorded is shown in terminals: nothing in it may command them.
        let text = |said: Said| {
            let text = said.heard(request.metadata()).unwrap_or_default();
            text.chars()
                .filter(|c| !c.is_control())
                .take(LONGEST)
                .collect::<String>()
        };
        let name = match text(Said::Actor) {
            name if name.is_empty() => "unknown".to_owned(),
            name => name,
        };
        let peer = request
            .remote_addr()
            .map(|address| address.to_string())
            .unwrap_or_default();
        Self {
            name,
            reason: text(Said::Reason),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(actor: &str, reason: &str) -> Actor {
        let mut request = Request::new(());
        Said::Actor.say(request.metadata_mut(), actor);
        Said::Reason.say(request.metadata_mut(), reason);
        Actor::of(&request, 7)
    }

    #[test]
    fn an_actor_and_a_reason_are_recorded_in_any_language_and_command_no_terminal() {
        let actor = heard("jürgen@büro", "weil’s eilt\u{1b}[2J");
        assert_eq!(
            (actor.name.as_str(), actor.reason.as_str()),
            ("jürgen@büro", "weil’s eilt[2J")
        );
        assert_eq!(heard("", "").name, "unknown");
        assert_eq!(heard(&"ö".repeat(2_000), "").name.chars().count(), LONGEST);
    }
}
