//! A rollout plan: what is rolled out, to whom, how fast, and what stops it. A rollout has a copy of its own, which only a
//! rebase changes ([`crate::rebase()`]).
//!
//! A plan is plain data and may hold anything that a document can say; [`Plan::violations`] lists what is wrong with
//! it, all at once, and only a plan without violations may be stored or started. Everything else in this crate takes
//! such a plan for granted, and errs on the side of not promoting where it cannot.

mod baseline;
mod item;
mod kill_switch;
mod people;

use std::collections::BTreeMap;

pub use self::{
    baseline::{Baseline, BaselineSource, Traffic},
    item::{Item, TickedBy},
    kill_switch::KillSwitch,
    people::{Duty, People, Stakeholder},
};
use crate::{
    Guard, Micros, Share, Stage,
    calendar::{Calendar, Window},
    catalogue::{self, Kind, OwnDefinition},
    criterion::{Base, Criterion, Limit},
    risk::Assessment,
    strategy::Strategy,
};

/// A day: the longest a horizon lasts when units are compared, in microseconds.
pub const DAY_US: Micros = 24 * 60 * 60 * 1_000_000;
/// The most guards of a plan.
pub const MOST_GUARDS: usize = 32;

/// The ordered stages of a rollout and the rules that move it through them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Unique within the environment.
    pub key: String,
    /// The environment it is written for; empty: that of the request.
    pub environment: String,
    /// The flag whose treatment is rolled out.
    pub flag: String,
    /// What this rollout is for, in the operator's words; may be empty.
    pub description: String,
    /// The variant under test.
    pub treatment: String,
    /// The variant everyone else gets, and everyone after an abort.
    pub control: String,
    /// How the stages were laid out.
    pub strategy: Strategy,
    /// What is at stake; none: not assessed.
    pub risk: Option<Assessment>,
    /// What people look at first; the key of a metric.
    pub primary_metric: Option<String>,
    /// For reports and statistics: component, pattern, cycle, and own ones.
    pub labels: BTreeMap<String, String>,
    /// Dashboards and documents, by title.
    pub links: BTreeMap<String, String>,
    /// Not to be started before.
    pub start_at_us: Option<Micros>,
    /// What is assigned to an arm, and so which test judges error rates.
    pub unit: Unit,
    /// The attributes that name the unit, the first that the context has; empty: those of the flag.
    pub unit_by: Vec<String>,
    /// In the order in which they are reached.
    pub stages: Vec<Stage>,
    /// What is watched over the whole plan, and what happens when a limit is broken.
    pub guards: Vec<Guard>,
    /// Metrics that are only looked at, by key.
    pub observed: Vec<String>,
    /// Metrics of the plan's own, beside the built-in ones.
    pub metrics: Vec<OwnDefinition>,
    /// What raises a warning. Stops nothing.
    pub warning: Vec<Criterion>,
    /// What raises a critical alert. Stops nothing.
    pub critical: Vec<Criterion>,
    /// Reasons for which a person may abort by name.
    pub manual_triggers: Vec<String>,
    /// The flag-wide off.
    pub kill_switch: Option<KillSwitch>,
    /// What the metrics were before.
    pub baseline: Baseline,
    /// What the flag sees in a day; for what a plan will cost.
    pub traffic: Traffic,
    /// When gates may open (business hours); empty: always.
    pub windows: Vec<Window>,
    /// When no gate may open, whatever the windows say, by name.
    pub freezes: BTreeMap<String, Window>,
    /// Who is asked and told.
    pub people: People,
    /// Approvals that a start needs.
    pub approvals: u32,
    /// What must be ticked before the start.
    pub preflight: Vec<Item>,
    /// What must be ticked before the completion.
    pub exit: Vec<Item>,
    /// The chance of a false abort over the whole rollout; 0.01 by default.
    pub alpha: f64,
    /// The chance that a gate certifies what is not safe; 0.05 by default.
    pub beta: f64,
    /// The highest error rate of control that the request test allows for, a fraction; 0.10 by default.
    pub max_control_rate: f64,
    /// An exposure without an outcome for this long is lost; 30 s by default.
    pub lost_after_us: Micros,
    /// How long the last stage stays as it is after its gate before treatment becomes the default; two weeks by default.
    pub bake_us: Micros,
    /// The share that keeps the control until the completion.
    pub holdback: Share,
    /// A stage that lasts longer than this is somebody's business; 14 days by default.
    pub stuck_after_us: Micros,
}

/// What is assigned to an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A user, an account, a device: it keeps its arm, so bad *units* are counted (guard.md 4a).
    Unit,
    /// Each request by itself: bad requests are counted (guard.md 4b).
    Request,
}

impl Plan {
    /// The chance of a false abort unless a plan says otherwise.
    pub const DEFAULT_ALPHA: f64 = 0.01;
    /// The chance of a false certificate unless a plan says otherwise.
    pub const DEFAULT_BETA: f64 = 0.05;
    /// The highest error rate of control unless a plan says otherwise.
    pub const DEFAULT_MAX_CONTROL_RATE: f64 = 0.10;
    /// When an exposure counts as lost unless a plan says otherwise.
    pub const DEFAULT_LOST_AFTER_US: Micros = 30_000_000;
    /// The bake unless a plan says otherwise.
    pub const DEFAULT_BAKE_US: Micros = 14 * DAY_US;
    /// When a stage is stuck unless a plan says otherwise.
    pub const DEFAULT_STUCK_AFTER_US: Micros = 14 * DAY_US;

