//! Evidence of the unit test where the arms are not as large as their shares.

use super::*;

/// Half of all units, of whom so many have failed, and so many of the sampled were exposed, by arm.
fn split(unit: Unit, bad: (u64, u64), sampled: (u64, u64)) -> World {
    let mut world = World::new(&[("error-rate > 1x control", Level::Abort)], 50);
    world.plan.unit = unit;
    world.horizons.entry(1).or_default().strata.insert((0, 0), bad);
    let (treatment, control) = sampled;
    world.sampled.insert(((0, 1), 0), SampledCounts { treatment, control });
    world
}

#[test]
fn where_control_is_missing_the_unit_test_holds_and_does_not_abort() {
    // An eighth of control comes: 80 and 10 of those who fail alike.
    let world = split(Unit::Unit, (80, 10), (400, 48));
    let found = world.examine(0);
    assert_eq!(found.holds, [HoldReason::SampleRatio]);
    assert_eq!((found.standing.abort, found.rule), (None, None));
    assert_eq!(found.standing.ladder(world.plan.alpha), Ladder::Hold);
    assert_eq!(found.rung(&world.plan, 0), Ladder::Hold);
    assert!(found.log_evidence(0).unwrap() > libm::log(100.0), "what it is is shown");
    let facts = crate::Facts {
        evidence: found.standing.abort,
        concerns: found.clone().into(),
        ..crate::Facts::default()
    };
    assert_eq!(verdict::harm(&world.plan, &facts), None);
    let holds = verdict::holds(&world.plan, &world.state, &facts, 0);
    assert!(
        holds.starts_with(&[HoldReason::Evidence, HoldReason::SampleRatio]),
        "{holds:?}"
    );
}

#[test]
fn where_the_arms_are_as_large_as_their_shares_the_same_evidence_aborts() {
    let world = split(Unit::Unit, (80, 10), (400, 390));
    assert_eq!(world.ladder(), Ladder::Abort);
    assert_eq!(world.examine(0).holds, []);
}

#[test]
fn doubt_is_of_the_visit_that_it_was_found_in() {
    let mut world = split(Unit::Unit, (80, 10), (400, 48));
    world.state.visits.push(Visit {
        stage: 0,
        visit: 2,
        entered_at_us: 10,
    });
    world.state.horizons.push(Horizon {
        stage: 0,
        started_at_us: 10,
    });
    let next = |world: &World| {
        (
            world
                .examine(10)
                .standing
                .abort
                .is_some_and(|number| number.log_evidence > 4.7),
            world.ladder(),
        )
    };
    assert_eq!(
        next(&world),
        (false, Ladder::Hold),
        "what was in doubt stays so in the next visit"
    );
    world.horizons.entry(2).or_default().strata.insert((0, 0), (80, 10));
    world.sampled.insert(
        ((0, 2), 0),
        SampledCounts {
            treatment: 400,
            control: 390,
        },
    );
    assert_eq!(next(&world), (true, Ladder::Abort));
}

#[test]
fn what_does_not_rest_on_the_split_aborts_all_the_same() {
    let mut world = split(Unit::Unit, (80, 10), (400, 48));
    let limited = World::new(&[("error-rate > 2 %", Level::Abort)], 50);
    world.plan.guards = limited.plan.guards;
    world.count(0, (30, 100), (1, 100));
    assert_eq!(world.ladder(), Ladder::Abort, "a limit of its own");
}
