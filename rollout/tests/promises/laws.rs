//! What holds for every rollout, whatever is known when: random plans, led by random facts at random times.

use proptest::prelude::*;
use rollout::{ArmTotals, Delivery, Facts, Phase, Plan, Share, Stage, State, Totals, Transition, Unit, start, step};

use crate::builders::{Rollout, SECOND_US, START_US, evidence, good, harmful, plan, stage};

/// A plan without violations.
fn plans() -> impl Strategy<Value = Plan> {
    let shares = prop::collection::btree_set(prop_oneof![Just(0_u32), Just(100_000), 1..100_000_u32], 1..6);
    (shares, prop::collection::vec(0..20_i64, 6), any::<bool>()).prop_map(|(shares, dwells, by_request)| {
        let stages = shares
            .into_iter()
            .zip(dwells)
            .map(|(share, dwell)| Stage {
                share: Share::new(share).unwrap(),
                dwell_us: dwell * SECOND_US,
                ..stage(&format!("at-{share}"), 0.0)
            })
            .collect();
        let unit = if by_request { Unit::Request } else { Unit::Unit };
        Plan { stages, unit, ..plan() }
    })
}

fn totals() -> impl Strategy<Value = Totals> {
    prop_oneof![
        3 => Just(Totals { exposures: 500, outcomes: 500, units: 50, bad: 4 }),
        1 => (0..200_u64, 0..6_u64).prop_map(|(outcomes, units)| Totals { exposures: outcomes, outcomes, units, bad: 0 }),
        1 => Just(Totals::default()),
    ]
}

/// Facts of all kinds, mostly good ones, short of an abort.
fn facts() -> impl Strategy<Value = Facts> {
    let delivery = prop_oneof![
        4 => Just(Delivery { live: 10, applied: 10, persisted: 10 }),
        1 => (0..4_u32, 0..4_u32, 0..4_u32).prop_map(|(live, applied, persisted)| Delivery { live, applied, persisted }),
    ];
    let number = prop_oneof![4 => Just(None), 1 => (0.01..99.0_f64).prop_map(evidence)];
    let flags = prop::array::uniform4(prop::bool::weighted(0.1));
    (delivery, totals(), totals(), number, flags).prop_map(|(delivery, treatment, control, evidence, flags)| {
        let [stale, positions_full, resumed, off] = flags;
        Facts {
            latched: false,
            off,
            delivery,
            arms: ArmTotals { treatment, control },
            evidence,
            fresh: !stale,
            positions_full,
            resumed,
        }
    })
}

/// What is known, and how many milliseconds after the step before.
fn days() -> impl Strategy<Value = Vec<(i64, Facts)>> {
    let pause_ms = prop_oneof![8 => 500..2_000_i64, 1 => -2_000..0_i64, 1 => 2_000..200_000_000_i64];
    prop::collection::vec((pause_ms, facts()), 1..120)
}

/// Every state on the way, and the transition that led to it.
fn led(plan: &Plan, days: &[(i64, Facts)]) -> Vec<(State, Option<Transition>)> {
    let mut now = START_US;
    let mut way = vec![(start(plan, now), None)];
    for (pause_ms, facts) in days {
        now += pause_ms * 1_000;
        let next = step(plan, &way[way.len() - 1].0, facts, now);
        way.push((next.state, next.transition));
    }
    way
}

