//! A complete plan from a wish: what somebody wants to roll out, and what is at stake, in; stages, guards, lists and
//! people out.
//!
//! The one rule: a draft is fit to start as it is. It has no violations and lint has nothing against it, whatever the
//! strategy and the risk; a wish that contradicts itself (no variants, a key that is none) shows as violations of the
//! plan, as it would in a document. How a strategy lays out its stages is in `layout`, what stops a rollout in
//! `limits`. Asking people and reading their files is left to the console.

mod layout;
mod limits;

use std::collections::BTreeMap;

use crate::{
    DAY_US, Guard, Micros, Plan, Share, Stage, Unit,
    calendar::{self, Window},
    catalogue::{MetricKey, OwnDefinition},
    plan::{Baseline, BaselineSource, Duty, Item, KillSwitch, People, TickedBy, Traffic},
    risk::{Assessment, Risk},
    strategy::Strategy,
};

/// The label that names the segment of staff, for those whose key does not say so.
pub const STAFF_LABEL: &str = "staff";
/// The item that a person ticks to let out what was tried in the dark or in shadow.
pub const RELEASE_ITEM: &str = "release-decided";

/// What somebody wants to roll out, and what they know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Key of the plan; empty: the flag and the strategy.
    pub key: String,
    /// The environment; empty: that of the request.
    pub environment: String,
    /// The flag.
    pub flag: String,
    /// What it is for.
    pub description: String,
    /// The variant under test.
    pub treatment: String,
    /// The variant that everyone else gets.
    pub control: String,
    /// The strategy; none: the one that fits the risk, and progressive where none was assessed.
    pub strategy: Option<Strategy>,
    /// What comes before the strategy's own stages.
    pub rehearsal: Option<Rehearsal>,
    /// What is at stake; none: not assessed.
    pub risk: Option<Assessment>,
    /// The segment of the people who go first.
    pub staff: Option<String>,
    /// For [`Strategy::Gradual`]; none: 0 to 100 % over a week in seven steps.
    pub gradual: Option<Gradual>,
    /// Not to be started before; what [`Strategy::Scheduled`] is about.
    pub start_at_us: Option<Micros>,
    /// What is assigned to an arm.
    pub unit: Unit,
    /// The attributes that name the unit; empty: those of the flag.
    pub unit_by: Vec<String>,
    /// What the metrics were before.
    pub baseline: Baseline,
    /// What the flag sees in a day.
    pub traffic: Traffic,
    /// Metrics of the plan's own.
    pub metrics: Vec<OwnDefinition>,
    /// What people look at first; none: the error rate.
    pub primary_metric: Option<String>,
    /// Component, pattern, cycle, and own ones.
    pub labels: BTreeMap<String, String>,
    /// Dashboards and documents, by title.
    pub links: BTreeMap<String, String>,
    /// Owner, approvers, duties, stakeholders.
    pub people: People,
    /// Who is on call in every stage, if the duties do not say; empty: the owner.
    pub on_call: String,
    /// Who wishes it; the owner if none is named.
    pub actor: String,
    /// When gates may open where the strategy or the risk keeps business hours; none: Monday to Friday, 09:00-17:00 UTC.
    pub business_hours: Option<Window>,
    /// When no gate may open, by name.
    pub freezes: BTreeMap<String, Window>,
    /// How long everybody has the treatment before it becomes the default; none: two weeks.
    pub bake_us: Option<Micros>,
}

/// What may come before the stages of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rehearsal {
    /// Units are assigned and reported, and get the control.
    Shadow,
    /// Nobody but staff has it.
    Dark,
}

/// Linear between two percentages, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gradual {
    /// Where it begins.
    pub from: Share,
    /// Where it ends, above `from`.
    pub to: Share,
    /// How long it takes from the one to the other.
    pub over_us: Micros,
    /// In so many steps; 1 to [`Gradual::MOST_STEPS`].
    pub steps: u32,
}

impl Gradual {
    /// The most steps: with a rehearsal, a first stage and the beginning that makes 16 stages.
    pub const MOST_STEPS: u32 = 13;
}

impl Default for Gradual {
    fn default() -> Self {
        Self {
            from: Share::NONE,
            to: Share::ALL,
            over_us: 7 * DAY_US,
            steps: 7,
        }
    }
}

impl Wish {
    /// A flag from one variant to another, and nothing else known; `actor` is who wishes it.
    pub fn new(
        flag: impl Into<String>,
        treatment: impl Into<String>,
        control: impl Into<String>,
        actor: impl Into<String>,
    ) -> Self {
        Self {
            key: String::new(),
            environment: String::new(),
            flag: flag.into(),
            description: String::new(),
            treatment: treatment.into(),
            control: control.into(),
            strategy: None,
            rehearsal: None,
            risk: None,
            staff: None,
            gradual: None,
            start_at_us: None,
            unit: Unit::Unit,
            unit_by: Vec::new(),
            baseline: Baseline::default(),
            traffic: Traffic::default(),
            metrics: Vec::new(),
            primary_metric: None,
            labels: BTreeMap::new(),
            links: BTreeMap::new(),
            people: People::default(),
            on_call: String::new(),
            actor: actor.into(),
            business_hours: None,
            freezes: BTreeMap::new(),
            bake_us: None,
        }
    }

    /// The strategy that it comes to.
    pub fn strategy(&self) -> Strategy {
        let fits = || self.overall().map(Risk::strategy);
        self.strategy.or_else(fits).unwrap_or(Strategy::Progressive)
    }

    /// The overall risk, if it was assessed.
    fn overall(&self) -> Option<Risk> {
        self.risk.as_ref().map(Assessment::overall)
    }

    /// Whether something is at stake, so that stages are watched for a day at least.
    fn is_grave(&self) -> bool {
        self.overall() >= Some(Risk::Medium)
    }

