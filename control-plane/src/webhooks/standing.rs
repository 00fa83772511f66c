//! How the deliveries of each webhook stand, as its courier last saw it.
//!
//! A copy for people and for series: only couriers write it, and what is lost with the process is read again from the
//! store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::{
    delivery::Tally,
    metrics::{NEXT, OLDEST, WAITING},
};

/// How the deliveries of a webhook stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// How many wait.
    pub(crate) waiting: usize,
    /// Since when the oldest waits; none: none does.
    pub(crate) oldest_us: Option<i64>,
    /// When something is sent next; none: nothing waits, or all of it is under way.
    pub(crate) next_us: Option<i64>,
    /// What has become of those that ended.
    pub(crate) tally: Tally,
}

/// How the deliveries of all webhooks stand, by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standings(Arc<Mutex<HashMap<Uuid, Standing>>>);

impl Standings {
    /// How those of a webhook stand; nothing is known of one that no courier has looked at.
    pub(crate) fn of(&self, id: Uuid) -> Standing {
        self.all().get(&id).cloned().unwrap_or_default()
    }

    /// Notes how those of a webhook stand, here and in its series.
    pub(super) fn note(&self, id: Uuid, key: &str, standing: Standing) {
        show(key, &standing);
        self.all().insert(id, standing);
    }

    /// Forgets a webhook that is gone.
    pub(super) fn forget(&self, id: Uuid, key: &str) {
        show(key, &Standing::default());
        self.all().remove(&id);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Uuid, Standing>> {
        // What is written is written whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(key: &str, standing: &Standing) {
    let seconds = |time_us: Option<i64>| time_us.map_or(0.0, |time_us| time_us as f64 / 1e6);
    metrics::gauge!(WAITING, "webhook" => key.to_owned()).set(standing.waiting as f64);
    metrics::gauge!(OLDEST, "webhook" => key.to_owned()).set(seconds(standing.oldest_us));
    metrics::gauge!(NEXT, "webhook" => key.to_owned()).set(seconds(standing.next_us));
}
