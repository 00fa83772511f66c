//! Random rollouts: any plan without violations, led by any facts, acts and crashes at any times.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use rollout::{
    Act, ArmTotals, Concerns, Delivery, Facts, HoldReason, Measure, Micros, Plan, Share, Signal, Stage, State, Totals,
    Transition, Unit, act,
    criterion::Estimates,
    duration::Dwell,
    gate::Policy,
    plan::{Item, TickedBy},
    state::List,
    step,
};

use crate::builders::{HASH, SECOND_US, START_US, criterion, evidence, good, plan, stage};

/// What happens next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// So many milliseconds pass, and this is known.
    Step(i64, Facts),
    /// Somebody does something, on these facts.
    Act(Act, Facts),
    /// The leader dies: what was not committed is lost.
    Crash,
}

/// One event and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moment {
    pub(crate) before: State,
    pub(crate) event: Event,
    pub(crate) after: State,
    pub(crate) transition: Option<Transition>,
}

/// A plan without violations that asks nothing of people.
pub(crate) fn plain_plans() -> impl Strategy<Value = Plan> {
    let shares = prop::collection::btree_set(prop_oneof![Just(0_u32), Just(100_000), 1..100_000_u32], 1..6)
        .prop_filter("the last stage exposes somebody", |shares| shares.last() > Some(&0));
    (shares, vec(0..20_i64, 6), any::<bool>()).prop_map(|(shares, dwells, by_request)| {
        let at = |(share, dwell): (u32, i64)| Stage {
            share: Share::new(share).unwrap(),
            dwell: Dwell::For(dwell * SECOND_US),
            ..stage(&format!("at-{share}"), 0.0)
        };
        let unit = if by_request { Unit::Request } else { Unit::Unit };
        Plan {
            stages: shares.into_iter().zip(dwells).map(at).collect(),
            unit,
            ..plan()
        }
    })
}

/// A plan without violations, with approvals, criteria, extensions, lists, a holdback and a bake.
pub(crate) fn plans() -> impl Strategy<Value = Plan> {
    let asked = vec((0..2_u32, 0..3_u32, 0..5_usize, any::<bool>()), 6);
    (plain_plans(), asked, 0..9_i64, prop::bool::weighted(0.2), 0..3_u32).prop_map(
        |(mut plan, asked, bake, holds_back, lists)| {
            for (stage, (approvals, extensions, policy, rolls_back)) in plan.stages.iter_mut().zip(asked) {
                stage.approvals = approvals;
                stage.max_extensions = extensions;
                stage.policy = *Policy::ALL.get(policy).unwrap_or(&Policy::NoHarm);
                if matches!(stage.policy, Policy::Observed | Policy::Certify) {
                    stage.success = vec![criterion("error-rate < 1 %")];
                }
                if rolls_back {
                    stage.rollback = vec![criterion("error-rate > 5 %")];
                }
                if approvals > 0 {
                    stage.checklist = vec!["seen".to_owned()];
                }
            }
            plan.bake_us = bake * SECOND_US;
            plan.holdback = if holds_back {
                Share::new(1_000).unwrap()
            } else {
                Share::NONE
            };
            plan.manual_triggers = vec!["security-incident".to_owned()];
            if lists > 0 {
                plan.preflight = vec![Item::new("tests", TickedBy::Automation)];
                plan.exit = vec![Item::new("documents", TickedBy::Person)];
            }
            plan
        },
    )
}

fn totals() -> impl Strategy<Value = Totals> {
    prop_oneof![
        3 => Just(Totals { exposures: 500, outcomes: 500, units: 50, bad: 4 }),
        1 => (0..200_u64, 0..6_u64).prop_map(|(outcomes, units)| Totals { exposures: outcomes, outcomes, units, bad: 0 }),
        1 => Just(Totals::default()),
    ]
}

fn measures() -> impl Strategy<Value = BTreeMap<String, Measure>> {
    let rate = prop_oneof![4 => Just(0.005), 1 => 0.0..0.04_f64, 1 => Just(0.06)];
    (prop::option::of(rate), 0..300_u64, 0..9_u64).prop_map(|(rate, outcomes, units)| {
        let estimates = Estimates {
            treatment: rate,
            control: Some(0.005),
            baseline: None,
        };
        let measure = Measure {
            estimates,
            outcomes,
            units,
        };
        BTreeMap::from([("error-rate".to_owned(), measure)])
    })
}

/// Nothing mostly, or one signal that holds without evidence.
fn concerns() -> impl Strategy<Value = Concerns> {
    let signal = (prop::sample::select(SIGNALS.to_vec()), 1.0..9.0_f64);
    prop::option::weighted(0.2, signal).prop_map(|raised| {
        let mut concerns = Concerns::default();
        if let Some((reason, log_size)) = raised {
            concerns.is_early = reason == HoldReason::Early;
            concerns.holds = [reason]
                .into_iter()
                .filter(|reason| *reason != HoldReason::Early)
                .collect();
            concerns.signals = vec![Signal {
                guard: reason.is_of_a_guard().then_some(0),
                log_size: Some(log_size),
                ..Signal::bare(reason)
            }];
        }
        concerns
    })
}

/// What holds without evidence, and may be dismissed.
const SIGNALS: [HoldReason; 4] = [
    HoldReason::Rule,
    HoldReason::Incident,
    HoldReason::SampleRatio,
    HoldReason::Early,
];

