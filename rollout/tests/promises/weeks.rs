//! Six weeks in virtual time: a plan for a grave risk, with business hours, freezes and three restarts a day.
//!
//! Nobody waits for a clock here. A look comes every hour and at each deadline; a leader dies every eight hours, half an
//! hour after its last look, and the next one is back ten minutes later without fresh data.

use std::time::{Duration, Instant};

use rollout::{
    Act, DAY_US, Delivery, Facts, HoldReason, Micros, Phase, Plan, Share, Stage, State, Transition,
    calendar::Window,
    duration::Dwell,
    next_deadline,
    risk::{Assessment, Rated, Reversibility, Risk},
    simulate::{Scenario, simulate},
    step,
    strategy::Strategy,
};

use crate::builders::{HASH, HOUR_US, Rollout, SECOND_US, START_US, good, held, plan, share, silent, window};

const WEEK_US: Micros = 7 * DAY_US;
const OPEN: &str = "Mon-Thu 09:00-16:00 Europe/Berlin";
const FREEZES: [(&str, &str); 3] = [
    ("lunch", "11:00-14:00 Europe/Berlin"),
    ("holiday", "2025-06-30..2025-07-02 Europe/Berlin"),
    ("sale", "2025-07-14T18:00..2025-07-16T09:00 America/New_York"),
];

fn high() -> Plan {
    let rated = |level| Rated {
        level,
        rationale: "payments".to_owned(),
    };
    let at = |(name, percent): (&str, f64)| Stage::new(name, share(percent), Dwell::For(WEEK_US));
    let shares = [
        ("one", 1.0),
        ("five", 5.0),
        ("ten", 10.0),
        ("quarter", 25.0),
        ("half", 50.0),
        ("all", 100.0),
    ];
    let mut stages: Vec<Stage> = shares.map(at).into();
    stages[0].audience = vec!["staff".to_owned()];
    Plan {
        strategy: Strategy::Canary,
        risk: Some(Assessment {
            user_impact: rated(Risk::High),
            revenue_impact: rated(Risk::High),
            criticality: rated(Risk::Medium),
            reversibility: Rated {
                level: Reversibility::Easy,
                rationale: String::new(),
            },
        }),
        stages,
        windows: vec![window(OPEN)],
        freezes: FREEZES.map(|(name, text)| (name.to_owned(), window(text))).into(),
        bake_us: 2 * DAY_US,
        ..plan()
    }
}

/// Asked of the windows one by one, not of the calendar.
fn is_open(at: Micros) -> bool {
    let contains = |text: &str| text.parse::<Window>().unwrap().contains(at);
    contains(OPEN) && !FREEZES.iter().any(|(_, text)| contains(text))
}

/// All is well; every gap between looks was watched.
fn watched() -> Facts {
    Facts {
        longest_gap_us: Micros::MAX,
        ..good()
    }
}

/// What a new leader knows first: the agents have not found it yet.
fn returned() -> Facts {
    Facts {
        fresh: false,
        resumed: true,
        delivery: Delivery::default(),
        ..silent()
    }
}

/// Every transition with its time, and the last state.
fn walked(plan: &Plan) -> (Vec<(Micros, Transition)>, State) {
    let mut state = Rollout::draft(plan.clone()).having(Act::Start).state;
    let (mut now, mut happened) = (START_US, Vec::new());
    let mut restart = now + 8 * HOUR_US;
    for _ in 0..20_000 {
        if state.is_final() {
            break;
        }
        let next = step(plan, &state, &watched(), now);
        state = next.state;
        if let Some(transition) = next.transition {
            happened.push((now, transition));
            continue;
        }
        let deadline = next_deadline(plan, &state, &watched(), now).unwrap_or(Micros::MAX);
        let delivered = if state.phase == Phase::Ramp {
            now + SECOND_US
        } else {
            Micros::MAX
        };
        let look = deadline.min(delivered).min(now + HOUR_US);
        if look < restart {
            now = look;
            continue;
        }
        // What lay between the last look and the next leader was seen by nobody.
        now = restart.max(now + HOUR_US / 2) + 600 * SECOND_US;
        let soaked_us = state.soaked_us;
        let next = step(plan, &state, &returned(), now);
        assert_eq!((next.transition, next.state.soaked_us), (None, soaked_us));
        state = next.state;
        // Fresh data is back, and what came before it still does not count.
        now += SECOND_US;
        let next = step(
            plan,
            &state,
            &Facts {
                resumed: true,
                ..watched()
            },
            now,
        );
        assert_eq!(next.state.soaked_us.min(soaked_us), next.state.soaked_us);
        state = next.state;
        happened.extend(next.transition.map(|transition| (now, transition)));
        restart += 8 * HOUR_US;
    }
    (happened, state)
}

