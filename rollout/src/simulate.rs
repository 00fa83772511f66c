//! A walk in virtual time: what a plan would do from here on if everything, or nothing, went well.
//!
//! The same step as the real one, given facts that a scenario makes up; time jumps from deadline to deadline. It answers
//! "when would it be done?" for the calendar of a plan and for the next steps of a live rollout.

use std::collections::BTreeMap;

use crate::{
    Act, ArmTotals, Delivery, EvidenceNumber, Facts, HoldReason, Measure, Micros, Phase, Plan, State, Totals,
    Transition, Wait, act,
    criterion::{Comparison, Criterion, Estimates, Limit, Relation},
    gate, next_deadline,
    plan::{Item, TickedBy},
    state::List,
    step,
};

/// How long a virtual agent takes to apply what is wanted.
const DELIVERY_US: Micros = 1_000_000;
/// How many steps a walk takes at most; a plan of 16 stages needs some hundred.
const MOST_STEPS: usize = 20_000;

/// What goes well in a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Every criterion holds, everybody approves and ticks at once.
    Good,
    /// Every criterion holds; nobody approves, ticks or completes.
    Unattended,
    /// No outcomes at all.
    Silent,
    /// As good, until the evidence of harm reaches the abort level in the stage at this position.
    Harm {
        /// Position of the stage.
        stage: usize,
    },
}

/// One transition of a walk.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked {
    /// When.
    pub at_us: Micros,
    /// What.
    pub transition: Transition,
    /// The stage after it.
    pub stage: usize,
    /// The phase after it.
    pub phase: Phase,
}

/// Where a walk ended, and how it got there.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    /// Every transition but cuts of horizons, in order.
    pub transitions: Vec<Walked>,
    /// The last state.
    pub state: State,
    /// What it waits for there; empty if it has ended.
    pub waits: Vec<Wait>,
}

/// Walks a plan from a state at a time, until it ends or waits for what never comes in this scenario.
pub fn simulate(plan: &Plan, from: &State, scenario: Scenario, now: Micros) -> Walk {
    let (mut state, mut now, mut transitions) = (from.clone(), now, Vec::new());
    state.observed_at_us = now;
    for _ in 0..MOST_STEPS {
        let facts = facts(plan, &state, scenario, now);
        let made = match step(plan, &state, &facts, now) {
            step if step.transition.is_some() => Some((step.state, step.transition)),
            step => {
                state = step.state;
                person(plan, &state, &facts, scenario, now).map(|(state, made)| (state, Some(made)))
            }
        };
        if let Some((next, Some(transition))) = made {
            state = next;
            if transition != Transition::HorizonCut {
                transitions.push(Walked {
                    at_us: now,
                    transition,
                    stage: state.stage,
                    phase: state.phase,
                });
            }
            continue;
        }
        let next = match state.phase {
            _ if state.is_final() => None,
            Phase::Ramp => Some(now + DELIVERY_US),
            _ if !moves_with_time(plan, &state, &facts, now) => None,
            _ => next_deadline(plan, &state, &facts, now).filter(|next| *next > now),
        };
        match next {
            Some(next) => now = next,
            None => break,
        }
    }
    let facts = facts(plan, &state, scenario, now);
    let waits = gate::waits(plan, &state, &facts, now);
    Walk {
        transitions,
        state,
        waits,
    }
}

