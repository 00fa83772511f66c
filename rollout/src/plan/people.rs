//! The people of a plan: who owns it, who approves, who is on call in which stage, who is told what when.

/// Who is asked and told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People {
    /// Answers for the rollout.
    pub owner: String,
    /// Who may approve; empty: anybody.
    pub approvers: Vec<String>,
    /// On-call and escalation by stage.
    pub duties: Vec<Duty>,
    /// Who is told.
    pub stakeholders: Vec<Stakeholder>,
}

/// Who is on call during stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// Names of stages; empty: all.
    pub stages: Vec<String>,
    /// On call.
    pub on_call: String,
    /// Asked when on-call does not answer, in order.
    pub escalation: Vec<String>,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stakeholder {
    /// product, support, leadership, ...
    pub role: String,
    /// Where: an address of a channel.
    pub channel: String,
    /// When, in words: before the start, at each stage, 24h before 100 %.
    pub when: String,
}

impl People {
    /// Who is on call in a stage.
    pub fn on_call(&self, stage: &str) -> Option<&Duty> {
        let covers = |duty: &&Duty| duty.stages.is_empty() || duty.stages.iter().any(|name| name == stage);
        self.duties.iter().find(covers)
    }
}