/// Facts of all kinds, mostly good ones, short of an abort.
pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    let delivery = prop_oneof![
        4 => Just(Delivery { live: 10, applied: 10, persisted: 10 }),
        1 => (0..4_u32, 0..4_u32, 0..4_u32).prop_map(|(live, applied, persisted)| Delivery { live, applied, persisted }),
    ];
    let number = prop_oneof![4 => Just(None), 1 => (0.01..99.0_f64).prop_map(evidence)];
    let flags = prop::array::uniform3(prop::bool::weighted(0.1));
    let certified = prop::option::of(prop::bool::weighted(0.8));
    let rest = (measures(), certified, concerns());
    (delivery, totals(), totals(), number, flags, rest).prop_map(
        |(delivery, treatment, control, evidence, [stale, positions_full, off], (measures, certified, concerns))| {
            Facts {
                off,
                delivery,
                arms: ArmTotals { treatment, control },
                evidence,
                fresh: !stale,
                positions_full,
                measures,
                certified,
                concerns,
                ..good()
            }
        },
    )
}

/// What a person may think of, short of an abort.
pub(crate) fn acts() -> impl Strategy<Value = Act> {
    let tick = |list, item: &str| Act::Tick {
        list,
        item: item.to_owned(),
        done: true,
    };
    prop_oneof![
        4 => Just(Act::Start),
        2 => Just(Act::Advance),
        2 => Just(Act::Resume),
        1 => prop::sample::select(vec![
            Act::Submit, Act::Approve, Act::Pause, Act::Hold, Act::Fix, Act::Extend(None), Act::Acknowledge,
            Act::Complete, Act::Archive, Act::Supersede, Act::RollBack, Act::AddIssue("it blinks".to_owned()),
            Act::CloseIssue { number: 1, resolution: "it does not".to_owned() },
            tick(List::Preflight, "tests"), tick(List::Exit, "documents"), tick(List::Stage(0), "seen"),
        ]),
        2 => Just(Act::Approve),
        2 => dismissals(),
        1 => (0..6_usize).prop_map(Act::StepBack),
        1 => (0..6_usize).prop_map(move |stage| tick(List::Stage(stage), "seen")),
        1 => (0..9_i64).prop_map(|seconds| Act::Extend(Some(seconds * SECOND_US))),
    ]
}

/// Somebody dismisses whatever may be dismissed.
pub(crate) fn dismissals() -> impl Strategy<Value = Act> {
    let all: Vec<HoldReason> = HoldReason::ALL
        .into_iter()
        .filter(|reason| reason.is_dismissible())
        .collect();
    prop::sample::select(all).prop_map(|reason| Act::Dismiss {
        reason,
        guard: None,
        why: "it is no harm".to_owned(),
    })
}

/// Steps alone, at any times.
pub(crate) fn days() -> impl Strategy<Value = Vec<Event>> {
    vec(steps(), 1..100)
}

/// Steps, acts and crashes, short of an abort by a person or by evidence.
pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    let act = (acts(), facts()).prop_map(|(act, facts)| Event::Act(act, facts));
    vec(prop_oneof![12 => steps(), 4 => act, 1 => Just(Event::Crash)], 1..100)
}

fn steps() -> impl Strategy<Value = Event> {
    let pause_ms = prop_oneof![8 => 500..2_000_i64, 1 => -2_000..0_i64, 1 => 2_000..200_000_000_i64];
    (pause_ms, facts()).prop_map(|(pause_ms, facts)| Event::Step(pause_ms, facts))
}

/// From a draft that is started at once.
pub(crate) fn led(plan: &Plan, events: &[Event]) -> Vec<Moment> {
    let start = [Event::Act(Act::Start, good()), Event::Step(0, good())];
    let all = start.iter().chain(events);
    let mut state = State::draft(HASH, START_US);
    let (mut committed, mut now, mut is_new_leader) = (state.clone(), START_US, false);
    let mut moments = Vec::new();
    for event in all {
        let before = state.clone();
        let mut event = event.clone();
        let (after, transition) = match &mut event {
            Event::Crash => {
                is_new_leader = true;
                (committed.clone(), None)
            }
            Event::Step(pause_ms, facts) => {
                now += *pause_ms * 1_000;
                facts.resumed = is_new_leader;
                is_new_leader &= !facts.fresh;
                let next = step(plan, &before, facts, now);
                (next.state, next.transition)
            }
            Event::Act(wanted, facts) => match act(plan, &before, facts, wanted, "ann", now) {
                Ok(acted) => (acted.state, Some(acted.transition)),
                Err(_) => (before.clone(), None),
            },
        };
        if transition.is_some() {
            committed.clone_from(&after);
        }
        state.clone_from(&after);
        moments.push(Moment {
            before,
            event,
            after,
            transition,
        });
    }
    moments
}

impl Moment {
    /// How much more has soaked in one visit.
    pub(crate) fn soaked(&self) -> Option<Micros> {
        let is_one_visit = self.before.visits == self.after.visits
            && self.before.baking_since_us == self.after.baking_since_us
            && self.event != Event::Crash;
        is_one_visit.then(|| self.after.soaked_us - self.before.soaked_us)
    }
}
