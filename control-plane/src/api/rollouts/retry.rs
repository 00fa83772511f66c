//! A new run of a rollout that has ended: the same buckets unless reshuffled, fresh evidence, the first stage.

use proto::v1;
use rollout::Phase;
use tonic::Status;

use super::{RolloutsApi, planned::startable_plan, start::Origin};
use crate::{api::refusal, identity::Actor, record::RolloutRecord, salt};

impl RolloutsApi {
    pub(super) async fn retry(&self, request: &v1::RetryRolloutRequest, actor: &Actor) -> Result<v1::Rollout, Status> {
        let record = self.found(&self.view.truth.state(), &request.environment, &request.rollout)?;
        check_ended(&record)?;
        let environment = &record.environment;
        let drawn = salt::draw();
        let origin = |_: &_| Origin {
            retry_of: Some(record.id),
            salt: if request.reshuffle {
                drawn.clone()
            } else {
                record.salt.clone()
            },
            reshuffled: request.reshuffle || record.reshuffled,
        };
        let plan = |state: &_| {
            let levels = &self.view.sources.levels;
            startable_plan((state, levels), environment, &record.plan, actor.at_us)?;
            Ok(record.plan.clone())
        };
        let id = self.start_anew(environment, plan, origin, actor).await?;
        self.entered(environment, id).await
    }
}

fn check_ended(record: &RolloutRecord) -> Result<(), Status> {
    let phase = record.state.phase;
    let why = match phase {
        Phase::Aborted | Phase::RolledBack | Phase::Superseded | Phase::Expired => return Ok(()),
        Phase::Completed => "it completed, so there is nothing to retry; start another rollout",
        Phase::Aborting => "its abort has not reached every live agent; wait for that",
        Phase::Draft
        | Phase::Ready
        | Phase::AwaitingStart
        | Phase::Ramp
        | Phase::Soak
        | Phase::Gate
        | Phase::Held
        | Phase::Paused
        | Phase::Baking => "it has not ended; only an ended rollout is retried",
    };
    let name = record.name();
    let description = format!("rollout {name} is {}: {why}", phase.name());
    Err(refusal::precondition("STATE", &name, description))
}
