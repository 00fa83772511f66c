//! A webhook: where events are delivered, which of them, and with what they are signed.
//!
//! It is a document of the whole store and not of an environment; it may name environments. Its key is for people; its id
//! says which webhook a delivery belongs to, so that one that is deleted and created again inherits nothing.

use std::collections::BTreeSet;

use evaluation::Key;
use uuid::Uuid;

use super::secret::Secret;
use crate::events::{
    Event, Kind,
    alert::{self, Severity},
};

/// Webhooks that there are at most.
pub(crate) const LIMIT: usize = 32;

/// Where events are delivered, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebhookRecord {
    /// What people call it.
    pub(crate) key: Key,
    /// Whose deliveries these are.
    pub(crate) id: Uuid,
    /// Where events are posted.
    pub(crate) url: String,
    /// For people.
    pub(crate) description: String,
    /// Only events of these; none: all.
    pub(crate) kinds: BTreeSet<Kind>,
    /// Of alerts only those that are at least so bad; none: all.
    pub(crate) least_severity: Option<Severity>,
    /// Only events of these environments; none: all.
    pub(crate) environments: BTreeSet<Key>,
    /// Nothing is delivered.
    pub(crate) disabled: bool,
    /// Why the control plane has disabled it; empty: it has not.
    pub(crate) disabled_reason: String,
    /// What signs.
    pub(crate) secret: Secret,
    /// What signs as well, for a while.
    pub(crate) previous: Option<Previous>,
    /// How many secrets it has had.
    pub(crate) secrets: u32,
    /// Only events after this store revision: what was before it is not its business.
    pub(crate) begins_after: u64,
    /// When it was created.
    pub(crate) created_at_us: i64,
    /// When it was last changed.
    pub(crate) updated_at_us: i64,
    /// The store revision of its last write.
    pub(crate) revision: u64,
}

/// The secret before, while receivers change over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Previous {
    /// The secret.
    pub(crate) secret: Secret,
    /// Until when it signs.
    pub(crate) until_us: i64,
}

impl WebhookRecord {
    /// Whether an event of an environment, written at a store revision, is delivered to it.
    pub(crate) fn takes(&self, environment: &Key, event: &Event, revision: u64) -> bool {
        let is_severe = || match (self.least_severity, event.kind) {
            (Some(least), Kind::Alert) => alert::severity(event).is_none_or(|severity| severity >= least),
            _ => true,
        };
        !self.disabled
            && revision > self.begins_after
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.environments.is_empty() || self.environments.contains(environment))
            && is_severe()
    }

    /// The secrets that sign at a time, the newest first.
    pub(crate) fn signing(&self, now_us: i64) -> impl Iterator<Item = &Secret> {
        let previous = self.previous.as_ref().filter(|previous| now_us < previous.until_us);
        std::iter::once(&self.secret).chain(previous.map(|previous| &previous.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        builders::{START_US, key, production, rollout, webhook},
        events::alert::{About, Alert},
    };

    fn event(kind: Kind) -> Event {
        Event {
            kind,
            json: String::new(),
        }
    }

    #[test]
    fn it_takes_the_events_that_it_names_and_all_where_it_names_none() {
        let all = webhook("pager");
        assert!(all.takes(&production(), &event(Kind::Held), 8));
        let some = WebhookRecord {
            kinds: [Kind::Aborted].into(),
            environments: [production()].into(),
            begins_after: 7,
            ..all
        };
        assert!(some.takes(&production(), &event(Kind::Aborted), 8));
        assert!(!some.takes(&production(), &event(Kind::Held), 8), "another type");
        assert!(
            !some.takes(&key("staging"), &event(Kind::Aborted), 8),
            "another environment"
        );
        assert!(!some.takes(&production(), &event(Kind::Aborted), 7), "before its time");
        let disabled = WebhookRecord { disabled: true, ..some };
        assert!(!disabled.takes(&production(), &event(Kind::Aborted), 8));
    }

    #[test]
    fn of_alerts_it_takes_those_that_are_bad_enough_and_of_the_others_all() {
        let alert = |severity| {
            let alert = Alert {
                severity,
                about: About::Abort,
                title: String::new(),
                criterion: None,
                metric: None,
                value: None,
                limit: None,
            };
            alert::event(&rollout(), &alert, START_US)
        };
        let critical = WebhookRecord {
            least_severity: Some(Severity::Critical),
            ..webhook("pager")
        };
        assert!(critical.takes(&production(), &alert(Severity::Critical), 1));
        assert!(!critical.takes(&production(), &alert(Severity::Warning), 1));
        assert!(critical.takes(&production(), &event(Kind::Held), 1));
        let any = WebhookRecord {
            least_severity: Some(Severity::Warning),
            ..critical
        };
        assert!(any.takes(&production(), &alert(Severity::Warning), 1));
    }

    #[test]
    fn the_secret_before_signs_until_its_time_is_over() {
        let (old, now_us) = (Secret::draw(), 1_000);
        let rotated = WebhookRecord {
            previous: Some(Previous {
                secret: old.clone(),
                until_us: now_us,
            }),
            ..webhook("pager")
        };
        assert_eq!(rotated.signing(now_us - 1).collect::<Vec<_>>(), [&rotated.secret, &old]);
        assert_eq!(rotated.signing(now_us).collect::<Vec<_>>(), [&rotated.secret]);
    }
}
