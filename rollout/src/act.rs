//! What a person can do to a rollout: each act is one transition, or a refusal that says why and in which state.
//!
//! A person passes over a gate's judgement (dwell, data, criteria), never over harm, over agents that have not applied
//! the stage, over approvals, open items or a freeze. What is live may always be stopped: pause, hold, roll back, abort.

mod refusal;

pub use self::refusal::Refusal;
use crate::{
    AbortCause, Facts, HoldReason, Ladder, Micros, Phase, Plan, RollbackCause, State, Transition,
    gate::{self, Outcome},
    made,
    plan::{Item, TickedBy},
    state::{Approval, Issue, List, Tick},
    verdict,
};

/// The most approvals, ticks and issues that a rollout keeps, each.
const MOST: usize = 200;
/// The longest title of an issue, in bytes.
const LONGEST_TITLE: usize = 500;
/// The most extensions of one visit by people.
const MOST_EXTENSIONS: u32 = 100;
/// The most visits of stages.
const MOST_VISITS: usize = 200;

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It may be approved and started.
    Submit,
    /// The start, or the gate of the present stage, may open.
    Approve,
    /// It may enter its first stage as soon as its conditions hold.
    Start,
    /// The clock stops.
    Pause,
    /// The clock runs again; a person's hold ends.
    Resume,
    /// Out of the stage (into the next, the bake, or the end) without waiting for dwell, data and criteria.
    Advance,
    /// The stage is held until somebody resumes it.
    Hold,
    /// The gate waits until every issue is closed.
    Fix,
    /// The stage lasts longer, by its extension unless told.
    Extend(Option<Micros>),
    /// Back to an earlier stage, by position.
    StepBack(usize),
    /// Treatment to 0 %, without a latch.
    RollBack,
    /// Treatment to 0 %, for good.
    Abort,
    /// The same, for a reason that the plan names.
    Trigger(String),
    /// An item is done (or, `false`, is not).
    Tick {
        /// On this list.
        list: List,
        /// Its name.
        item: String,
        /// Done or not.
        done: bool,
    },
    /// Something was found.
    AddIssue(String),
    /// It is dealt with.
    CloseIssue {
        /// Its number.
        number: u32,
        /// How.
        resolution: String,
    },
    /// Somebody has seen how it stands.
    Acknowledge,
    /// The bake is over.
    Complete,
    /// An edit of the flag takes its place.
    Supersede,
    /// It is put away.
    Archive,
}

/// What an act gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Acted {
    /// The next state.
    pub state: State,
    /// What happened.
    pub transition: Transition,
}

/// Carries out what somebody (`by`) does, or says why not.
///
/// The state is one that was stepped to `now`, so that its soak is the present one.
pub fn act(plan: &Plan, state: &State, facts: &Facts, act: &Act, by: &str, now: Micros) -> Result<Acted, Refusal> {
    let mut next = state.clone();
    let transition = decide(plan, &mut next, facts, act, by, now)?;
    made::apply(&mut next, &transition, now);
    Ok(Acted {
        state: next,
        transition,
    })
}

impl Act {
    /// In a few words, joined by hyphens.
    pub fn name(&self) -> &'static str {
        match self {
            Act::Submit => "submit",
            Act::Approve => "approve",
            Act::Start => "start",
            Act::Pause => "pause",
            Act::Resume => "resume",
            Act::Advance => "advance",
            Act::Hold => "hold",
            Act::Fix => "fix",
            Act::Extend(_) => "extend",
            Act::StepBack(_) => "step-back",
            Act::RollBack => "roll-back",
            Act::Abort => "abort",
            Act::Trigger(_) => "trigger",
            Act::Tick { .. } => "tick",
            Act::AddIssue(_) => "add-issue",
            Act::CloseIssue { .. } => "close-issue",
            Act::Acknowledge => "acknowledge",
            Act::Complete => "complete",
            Act::Supersede => "supersede",
            Act::Archive => "archive",
        }
    }

    /// Whether it is possible in a phase at all.
    fn is_possible_in(&self, phase: Phase) -> bool {
        match self {
            Act::Submit => phase == Phase::Draft,
            Act::Approve => phase.is_live() || matches!(phase, Phase::Ready | Phase::AwaitingStart),
            Act::Start => matches!(phase, Phase::Draft | Phase::Ready),
            Act::Resume => matches!(phase, Phase::Paused | Phase::Held),
            Act::Advance | Act::Extend(_) => matches!(phase, Phase::Soak | Phase::Gate | Phase::Held),
            Act::Fix => matches!(phase, Phase::Soak | Phase::Gate | Phase::Held),
            Act::Pause => phase.is_live() && phase != Phase::Paused,
            Act::Hold | Act::StepBack(_) => phase.is_live(),
            Act::RollBack | Act::Abort | Act::Trigger(_) | Act::Supersede => {
                phase.is_live() || phase == Phase::AwaitingStart
            }
            Act::Tick { list, .. } => match list {
                List::Preflight => phase.is_before_start(),
                List::Stage(_) | List::Exit => phase.is_live(),
            },
            Act::AddIssue(_) => !phase.is_final(),
            Act::CloseIssue { .. } | Act::Acknowledge => true,
            Act::Complete => matches!(phase, Phase::Baking | Phase::Held),
            Act::Archive => phase.is_final() || matches!(phase, Phase::Draft | Phase::Ready),
        }
    }
}

