//! What people have decided and done about a rollout, as far as the engine must know it.

use crate::{HoldReason, Micros, Signal};

/// What people have decided and done.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Desk {
    /// The plan that approvals are for.
    pub plan_hash: u128,
    /// A person holds the rollout.
    pub held: bool,
    /// The gate said fix: it opens when every issue is closed.
    pub fixing: bool,
    /// Approvals given, those that a new plan has made void included.
    pub approvals: Vec<Approval>,
    /// Items ticked.
    pub ticks: Vec<Tick>,
    /// Issues found, closed ones included.
    pub issues: Vec<Issue>,
    /// Signals dismissed in the present visit, those that have lapsed included, the oldest first.
    pub dismissals: Vec<Dismissal>,
    /// When somebody last said that they have seen how it stands.
    pub acknowledged_at_us: Option<Micros>,
    /// Put away by a person, after its end or before its start.
    pub archived: bool,
}

/// One person's approval of one gate of one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The stage whose gate it is for; none: the start.
    pub stage: Option<usize>,
    /// The plan it was given for.
    pub plan_hash: u128,
    /// Who.
    pub by: String,
    /// When.
    pub at_us: Micros,
}

/// An item that was ticked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The list that it is on.
    pub list: List,
    /// Its name.
    pub item: String,
    /// Who.
    pub by: String,
    /// When.
    pub at_us: Micros,
}

impl Dismissal {
    /// The signal as it was then.
    pub fn signal(&self) -> Signal {
        Signal {
            reason: self.reason,
            guard: self.guard,
            criterion: self.criterion,
            log_size: self.log_size,
        }
    }
}

/// A signal that a person has judged to be no harm.
#[derive(Debug, Clone, PartialEq)]
pub struct Dismissal {
    /// What it held for.
    pub reason: HoldReason,
    /// The guard that raised it, by its position; none: it is of no guard.
    pub guard: Option<usize>,
    /// The success criterion that did not hold, by its position in the stage; none: it is of no criterion.
    pub criterion: Option<usize>,
    /// Natural logarithm of its size then: of the evidence, or of the events that were counted. None: it has no size.
    pub log_size: Option<f64>,
    /// Who.
    pub by: String,
    /// When.
    pub at_us: Micros,
    /// Why.
    pub why: String,
}

/// A list of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum List {
    /// Before the start.
    Preflight,
    /// The checklist of a stage.
    Stage(usize),
    /// Before the completion.
    Exit,
}

/// Something that was found during the rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// From 1.
    pub number: u32,
    /// What was found.
    pub title: String,
    /// The stage in which it was found.
    pub stage: usize,
    /// Who found it.
    pub opened_by: String,
    /// When.
    pub opened_at_us: Micros,
    /// Who closed it; empty while it is open.
    pub closed_by: String,
    /// When; none while it is open.
    pub closed_at_us: Option<Micros>,
    /// How it was closed.
    pub resolution: String,
}

impl Desk {
    /// Different people who have approved a gate (none: the start) of the present plan.
    pub fn approved(&self, stage: Option<usize>) -> u32 {
        let given = self.approvals.iter();
        let valid = given.filter(|given| given.stage == stage && given.plan_hash == self.plan_hash);
        let mut people: Vec<&str> = valid.map(|given| given.by.as_str()).collect();
        people.sort_unstable();
        people.dedup();
        u32::try_from(people.len()).unwrap_or(u32::MAX)
    }

    /// Whether an item is ticked.
    pub fn is_ticked(&self, list: List, item: &str) -> bool {
        self.ticks.iter().any(|tick| tick.list == list && tick.item == item)
    }

    /// Whether the gate waits until every issue is closed, and one is open.
    pub fn is_fixing(&self) -> bool {
        self.fixing && self.open_issues().next().is_some()
    }

    /// Issues that are open.
    pub fn open_issues(&self) -> impl Iterator<Item = &Issue> {
        self.issues.iter().filter(|issue| issue.closed_at_us.is_none())
    }
}
