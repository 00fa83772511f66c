//! What people have on their desk about a rollout, as values for programs: what it waits for, what comes next, approvals,
//! items, issues, criteria. `walk.rs` and `rollout_tree.rs` show them to people.

use proto::v1;
use serde::Serialize;

use crate::print;

/// One thing that a rollout waits for.
#[derive(Debug, Serialize)]
pub(crate) struct WaitingView {
    kind: String,
    detail: String,
    until: Option<String>,
}

/// A transition that would be made.
#[derive(Debug, Serialize)]
pub(crate) struct StepView {
    at: Option<String>,
    kind: String,
    stage: String,
    phase: String,
}

/// What was found of a criterion.
#[derive(Debug, Serialize)]
pub(crate) struct CriterionView {
    criterion: String,
    finding: String,
}

/// An approval.
#[derive(Debug, Serialize)]
pub(crate) struct ApprovalView {
    /// Empty: the start.
    stage: String,
    by: String,
    at: Option<String>,
    valid: bool,
}

/// An item of a list.
#[derive(Debug, Serialize)]
pub(crate) struct ItemView {
    list: String,
    item: String,
    ticked_by: String,
    done: bool,
    by: String,
    at: Option<String>,
}

/// An issue found.
#[derive(Debug, Serialize)]
pub(crate) struct IssueView {
    number: u32,
    title: String,
    stage: String,
    opened_by: String,
    opened_at: Option<String>,
    closed_by: String,
    closed_at: Option<String>,
    resolution: String,
}

impl WaitingView {
    /// Of what the control plane sent.
    pub(crate) fn of(waiting: &v1::Waiting) -> Self {
        Self {
            kind: waiting.kind.clone(),
            detail: waiting.detail.clone(),
            until: print::timestamp(waiting.until_us),
        }
    }
}

impl StepView {
    /// Of what the control plane sent.
    pub(crate) fn of(step: &v1::PlannedStep) -> Self {
        Self {
            at: print::timestamp(step.at_us),
            kind: step.kind.clone(),
            stage: step.stage.clone(),
            phase: step.phase.clone(),
        }
    }
}

impl CriterionView {
    /// Of what the control plane sent.
    pub(crate) fn of(finding: &v1::CriterionFinding) -> Self {
        Self {
            criterion: finding.criterion.clone(),
            finding: finding.finding.clone(),
        }
    }
}

impl ApprovalView {
    /// Of what the control plane sent.
    pub(crate) fn of(approval: &v1::Approval) -> Self {
        Self {
            stage: approval.stage.clone(),
            by: approval.by.clone(),
            at: print::timestamp(approval.at_us),
            valid: approval.valid,
        }
    }
}

impl ItemView {
    /// Of what the control plane sent.
    pub(crate) fn of(item: &v1::ItemState) -> Self {
        Self {
            list: item.list.clone(),
            item: item.item.clone(),
            ticked_by: item.ticked_by.clone(),
            done: item.done,
            by: item.by.clone(),
            at: print::timestamp(item.at_us),
        }
    }
}

impl IssueView {
    /// Of what the control plane sent.
    pub(crate) fn of(issue: &v1::IssueFound) -> Self {
        Self {
            number: issue.number,
            title: issue.title.clone(),
            stage: issue.stage.clone(),
            opened_by: issue.opened_by.clone(),
            opened_at: print::timestamp(issue.opened_at_us),
            closed_by: issue.closed_by.clone(),
            closed_at: print::timestamp(issue.closed_at_us),
            resolution: issue.resolution.clone(),
        }
    }
}