#[test]
fn a_grave_plan_walks_six_weeks_through_freezes_and_restarts_inside_its_windows() {
    let plan = high();
    assert_eq!(plan.violations(), []);
    let began = Instant::now();
    let (happened, state) = walked(&plan);
    // Some milliseconds; generous, for a machine that has other work.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(state.phase, Phase::Completed);
    let stages: Vec<(usize, u32)> = state.visits.iter().map(|visit| (visit.stage, visit.visit)).collect();
    assert_eq!(stages, [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]);
    for (at, transition) in &happened {
        let raises = matches!(
            transition,
            Transition::Started | Transition::Advanced { .. } | Transition::BakeStarted
        );
        assert!(!raises || is_open(*at), "{transition:?} at {at}");
    }
    for pair in state.visits.windows(2) {
        assert!(pair[1].entered_at_us - pair[0].entered_at_us >= WEEK_US);
        assert!(pair[1].entered_at_us - pair[0].entered_at_us < 2 * WEEK_US);
    }
    let took_us = state.ended_at_us.unwrap() - START_US;
    assert!((6 * WEEK_US + 2 * DAY_US..9 * WEEK_US).contains(&took_us), "{took_us}");
    let sequence = 1 + happened.len() as u64;
    assert_eq!(state.sequence, sequence);
    assert_eq!(walked(&plan), (happened, state));
}

#[test]
fn restarts_cost_time_and_nothing_else() {
    let plan = high();
    let undisturbed = simulate(&plan, &State::draft(HASH, START_US), Scenario::Good, START_US);
    assert_eq!(undisturbed.state.phase, Phase::Completed);
    assert_eq!(undisturbed.waits, []);
    let (happened, state) = walked(&plan);
    let names = |all: &[Transition]| -> Vec<Transition> {
        let big = |transition: &&Transition| {
            matches!(
                transition,
                Transition::Started | Transition::Advanced { .. } | Transition::BakeStarted
            )
        };
        all.iter().filter(big).cloned().collect()
    };
    let planned: Vec<Transition> = undisturbed
        .transitions
        .iter()
        .map(|walked| walked.transition.clone())
        .collect();
    let made: Vec<Transition> = happened.into_iter().map(|(_, transition)| transition).collect();
    assert_eq!(names(&planned), names(&made));
    assert!(state.ended_at_us >= undisturbed.state.ended_at_us);
}

#[test]
fn a_walk_says_where_a_plan_would_stop() {
    let plan = high();
    let draft = State::draft(HASH, START_US);
    let walk = |scenario| simulate(&plan, &draft, scenario, START_US);
    let unattended = walk(Scenario::Unattended);
    assert_eq!(
        (unattended.state.phase, unattended.transitions.len()),
        (Phase::Expired, 1)
    );
    let harmed = walk(Scenario::Harm { stage: 2 });
    assert_eq!(
        (harmed.state.phase, harmed.state.highest_visited()),
        (Phase::Aborted, Some(2))
    );
    let started = Rollout::start(Plan {
        windows: vec![],
        freezes: [].into(),
        ..high()
    });
    let silent = simulate(&started.plan, &started.state, Scenario::Silent, started.now);
    assert_eq!(
        (silent.state.stage, &silent.state.holds[..]),
        (0, &[HoldReason::NoTraffic][..])
    );
    let last = silent.transitions.last().map(|walked| walked.transition.clone());
    assert_eq!(last, Some(held(HoldReason::NoTraffic)));
}

#[test]
fn a_walk_does_what_people_would_have_to() {
    let mut plan = high();
    plan.approvals = 2;
    plan.preflight = rollout::plan::Item::usual_preflight();
    plan.exit = rollout::plan::Item::usual_exit();
    plan.stages[3].approvals = 1;
    plan.stages[4].checklist = vec!["costs".to_owned()];
    plan.holdback = Share::new(1_000).unwrap();
    assert_eq!(plan.violations(), []);
    let walk = simulate(&plan, &State::draft(HASH, START_US), Scenario::Good, START_US);
    assert_eq!(walk.state.phase, Phase::Completed);
    assert_eq!(walk.state.desk.approvals.len(), 3);
    let unattended = simulate(&plan, &walk_to_stage_three(&plan), Scenario::Unattended, START_US);
    assert_eq!(unattended.state.stage, 3);
    assert!(
        unattended
            .waits
            .contains(&rollout::Wait::Approvals { have: 0, need: 1 }),
        "{:?}",
        unattended.waits
    );
}

/// The plan's third stage was passed, with everybody's help.
fn walk_to_stage_three(plan: &Plan) -> State {
    let mut helped = plan.clone();
    helped.approvals = 0;
    helped.preflight.clear();
    let mut rollout = Rollout::draft(helped).having(Act::Start);
    (rollout.plan.windows, rollout.plan.freezes) = (vec![], [].into());
    while rollout.state.stage < 3 {
        rollout.after(3_600, &watched());
    }
    rollout.state
}
