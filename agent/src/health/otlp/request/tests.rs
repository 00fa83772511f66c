use evaluation::{Arm, Place, Position};

use super::*;
use crate::health::{caller::Caller, report::Outcome};

fn id() -> SpanId {
    SpanId::read(&[1; 16], &[2; 8]).unwrap_or_else(|| unreachable!("these are ids"))
}

fn ended() -> Ended {
    Ended {
        outcome: Some(Outcome::Error),
        duration_us: Some(25),
        http_status: Some(500),
        class: None,
        caller: Caller::ANYBODY,
        is_sampled: false,
    }
}

fn exposed(stage: u8, position: Option<u32>) -> Attributed {
    Attributed {
        place: Place {
            rollout: 7,
            stage,
            stratum: 0,
        },
        arm: Arm::Treatment,
        position: position.and_then(Position::new),
    }
}

fn served(stage: u8) -> What {
    What::Served(exposed(stage, None))
}

fn measured(key: &'static str, number: f64, together: Together) -> What {
    What::Measured(Measured {
        key: key.into(),
        number,
        together,
    })
}

fn tokens(number: f64) -> What {
    measured("tokens", number, Together::Sum)
}

/// What is counted: how many exposures, whether with the end, and the values.
fn add(request: &mut Request, said: Vec<What>) -> Vec<(usize, bool, Vec<f64>)> {
    let joined = request.add(id(), &ended(), said, &mut Tally::default());
    let seen = |joined: Joined| {
        let numbers = joined.values.iter().map(|(_, number)| *number).collect();
        (joined.exposed.len(), joined.is_first, numbers)
    };
    joined.into_iter().map(seen).collect()
}

#[test]
fn an_exposure_counts_once_however_often_it_is_told() {
    let mut request = Request::default();
    assert_eq!(
        add(&mut request, vec![served(0), served(0), served(1)]),
        [(2, true, vec![])]
    );
    assert_eq!(add(&mut request, vec![served(0), served(1)]), []);
    assert_eq!(add(&mut request, vec![served(2), served(1)]), [(1, true, vec![])]);
}

#[test]
fn who_it_was_may_be_told_by_one_of_several() {
    let said = [None, Some(9), None].map(|position| What::Served(exposed(0, position)));
    let joined = Request::default().add(id(), &ended(), said.into(), &mut Tally::default());
    assert_eq!(joined[0].exposed, [exposed(0, Some(9))]);
}

#[test]
fn several_units_of_an_arm_are_all_heard_of() {
    let said = [Some(9), Some(8), None, Some(9)].map(|position| What::Served(exposed(0, position)));
    let joined = Request::default().add(id(), &ended(), said.into(), &mut Tally::default());
    assert_eq!(joined[0].exposed, [exposed(0, Some(9)), exposed(0, Some(8))]);
}

#[test]
fn values_count_with_the_end_if_they_came_before_and_by_themselves_if_after() {
    let mut request = Request::default();
    assert_eq!(add(&mut request, vec![tokens(100.0)]), [], "nobody was exposed");
    assert_eq!(
        add(&mut request, vec![tokens(20.0), served(0)]),
        [(1, true, vec![120.0])]
    );
    assert_eq!(add(&mut request, vec![tokens(3.0)]), [(1, false, vec![3.0])]);
    assert_eq!(
        add(&mut request, vec![served(1), tokens(4.0)]),
        [(1, false, vec![4.0]), (1, true, vec![127.0])]
    );
}

#[test]
fn several_values_of_a_key_add_up_or_the_largest_counts_or_each_does() {
    let said = |together| [3.0, 1.0].map(|number| measured("k", number, together));
    for (together, expected) in [
        (Together::Sum, vec![4.0]),
        (Together::Largest, vec![3.0]),
        (Together::Each, vec![3.0, 1.0]),
    ] {
        let said = [vec![served(0)], said(together).into()].concat();
        assert_eq!(add(&mut Request::default(), said), [(1, true, expected)]);
    }
}

#[test]
fn what_is_too_much_for_one_request_is_dropped_and_counted() {
    let mut tally = Tally::default();
    let scores = (0..40).map(|_| measured("k", 1.0, Together::Each));
    let exposures = (0..70).map(|rollout| {
        let place = Place {
            rollout,
            stage: 0,
            stratum: 0,
        };
        What::Served(Attributed {
            place,
            ..exposed(0, None)
        })
    });
    let joined = Request::default().add(id(), &ended(), scores.chain(exposures).collect(), &mut tally);
    assert_eq!((joined[0].exposed.len(), joined[0].values.len()), (EXPOSURES, VALUES));
    assert_eq!(tally.dropped, [(Dropped::Crowded, 8 + 6)].into());
    assert_eq!(tally.of_rollouts, [64, 65, 66, 67, 68, 69]);
    assert_eq!(tally.joined, 64);
}
