#![allow(clippy::unwrap_used)]

use prost::Message as _;
use proto::v1::ObserveRequest;

use crate::carried::Reported;
use crate::exposure::{Exposure, Exposures};
use crate::outcome::Outcome;

use super::*;

fn observed(number: u64) -> Reported {
    Reported {
        exposures: Exposures::default(),
        report: Outcome::Ok.after(Duration::from_micros(number)),
    }
}

/// A report of so many bytes and a few more.
fn large(bytes: usize) -> Reported {
    Reported {
        exposures: Exposures::of(&[&Exposure::of_token("t".repeat(bytes))]),
        report: Outcome::Ok.into(),
    }
}

/// How many items a message has.
fn count(message: Bytes) -> usize {
    ObserveRequest::decode(message).unwrap().observations.len()
}

/// A queue that stays open for as long as the sender is kept.
fn open(capacity: usize) -> (watch::Sender<bool>, Inlet<Reported>, Outlet<Reported>) {
    let (close, closing) = watch::channel(false);
    let (inlet, outlet) = queue(capacity, closing);
    (close, inlet, outlet)
}

#[tokio::test]
async fn a_full_queue_drops_the_newest_and_counts_it() {
    let (_open, inlet, mut outlet) = open(2);
    for number in 0..5 {
        inlet.offer(observed(number));
    }
    assert_eq!(inlet.dropped(), 3);
    let batch = ObserveRequest::decode(outlet.batch().await.unwrap()).unwrap();
    let numbers: Vec<_> = batch
        .observations
        .into_iter()
        .map(|one| one.duration_us.unwrap())
        .collect();
    assert_eq!(numbers, [0, 1]);
}

#[tokio::test]
async fn a_message_is_never_larger_than_its_limit() {
    let (_open, inlet, mut outlet) = open(2_000);
    for number in 0..1_100 {
        inlet.offer(observed(number));
    }
    let mut sizes = Vec::new();
    for _ in 0..3 {
        sizes.push(count(outlet.batch().await.unwrap()));
    }
    assert_eq!(sizes, [500, 500, 100]);
}

#[tokio::test]
async fn large_items_share_a_message_only_while_they_fit_in_it() {
    let (_open, inlet, mut outlet) = open(10);
    for part in [3, 2, 4] {
        inlet.offer(large(MESSAGE_BYTES / 10 * part));
    }
    inlet.offer(large(MESSAGE_BYTES / 2));
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let batch = outlet.batch().await.unwrap();
        assert!(batch.len() <= MESSAGE_BYTES);
        sizes.push(count(batch));
    }
    assert_eq!((sizes, inlet.dropped()), (vec![3, 1], 0));
}

#[tokio::test]
async fn an_item_larger_than_a_message_is_dropped_and_counted() {
    let (_open, inlet, _outlet) = open(10);
    inlet.offer(large(MESSAGE_BYTES));
    assert_eq!(inlet.dropped(), 1);
}

#[tokio::test]
async fn few_large_items_fill_the_queue_and_what_was_sent_makes_room_again() {
    let (_open, inlet, mut outlet) = open(1_000);
    let half_a_message = || large(MESSAGE_BYTES / 2);
    let fitting = QUEUE_BYTES / half_a_message().bytes();
    for _ in 0..fitting + 1 {
        inlet.offer(half_a_message());
    }
    assert_eq!(inlet.dropped(), 1);
    outlet.batch().await.unwrap();
    inlet.offer(half_a_message());
    assert_eq!(inlet.dropped(), 1);
    outlet.abandon();
    assert_eq!(inlet.tally.waiting_bytes.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_closed_queue_gives_what_it_holds_and_ends() {
    let (close, inlet, mut outlet) = open(10);
    inlet.offer(observed(1));
    close.send(true).unwrap();
    assert_eq!(outlet.batch().await.map(count), Some(1));
    assert_eq!(outlet.batch().await, None);
    inlet.offer(observed(2));
    assert_eq!(inlet.dropped(), 1);
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_any_more_is_not_lost() {
    let (_open, inlet, mut outlet) = open(10);
    inlet.offer(observed(1));
    assert!(outlet.filled().await);
    assert!(tokio::time::timeout(Duration::ZERO, outlet.batch()).await.is_err());
    assert_eq!(outlet.batch().await.map(count), Some(1));
}

#[tokio::test]
async fn what_is_abandoned_is_counted() {
    let (_open, inlet, mut outlet) = open(10);
    inlet.offer(observed(1));
    assert!(outlet.filled().await);
    inlet.offer(observed(2));
    outlet.abandon();
    assert_eq!(inlet.dropped(), 2);
}
