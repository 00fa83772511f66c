//! What people do to a rollout: read from the wire, decided by `rollout`, committed against what happens meanwhile.

use proto::{
    status::{invalid, violation},
    v1::{self, act_request::Act as Wire},
};
use rollout::{Act, Refusal, state::List};
use runtime::clock::now_us;
use tonic::Status;

use super::{RolloutsApi, TRIES, check_sequence, dismiss, not_committed};
use crate::{api::refusal, engine, identity::Actor, record::RolloutRecord, truth::CommitError};

/// The rollout that somebody means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) environment: &'a str,
    pub(super) rollout: &'a str,
    pub(super) expected_sequence: Option<u64>,
}

impl RolloutsApi {
    /// Carries out an act; the rollout after it.
    pub(super) async fn act_of(
        &self,
        asked: Asked<'_>,
        act: impl Fn(&RolloutRecord) -> Result<Act, Status>,
        actor: &Actor,
    ) -> Result<v1::Rollout, Status> {
        for _ in 0..TRIES {
            let state = self.view.truth.state();
            let record = self.found(&state, asked.environment, asked.rollout)?;
            check_sequence(&record, asked.expected_sequence)?;
            let act = act(&record)?;
            let facts = self.view.sources.gather(&state, &record, false, now_us());
            let facts = match act {
                Act::Abort | Act::Trigger(_) => facts.latched(),
                _ => facts,
            };
            let txn = engine::act(&state, &record, &act, &facts, actor).map_err(|error| refused(&record, &error))?;
            match self.view.truth.commit(txn).await {
                Ok(state) => {
                    tracing::info!(rollout = %record.name(), act = act.name(), actor = %actor.name, "a person acted");
                    return self.shown(&state, &record.environment, record.id);
                }
                Err(error) => not_committed(error)?,
            }
        }
        Err(CommitError::Conflict.into())
    }
}

/// Why an act was refused, with the present state.
pub(super) fn refused(record: &RolloutRecord, error: &Refusal) -> Status {
    let name = record.name();
    let phase = record.state.phase.name();
    let kind = match error {
        Refusal::NoApprover { .. } => return Status::permission_denied(format!("rollout {name}: {error}")),
        Refusal::Title(_) => return invalid(&[violation("add_issue.title", error.to_string())]),
        Refusal::Extension => return invalid(&[violation("extend.by_us", error.to_string())]),
        Refusal::TooMany(_) => return Status::resource_exhausted(format!("rollout {name}: {error}")),
        Refusal::UnknownIssue(_) | Refusal::NoTrigger { .. } | Refusal::NoItem { .. } => {
            return Status::not_found(format!("rollout {name}: {error}"));
        }
        Refusal::Phase { .. } => "STATE",
        Refusal::Waits(_) => "WAITS",
        Refusal::HeldFor(_) => "HELD",
        Refusal::Dismissal(_) => "SIGNAL",
        Refusal::Outcome { .. }
        | Refusal::Already(_)
        | Refusal::NoIssue
        | Refusal::Extensions(_)
        | Refusal::NotEarlier { .. }
        | Refusal::Checked(_) => "STATE",
    };
    let sequence = record.state.sequence;
    let told = |what: String| {
        let already = if record.end.is_some() { " already" } else { "" };
        let description = format!("rollout {name} is {phase}{already}, at sequence {sequence}: {what}");
        refusal::Standing::new(kind, name.clone(), description)
    };
    refusal::standing(match error {
        Refusal::Waits(waits) => waits.iter().map(|wait| told(format!("it waits for {wait}"))).collect(),
        Refusal::Dismissal(found) => found.iter().map(|why| told(why.to_string())).collect(),
        other => vec![told(other.to_string())],
    })
}

/// What somebody does, as the wire has it, and why.
pub(super) fn read(act: Option<Wire>, record: &RolloutRecord, why: &str) -> Result<Act, Status> {
    let Some(act) = act else {
        return Err(invalid(&[violation("act", "must say what to do")]));
    };
    Ok(match act {
        Wire::Submit(_) => Act::Submit,
        Wire::Approve(_) => Act::Approve,
        Wire::Pause(_) => Act::Pause,
        Wire::Resume(_) => Act::Resume,
        Wire::Advance(_) => Act::Advance,
        Wire::Hold(_) => Act::Hold,
        Wire::Fix(_) => Act::Fix,
        Wire::Extend(extend) => Act::Extend((extend.by_us != 0).then_some(extend.by_us)),
        Wire::StepBack(back) => Act::StepBack(stage(record, &back.stage)?),
        Wire::RollBack(_) => Act::RollBack,
        Wire::Trigger(trigger) => Act::Trigger(trigger.name),
        Wire::Tick(tick) => Act::Tick {
            list: list(record, &tick.list)?,
            item: tick.item,
            done: !tick.undone,
        },
        Wire::AddIssue(found) => Act::AddIssue(found.title),
        Wire::CloseIssue(closing) => Act::CloseIssue {
            number: closing.number,
            resolution: closing.resolution,
        },
        Wire::Dismiss(asked) => dismiss::read(&asked, &record.plan, why)?,
        Wire::Acknowledge(_) => Act::Acknowledge,
        Wire::Complete(_) => Act::Complete,
        Wire::Archive(_) => Act::Archive,
    })
}

fn stage(record: &RolloutRecord, name: &str) -> Result<usize, Status> {
    let stages = &record.plan.stages;
    stages.iter().position(|stage| stage.name == name).ok_or_else(|| {
        let names = stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        invalid(&[violation(
            "step_back.stage",
            format!("there is no stage {name:?}; there are: {names}"),
        )])
    })
}

fn list(record: &RolloutRecord, name: &str) -> Result<List, Status> {
    match name {
        "preflight" => Ok(List::Preflight),
        "stage" => Ok(List::Stage(record.state.stage)),
        "exit" => Ok(List::Exit),
        _ => Err(invalid(&[violation(
            "tick.list",
            format!("must be preflight, stage or exit, not {name:?}"),
        )])),
    }
}
