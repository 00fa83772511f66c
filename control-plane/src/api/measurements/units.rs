//! Who had what: the units of a request are told their arms by the code that agents evaluate with, from what agents hold
//! now. A context is looked at here and nowhere after.

use std::{sync::Arc, time::Duration};

use evaluation::{Context, Exposure, Key};
use tokio::sync::Semaphore;
use tonic::Status;

use super::read::{Asked, Named};
use crate::{inspect, record::RolloutRecord, truth::Truth};

/// Requests that are looked into at once.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to tell units.
#[derive(Debug)]
pub(super) struct Units {
    truth: Truth,
    places: Arc<Semaphore>,
}

impl Units {
    pub(super) fn new(truth: Truth) -> Self {
        Self {
            truth,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// What the units of a request are exposed to, in its order; none for what names no unit, and for units that have no
    /// arm of this rollout.
    pub(super) async fn exposures(
        &self,
        rollout: &RolloutRecord,
        asked: &[Asked],
    ) -> Result<Vec<Option<Exposure>>, Status> {
        let contexts = asked.iter().map(|asked| match &asked.named {
            Named::Unit(context) => Some(context.clone()),
            Named::Token(..) | Named::Arm(_) => None,
        });
        let contexts = contexts.collect::<Vec<_>>();
        let nobody = vec![None; asked.len()];
        if contexts.iter().all(Option::is_none) {
            return Ok(nobody);
        }
        let Ok(flag) = Key::parse(&rollout.plan.flag) else {
            return Ok(nobody);
        };
        let place = tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Status::resource_exhausted(
                "too many units are looked up here; try again, or push by token or arm",
            ));
        };
        // A flag that is archived or gone exposes nobody.
        let Ok(documents) = inspect::documents(&self.truth, &rollout.environment, &flag, None).await else {
            return Ok(nobody);
        };
        let index = rollout.index;
        // Linear in the members of the segments that the flag reads.
        let work = tokio::task::spawn_blocking(move || {
            let snapshot = documents.snapshot();
            drop(place);
            let snapshot = snapshot.ok()?;
            let flag = snapshot.flag(&flag)?;
            let of = |context: &Context| {
                let exposure = flag.evaluate(&snapshot, context).exposure?;
                (exposure.rollout == index).then_some(exposure)
            };
            let exposures = contexts.iter().map(|context| context.as_ref().and_then(of));
            Some(exposures.collect::<Vec<_>>())
        });
        let told = work.await.map_err(|error| Status::internal(error.to_string()))?;
        Ok(told.unwrap_or(nobody))
    }
}
