//! The acts that are noted and move nothing: approvals, ticks and issues, of which a rollout keeps a bounded number.

use super::Refusal;
use crate::{
    Micros, Plan, State, Transition,
    plan::{Item, TickedBy},
    state::{Approval, Issue, List, Tick},
};

/// The most approvals, ticks and issues that a rollout keeps, each.
const MOST: usize = 200;
/// The longest title of an issue, in bytes.
const LONGEST_TITLE: usize = 500;

pub(super) fn approve(plan: &Plan, state: &mut State, by: &str, now: Micros) -> Result<Transition, Refusal> {
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

pub(super) fn tick(
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

pub(super) fn add_issue(state: &mut State, title: &str, by: &str, now: Micros) -> Result<Transition, Refusal> {
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

pub(super) fn close_issue(
    state: &mut State,
    number: u32,
    resolution: &str,
    by: &str,
    now: Micros,
) -> Result<Transition, Refusal> {
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

fn bounded(count: usize, what: &'static str) -> Result<(), Refusal> {
    if count < MOST {
        Ok(())
    } else {
        Err(Refusal::TooMany(what))
    }
}
