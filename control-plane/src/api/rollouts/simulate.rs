//! A what-if walk in virtual time: of a rollout from where it stands, or of a plan from its start.

use proto::{
    status::{invalid, violation},
    v1,
};
use rollout::{
    Plan, State as Progress,
    simulate::{Scenario, simulate},
};
use runtime::clock::now_us;
use tonic::Status;

use super::{RolloutsApi, wanted_plan};
use crate::{
    api::{refusal, view},
    plan_wire,
};

impl RolloutsApi {
    pub(super) fn simulate(&self, request: v1::SimulateRolloutRequest) -> Result<v1::SimulateRolloutResponse, Status> {
        let state = self.view.truth.state();
        let from_us = match request.from_us {
            0 => now_us(),
            from => from,
        };
        let (plan, progress) = match request.plan {
            None => {
                let record = self.found(&state, &request.environment, &request.rollout)?;
                (record.plan.clone(), self.view.sources.progress(&state, &record))
            }
            Some(plan) => {
                let environment = refusal::environment(&state, &request.environment)?;
                let plan = wanted_plan(&state, &environment, Some(plan), "", from_us)?;
                let progress = Progress::draft(plan_wire::hash(&plan), from_us);
                (plan, progress)
            }
        };
        let scenario = scenario(&plan, &request.scenario, &request.stage)?;
        let walk = simulate(&plan, &progress, scenario, from_us);
        let end_us = walk.transitions.last().map_or(from_us, |walked| walked.at_us);
        Ok(v1::SimulateRolloutResponse {
            steps: walk
                .transitions
                .iter()
                .map(|walked| view::planned(&plan, walked))
                .collect(),
            phase: walk.state.phase.name().to_owned(),
            waits: view::waits(&plan, &walk.state, &walk.waits, end_us),
        })
    }
}

fn scenario(plan: &Plan, name: &str, stage: &str) -> Result<Scenario, Status> {
    Ok(match name {
        "" | "good" => Scenario::Good,
        "unattended" => Scenario::Unattended,
        "silent" => Scenario::Silent,
        "harm" => {
            let found = plan.stages.iter().position(|one| one.name == stage);
            let names = plan.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>();
            let stage = found.ok_or_else(|| {
                let description = format!("there is no stage {stage:?}; there are: {}", names.join(", "));
                invalid(&[violation("stage", description)])
            })?;
            Scenario::Harm { stage }
        }
        other => {
            let description = format!("must be good, unattended, silent or harm, not {other:?}");
            return Err(invalid(&[violation("scenario", description)]));
        }
    })
}