fn decide(
    plan: &Plan,
    state: &mut State,
    facts: &Facts,
    act: &Act,
    by: &str,
    now: Micros,
) -> Result<Transition, Refusal> {
    if !act.is_possible_in(state.phase) {
        return Err(Refusal::Phase {
            act: act.name(),
            phase: state.phase,
        });
    }
    Ok(match act {
        Act::Submit => Transition::Submitted,
        Act::Approve => approve(plan, state, by, now)?,
        Act::Start => Transition::StartAsked,
        Act::Pause => Transition::Paused,
        Act::Resume => resume(state)?,
        Act::Advance => advance(plan, state, facts, now)?,
        Act::Hold => hold(plan, state, facts, now)?,
        Act::Fix => fix(plan, state)?,
        Act::Extend(by_us) => extend(plan, state, *by_us)?,
        Act::StepBack(to) => step_back(state, *to)?,
        Act::RollBack => Transition::RolledBack(RollbackCause::Person),
        Act::Abort => Transition::Aborted(AbortCause::Person),
        Act::Trigger(name) => trigger(plan, name)?,
        Act::Tick { list, item, done } => tick(plan, state, *list, item, *done, by, now)?,
        Act::AddIssue(title) => add_issue(state, title, by, now)?,
        Act::CloseIssue { number, resolution } => close_issue(state, *number, resolution, by, now)?,
        Act::Acknowledge => Transition::Acknowledged,
        Act::Complete => complete(plan, state, facts)?,
        Act::Supersede => Transition::Superseded,
        Act::Archive => archive(state)?,
    })
}

fn approve(plan: &Plan, state: &mut State, by: &str, now: Micros) -> Result<Transition, Refusal> {
    let approvers = &plan.people.approvers;
    if !approvers.is_empty() && !approvers.iter().any(|approver| approver == by) {
        return Err(Refusal::NoApprover {
            by: by.to_owned(),
            approvers: approvers.clone(),
        });
    }
    let stage = state.is_live().then_some(state.stage);
    let desk = &mut state.desk;
    let is_given = desk
        .approvals
        .iter()
        .any(|given| given.stage == stage && given.plan_hash == desk.plan_hash && given.by == by);
    if is_given {
        return Err(Refusal::Already(format!("{by} has approved this already")));
    }
    bounded(desk.approvals.len(), "approvals")?;
    desk.approvals.push(Approval {
        stage,
        plan_hash: desk.plan_hash,
        by: by.to_owned(),
        at_us: now,
    });
    Ok(Transition::Approved(stage))
}

fn resume(state: &mut State) -> Result<Transition, Refusal> {
    let other = state
        .holds
        .iter()
        .copied()
        .filter(|reason| *reason != HoldReason::Person);
    let other: Vec<HoldReason> = other.collect();
    if state.phase == Phase::Held && !state.desk.held {
        return Err(Refusal::HeldFor(other));
    }
    state.desk.held = false;
    Ok(Transition::Resumed)
}