    /// A plan without stages, with every default.
    pub fn new(key: impl Into<String>, flag: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            environment: String::new(),
            flag: flag.into(),
            description: String::new(),
            treatment: String::new(),
            control: String::new(),
            strategy: Strategy::Custom,
            risk: None,
            primary_metric: None,
            labels: BTreeMap::new(),
            links: BTreeMap::new(),
            start_at_us: None,
            unit: Unit::Unit,
            unit_by: Vec::new(),
            stages: Vec::new(),
            guards: vec![Guard::no_worse_than_control()],
            observed: Vec::new(),
            metrics: Vec::new(),
            warning: Vec::new(),
            critical: Vec::new(),
            manual_triggers: Vec::new(),
            kill_switch: None,
            baseline: Baseline::default(),
            traffic: Traffic::default(),
            windows: Vec::new(),
            freezes: BTreeMap::new(),
            people: People::default(),
            approvals: 0,
            preflight: Vec::new(),
            exit: Vec::new(),
            alpha: Self::DEFAULT_ALPHA,
            beta: Self::DEFAULT_BETA,
            max_control_rate: Self::DEFAULT_MAX_CONTROL_RATE,
            lost_after_us: Self::DEFAULT_LOST_AFTER_US,
            bake_us: Self::DEFAULT_BAKE_US,
            holdback: Share::NONE,
            stuck_after_us: Self::DEFAULT_STUCK_AFTER_US,
        }
    }

    /// Adds the guards that no plan has to write (guard.md 4c): "slower than control", where the p95 of the time before is
    /// known. A plan that guards p95 against the control says by itself how much slower treatment may be, and gets none;
    /// neither does one that is full. Adding them twice adds them once.
    pub fn add_built_in_guards(&mut self) {
        let of_control = |guard: &Guard| {
            let base = match guard.harm.limit {
                Limit::Absolute(_) => return false,
                Limit::Times { base, .. } | Limit::Plus { base, .. } => base,
            };
            guard.harm.metric.as_str() == Guard::LATENCY && base == Base::Control
        };
        let is_known = self.baseline.values.contains_key(Guard::LATENCY);
        if is_known && self.guards.len() < MOST_GUARDS && !self.guards.iter().any(of_control) {
            self.guards.push(Guard::slower_than_control());
        }
    }

    /// How many horizons the budget expects, at least 1 (guard.md 5: n).
    ///
    /// Only compared stages (some units in each arm) count: under a unit split one for each begun day of dwell, under a
    /// request split one for the visit.
    pub fn planned_horizons(&self) -> usize {
        let horizons: usize = self
            .stages
            .iter()
            .enumerate()
            .filter(|(position, _)| self.wanted(*position).is_compared())
            .map(|(_, stage)| match self.unit {
                Unit::Unit => begun_days(stage.dwell.planned_us()),
                Unit::Request => 1,
            })
            .sum();
        horizons.max(1)
    }

    /// The guard that compares error rates with the live control, which is measured for every rollout, and its position.
    pub fn harm_guard(&self) -> Option<(usize, f64)> {
        (0..)
            .zip(&self.guards)
            .find_map(|(at, guard)| guard.error_ratio().map(|ratio| (at, ratio)))
    }

    /// The kind of a metric, of the plan's own or built in.
    pub fn kind_of(&self, metric: &str) -> Option<Kind> {
        let own = self.metrics.iter().find(|own| own.key.as_str() == metric);
        own.map(|own| own.kind)
            .or_else(|| catalogue::find(metric).map(|definition| definition.kind))
    }

    /// When gates may open, as far as the whole plan says.
    pub fn calendar(&self) -> Calendar {
        Calendar {
            open: self.windows.clone(),
            frozen: self.freezes.values().cloned().collect(),
        }
    }

    /// Whether the last stage gives the treatment to everybody.
    pub fn reaches_everybody(&self) -> bool {
        let last = self.stages.last();
        last.is_some_and(|stage| stage.share == Share::ALL && stage.audience.is_empty() && !stage.shadow)
    }

    /// The share of all units that have the treatment in a stage, as far as it is known: by the stages for everybody that
    /// were reached. How many units an audience has is not known here, so what only some get does not count.
    pub fn deployed(&self, stage: usize) -> Share {
        let reached = self.stages.iter().enumerate().take(stage.saturating_add(1));
        let is_shadow = self.stages.get(stage).is_some_and(|stage| stage.shadow);
        let for_all = reached.filter(|(_, reached)| !is_shadow && !reached.shadow && reached.audience.is_empty());
        let shares = for_all.map(|(position, _)| self.wanted(position));
        shares.max().unwrap_or(Share::NONE)
    }

    /// What a stage wants exposed of its audience: its share, never what is held back.
    pub fn wanted(&self, stage: usize) -> Share {
        let share = self.stages.get(stage).map_or(Share::NONE, |stage| stage.share);
        share.min(Share::ALL.less(self.holdback))
    }
}

impl Unit {
    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Unit => "unit",
            Unit::Request => "request",
        }
    }
}

/// Days begun by a dwell, at least 1.
pub(crate) fn begun_days(dwell_us: Micros) -> usize {
    let days = (dwell_us.max(1) - 1) / DAY_US + 1;
    usize::try_from(days).unwrap_or(usize::MAX)
}