    /// Whether gates open in business hours only, with somebody on call.
    fn is_attended(&self) -> bool {
        self.is_grave() || matches!(self.strategy(), Strategy::Progressive | Strategy::Canary)
    }

    fn is_rehearsed_in(&self, rehearsal: Rehearsal) -> bool {
        let strategy = self.strategy();
        match rehearsal {
            Rehearsal::Shadow => strategy == Strategy::Shadow || self.rehearsal == Some(rehearsal),
            // A plan that is in shadow only has nothing to let out of the dark.
            Rehearsal::Dark => {
                strategy == Strategy::Dark || (self.rehearsal == Some(rehearsal) && strategy != Strategy::Shadow)
            }
        }
    }

    fn people(&self) -> People {
        let mut people = self.people.clone();
        if people.owner.is_empty() {
            people.owner.clone_from(&self.actor);
        }
        let on_call = if self.on_call.is_empty() {
            people.owner.clone()
        } else {
            self.on_call.clone()
        };
        // A duty without stages covers those that the others leave out: the first that fits is asked.
        let covers_all = people.duties.iter().any(|duty| duty.stages.is_empty());
        if !covers_all && !on_call.is_empty() {
            people.duties.push(Duty {
                stages: Vec::new(),
                on_call,
                escalation: Vec::new(),
            });
        }
        people
    }

    /// Keys in the catalogue's spelling, and a source where there are values.
    fn baseline(&self) -> Baseline {
        let spelled = |key: &String| MetricKey::new(key).map_or_else(|_| key.clone(), |key| key.to_string());
        let values: BTreeMap<_, _> = self
            .baseline
            .values
            .iter()
            .map(|(key, value)| (spelled(key), *value))
            .collect();
        let source = match self.baseline.source {
            BaselineSource::None if !values.is_empty() => BaselineSource::Fixed,
            source => source,
        };
        let artifact = self.baseline.artifact.clone();
        Baseline {
            source,
            values,
            artifact,
            ..Baseline::default()
        }
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        if let Some(staff) = &self.staff {
            labels.entry(STAFF_LABEL.to_owned()).or_insert_with(|| staff.clone());
        }
        labels
    }

    fn windows(&self) -> Vec<Window> {
        // Whoever names a time has chosen it.
        if !self.is_attended() || self.strategy() == Strategy::Scheduled {
            return Vec::new();
        }
        let hours = self.business_hours.clone();
        hours.or_else(|| business_hours("UTC").ok()).into_iter().collect()
    }

    /// What is asked before the end of a plan with these stages.
    fn exit(&self, stages: &[Stage]) -> Vec<Item> {
        if self.strategy() != Strategy::Shadow {
            let mut exit = Item::usual_exit();
            // Of a plan that ends before everybody has it, that would never be ticked.
            let reaches_all = stages
                .last()
                .is_some_and(|stage| stage.share == Share::ALL && stage.audience.is_empty());
            exit.retain(|item| reaches_all || item.name != Item::ALL_REACHED);
            return exit;
        }
        let mut decided = Item::new(RELEASE_ITEM, TickedBy::Person);
        decided.description =
            "Completing makes the treatment the default; roll back to end the rehearsal without it".to_owned();
        vec![Item::new(Item::NO_ABORT, TickedBy::Check), decided]
    }
}

/// Monday to Friday, 09:00-17:00 of a time zone.
pub fn business_hours(zone: &str) -> Result<Window, calendar::Error> {
    format!("Mon-Fri 09:00-17:00 {zone}").parse()
}

/// The plan that a wish comes to.
pub fn draft(wish: &Wish) -> Plan {
    let strategy = wish.strategy();
    let key = if wish.key.is_empty() {
        format!("{}-{}", wish.flag, strategy.name())
    } else {
        wish.key.clone()
    };
    let stages = layout::stages(wish);
    let mut plan = Plan {
        environment: wish.environment.clone(),
        description: wish.description.clone(),
        treatment: wish.treatment.clone(),
        control: wish.control.clone(),
        strategy,
        risk: wish.risk.clone(),
        primary_metric: Some(
            wish.primary_metric
                .clone()
                .unwrap_or_else(|| Guard::ERROR_RATE.to_owned()),
        ),
        labels: wish.labels(),
        links: wish.links.clone(),
        start_at_us: wish.start_at_us,
        unit: wish.unit,
        unit_by: wish.unit_by.clone(),
        metrics: wish.metrics.clone(),
        manual_triggers: ["security-incident", "charge-complaints", "regulator", "data-loss"]
            .map(str::to_owned)
            .to_vec(),
        kill_switch: Some(KillSwitch {
            flag: String::new(),
            auto_trip: false,
            conditions: Vec::new(),
        }),
        baseline: wish.baseline(),
        traffic: wish.traffic,
        windows: wish.windows(),
        freezes: wish.freezes.clone(),
        people: wish.people(),
        approvals: u32::from(wish.overall() == Some(Risk::High)),
        preflight: Item::usual_preflight(),
        exit: wish.exit(&stages),
        stages,
        bake_us: bake(wish),
        ..Plan::new(key, wish.flag.clone())
    };
    limits::write(&mut plan, wish.is_grave());
    for stage in &mut plan.stages {
        stage.on_call_required = wish.is_attended() && plan.people.on_call(&stage.name).is_some();
    }
    plan
}

/// A rehearsal in shadow has nothing to bake: nobody got the treatment.
fn bake(wish: &Wish) -> Micros {
    let usual = if wish.strategy() == Strategy::Shadow {
        0
    } else {
        Plan::DEFAULT_BAKE_US
    };
    wish.bake_us.unwrap_or(usual)
}

#[cfg(test)]
mod tests;