proptest! {
    // Each case leads a whole rollout; as many as run in a second or two.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn random_plans_have_no_violations(plan in plans()) {
        prop_assert_eq!(plan.violations(), []);
    }

    #[test]
    fn exposure_rises_one_stage_at_a_time_and_never_falls(plan in plans(), days in days()) {
        let way = led(&plan, &days);
        for pair in way.windows(2) {
            let ((before, _), (after, transition)) = (&pair[0], &pair[1]);
            match transition {
                Some(Transition::Advanced { from, to }) => {
                    prop_assert_eq!((*from, *to), (before.stage, before.stage + 1));
                    prop_assert_eq!(after.stage, *to);
                    prop_assert!(plan.stages[*to].share > plan.stages[*from].share);
                    prop_assert_eq!((after.soaked_us, after.clock_started_at_us), (0, None));
                }
                _ => prop_assert_eq!(after.stage, before.stage),
            }
        }
    }

    #[test]
    fn a_stage_is_left_only_after_its_dwell_on_good_news(plan in plans(), days in days()) {
        let way = led(&plan, &days);
        for (pair, (_, facts)) in way.windows(2).zip(&days) {
            let ((before, _), (after, transition)) = (&pair[0], &pair[1]);
            if !matches!(transition, Some(Transition::Advanced { .. } | Transition::Completed)) {
                continue;
            }
            let stage = &plan.stages[before.stage];
            let soaked_us = before.soaked_us + (after.observed_at_us - before.observed_at_us).clamp(0, 5 * SECOND_US);
            prop_assert!(soaked_us >= stage.dwell_us && before.clock_started_at_us.is_some());
            prop_assert!(facts.delivery.applied >= facts.delivery.live && facts.delivery.live > 0);
            if stage.share.is_compared() {
                prop_assert!(facts.fresh && facts.evidence.is_none_or(|number| number.log_evidence < 20_f64.ln()));
                prop_assert!(facts.arms.treatment.outcomes >= 100 && facts.arms.control.outcomes >= 100);
            }
        }
    }

    #[test]
    fn silence_never_promotes(plan in plans(), days in days()) {
        let silent: Vec<_> =
            days.into_iter().map(|(pause, facts)| (pause, Facts { arms: ArmTotals::default(), ..facts })).collect();
        for (state, _) in led(&plan, &silent) {
            for passed in &plan.stages[..state.stage] {
                prop_assert!(passed.share == Share::NONE, "passed {passed:?}");
            }
            if state.phase == Phase::Completed {
                let last = &plan.stages[state.stage];
                prop_assert!(last.share == Share::NONE || (last.share == Share::ALL && last.dwell_us == 0));
            }
        }
    }

    #[test]
    fn no_data_never_aborts(plan in plans(), days in days()) {
        prop_assert!(led(&plan, &days).iter().all(|(state, _)| !state.is_aborted()));
    }

    #[test]
    fn harm_aborts_in_every_state(plan in plans(), days in days(), last in facts(), by_person in any::<bool>()) {
        for (state, _) in led(&plan, &days) {
            let number = if by_person { last.evidence } else { evidence(100.5) };
            let facts = Facts { evidence: number, latched: by_person, ..last };
            let next = step(&plan, &state, &facts, state.observed_at_us + SECOND_US);
            if state.is_final() {
                prop_assert_eq!(next.state, state);
                prop_assert_eq!(next.transition, None);
            } else {
                prop_assert_eq!(next.state.phase, Phase::Aborting);
                prop_assert!(matches!(next.transition, Some(Transition::Aborted(_))));
            }
        }
    }

    #[test]
    fn abort_is_final(plan in plans(), before in days(), after in days()) {
        let mut way = before;
        way.push((1_000, Facts { latched: true, ..good() }));
        let aborted_at = way.len();
        way.extend(after);
        let states = led(&plan, &way);
        if states[aborted_at - 1].0.phase == Phase::Completed {
            return Ok(());
        }
        for (state, transition) in &states[aborted_at + 1..] {
            prop_assert!(state.is_aborted());
            prop_assert!(matches!(transition, None | Some(Transition::AbortDelivered)));
        }
    }

    #[test]
    fn every_transition_is_numbered(plan in plans(), days in days()) {
        for pair in led(&plan, &days).windows(2) {
            let ((before, _), (after, transition)) = (&pair[0], &pair[1]);
            prop_assert_eq!(after.sequence, before.sequence + u64::from(transition.is_some()));
            let changed = (before.phase, before.stage, before.horizons.len(), before.visits.len())
                != (after.phase, after.stage, after.horizons.len(), after.visits.len());
            prop_assert_eq!(changed, transition.is_some());
        }
    }

    #[test]
    fn every_visit_begins_a_horizon(plan in plans(), days in days()) {
        for (state, _) in led(&plan, &days) {
            prop_assert_eq!(state.visits.last().unwrap().stage, state.stage);
            prop_assert_eq!(state.horizons.last().unwrap().stage, state.stage);
            for visit in &state.visits {
                let begins = |horizon: &rollout::Horizon| {
                    horizon.started_at_us == visit.entered_at_us && horizon.stage == visit.stage
                };
                prop_assert!(state.horizons.iter().any(begins));
            }
        }
    }

    #[test]
    fn soak_is_never_longer_than_what_was_watched(plan in plans(), days in days()) {
        for pair in led(&plan, &days).windows(2) {
            let ((before, _), (after, _)) = (&pair[0], &pair[1]);
            if after.stage == before.stage {
                let watched_us = (after.observed_at_us - before.observed_at_us).clamp(0, 5 * SECOND_US);
                prop_assert!((0..=watched_us).contains(&(after.soaked_us - before.soaked_us)) || before.is_final());
            }
        }
    }

    #[test]
    fn a_new_leader_without_fresh_data_only_aborts(plan in plans(), days in days(), last in facts()) {
        for (state, _) in led(&plan, &days) {
            let blind = Facts { resumed: true, fresh: false, ..last };
            let next = step(&plan, &state, &blind, state.observed_at_us + 1_000_000_000);
            prop_assert_eq!(next.transition, None);
            prop_assert_eq!(next.state.soaked_us, state.soaked_us);
        }
    }

    #[test]
    fn replay_gives_the_same_states(plan in plans(), days in days()) {
        prop_assert_eq!(led(&plan, &days), led(&plan, &days));
    }

    #[test]
    fn good_news_completes_whatever_came_before(plan in plans(), days in days()) {
        let state = led(&plan, &days).pop().unwrap().0;
        let now = state.observed_at_us;
        let mut rollout = Rollout { plan, state, now, happened: Vec::new() };
        rollout.every_second(6 * 24 + 10, &good());
        prop_assert_eq!(rollout.phase(), Phase::Completed);
    }

    #[test]
    fn warned_rollouts_stay_where_they_are(plan in plans(), number in 20.01..99.0_f64) {
        let mut rollout = Rollout::start(plan);
        rollout.every_second(200, &harmful(number));
        for passed in &rollout.plan.stages[..rollout.state.stage] {
            prop_assert!(passed.share == Share::NONE);
        }
    }
}
