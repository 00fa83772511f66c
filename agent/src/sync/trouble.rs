//! What keeps this agent from its control plane: said once, and shown for as long as it lasts.
//!
//! A refusal is met again at each attempt, thousands of times in a night; only a change is news. The metric says which
//! trouble it is meanwhile. It is over when a connection has lasted, not when one was opened: a control plane that
//! accepts and then refuses would otherwise be told of at each attempt again.

use std::time::Duration;

use tonic::Code;

use super::session::Ended;
use crate::{metrics, snapshot::Stamp};

/// How loud it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Quiet,
    /// Passes by itself.
    Loss,
    /// Somebody has to do something.
    Refusal,
}

/// The trouble under way, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    last: Option<(&'static str, String)>,
}

impl Trouble {
    /// A connection ended and the next is tried after `pause`; `held` is served meanwhile. Gives whether that was news.
    pub(super) fn ended(&mut self, ended: &Ended, pause: Duration, held: Option<Stamp>) -> bool {
        let (name, words) = (name(ended), ended.to_string());
        metrics::sync_ended(name);
        let news = self
            .last
            .as_ref()
            .is_none_or(|last| (last.0, last.1.as_str()) != (name, &words));
        if news {
            tell(ended, pause, held);
            if let Some((earlier, _)) = self.last.replace((name, words)).filter(|last| last.0 != name) {
                metrics::sync_trouble(earlier, false);
            }
            metrics::sync_trouble(name, true);
        } else {
            tracing::debug!(%ended, ?pause, "still not connected");
        }
        news
    }

    /// Whether there is one.
    pub(super) fn is_under_way(&self) -> bool {
        self.last.is_some()
    }

    /// A connection has lasted.
    pub(super) fn over(&mut self) {
        if let Some((name, _)) = self.last.take() {
            metrics::sync_trouble(name, false);
        }
    }
}

fn tell(ended: &Ended, pause: Duration, held: Option<Stamp>) {
    let serving = held.map_or_else(|| "nothing".to_owned(), |held| held.revision.to_string());
    match level(ended) {
        Level::Quiet => tracing::info!(%ended, ?pause, serving, "reconnecting"),
        Level::Loss => tracing::warn!(%ended, ?pause, serving, "connection lost"),
        Level::Refusal => tracing::error!(
            %ended, ?pause, serving, hint = hint(ended),
            "the control plane refuses this agent"
        ),
    }
}

fn level(ended: &Ended) -> Level {
    match ended {
        Ended::GoAway(_) | Ended::WholeWanted => Level::Quiet,
        Ended::Status(_) if hint(ended).is_some() => Level::Refusal,
        Ended::Status(_)
        | Ended::Unreachable(_)
        | Ended::Closed
        | Ended::Silent(_)
        | Ended::Order(_)
        | Ended::Unread
        | Ended::Unbuilt => Level::Loss,
    }
}

/// What to do about a refusal that does not pass by itself.
fn hint(ended: &Ended) -> Option<&'static str> {
    let Ended::Status(status) = ended else { return None };
    match status.code() {
        Code::NotFound => Some("create the environment, or give this agent another with --environment"),
        Code::Unauthenticated | Code::PermissionDenied => {
            Some("see what this agent is known as and what it may read; it goes on trying")
        }
        Code::InvalidArgument => Some("agent and control plane do not fit together; compare their versions"),
        Code::Unimplemented => Some("there is something else than a control plane; see --control-plane"),
        Code::Aborted => {
            Some("another agent with this id took over; give each agent its own --id, or its own --data folder")
        }
        _ => None,
    }
}

/// Its name in metrics, of a closed set.
fn name(ended: &Ended) -> &'static str {
    match ended {
        Ended::Unreachable(_) => "unreachable",
        Ended::Closed => "closed",
        Ended::Silent(_) => "silent",
        Ended::GoAway(_) => "go_away",
        Ended::Order(_) => "protocol",
        Ended::Unread => "not_reading",
        Ended::Unbuilt => "not_built",
        Ended::WholeWanted => "disk_lost",
        Ended::Status(status) => match status.code() {
            Code::Unauthenticated => "unauthenticated",
            Code::PermissionDenied => "permission_denied",
            Code::NotFound => "not_found",
            Code::InvalidArgument => "invalid_argument",
            Code::Unimplemented => "unimplemented",
            Code::Aborted => "replaced",
            Code::Unavailable => "unavailable",
            Code::ResourceExhausted => "resource_exhausted",
            _ => "status",
        },
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;

    fn refused(words: &str) -> Ended {
        Ended::Status(Box::new(Status::permission_denied(words)))
    }

    #[test]
    fn only_a_change_is_news() {
        let mut trouble = Trouble::default();
        let pause = Duration::from_secs(1);
        assert!(trouble.ended(&refused("no"), pause, None));
        assert!(!trouble.ended(&refused("no"), pause, None));
        assert!(trouble.ended(&refused("not for you"), pause, None));
        assert!(trouble.ended(&Ended::Closed, pause, None));
        assert!(!trouble.ended(&Ended::Closed, pause, None));
        trouble.over();
        assert!(
            trouble.ended(&Ended::Closed, pause, None),
            "after a connection that lasted it is news again"
        );
    }

    #[test]
    fn the_metric_names_the_trouble_under_way_and_no_other() {
        let (recorder, recorded) = runtime::telemetry::local_metrics();
        ::metrics::with_local_recorder(&recorder, || {
            let mut trouble = Trouble::default();
            trouble.ended(&Ended::Closed, Duration::ZERO, None);
            trouble.ended(&refused("no"), Duration::ZERO, None);
            trouble.ended(&refused("no"), Duration::ZERO, None);
            let shown = recorded.render();
            for line in [
                "tidegate_agent_sync_trouble{reason=\"closed\"} 0",
                "tidegate_agent_sync_trouble{reason=\"permission_denied\"} 1",
                "tidegate_agent_sync_ends_total{reason=\"permission_denied\"} 2",
            ] {
                assert!(shown.contains(line), "{shown}");
            }
            trouble.over();
            assert!(recorded.render().contains("{reason=\"permission_denied\"} 0"));
        });
    }

    #[test]
    fn a_refusal_that_needs_somebody_is_said_loudly_with_what_to_do() {
        for status in [
            Status::unauthenticated(""),
            Status::permission_denied(""),
            Status::not_found(""),
            Status::invalid_argument(""),
            Status::aborted(""),
        ] {
            assert_eq!(level(&Ended::Status(Box::new(status))), Level::Refusal);
        }
        assert_eq!(level(&Ended::Status(Box::new(Status::unavailable("")))), Level::Loss);
        assert_eq!(level(&Ended::GoAway(Duration::ZERO)), Level::Quiet);
    }
}