/// Whether time alone may bring a rollout further. In a stage that has no end, or that is stopped, it brings new horizons
/// only, and these for ever.
fn moves_with_time(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> bool {
    let is_stopped = state.phase == Phase::Paused || !state.holds.iter().copied().all(HoldReason::soaks);
    let waits = || gate::waits(plan, state, facts, now);
    !state.is_live() || (!is_stopped && waits().iter().any(|wait| wait.until_us(now).is_some()))
}

/// What people do in a scenario as soon as it is asked for.
fn person(plan: &Plan, state: &State, facts: &Facts, scenario: Scenario, now: Micros) -> Option<(State, Transition)> {
    match scenario {
        Scenario::Good | Scenario::Harm { .. } => {}
        Scenario::Unattended | Scenario::Silent => return None,
    }
    let waits = gate::waits(plan, state, facts, now);
    let wanted = waits.iter().find_map(|wait| asked(plan, state, wait, &waits))?;
    let by = match &wanted {
        Act::Approve => approver(plan, state),
        _ => "somebody".to_owned(),
    };
    let acted = act(plan, state, facts, &wanted, &by, now).ok()?;
    Some((acted.state, acted.transition))
}

/// The act that would end a wait.
fn asked(plan: &Plan, state: &State, wait: &Wait, all: &[Wait]) -> Option<Act> {
    match wait {
        Wait::Submission => Some(Act::Submit),
        Wait::Approvals { .. } if state.phase != Phase::Draft => Some(Act::Approve),
        Wait::Items(items) => {
            let list = match state.phase {
                phase if phase.is_before_start() => List::Preflight,
                _ if state.is_baking() => List::Exit,
                _ => List::Stage(state.stage),
            };
            let is_own = |item: &&String| !is_checked(plan, list, item);
            Some(Act::Tick {
                list,
                item: items.iter().find(is_own)?.clone(),
                done: true,
            })
        }
        Wait::Person if all.len() == 1 => Some(match state.phase {
            Phase::Ready => Act::Start,
            _ if state.is_baking() => Act::Complete,
            _ => Act::Advance,
        }),
        _ => None,
    }
}

fn is_checked(plan: &Plan, list: List, name: &str) -> bool {
    let items = match list {
        List::Preflight => &plan.preflight,
        List::Exit => &plan.exit,
        List::Stage(_) => return false,
    };
    items.iter().any(|item| item.name == name && item.by == TickedBy::Check)
}

/// One of the approvers who has not approved yet.
fn approver(plan: &Plan, state: &State) -> String {
    let stage = state.is_live().then_some(state.stage);
    let has = |person: &String| {
        let given = state.desk.approvals.iter();
        let mut given = given.filter(|given| given.stage == stage && given.plan_hash == state.desk.plan_hash);
        given.any(|given| given.by == *person)
    };
    let named = plan.people.approvers.iter().find(|person| !has(person));
    named.cloned().unwrap_or_else(|| {
        let numbered = (1..).map(|number: u32| format!("approver {number}"));
        numbered.into_iter().find(|person| !has(person)).unwrap_or_default()
    })
}

/// What is known in a scenario.
fn facts(plan: &Plan, state: &State, scenario: Scenario, now: Micros) -> Facts {
    let applied = now.saturating_sub(state.entered_at_us) >= DELIVERY_US || state.clock_started_at_us.is_some();
    let heard = Totals {
        exposures: 10_000_000_000,
        outcomes: 10_000_000_000,
        units: 1_000_000,
        bad: 0,
    };
    let silent = scenario == Scenario::Silent;
    let arms = ArmTotals {
        treatment: if silent { Totals::default() } else { heard },
        control: if silent { Totals::default() } else { heard },
    };
    // At the end of the dwell, in the very step that would else pass the gate.
    let passed_us = now.saturating_sub(state.observed_at_us);
    let soaked_us = state.soaked_us.saturating_add(passed_us);
    let is_soaked = state.clock_started_at_us.is_some() && state.dwell_us(plan).is_some_and(|dwell| soaked_us >= dwell);
    let harms = matches!(scenario, Scenario::Harm { stage } if stage == state.stage && is_soaked);
    Facts {
        delivery: Delivery {
            live: 1,
            applied: u32::from(applied),
            persisted: u32::from(applied || state.phase == Phase::Aborting),
        },
        arms,
        evidence: harms.then_some(EvidenceNumber {
            guard: 0,
            horizon: 1,
            log_evidence: 100.0,
            is_doubted: false,
        }),
        fresh: true,
        measures: if silent { BTreeMap::new() } else { measures(plan, state) },
        certified: (!silent).then_some(true),
        checked: Item::PREFLIGHT_CHECKS.map(str::to_owned).to_vec(),
        longest_gap_us: Micros::MAX,
        ..Facts::default()
    }
}

/// Estimates under which every success criterion of the stage holds, and no rollback criterion does.
fn measures(plan: &Plan, state: &State) -> BTreeMap<String, Measure> {
    let mut measures = BTreeMap::new();
    let guards = plan.guards.iter().map(|guard| (&guard.harm, false));
    let stage = plan.stages.get(state.stage);
    let rollback = stage
        .into_iter()
        .flat_map(|stage| &stage.rollback)
        .filter_map(comparison);
    let success = stage
        .into_iter()
        .flat_map(|stage| &stage.success)
        .filter_map(comparison);
    let all = guards
        .chain(rollback.map(|written| (written, false)))
        .chain(success.map(|written| (written, true)));
    // Success comes last: what it asks for is what the walk must show.
    for (written, holds) in all {
        let key = written.metric.as_str().to_owned();
        measures.insert(key, measure(plan, written, holds));
    }
    for observed in &plan.observed {
        measures.entry(observed.clone()).or_insert_with(|| at(1.0, 1.0, 1.0));
    }
    measures
}

fn comparison(written: &Criterion) -> Option<&Comparison> {
    match written {
        Criterion::Compare(comparison) => Some(comparison),
        Criterion::Stable | Criterion::Parity => None,
    }
}

/// Estimates under which a comparison holds, or does not.
fn measure(plan: &Plan, written: &Comparison, holds: bool) -> Measure {
    let fixed = plan
        .baseline
        .values
        .get(written.metric.as_str())
        .map(|value| value.as_f64());
    let base = fixed.unwrap_or(1.0);
    let wants_low = matches!(written.relation, Relation::Below | Relation::AtMost) == holds;
    let limit = match &written.limit {
        Limit::Absolute(number) => number.as_f64(),
        Limit::Times { factor, .. } => base * factor.as_f64(),
        Limit::Plus { .. } => base,
    };
    let strict = matches!(written.relation, Relation::Below | Relation::Above);
    let treatment = match (wants_low, strict == holds) {
        (true, _) => limit - limit.abs() * 0.01 - f64::from(u8::from(strict && limit == 0.0)),
        (false, _) => limit + limit.abs() * 0.01 + 1e-9,
    };
    at(treatment, base, base)
}

fn at(treatment: f64, control: f64, baseline: f64) -> Measure {
    Measure {
        estimates: Estimates {
            treatment: Some(treatment),
            control: Some(control),
            baseline: Some(baseline),
        },
        outcomes: 10_000_000_000,
        units: 1_000_000,
    }
}
