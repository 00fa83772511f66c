//! An item of a checklist: what must be ticked, and who ticks it.

/// One thing to be done or seen before a rollout may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Unique within its list; a key.
    pub name: String,
    /// For people; may be empty.
    pub description: String,
    /// Who ticks it.
    pub by: TickedBy,
}

/// Who ticks an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TickedBy {
    /// The engine, when what it says is so. Only the items that it knows.
    Check,
    /// A program, over gRPC.
    Automation,
    /// A person.
    #[default]
    Person,
}

impl Item {
    /// The flag exists, is on, and its default is the control.
    pub const FLAG_CONFIGURED: &'static str = "flag-configured";
    /// The plan says what rolls it back or aborts it.
    pub const ROLLBACK_PLAN: &'static str = "rollback-plan-defined";
    /// At least one agent is live.
    pub const MONITORING: &'static str = "monitoring-in-place";
    /// Everybody has the treatment.
    pub const ALL_REACHED: &'static str = "100-percent-reached";
    /// The bake is over.
    pub const BAKE_OVER: &'static str = "bake-over";
    /// The rollout was not aborted.
    pub const NO_ABORT: &'static str = "no-abort";

    /// The names that a check can tick before the start.
    pub const PREFLIGHT_CHECKS: [&'static str; 3] = [Self::FLAG_CONFIGURED, Self::MONITORING, Self::ROLLBACK_PLAN];
    /// The names that a check can tick before the completion.
    pub const EXIT_CHECKS: [&'static str; 3] = [Self::ALL_REACHED, Self::BAKE_OVER, Self::NO_ABORT];

    /// An item without a description.
    pub fn new(name: impl Into<String>, by: TickedBy) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            by,
        }
    }

    /// The usual list before a start.
    pub fn usual_preflight() -> Vec<Item> {
        vec![
            Item::new("tests-passing", TickedBy::Automation),
            Item::new(Self::FLAG_CONFIGURED, TickedBy::Check),
            Item::new(Self::MONITORING, TickedBy::Check),
            Item::new(Self::ROLLBACK_PLAN, TickedBy::Check),
            Item::new("rollback-rehearsed", TickedBy::Person),
            Item::new("stakeholders-notified", TickedBy::Person),
        ]
    }

    /// The usual list before a completion.
    pub fn usual_exit() -> Vec<Item> {
        vec![
            Item::new(Self::ALL_REACHED, TickedBy::Check),
            Item::new(Self::BAKE_OVER, TickedBy::Check),
            Item::new(Self::NO_ABORT, TickedBy::Check),
            Item::new("documentation-updated", TickedBy::Person),
            Item::new("clean-up-scheduled", TickedBy::Person),
        ]
    }
}

impl TickedBy {
    /// All of them.
    pub const ALL: [TickedBy; 3] = [Self::Check, Self::Automation, Self::Person];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Automation => "automation",
            Self::Person => "person",
        }
    }
}
