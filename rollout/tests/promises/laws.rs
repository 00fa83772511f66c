//! What holds for every rollout, whatever is known and done when: random plans, facts, acts and crashes.

use proptest::prelude::*;
use rollout::{AbortCause, Act, ArmTotals, Facts, Phase, Plan, Share, State, Transition, act, step};

use crate::{
    builders::{Rollout, SECOND_US, evidence, good, harmful, latched},
    random::{Event, days, dismissals, events, facts, led, plain_plans, plans},
};

/// What is exposed of everybody, as far as the stages tell.
fn exposed(plan: &Plan, state: &State) -> Share {
    if state.is_withdrawn() || state.visits.is_empty() {
        return Share::NONE;
    }
    let all = (0..=state.stage).map(|stage| plan.wanted(stage)).max();
    all.filter(|_| state.phase != Phase::Completed).unwrap_or(Share::ALL)
}

fn has_ended_early(state: &State) -> bool {
    state.is_withdrawn() || state.desk.archived
}

proptest! {
    // Each case leads a whole rollout; as many as run in a second or two.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_plans_have_no_violations(plan in plans()) {
        prop_assert_eq!(plan.violations(), []);
    }

    #[test]
    fn exposure_rises_one_stage_at_a_gate_only(plan in plans(), events in events()) {
        for moment in led(&plan, &events) {
            let (before, after) = (&moment.before, &moment.after);
            match &moment.transition {
                Some(Transition::Started) => prop_assert_eq!((before.phase, after.stage), (Phase::AwaitingStart, 0)),
                Some(Transition::Advanced { from, to }) => {
                    prop_assert_eq!((*from, *to, after.stage), (before.stage, before.stage + 1, before.stage + 1));
                    prop_assert!(before.clock_started_at_us.is_some() && before.is_live() && !before.desk.held);
                    prop_assert_eq!((after.soaked_us, after.clock_started_at_us), (0, None));
                }
                Some(Transition::SteppedBack { from, to }) => {
                    prop_assert_eq!((*from, *to), (before.stage, after.stage));
                    prop_assert!(to < from);
                }
                Some(Transition::Completed) => prop_assert!(before.is_baking() || plan.bake_us == 0),
                _ => {
                    prop_assert_eq!(after.stage, before.stage);
                    prop_assert!(exposed(&plan, after) <= exposed(&plan, before), "{:?}", moment.transition);
                }
            }
        }
    }

    #[test]
    fn a_stage_is_left_only_after_its_dwell_on_good_news(plan in plain_plans(), days in days()) {
        for moment in led(&plan, &days) {
            let (before, Event::Step(_, facts)) = (&moment.before, &moment.event) else { continue };
            if !matches!(moment.transition, Some(Transition::Advanced { .. } | Transition::Completed | Transition::BakeStarted)) {
                continue;
            }
            let watched_us = (moment.after.observed_at_us - before.observed_at_us).clamp(0, 5 * SECOND_US);
            let stage = &plan.stages[before.stage];
            prop_assert!(before.is_baking() || before.soaked_us + watched_us >= stage.dwell.finite_us().unwrap());
            prop_assert!(before.clock_started_at_us.is_some());
            prop_assert!(facts.delivery.applied >= facts.delivery.live && facts.delivery.live > 0);
            if stage.share.is_compared() && !before.is_baking() {
                prop_assert!(facts.fresh && facts.evidence.is_none_or(|number| number.log_evidence < 20_f64.ln()));
                prop_assert!(facts.arms.treatment.outcomes >= 100 && facts.arms.control.outcomes >= 100);
            }
        }
    }

    #[test]
    fn silence_never_promotes(plan in plain_plans(), days in days()) {
        let silent: Vec<_> = days
            .into_iter()
            .map(|event| match event {
                Event::Step(pause, facts) => Event::Step(pause, Facts { arms: ArmTotals::default(), ..facts }),
                other => other,
            })
            .collect();
        for moment in led(&plan, &silent) {
            if matches!(moment.transition, Some(Transition::Advanced { .. } | Transition::Completed | Transition::BakeStarted)) {
                let left = &plan.stages[moment.before.stage];
                let asks_nothing = left.share == Share::ALL && left.dwell.finite_us() == Some(0);
                prop_assert!(left.share == Share::NONE || asks_nothing, "left {left:?}");
            }
        }
    }

    #[test]
    fn no_data_never_aborts(plan in plans(), events in events()) {
        for moment in led(&plan, &events) {
            prop_assert!(!matches!(moment.after.phase, Phase::Aborting | Phase::Aborted));
        }
    }

    #[test]
    fn harm_aborts_in_every_live_state(plan in plans(), events in events(), last in facts(), by_person in any::<bool>()) {
        for moment in led(&plan, &events) {
            let state = moment.after;
            let number = if by_person { last.evidence } else { evidence(100.5) };
            let facts = Facts { evidence: number, latched: by_person, ..last.clone() };
            let next = step(&plan, &state, &facts, state.observed_at_us + SECOND_US);
            if state.is_live() {
                prop_assert_eq!(next.state.phase, Phase::Aborting);
                prop_assert!(matches!(next.transition, Some(Transition::Aborted(_))));
            } else if state.is_final() {
                prop_assert_eq!(next.state, state);
                prop_assert_eq!(next.transition, None);
            }
        }
    }

    #[test]
    fn no_dismissal_keeps_harm_from_its_abort(
        plan in plans(), events in events(), seen in facts(), wanted in dismissals(), number in 20.0..100.0_f64,
    ) {
        for moment in led(&plan, &events) {
            let (state, now) = (moment.after, moment.before.observed_at_us);
            let raised = Facts { evidence: evidence(number), ..seen.clone() };
            let Ok(acted) = act(&plan, &state, &raised, &wanted, "ann", now) else { continue };
            let is_dismissed = matches!(acted.transition, Transition::Dismissed(_));
            prop_assert!(is_dismissed);
            let (before, after) = (&state, &acted.state);
            prop_assert_eq!((before.phase, before.stage, before.soaked_us), (after.phase, after.stage, after.soaked_us));
            prop_assert!(after.desk.dismissals.len() <= 20);
            let harmful = Facts { evidence: evidence(100.5), ..seen.clone() };
            let aborted = step(&plan, after, &harmful, after.observed_at_us + SECOND_US);
            let is_by_evidence = matches!(aborted.transition, Some(Transition::Aborted(AbortCause::Evidence { .. })));
            prop_assert!(is_by_evidence, "{:?}", aborted.transition);
        }
    }

    #[test]
    fn abort_is_final(plan in plans(), before in events(), after in events(), by_act in any::<bool>()) {
        let mut way = before;
        let abort = if by_act { Event::Act(Act::Abort, good()) } else { Event::Step(1_000, latched()) };
        way.push(abort);
        way.extend(after);
        let mut aborted: Option<State> = None;
        for moment in led(&plan, &way) {
            if let Some(at) = &aborted {
                prop_assert!(matches!(moment.after.phase, Phase::Aborting | Phase::Aborted));
                prop_assert_eq!(exposed(&plan, &moment.after), Share::NONE);
                prop_assert_eq!(moment.after.ended_at_us, at.ended_at_us);
                prop_assert_eq!(&moment.after.visits, &at.visits);
            }
            if let Some(Transition::Aborted(cause)) = &moment.transition {
                prop_assert!(aborted.is_none(), "it was aborted twice");
                prop_assert_eq!(cause, &AbortCause::Person);
                aborted = Some(moment.after);
            }
        }
    }

    #[test]
    fn every_transition_is_numbered(plan in plans(), events in events()) {
        let mut made = 0;
        for moment in led(&plan, &events) {
            let (before, after) = (&moment.before, &moment.after);
            if moment.event == Event::Crash {
                prop_assert_eq!(after.sequence, made, "a crash loses no transition");
                continue;
            }
            made += u64::from(moment.transition.is_some());
            prop_assert_eq!(after.sequence, made);
            let changed = (before.phase, before.stage, &before.horizons, &before.visits, &before.desk, &before.holds)
                != (after.phase, after.stage, &after.horizons, &after.visits, &after.desk, &after.holds);
            prop_assert!(!changed || moment.transition.is_some(), "changed without a transition");
        }
    }

    #[test]
    fn it_says_why_it_is_held_and_only_then(plan in plans(), events in events()) {
        for moment in led(&plan, &events) {
            let state = moment.after;
            prop_assert_eq!(state.phase == Phase::Held, !state.holds.is_empty(), "{:?}", state);
            prop_assert!(state.holds.is_sorted());
        }
    }

    #[test]
    fn what_has_ended_never_changes(plan in plans(), events in events()) {
        for moment in led(&plan, &events) {
            if !moment.before.is_final() {
                continue;
            }
            let (mut before, mut after) = (moment.before, moment.after);
            if !matches!(moment.event, Event::Act(..)) {
                prop_assert_eq!(&before, &after);
            }
            // People may still close issues, acknowledge it and put it away.
            (before.desk, before.sequence) = (after.desk.clone(), after.sequence);
            after.observed_at_us = before.observed_at_us;
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn every_visit_begins_a_horizon(plan in plans(), events in events()) {
        for moment in led(&plan, &events) {
            let state = moment.after;
            prop_assert_eq!(state.visits.last().map_or(0, |visit| visit.stage), state.stage);
            prop_assert_eq!(state.horizons.last().map_or(0, |horizon| horizon.stage), state.stage);
            for (position, visit) in state.visits.iter().enumerate() {
                let begins = |horizon: &rollout::Horizon| {
                    horizon.started_at_us == visit.entered_at_us && horizon.stage == visit.stage
                };
                prop_assert!(state.horizons.iter().any(begins));
                let earlier = state.visits[..position].iter().filter(|other| other.stage == visit.stage).count();
                prop_assert_eq!(visit.visit as usize, earlier + 1);
            }
        }
    }

    #[test]
    fn soak_is_never_longer_than_what_was_watched(plan in plans(), events in events()) {
        for moment in led(&plan, &events) {
            let watched_us = (moment.after.observed_at_us - moment.before.observed_at_us).clamp(0, 5 * SECOND_US);
            if let Some(soaked_us) = moment.soaked() {
                prop_assert!((0..=watched_us).contains(&soaked_us));
            }
        }
    }

    #[test]
    fn paused_and_held_time_never_counts(plan in plans(), events in events()) {
        for moment in led(&plan, &events) {
            let state = &moment.before;
            let stands = state.phase == Phase::Paused || state.desk.held || state.desk.is_fixing();
            if let Some(soaked_us) = moment.soaked().filter(|_| stands) {
                prop_assert_eq!(soaked_us, 0, "{:?}", state);
            }
        }
    }

    #[test]
    fn a_new_leader_without_fresh_data_only_aborts(plan in plans(), events in events(), last in facts()) {
        let blind = Facts { resumed: true, fresh: false, ..last };
        for moment in led(&plan, &events) {
            let state = moment.after;
            let next = step(&plan, &state, &blind, state.observed_at_us + 1_000_000_000);
            prop_assert_eq!(next.transition, None);
            prop_assert_eq!(next.state.soaked_us, state.soaked_us);
        }
    }

    #[test]
    fn equal_logs_give_equal_states(plan in plans(), events in events()) {
        prop_assert_eq!(led(&plan, &events), led(&plan, &events));
    }

    #[test]
    fn good_news_completes_whatever_came_before(plan in plain_plans(), days in days()) {
        let state = led(&plan, &days).pop().unwrap().after;
        let now = state.observed_at_us;
        let mut rollout = Rollout { plan, state, now, happened: Vec::new() };
        rollout.every_second(6 * 24 + 12, &good());
        if rollout.plan.reaches_everybody() {
            prop_assert_eq!(rollout.phase(), Phase::Completed);
        } else {
            prop_assert_eq!(rollout.phase(), Phase::Baking);
            prop_assert_eq!(rollout.act(Act::Complete), Ok(Transition::Completed));
        }
    }

    #[test]
    fn warned_rollouts_stay_where_they_are(plan in plain_plans(), number in 20.01..99.0_f64) {
        let mut rollout = Rollout::start(plan);
        rollout.every_second(200, &harmful(number));
        for passed in &rollout.plan.stages[..rollout.state.stage] {
            prop_assert!(passed.share == Share::NONE);
        }
        prop_assert!(!has_ended_early(&rollout.state));
    }
}
