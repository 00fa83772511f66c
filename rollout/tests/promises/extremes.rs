//! Nothing that can be known, done or written makes a decision panic, or promotes what was not heard.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rollout::{
    Act, ArmTotals, Delivery, EvidenceNumber, Facts, Measure, Phase, State, Totals, act, criterion::Estimates, judge,
    next_deadline, rebase, step, waits,
};

use crate::{
    builders::{HASH, at, good, window},
    random::{Event, acts, events, led, plans},
};

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), 0..200_u64]
}

fn totals() -> impl Strategy<Value = Totals> {
    (numbers(), numbers(), numbers(), numbers()).prop_map(|(exposures, outcomes, units, bad)| Totals {
        exposures,
        outcomes,
        units,
        bad,
    })
}

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        Just(-1),
        Just(0),
        0..4_000_000_000_000_000_i64
    ]
}

fn estimates() -> impl Strategy<Value = Estimates> {
    prop::array::uniform3(prop::option::of(any::<f64>())).prop_map(|[treatment, control, baseline]| Estimates {
        treatment,
        control,
        baseline,
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let evidence = prop::option::of((0..3_usize, any::<usize>(), any::<f64>()));
    let delivery = prop::array::uniform3(prop_oneof![any::<u32>(), Just(0), Just(u32::MAX)]);
    let flags = prop::array::uniform5(any::<bool>());
    let known = (totals(), totals(), estimates(), numbers(), numbers());
    (
        evidence,
        delivery,
        flags,
        known,
        times(),
        prop::option::of(any::<bool>()),
    )
        .prop_map(
            |(evidence, [live, applied, persisted], flags, known, longest_gap_us, certified)| {
                let [latched, off, fresh, positions_full, resumed] = flags;
                let (treatment, control, estimates, outcomes, units) = known;
                let measure = Measure {
                    estimates,
                    outcomes,
                    units,
                };
                let evidence = evidence.map(|(guard, horizon, log_evidence)| EvidenceNumber {
                    guard,
                    horizon,
                    log_evidence,
                    is_doubted: false,
                });
                Facts {
                    concerns: Default::default(),
                    recent: Default::default(),
                    levels: Default::default(),
                    latched,
                    off,
                    delivery: Delivery {
                        live,
                        applied,
                        persisted,
                    },
                    arms: ArmTotals { treatment, control },
                    evidence,
                    fresh,
                    positions_full,
                    resumed,
                    measures: BTreeMap::from([("error-rate".to_owned(), measure)]),
                    certified,
                    checked: vec![],
                    longest_gap_us,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_known_makes_a_decision_panic(
        plan in plans(), events in events(), known in prop::collection::vec((any_facts(), times(), acts()), 1..20),
    ) {
        let mut plan = plan;
        plan.windows = vec![window("Mon-Fri 09:00-17:00 Europe/Berlin")];
        let mut state = led(&plan, &events).pop().unwrap().after;
        for (facts, now, wanted) in known {
            let before = state.clone();
            judge(&plan, &state, &facts, now);
            waits(&plan, &state, &facts, now);
            prop_assert!(next_deadline(&plan, &state, &facts, now).is_none_or(|deadline| deadline >= now));
            plan.deployed(state.stage);
            let _ = rebase(&plan, &plan, &state, HASH, now);
            let next = step(&plan, &state, &facts, now).state;
            prop_assert!(next.soaked_us >= 0);
            prop_assert!(next.stage <= before.stage + 1);
            state = act(&plan, &next, &facts, &wanted, "ann", now).map_or(next, |acted| acted.state);
        }
    }

    #[test]
    fn facts_without_an_agent_raise_nothing(plan in plans(), events in events(), facts in any_facts(), wanted in acts()) {
        let nobody = Facts { delivery: Delivery::default(), ..facts };
        for moment in led(&plan, &events) {
            let state = moment.after;
            if !state.is_live() {
                continue;
            }
            let next = step(&plan, &state, &nobody, state.observed_at_us + 1_000_000).state;
            prop_assert!(next.stage == state.stage && next.phase != Phase::Completed);
            let acted = act(&plan, &state, &nobody, &wanted, "ann", state.observed_at_us);
            prop_assert!(acted.is_err() || acted.is_ok_and(|acted| acted.state.stage <= state.stage));
        }
    }

    #[test]
    fn a_crash_loses_soak_and_nothing_else(plan in plans(), events in events()) {
        let mut committed: Option<State> = None;
        for moment in led(&plan, &events) {
            if moment.event == Event::Crash {
                prop_assert_eq!(Some(&moment.after), committed.as_ref());
                let mut before = moment.before;
                prop_assert!(moment.after.soaked_us <= before.soaked_us);
                before.soaked_us = moment.after.soaked_us;
                before.observed_at_us = moment.after.observed_at_us;
                before.fresh_at_us = moment.after.fresh_at_us;
                before.alone_since_us = moment.after.alone_since_us;
                prop_assert_eq!(before, moment.after);
            } else if moment.transition.is_some() {
                committed = Some(moment.after);
            }
        }
    }
}

#[test]
fn time_that_runs_backwards_soaks_nothing() {
    let mut rollout = at(Phase::Soak);
    let backwards = Facts {
        longest_gap_us: -1,
        ..good()
    };
    assert_eq!(rollout.after(4, &backwards), None);
    assert_eq!(rollout.state.soaked_us, 0);
    assert_eq!(rollout.after(-4, &good()), None);
    assert_eq!(rollout.state.soaked_us, 0);
    assert!(rollout.act(Act::Abort).is_ok());
}