fn advance(plan: &Plan, state: &State, facts: &Facts, now: Micros) -> Result<Transition, Refusal> {
    allowed(plan, state, Outcome::Proceed)?;
    if state.is_baking() {
        return Err(Refusal::Phase {
            act: "advance",
            phase: Phase::Baking,
        });
    }
    stopped(plan, state, facts, "advance")?;
    let waits = gate::formalities(plan, state, facts, now);
    if !waits.is_empty() {
        return Err(Refusal::Waits(waits));
    }
    if state.clock_started_at_us.is_none() {
        return Err(Refusal::Phase {
            act: "advance",
            phase: Phase::Ramp,
        });
    }
    if state.visits.len() >= MOST_VISITS {
        return Err(Refusal::TooMany("visits of stages"));
    }
    Ok(made::passed(plan, state))
}

/// Nothing goes up while something that a person cannot wave away speaks against it.
fn stopped(plan: &Plan, state: &State, facts: &Facts, act: &'static str) -> Result<(), Refusal> {
    // Another replica has aborted it, and the state does not say so yet.
    if facts.latched {
        let phase = Phase::Aborting;
        return Err(Refusal::Phase { act, phase });
    }
    let harm = verdict::ladder(plan, facts) >= Ladder::Hold;
    let grave = state.holds.iter().copied().filter(|reason| !reason.soaks());
    let mut grave: Vec<HoldReason> = grave.collect();
    for (applies, reason) in [
        (facts.off, HoldReason::FlagOff),
        (state.desk.held, HoldReason::Person),
        (harm, HoldReason::Evidence),
    ] {
        if applies && !grave.contains(&reason) {
            grave.push(reason);
        }
    }
    grave.sort_unstable();
    if grave.is_empty() {
        Ok(())
    } else {
        Err(Refusal::HeldFor(grave))
    }
}

fn hold(plan: &Plan, state: &mut State, facts: &Facts, now: Micros) -> Result<Transition, Refusal> {
    if state.desk.held {
        return Err(Refusal::Already("it is held by a person already".to_owned()));
    }
    state.desk.held = true;
    Ok(Transition::Held(verdict::holds(plan, state, facts, now)))
}

fn fix(plan: &Plan, state: &State) -> Result<Transition, Refusal> {
    allowed(plan, state, Outcome::Fix)?;
    if state.desk.open_issues().next().is_none() {
        return Err(Refusal::NoIssue);
    }
    if state.desk.fixing {
        return Err(Refusal::Already(
            "its gate waits for the open issues already".to_owned(),
        ));
    }
    Ok(Transition::FixAsked)
}

fn extend(plan: &Plan, state: &State, by_us: Option<Micros>) -> Result<Transition, Refusal> {
    allowed(plan, state, Outcome::Extend)?;
    let Some(stage) = plan.stages.get(state.stage).filter(|_| !state.is_baking()) else {
        return Err(Refusal::Phase {
            act: "extend",
            phase: state.phase,
        });
    };
    let most = if stage.max_extensions == 0 {
        MOST_EXTENSIONS
    } else {
        stage.max_extensions
    };
    if state.extensions >= most {
        return Err(Refusal::Extensions(most));
    }
    let by_us = by_us.unwrap_or_else(|| stage.extension());
    if !(1..=365 * crate::DAY_US).contains(&by_us) {
        return Err(Refusal::Extension);
    }
    Ok(Transition::Extended {
        by_us,
        times: state.extensions + 1,
    })
}

fn step_back(state: &State, to: usize) -> Result<Transition, Refusal> {
    if to >= state.stage {
        return Err(Refusal::NotEarlier {
            to,
            current: state.stage,
        });
    }
    if state.visits.len() >= MOST_VISITS {
        return Err(Refusal::TooMany("visits of stages"));
    }
    Ok(Transition::SteppedBack { from: state.stage, to })
}

fn trigger(plan: &Plan, name: &str) -> Result<Transition, Refusal> {
    if plan.manual_triggers.iter().any(|trigger| trigger == name) {
        return Ok(Transition::Aborted(AbortCause::Trigger(name.to_owned())));
    }
    Err(Refusal::NoTrigger {
        name: name.to_owned(),
        known: plan.manual_triggers.clone(),
    })
}

