#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn at(revision: u64) -> Position {
    Position { revision, index: 0 }
}

/// One of a rollout that is due at once.
fn waiting(revision: u64, rollout: u128) -> Waiting {
    Waiting {
        position: at(revision),
        rollout: Uuid::from_u128(rollout),
        queued_at_us: i64::try_from(revision).unwrap(),
        due_us: 0,
    }
}

fn queue_of(all: &[(u64, u128)]) -> Queue {
    let mut queue = Queue::new(Patience {
        in_flight: 2,
        waiting: 4,
        ..Patience::STANDARD
    });
    all.iter()
        .for_each(|(revision, rollout)| queue.add(waiting(*revision, *rollout)));
    queue
}

#[test]
fn a_rollout_has_one_under_way_at_a_time_and_all_together_no_more_than_there_is_room_for() {
    let mut queue = queue_of(&[(1, 7), (2, 7), (3, 8), (4, 9)]);
    assert_eq!(queue.start(0), [at(1), at(3)]);
    assert_eq!((queue.start(0), queue.next_us()), (vec![], None));
    queue.ended(at(3));
    assert_eq!(
        queue.start(0),
        [at(4)],
        "the second of the first rollout waits for the first"
    );
    queue.ended(at(1));
    assert_eq!(queue.start(0), [at(2)]);
    queue.ended(at(2));
    queue.ended(at(4));
    assert_eq!((queue.len(), queue.oldest_us(), queue.next_us()), (0, None, None));
}

#[test]
fn one_that_fails_holds_up_its_rollout_and_no_other() {
    let mut queue = queue_of(&[(1, 7), (2, 7), (3, 8)]);
    assert_eq!(queue.start(0), [at(1), at(3)]);
    queue.failed(at(1), 500);
    assert_eq!(queue.start(499), []);
    assert_eq!(queue.next_us(), Some(500));
    queue.ended(at(3));
    queue.add(waiting(4, 8));
    assert_eq!(queue.start(10), [at(4)]);
    assert_eq!(queue.start(500), [at(1)]);
    queue.ended(at(1));
    assert_eq!(queue.start(500), [at(2)]);
}

#[test]
fn a_receiver_that_is_back_gets_what_waits_at_once_but_hears_a_sick_event_at_its_times() {
    let mut queue = queue_of(&[(1, 7), (2, 8)]);
    queue.start(0);
    queue.failed(at(1), 500);
    queue.failed(at(2), 600);
    queue.is_back(100);
    assert_eq!(queue.start(100), [at(1), at(2)]);
    queue.failed(at(1), 700);
    queue.ended(at(2));
    queue.is_back(110);
    assert_eq!((queue.start(110), queue.next_us()), (vec![], Some(700)));
    // A person's word counts more.
    queue.again(120);
    assert_eq!(queue.start(120), [at(1)]);
    queue.failed(at(1), 900);
    queue.is_back(130);
    assert_eq!(queue.start(130), [at(1)], "and it is hurried once more after it");
}

#[test]
fn a_rest_is_kept_by_all_until_it_is_over_or_somebody_asks() {
    let mut queue = queue_of(&[(1, 7), (2, 8)]);
    queue.rest(50);
    queue.rest(40);
    assert_eq!((queue.start(49), queue.next_us()), (vec![], Some(50)));
    queue.is_back(45);
    assert_eq!(queue.start(49), []);
    queue.again(49);
    assert_eq!(queue.start(49), [at(1), at(2)]);
}

#[test]
fn of_too_many_the_oldest_goes_unless_it_is_under_way() {
    let mut queue = queue_of(&[(1, 7), (2, 7), (3, 7), (4, 8)]);
    assert_eq!(queue.surplus(), None);
    queue.add(waiting(5, 9));
    assert_eq!(queue.surplus(), Some(at(1)));
    assert_eq!(queue.start(0), [at(1), at(4)]);
    assert_eq!(queue.surplus(), Some(at(2)));
    queue.ended(at(2));
    assert_eq!(queue.surplus(), None);
    queue.ended(at(1));
    assert_eq!(queue.start(0), [at(3)], "what is behind it moves up");
}

#[test]
fn what_has_waited_for_too_long_is_named_while_nothing_is_sent() {
    let mut queue = queue_of(&[(1, 7), (2, 8)]);
    let kept_us = Patience::STANDARD.kept_us;
    assert_eq!(queue.overdue(kept_us), None);
    assert_eq!(queue.overdue(kept_us + 1), Some(at(1)));
    queue.ended(at(1));
    assert_eq!(queue.overdue(kept_us + 1), None);
    assert_eq!(queue.oldest_us(), Some(2));
}

/// What may happen to a queue.
#[derive(Debug, Clone, Copy)]
enum Step {
    Add(u128),
    Start,
    End(usize),
    Fail(usize, i64),
    Back,
    Again,
    Rest(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u128..4).prop_map(Step::Add),
        Just(Step::Start),
        (0_usize..4).prop_map(Step::End),
        ((0_usize..4), (0_i64..50)).prop_map(|(at, later)| Step::Fail(at, later)),
        Just(Step::Back),
        Just(Step::Again),
        (0_i64..20).prop_map(Step::Rest),
    ]
}

/// What goes now is the first of its rollout, and no more than there is room for.
fn send(
    queue: &mut Queue,
    now_us: i64,
    under_way: &mut Vec<Position>,
    left: &BTreeMap<u128, VecDeque<Position>>,
    rollouts: &BTreeMap<Position, u128>,
) {
    for position in queue.start(now_us) {
        assert_eq!(
            left[&rollouts[&position]].front(),
            Some(&position),
            "the first of its rollout"
        );
        assert!(!under_way.contains(&position));
        under_way.push(position);
    }
    assert!(under_way.len() <= 2);
}

proptest! {
    #[test]
    fn whatever_happens_each_is_sent_in_the_order_of_its_rollout_and_nothing_is_forgotten(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut queue = queue_of(&[]);
        let (mut now_us, mut revision) = (0, 0);
        let mut under_way: Vec<Position> = Vec::new();
        let mut rollouts = BTreeMap::new();
        let mut left: BTreeMap<u128, VecDeque<Position>> = BTreeMap::new();
        for step in steps {
            now_us += 1;
            match step {
                Step::Add(rollout) => {
                    revision += 1;
                    queue.add(waiting(revision, rollout));
                    rollouts.insert(at(revision), rollout);
                    left.entry(rollout).or_default().push_back(at(revision));
                }
                Step::Start => send(&mut queue, now_us, &mut under_way, &left, &rollouts),
                Step::End(which) if which < under_way.len() => {
                    let position = under_way.remove(which);
                    queue.ended(position);
                    left.get_mut(&rollouts[&position]).unwrap().pop_front();
                }
                Step::Fail(which, later) if which < under_way.len() => {
                    queue.failed(under_way.remove(which), now_us + later);
                }
                Step::End(_) | Step::Fail(..) => {}
                Step::Back => queue.is_back(now_us),
                Step::Again => queue.again(now_us),
                Step::Rest(later) => queue.rest(now_us + later),
            }
            prop_assert_eq!(queue.len(), left.values().map(VecDeque::len).sum::<usize>());
        }
        // In the end all of it goes.
        now_us += 1_000;
        while queue.len() > 0 {
            send(&mut queue, now_us, &mut under_way, &left, &rollouts);
            let position = under_way.pop().unwrap();
            queue.ended(position);
            left.get_mut(&rollouts[&position]).unwrap().pop_front();
        }
        prop_assert!(left.values().all(VecDeque::is_empty));
    }
}
