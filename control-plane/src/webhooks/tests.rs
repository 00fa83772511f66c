//! The whole room over a real store and real sockets: events in, messages out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use uuid::Uuid;

use super::{
    delivery::{Tally, message_id},
    receiver::{Received, Receiver, Reply},
    webhook::{Previous, WebhookRecord},
    *,
};
use crate::{
    builders::{self, actor, key, production},
    change,
    events::{Event, Kind},
    store::{Txn, keys, model},
    trial::Trial,
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

/// Fails fast and waits little, so that a test is over soon; for ever otherwise.
const HASTY: Patience = Patience {
    answer: FAR,
    waits_us: &[5_000],
    ..Patience::STANDARD
};

/// A control plane that delivers.
struct House {
    trial: Trial,
    shutdown: Shutdown,
    webhooks: Webhooks,
}

impl House {
    async fn new(patience: Patience) -> Self {
        Self::over(Trial::new().await, patience)
    }

    fn over(trial: Trial, patience: Patience) -> Self {
        let shutdown = Shutdown::new();
        let post = Post::new(Settings::default(), patience.answer).unwrap();
        let webhooks = Webhooks::start(&trial.truth, post, patience, &shutdown);
        Self {
            trial,
            shutdown,
            webhooks,
        }
    }

    /// The same store, after the process was stopped in an orderly way.
    async fn again(self, patience: Patience) -> Self {
        Self::over(self.stopped().await, patience)
    }

    async fn stopped(self) -> Trial {
        let Self {
            trial,
            shutdown,
            webhooks,
        } = self;
        drop(webhooks);
        shutdown.drain();
        assert!(shutdown.finished(FAR).await);
        trial.again().await
    }

    async fn create(&self, record: WebhookRecord) -> Arc<WebhookRecord> {
        create(&self.trial, record).await
    }

    async fn write(&self, after: WebhookRecord) {
        let state = self.trial.truth.state();
        let before = state.webhooks[&after.key].clone();
        let txn = change::webhook::write(&state, "webhook.update", &before, &after, &actor());
        self.trial.commit(txn).await;
    }

    fn webhook(&self, name: &str) -> Arc<WebhookRecord> {
        self.trial.truth.state().webhooks[&key(name)].clone()
    }

    /// Waits until the deliveries of a webhook stand as told.
    async fn until(&self, id: Uuid, holds: impl Fn(&Standing) -> bool) -> Standing {
        let looking = async {
            loop {
                let standing = self.webhooks.standing(id);
                if holds(&standing) {
                    return standing;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let looked = tokio::time::timeout(FAR, looking).await;
        looked.unwrap_or_else(|_| panic!("{:#?}", self.webhooks.standing(id)))
    }
}

async fn create(trial: &Trial, record: WebhookRecord) -> Arc<WebhookRecord> {
    let state = trial.truth.state();
    let record = WebhookRecord {
        begins_after: state.revision,
        ..record
    };
    let state = trial.commit(change::webhook::create(&state, &record, &actor())).await;
    state.webhooks[&record.key].clone()
}

fn webhook(name: &str, receiver: &Receiver) -> WebhookRecord {
    WebhookRecord {
        url: receiver.url(),
        ..builders::webhook(name)
    }
}

/// The id of an event.
fn event_id(rollout: u128, sequence: u64) -> String {
    format!("{rollout}.{sequence}.rollout_held")
}

/// Something happens to a rollout of production.
async fn happens(trial: &Trial, rollout: u128, sequence: u64) {
    let event = Event {
        kind: Kind::Held,
        json: format!(r#"{{"id":"{}"}}"#, event_id(rollout, sequence)),
    };
    let at = keys::moved(&production(), Uuid::from_u128(rollout), sequence);
    trial
        .commit(Txn::default().put(at, model::write_events(&[event])))
        .await;
}

/// The ids of the events that came.
fn ids(all: &[Received]) -> Vec<String> {
    all.iter()
        .map(|one| one.json()["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The sequences of one rollout, in the order in which they came.
fn of_rollout(all: &[Received], rollout: u128) -> Vec<String> {
    let prefix = format!("{rollout}.");
    ids(all).into_iter().filter(|id| id.starts_with(&prefix)).collect()
}

fn expected(rollout: u128, sequences: std::ops::RangeInclusive<u64>) -> Vec<String> {
    sequences.map(|sequence| event_id(rollout, sequence)).collect()
}

/// Takes each event only when it comes for the third time, whatever else comes.
fn the_third_time() -> impl Fn(&Received) -> Reply {
    let seen = std::sync::Mutex::new(HashMap::<String, u32>::new());
    move |message| {
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(message.id().to_owned()).or_default();
        *times += 1;
        Reply::status(if *times < 3 { 500 } else { 200 })
    }
}

#[tokio::test]
async fn every_event_comes_once_in_the_order_of_its_rollout_to_each_that_takes_it() {
    let house = House::new(HASTY).await;
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    let all_of = house.create(webhook("all", &all)).await;
    let aborts = WebhookRecord {
        kinds: [Kind::Aborted].into(),
        ..webhook("some", &some)
    };
    let aborts = house.create(aborts).await;
    for sequence in 1..=5 {
        for rollout in [7, 8, 9] {
            happens(&house.trial, rollout, sequence).await;
        }
    }
    let came = all.taken(15).await;
    for rollout in [7, 8, 9] {
        assert_eq!(of_rollout(&came, rollout), expected(rollout, 1..=5));
    }
    for message in &came {
        let event_id = message.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(message.id(), message_id(all_of.id, &event_id));
        assert!(message.is_signed_with(&all_of.secret.text()));
        assert!(!message.is_signed_with(&aborts.secret.text()));
    }
    let standing = house.until(all_of.id, |standing| standing.waiting == 0).await;
    assert_eq!((standing.tally.delivered, standing.next_us), (15, None));
    assert!(all.so_far().len() == 15 && some.so_far().is_empty());
}

#[tokio::test]
async fn a_webhook_hears_of_nothing_that_was_before_it() {
    let house = House::new(HASTY).await;
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    house.create(webhook("first", &first)).await;
    happens(&house.trial, 7, 1).await;
    first.taken(1).await;
    house.create(webhook("second", &second)).await;
    // A restart begins to read with what is old to one and new to the other.
    let house = house.again(HASTY).await;
    happens(&house.trial, 7, 2).await;
    assert_eq!(ids(&second.taken(1).await), expected(7, 2..=2));
    assert_eq!(ids(&first.taken(2).await), expected(7, 1..=2));
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_hears_each_rollout_in_order() {
    let house = House::new(HASTY).await;
    let receiver = Receiver::start().await;
    receiver.replies(the_third_time());
    let pager = house.create(webhook("pager", &receiver)).await;
    for sequence in 1..=3 {
        happens(&house.trial, 7, sequence).await;
        happens(&house.trial, 8, sequence).await;
    }
    let taken = receiver.taken(6).await;
    for rollout in [7, 8] {
        assert_eq!(of_rollout(&taken, rollout), expected(rollout, 1..=3));
        // Nothing of a rollout comes before what is before it was taken.
        let tries = of_rollout(&receiver.so_far(), rollout);
        let three_each = expected(rollout, 1..=3)
            .into_iter()
            .flat_map(|id| [id.clone(), id.clone(), id]);
        assert_eq!(tries, three_each.collect::<Vec<_>>());
    }
    let standing = house.until(pager.id, |standing| standing.waiting == 0).await;
    assert_eq!(standing.tally.delivered, 6);
    assert!(standing.tally.failure.contains("answered 500"), "{:?}", standing.tally);
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_neither_others_nor_other_rollouts() {
    let house = House::new(HASTY).await;
    let (sick, sound) = (Receiver::start().await, Receiver::start().await);
    sick.replies(|message| match message.body.contains("7.") {
        true => Reply::Hang,
        false => Reply::status(200),
    });
    let hung = house.create(webhook("sick", &sick)).await;
    house.create(webhook("sound", &sound)).await;
    for (rollout, sequence) in [(7, 1), (7, 2), (8, 1), (9, 1)] {
        happens(&house.trial, rollout, sequence).await;
    }
    assert_eq!(sound.taken(4).await.len(), 4);
    assert_eq!(ids(&sick.taken(2).await).len(), 2, "those of the other rollouts");
    assert_eq!(
        of_rollout(&sick.so_far(), 7),
        expected(7, 1..=1),
        "the second waits for the first"
    );
    let standing = house.until(hung.id, |standing| standing.waiting == 2).await;
    assert!(standing.oldest_us.is_some());
}

#[tokio::test]
async fn no_more_are_under_way_to_one_webhook_than_there_is_room_for() {
    let house = House::new(Patience { in_flight: 2, ..HASTY }).await;
    let receiver = Receiver::start().await;
    receiver.replies(|_| Reply::Hang);
    let pager = house.create(webhook("pager", &receiver)).await;
    for rollout in 0..6 {
        happens(&house.trial, rollout, 1).await;
    }
    house.until(pager.id, |standing| standing.waiting == 6).await;
    assert_eq!(receiver.received(2).await.len(), 2);
    // All that hangs is let go of with the process, and comes again with the next.
    receiver.replies(|_| Reply::status(200));
    let house = House::over(house.stopped().await, HASTY);
    house.until(pager.id, |standing| standing.tally.delivered == 6).await;
    assert_eq!(receiver.taken(6).await.len(), 6);
}

#[tokio::test]
async fn one_that_wants_no_more_is_disabled_says_why_and_loses_nothing_that_waited() {
    let house = House::new(HASTY).await;
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    old.replies(|_| Reply::status(410));
    let pager = house.create(webhook("pager", &old)).await;
    happens(&house.trial, 7, 1).await;
    old.received(1).await;
    house.until(pager.id, |_| house.webhook("pager").disabled).await;
    let disabled = house.webhook("pager");
    assert!(
        disabled.disabled_reason.contains("410 Gone"),
        "{}",
        disabled.disabled_reason
    );
    let acts = house.trial.truth.state().acts[&production()].clone();
    let act = acts.after(acts.latest() - 1).unwrap().last().unwrap().clone();
    assert_eq!(
        (act.record.action.as_str(), act.record.actor.as_str()),
        ("webhook.disable", "tidegate")
    );
    // What happens now is not for it; what waited is, once it has another address.
    happens(&house.trial, 8, 1).await;
    let again = WebhookRecord {
        url: new.url(),
        disabled: false,
        disabled_reason: String::new(),
        ..WebhookRecord::clone(&disabled)
    };
    let other = Receiver::start().await;
    let witness = house.create(webhook("witness", &other)).await;
    happens(&house.trial, 9, 1).await;
    house.until(witness.id, |standing| standing.tally.delivered == 1).await;
    house.write(again).await;
    happens(&house.trial, 7, 2).await;
    assert_eq!(ids(&new.taken(2).await), expected(7, 1..=2));
    assert_eq!(old.so_far().len(), 1);
}

#[tokio::test]
async fn what_is_tried_for_too_long_is_given_up_counted_and_shown_and_the_next_has_its_turn() {
    let house = House::new(Patience { kept_us: 1, ..HASTY }).await;
    let receiver = Receiver::start().await;
    receiver.replies(|message| match message.body.contains("7.1.") {
        true => Reply::status(500),
        false => Reply::status(200),
    });
    let pager = house.create(webhook("pager", &receiver)).await;
    happens(&house.trial, 7, 1).await;
    happens(&house.trial, 7, 2).await;
    let standing = house.until(pager.id, |standing| standing.tally.ended() == 2).await;
    assert_eq!((standing.tally.given_up, standing.tally.delivered), (1, 1));
    assert_eq!(ids(&receiver.received(2).await), expected(7, 1..=2), "each was tried");
    let first = house.trial.truth.store().get(&keys::delivered(pager.id, 1)).await;
    let first = model::read_delivery(&first.unwrap().unwrap().value).unwrap();
    assert_eq!(first.event_id, event_id(7, 1));
    assert_eq!(first.ended.map(|ended| ended.end.name()), Some("given_up"));
    assert_eq!((first.status, first.attempts, first.event.json.as_str()), (500, 1, ""));
}

#[tokio::test]
async fn of_too_many_that_wait_the_oldest_are_dropped_and_counted() {
    let trial = Trial::new().await;
    let receiver = Receiver::start().await;
    let pager = create(&trial, webhook("pager", &receiver)).await;
    // They wait before anybody takes them away.
    for sequence in 1..=5 {
        queue(&trial, &pager, 7, sequence).await;
    }
    let house = House::over(trial, Patience { waiting: 3, ..HASTY });
    let standing = house.until(pager.id, |standing| standing.tally.ended() == 5).await;
    assert_eq!((standing.tally.dropped, standing.tally.delivered), (2, 3));
    assert_eq!(ids(&receiver.taken(3).await), expected(7, 3..=5));
}

/// Puts an event of a rollout before a webhook.
async fn queue(trial: &Trial, webhook: &WebhookRecord, rollout: u128, sequence: u64) {
    let mut delivery = builders::delivery(sequence, rollout);
    delivery.event_id = event_id(rollout, sequence);
    delivery.queued_at_us = runtime::clock::now_us();
    trial.commit(change::delivery::queue(&[webhook], &delivery)).await;
}

#[tokio::test]
async fn while_it_is_disabled_what_waits_grows_old_and_is_given_up() {
    let trial = Trial::new().await;
    let receiver = Receiver::start().await;
    let disabled = WebhookRecord {
        disabled: true,
        ..webhook("pager", &receiver)
    };
    let pager = create(&trial, disabled).await;
    queue(&trial, &pager, 7, 1).await;
    let house = House::over(trial, Patience { kept_us: 1, ..HASTY });
    let standing = house.until(pager.id, |standing| standing.tally.ended() == 1).await;
    assert_eq!((standing.tally.given_up, standing.waiting), (1, 0));
    assert!(receiver.so_far().is_empty());
}

#[tokio::test]
async fn a_restart_loses_nothing_reorders_nothing_and_repeats_nothing_that_was_marked() {
    let house = House::new(HASTY).await;
    let receiver = Receiver::start().await;
    let pager = house.create(webhook("pager", &receiver)).await;
    happens(&house.trial, 7, 1).await;
    house.until(pager.id, |standing| standing.tally.delivered == 1).await;
    // The receiver goes, and more happens than it hears of.
    let address = receiver.stop().await;
    for sequence in 2..=4 {
        happens(&house.trial, 7, sequence).await;
        happens(&house.trial, 8, sequence).await;
    }
    house.until(pager.id, |standing| standing.waiting == 6).await;
    let house = house.again(HASTY).await;
    happens(&house.trial, 7, 5).await;
    house.until(pager.id, |standing| standing.waiting == 7).await;
    let receiver = Receiver::at(address).await;
    let standing = house.until(pager.id, |standing| standing.waiting == 0).await;
    assert_eq!(standing.tally.delivered, 8, "the count goes on");
    let came = receiver.so_far();
    assert_eq!(of_rollout(&came, 7), expected(7, 2..=5));
    assert_eq!(of_rollout(&came, 8), expected(8, 2..=4));
}

#[tokio::test]
async fn a_crash_between_an_answer_and_its_mark_repeats_the_message_under_the_same_name() {
    let house = House::new(HASTY).await;
    let receiver = Receiver::start().await;
    let pager = house.create(webhook("pager", &receiver)).await;
    happens(&house.trial, 7, 1).await;
    happens(&house.trial, 7, 2).await;
    house.until(pager.id, |standing| standing.tally.delivered == 2).await;
    let trial = house.stopped().await;
    // As if the mark of the second had not become durable.
    let store = trial.truth.store();
    let key = keys::delivered(pager.id, 2);
    let ended = model::read_delivery(&store.get(&key).await.unwrap().unwrap().value).unwrap();
    let unmarked = delivery::Delivery {
        ended: None,
        attempts: 0,
        event: Event {
            kind: Kind::Held,
            json: format!(r#"{{"id":"{}"}}"#, event_id(7, 2)),
        },
        ..ended
    };
    let tally = Tally {
        delivered: 1,
        ..Tally::default()
    };
    trial
        .commit(change::delivery::tried(pager.id, &unmarked, &tally).delete(key))
        .await;
    let house = House::over(trial, HASTY);
    let standing = house.until(pager.id, |standing| standing.tally.delivered == 2).await;
    assert_eq!(standing.waiting, 0);
    let came = receiver.received(3).await;
    assert_eq!(ids(&came), ["7.1.rollout_held", "7.2.rollout_held", "7.2.rollout_held"]);
    assert_eq!(came[1].id(), came[2].id());
    assert_ne!(came[0].id(), came[1].id());
}

#[tokio::test]
async fn nothing_is_left_of_a_webhook_that_is_deleted_not_even_after_a_crash() {
    let house = House::new(HASTY).await;
    let receiver = Receiver::start().await;
    receiver.replies(|_| Reply::status(500));
    let pager = house.create(webhook("pager", &receiver)).await;
    let other = house.create(webhook("other", &receiver)).await;
    happens(&house.trial, 7, 1).await;
    house.until(other.id, |standing| standing.waiting == 1).await;
    let delete = |trial: &Trial, name: &str| {
        let state = trial.truth.state();
        change::webhook::delete(&state, &state.webhooks[&key(name)], &actor())
    };
    house.trial.commit(delete(&house.trial, "pager")).await;
    until_nothing_is_kept(&house.trial, pager.id).await;
    assert_eq!(house.webhooks.standing(pager.id), Standing::default());
    // The other is deleted while nobody is there to take what it leaves.
    let trial = house.stopped().await;
    trial.commit(delete(&trial, "other")).await;
    let house = House::over(trial, HASTY);
    until_nothing_is_kept(&house.trial, other.id).await;
}

async fn until_nothing_is_kept(trial: &Trial, id: Uuid) {
    let looking = async {
        while gone::kept(trial.truth.store()).await.unwrap().contains(&id) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(FAR, looking).await.expect("it is forgotten");
}

#[tokio::test]
async fn while_a_secret_is_changed_for_another_both_sign() {
    let house = House::new(HASTY).await;
    let receiver = Receiver::start().await;
    let pager = house.create(webhook("pager", &receiver)).await;
    let rotated = WebhookRecord {
        secret: secret::Secret::draw(),
        previous: Some(Previous {
            secret: pager.secret.clone(),
            until_us: i64::MAX,
        }),
        ..WebhookRecord::clone(&pager)
    };
    house.write(rotated.clone()).await;
    happens(&house.trial, 7, 1).await;
    let message = receiver.taken(1).await.remove(0);
    assert!(message.is_signed_with(&pager.secret.text()) && message.is_signed_with(&rotated.secret.text()));
    let over = WebhookRecord {
        previous: None,
        ..WebhookRecord::clone(&house.webhook("pager"))
    };
    house.write(over).await;
    happens(&house.trial, 7, 2).await;
    let message = receiver.taken(2).await.remove(1);
    assert!(!message.is_signed_with(&pager.secret.text()) && message.is_signed_with(&rotated.secret.text()));
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_rest_gets_it_until_somebody_asks() {
    let house = House::new(HASTY).await;
    let receiver = Receiver::start().await;
    receiver.replies(|_| Reply::Status(429, vec![("retry-after", "3600".to_owned())]));
    let pager = house.create(webhook("pager", &receiver)).await;
    happens(&house.trial, 7, 1).await;
    receiver.received(1).await;
    let is_resting = |standing: &Standing| {
        let soon_us = runtime::clock::now_us() + 3_000_000_000;
        standing.next_us.is_some_and(|next_us| next_us > soon_us)
    };
    house.until(pager.id, is_resting).await;
    happens(&house.trial, 8, 1).await;
    house.until(pager.id, |standing| standing.waiting == 2).await;
    receiver.replies(|_| Reply::status(200));
    assert_eq!(receiver.so_far().len(), 1);
    house.webhooks.again(pager.id);
    assert_eq!(receiver.taken(2).await.len(), 2);
}

#[tokio::test]
async fn the_outbox_is_needed_from_the_last_event_that_was_put_before_webhooks() {
    let house = House::new(HASTY).await;
    let truth = house.trial.truth.clone();
    assert_eq!(needed_after(&truth).await.unwrap(), u64::MAX);
    let receiver = Receiver::start().await;
    let pager = house.create(webhook("pager", &receiver)).await;
    assert_eq!(needed_after(&truth).await.unwrap(), pager.begins_after);
    happens(&house.trial, 7, 1).await;
    receiver.taken(1).await;
    let needed = needed_after(&truth).await.unwrap();
    assert!(needed > pager.begins_after, "{needed}");
    drop(truth);
    // What no webhook takes is behind it as well.
    let none = WebhookRecord {
        kinds: [Kind::Aborted].into(),
        ..WebhookRecord::clone(&house.webhook("pager"))
    };
    house.write(none).await;
    happens(&house.trial, 7, 2).await;
    let looking = async {
        while needed_after(&house.trial.truth).await.unwrap() == needed {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(FAR, looking).await.expect("it is passed over");
    assert_eq!(receiver.so_far().len(), 1);
}
