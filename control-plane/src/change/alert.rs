//! Raising an alert: its event goes into the transaction of whatever it comes with, once for each visit of a stage.
//!
//! That it was told is a key of its own, as with what is stuck. The state is asked first, so that an alert that was told
//! never keeps the rest of a transaction from being committed; two who raise the same at one moment are told apart by the
//! guard, and who loses looks again.

use super::rollout::unchanged;
use crate::{
    events::alert::{self, Alert},
    record::RolloutRecord,
    state::State,
    store::{Guard, Op, Txn, keys, model},
    stuck,
};

/// Adds an alert to a transaction: its event, and that it was told. Adds nothing if it was told in this visit or by this
/// transaction. The record is that after the transaction. One guard, two operations.
pub(crate) fn raise(txn: Txn, state: &State, record: &RolloutRecord, alert: &Alert, now_us: i64) -> Txn {
    let (environment, id, word) = (&record.environment, record.id, alert.about.word());
    let told = keys::alerted(environment, id, stuck::visit(&record.state), &word);
    let is_in = txn.ops.iter().any(|op| matches!(op, Op::Put(key, _) if *key == told));
    if is_in || state.is_alerted(record, &alert.about) {
        return txn;
    }
    let event = alert::event(record, alert, now_us);
    txn.guard(Guard::Absent(told.clone()))
        .put(told, model::write_count(1))
        .put(
            keys::alert(environment, id, record.state.sequence, &word),
            model::write_events(&[event]),
        )
}

/// Adds the alert of what happens by this very transaction and no other: its event, and no note that it was told.
pub(crate) fn tell(txn: Txn, record: &RolloutRecord, alert: &Alert, now_us: i64) -> Txn {
    let event = alert::event(record, alert, now_us);
    let at = keys::alert(
        &record.environment,
        record.id,
        record.state.sequence,
        &alert.about.word(),
    );
    txn.put(at, model::write_events(&[event]))
}

/// Alerts by themselves, while the rollout is as it was seen.
pub(crate) fn alone(state: &State, record: &RolloutRecord, alerts: &[&Alert], now_us: i64) -> Txn {
    alerts
        .iter()
        .fold(unchanged(record), |txn, alert| raise(txn, state, record, alert, now_us))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::{HoldReason, Phase};

    use super::*;
    use crate::{
        builders::{START_US, World, advanced, flag, moved},
        change,
        events::alert::{About, Severity},
    };

    fn alert(about: About) -> Alert {
        Alert {
            severity: Severity::Warning,
            about,
            title: "held: stale".to_owned(),
            criterion: None,
            metric: None,
            value: None,
            limit: None,
        }
    }

    fn told(world: &World) -> usize {
        let prefix = keys::outbox();
        let events = world.shelf.items.iter().filter(|(key, _)| key.starts_with(&prefix));
        let events = events.flat_map(|(_, item)| model::read_events(&item.value).unwrap());
        events.filter(|event| event.kind == crate::events::Kind::Alert).count()
    }

    #[test]
    fn an_alert_is_told_once_for_each_visit_and_thing() {
        let mut world = World::new();
        world.write(flag("checkout"));
        let (record, _) = world.start("checkout");
        let stale = alert(About::Hold(HoldReason::Stale));
        let txn = alone(&world.state, &record, &[&stale], START_US);
        world.commit(&txn);
        assert!(world.offer(&txn).is_none(), "who was slower is refused");
        assert!(world.state.is_alerted(&record, &stale.about));
        assert!(alone(&world.state, &record, &[&stale], START_US).ops.is_empty());
        // With a transition it is left out, and the transition is made.
        let held = moved(&record, Phase::Held, "held");
        let transition = change::rollout::rest(&record, &held);
        let txn = raise(transition.clone(), &world.state, &held, &stale, START_US);
        assert_eq!(txn, transition);
        let both = [About::Abort, About::Hold(HoldReason::NoAgents), About::Abort];
        let txn = both.into_iter().fold(txn, |txn, about| {
            raise(txn, &world.state, &held, &alert(about), START_US)
        });
        world.commit(&txn);
        assert_eq!(told(&world), 3);
        // In the next stage it is news again.
        let before = world.rollout(record.id);
        let next = advanced(&before);
        let txn = raise(
            change::rollout::rest(&before, &next),
            &world.state,
            &next,
            &stale,
            START_US,
        );
        world.commit(&txn);
        assert_eq!(told(&world), 4);
        assert!(world.state.told_at.is_some());
    }
}
