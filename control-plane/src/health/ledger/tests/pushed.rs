//! What holds for pushed measurements, whatever dies and however old the state is that shows them.

use evaluation::Arm;
use proptest::prelude::*;
use rollout::Unit;
use uuid::Uuid;

use crate::{
    builders::World,
    evidence::EvidenceRecord,
    health::{builders::*, ledger::Ledger},
    push::{Item, Waiting},
    record::RolloutRecord,
    state::State,
    store::{Txn, keys, model},
};

/// What becomes of a sealed transaction.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is committed, and the ledger knows.
    Committed,
    /// The process dies before it is committed.
    Lost,
    /// The process dies after it is committed.
    Unheard,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody pushes the next request.
    Push,
    /// The collector looks: at the state by now, or again at the one before.
    Look { stale: bool, fate: Fate },
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (
        0..2_u8,
        0..2_u8,
        any::<bool>(),
        0..64_u8,
        1..3_u16,
        -5..50_i64,
        0..3_u64,
    )
        .prop_map(|(stage, stratum, treated, bucket, metric, num, den)| Item {
            visit: (stage, 1),
            stratum,
            arm: if treated { Arm::Treatment } else { Arm::Control },
            bucket,
            metric,
            num,
            den,
        });
    prop::collection::vec(item, 1..6)
}

fn requests() -> impl Strategy<Value = Vec<Waiting>> {
    let request = (1..3_u32, items());
    prop::collection::vec(request, 1..60).prop_map(|requests| {
        let numbered = (1_u128..).zip(requests);
        let waiting = numbered.map(|(number, (horizon, items))| Waiting {
            environment: production(),
            id: Uuid::from_u128(number),
            horizon,
            measurements: items.len() as u32,
            items,
            revision: 0,
        });
        waiting.collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop_oneof![4 => Just(Fate::Committed), 1 => Just(Fate::Lost), 1 => Just(Fate::Unheard)];
    let look = (any::<bool>(), fate).prop_map(|(stale, fate)| Step::Look { stale, fate });
    prop::collection::vec(prop_oneof![2 => Just(Step::Push), 1 => look], 0..120)
}

/// A ledger over a store, and the state that it last saw.
struct Desk {
    world: World,
    rollout: RolloutRecord,
    ledger: Ledger,
    seen: State,
    now_us: i64,
}

impl Desk {
    fn new() -> Self {
        let rollout = rollout_of(Unit::Unit, &[5, 50], 600 * SECOND_US);
        Self {
            world: World::new(),
            ledger: ledger(&rollout),
            rollout,
            seen: State::default(),
            now_us: START_US,
        }
    }

    fn push(&mut self, waiting: &Waiting) {
        let at = keys::push_waiting(&production(), self.rollout.id, waiting.id);
        self.world
            .commit(&Txn::default().put(at, model::write_waiting(waiting)));
    }

    fn look(&mut self, stale: bool, fate: Fate) {
        if !stale {
            self.seen = self.world.state.clone();
        }
        self.now_us += 2 * SECOND_US;
        let waiting = self.seen.waiting_of(self.rollout.id);
        self.ledger.accept_pushed(waiting.map(|waiting| &**waiting));
        while let Some(txn) = self.ledger.seal(&self.rollout, self.now_us) {
            let is_committed = !matches!(fate, Fate::Lost) && self.world.offer(&txn).is_some();
            if is_committed && matches!(fate, Fate::Committed) {
                self.ledger.committed(self.world.shelf.revision);
            } else {
                // Lost, unheard of, or refused: what the store holds is the truth.
                self.ledger = self.world.shelf.load(&self.rollout);
                return;
            }
        }
    }

    fn finish(mut self) -> EvidenceRecord {
        while !self.world.state.waiting.is_empty() {
            let before = self.world.state.waiting.len();
            // One look may meet what is counted already, and load anew.
            self.look(false, Fate::Committed);
            self.look(false, Fate::Committed);
            assert!(self.world.state.waiting.len() < before, "nothing was counted");
        }
        self.world.shelf.load(&self.rollout).record
    }
}

/// Everything that was counted, as it is stored.
fn totals(record: &EvidenceRecord) -> (Vec<bytes::Bytes>, u64) {
    let sums = record.sums.values().map(|sums| model::write_sums(sums));
    (sums.collect(), record.pushed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_measurement_counts_once_whatever_dies_and_whatever_is_seen_late(
        requests in requests(), steps in steps(), order in any::<u64>(),
    ) {
        let mut reference = Desk::new();
        requests.iter().for_each(|request| reference.push(request));
        let expected = totals(&reference.finish());

        // In another order: by a multiplicative shuffle of the ids.
        let mut shuffled = requests.clone();
        shuffled.sort_by_key(|request| (request.id.as_u128() as u64).wrapping_mul(order | 1));
        let (mut desk, mut left) = (Desk::new(), shuffled.iter());
        for step in steps {
            match step {
                Step::Push => left.next().into_iter().for_each(|request| desk.push(request)),
                Step::Look { stale, fate } => desk.look(stale, fate),
            }
        }
        left.for_each(|request| desk.push(request));
        prop_assert_eq!(totals(&desk.finish()), expected);
    }
}

fn one(id: u128, horizon: u32) -> Waiting {
    Waiting {
        environment: production(),
        id: Uuid::from_u128(id),
        horizon,
        items: vec![Item {
            visit: (0, 1),
            stratum: 0,
            arm: Arm::Treatment,
            bucket: 5,
            metric: 1,
            num: 1_000_000,
            den: 0,
        }],
        measurements: 1,
        revision: 0,
    }
}

#[test]
fn what_was_pushed_is_sealed_without_waiting_for_agents_and_cuts_none_of_their_batches() {
    let mut desk = Desk::new();
    let news = crate::health::frames::Frame {
        cells: vec![cell(place(0, 0, Arm::Treatment), 3, 1, &[5])],
        ..frame(&desk.rollout, 1)
    };
    desk.ledger.accept(&reporter("a"), &news, START_US);
    desk.push(&one(1, 1));
    let sealed_at_us = desk.ledger.sealed_at_us;
    desk.ledger
        .accept_pushed(desk.world.state.waiting_of(desk.rollout.id).map(|waiting| &**waiting));
    let due = desk.ledger.due(10 * SECOND_US, |_| false, START_US + SECOND_US);
    assert_eq!(due, super::super::Due::Batch);
    let txn = desk.ledger.seal(&desk.rollout, START_US + SECOND_US).unwrap();
    desk.world.commit(&txn);
    assert_eq!(desk.ledger.committed(desk.world.shelf.revision), []);
    assert_eq!(desk.ledger.record().pushed, 1);
    assert_eq!(
        desk.ledger.record().totals().treatment.outcomes,
        0,
        "the frame still waits"
    );
    assert_eq!(desk.ledger.sealed_at_us, sealed_at_us);
    let events = desk.ledger.record().events.within(1, None, START_US + SECOND_US);
    assert_eq!(
        events, 0.0,
        "only countings of values are events: this one is not in the plan"
    );
}

#[test]
fn a_batch_holds_what_a_transaction_has_room_for_and_the_rest_comes_with_the_next() {
    let mut desk = Desk::new();
    for id in 1..=100 {
        desk.push(&one(id, 1));
    }
    let mut left = Vec::new();
    while !desk.world.state.waiting.is_empty() {
        desk.look(false, Fate::Committed);
        left.push(desk.world.state.waiting.len());
    }
    assert_eq!(left, [60, 20, 0]);
    assert_eq!(desk.ledger.record().pushed, 100);
}
