//! The stored form of what people have decided and done about a rollout.

use prost::Message;
use rollout::state::{Approval, Desk, Issue, List, Tick};

use super::{ModelError, dismissal::StoredDismissal, number};

/// A desk as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredDesk {
    #[prost(bytes = "vec", tag = "1")]
    plan_hash: Vec<u8>,
    #[prost(bool, tag = "2")]
    held: bool,
    #[prost(bool, tag = "3")]
    fixing: bool,
    #[prost(message, repeated, tag = "4")]
    approvals: Vec<StoredApproval>,
    #[prost(message, repeated, tag = "5")]
    ticks: Vec<StoredTick>,
    #[prost(message, repeated, tag = "6")]
    issues: Vec<StoredIssue>,
    #[prost(int64, optional, tag = "7")]
    acknowledged_at_us: Option<i64>,
    #[prost(bool, tag = "8")]
    archived: bool,
    #[prost(message, repeated, tag = "9")]
    dismissals: Vec<StoredDismissal>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredApproval {
    #[prost(uint32, optional, tag = "1")]
    stage: Option<u32>,
    #[prost(bytes = "vec", tag = "2")]
    plan_hash: Vec<u8>,
    #[prost(string, tag = "3")]
    by: String,
    #[prost(int64, tag = "4")]
    at_us: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredTick {
    /// 1 preflight, 2 stage, 3 exit.
    #[prost(uint32, tag = "1")]
    list: u32,
    #[prost(uint32, tag = "2")]
    stage: u32,
    #[prost(string, tag = "3")]
    item: String,
    #[prost(string, tag = "4")]
    by: String,
    #[prost(int64, tag = "5")]
    at_us: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredIssue {
    #[prost(uint32, tag = "1")]
    number: u32,
    #[prost(string, tag = "2")]
    title: String,
    #[prost(uint32, tag = "3")]
    stage: u32,
    #[prost(string, tag = "4")]
    opened_by: String,
    #[prost(int64, tag = "5")]
    opened_at_us: i64,
    #[prost(string, tag = "6")]
    closed_by: String,
    #[prost(int64, optional, tag = "7")]
    closed_at_us: Option<i64>,
    #[prost(string, tag = "8")]
    resolution: String,
}

impl From<&Desk> for StoredDesk {
    fn from(desk: &Desk) -> Self {
        Self {
            plan_hash: desk.plan_hash.to_be_bytes().to_vec(),
            held: desk.held,
            fixing: desk.fixing,
            approvals: desk.approvals.iter().map(write_approval).collect(),
            ticks: desk.ticks.iter().map(write_tick).collect(),
            issues: desk.issues.iter().map(write_issue).collect(),
            acknowledged_at_us: desk.acknowledged_at_us,
            archived: desk.archived,
            dismissals: desk.dismissals.iter().map(StoredDismissal::from).collect(),
        }
    }
}

fn write_approval(given: &Approval) -> StoredApproval {
    StoredApproval {
        stage: given.stage.map(|stage| stage as u32),
        plan_hash: given.plan_hash.to_be_bytes().to_vec(),
        by: given.by.clone(),
        at_us: given.at_us,
    }
}

fn write_tick(tick: &Tick) -> StoredTick {
    let (list, stage) = match tick.list {
        List::Preflight => (1, 0),
        List::Stage(stage) => (2, stage as u32),
        List::Exit => (3, 0),
    };
    StoredTick {
        list,
        stage,
        item: tick.item.clone(),
        by: tick.by.clone(),
        at_us: tick.at_us,
    }
}

fn write_issue(issue: &Issue) -> StoredIssue {
    StoredIssue {
        number: issue.number,
        title: issue.title.clone(),
        stage: issue.stage as u32,
        opened_by: issue.opened_by.clone(),
        opened_at_us: issue.opened_at_us,
        closed_by: issue.closed_by.clone(),
        closed_at_us: issue.closed_at_us,
        resolution: issue.resolution.clone(),
    }
}

impl StoredDesk {
    /// The desk.
    pub(super) fn read(self) -> Result<Desk, ModelError> {
        Ok(Desk {
            plan_hash: number("state.desk.plan_hash", &self.plan_hash)?,
            held: self.held,
            fixing: self.fixing,
            approvals: self
                .approvals
                .into_iter()
                .map(read_approval)
                .collect::<Result<_, _>>()?,
            ticks: self.ticks.into_iter().map(read_tick).collect::<Result<_, _>>()?,
            issues: self.issues.into_iter().map(read_issue).collect(),
            acknowledged_at_us: self.acknowledged_at_us,
            archived: self.archived,
            dismissals: (self.dismissals.into_iter())
                .map(StoredDismissal::read)
                .collect::<Result<_, _>>()?,
        })
    }
}

fn read_approval(given: StoredApproval) -> Result<Approval, ModelError> {
    Ok(Approval {
        stage: given.stage.map(|stage| stage as usize),
        plan_hash: number("state.desk.approvals.plan_hash", &given.plan_hash)?,
        by: given.by,
        at_us: given.at_us,
    })
}

fn read_tick(tick: StoredTick) -> Result<Tick, ModelError> {
    Ok(Tick {
        list: match tick.list {
            1 => List::Preflight,
            2 => List::Stage(tick.stage as usize),
            3 => List::Exit,
            _ => return Err(ModelError::Field("state.desk.ticks.list")),
        },
        item: tick.item,
        by: tick.by,
        at_us: tick.at_us,
    })
}

fn read_issue(issue: StoredIssue) -> Issue {
    Issue {
        number: issue.number,
        title: issue.title,
        stage: issue.stage as usize,
        opened_by: issue.opened_by,
        opened_at_us: issue.opened_at_us,
        closed_by: issue.closed_by,
        closed_at_us: issue.closed_at_us,
        resolution: issue.resolution,
    }
}