fn tick(
    plan: &Plan,
    state: &mut State,
    list: List,
    item: &str,
    done: bool,
    by: &str,
    now: Micros,
) -> Result<Transition, Refusal> {
    let of_list =
        |items: &[Item]| -> Vec<(String, TickedBy)> { items.iter().map(|item| (item.name.clone(), item.by)).collect() };
    let known = match list {
        List::Preflight => of_list(&plan.preflight),
        List::Exit => of_list(&plan.exit),
        List::Stage(stage) => {
            let checklist = plan.stages.get(stage).filter(|_| stage == state.stage);
            let items = checklist.into_iter().flat_map(|stage| &stage.checklist);
            items.map(|name| (name.clone(), TickedBy::Person)).collect()
        }
    };
    match known.iter().find(|(name, _)| name == item) {
        Some((_, TickedBy::Check)) => return Err(Refusal::Checked(item.to_owned())),
        Some((_, TickedBy::Automation | TickedBy::Person)) => {}
        None => {
            return Err(Refusal::NoItem {
                item: item.to_owned(),
                known: known.into_iter().map(|(name, _)| name).collect(),
            });
        }
    }
    if state.desk.is_ticked(list, item) == done {
        let how = if done { "ticked" } else { "open" };
        return Err(Refusal::Already(format!("{item} is {how} already")));
    }
    let item = item.to_owned();
    if !done {
        return Ok(Transition::Unticked { list, item });
    }
    bounded(state.desk.ticks.len(), "ticks")?;
    state.desk.ticks.push(Tick {
        list,
        item: item.clone(),
        by: by.to_owned(),
        at_us: now,
    });
    Ok(Transition::Ticked { list, item })
}

fn add_issue(state: &mut State, title: &str, by: &str, now: Micros) -> Result<Transition, Refusal> {
    if title.trim().is_empty() || title.len() > LONGEST_TITLE {
        return Err(Refusal::Title(LONGEST_TITLE));
    }
    bounded(state.desk.issues.len(), "issues")?;
    let number = u32::try_from(state.desk.issues.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    state.desk.issues.push(Issue {
        number,
        title: title.to_owned(),
        stage: state.stage,
        opened_by: by.to_owned(),
        opened_at_us: now,
        closed_by: String::new(),
        closed_at_us: None,
        resolution: String::new(),
    });
    Ok(Transition::IssueAdded {
        number,
        title: title.to_owned(),
    })
}

fn close_issue(state: &mut State, number: u32, resolution: &str, by: &str, now: Micros) -> Result<Transition, Refusal> {
    let found = state.desk.issues.iter_mut().find(|issue| issue.number == number);
    let issue = found.ok_or(Refusal::UnknownIssue(number))?;
    if issue.closed_at_us.is_some() {
        return Err(Refusal::Already(format!("issue {number} is closed already")));
    }
    issue.closed_at_us = Some(now);
    by.clone_into(&mut issue.closed_by);
    issue.resolution = resolution.chars().take(LONGEST_TITLE).collect();
    if state.desk.open_issues().next().is_none() {
        state.desk.fixing = false;
    }
    Ok(Transition::IssueClosed { number })
}

fn complete(plan: &Plan, state: &State, facts: &Facts) -> Result<Transition, Refusal> {
    if !state.is_baking() {
        return Err(Refusal::Phase {
            act: "complete",
            phase: state.phase,
        });
    }
    stopped(plan, state, facts, "complete")?;
    // A person may end the bake early; what else the list asks for stays asked for.
    let mut over = state.clone();
    over.soaked_us = over.soaked_us.max(plan.bake_us);
    match gate::exit(plan, &over) {
        Some(wait) => Err(Refusal::Waits(vec![wait])),
        None => Ok(Transition::Completed),
    }
}

fn archive(state: &State) -> Result<Transition, Refusal> {
    if state.desk.archived {
        return Err(Refusal::Already("it is archived already".to_owned()));
    }
    Ok(Transition::Archived)
}

fn allowed(plan: &Plan, state: &State, outcome: Outcome) -> Result<(), Refusal> {
    match plan.stages.get(state.stage) {
        Some(stage) if !stage.allows(outcome) => Err(Refusal::Outcome {
            outcome: outcome.name(),
            allowed: stage.outcomes.iter().map(|outcome| outcome.name()).collect(),
        }),
        Some(_) | None => Ok(()),
    }
}

fn bounded(count: usize, what: &'static str) -> Result<(), Refusal> {
    if count < MOST {
        Ok(())
    } else {
        Err(Refusal::TooMany(what))
    }
}
