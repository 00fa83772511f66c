//! The service of whole configurations: many documents applied, compared with those of another environment, or copied
//! from there.
//!
//! What is to become of each document is `apply`'s; here requests are read, races are repeated, and what happened is
//! told document by document.

mod compare;
mod copy;
mod read;
mod results;

use std::{collections::BTreeMap, sync::Arc};

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1::{self, configuration_server::Configuration},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{race::Race, refusal};
use crate::{
    apply::{self, Name, Plan, Wish},
    change::flag::Act,
    history,
    identity::Actor,
    segments,
    state::State,
    truth::{CommitError, Truth},
};

/// The service `tidegate.v1.Configuration`.
#[derive(Debug)]
pub(crate) struct ConfigurationApi {
    truth: Truth,
}

/// What a request asks for, beside its documents.
struct Asked<'a> {
    environment: &'a Key,
    actor: &'a Actor,
    changeset: Uuid,
    validate_only: bool,
    /// Where the request names the documents.
    field: &'static str,
}

impl ConfigurationApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self { truth }
    }

    /// Makes wishes true, all or none; what became of each. They are made anew of the state of each try.
    async fn make(
        &self,
        asked: Asked<'_>,
        wishes: impl Fn(&State) -> Result<Vec<Wish>, Status>,
    ) -> Result<Vec<v1::DocumentResult>, Status> {
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let plan = self.plan(&state, &asked, wishes(&state)?).await?;
            if asked.validate_only || plan.is_empty() {
                return results::of(
                    &state,
                    asked.environment,
                    &plan,
                    (!asked.validate_only).then_some(state.revision),
                );
            }
            let act = Act {
                changeset: Some(asked.changeset),
                ..Act::alone(asked.environment, "configuration.apply", asked.actor)
            };
            let (txn, fresh) = apply::write(&state, &plan, act)
                .map_err(|outgrown| invalid(&[violation(asked.field, outgrown.to_string())]))?;
            let room = apply::room(&txn);
            let staged = segments::stage(self.truth.store(), asked.environment, &fresh, room, asked.actor.at_us);
            let txn = staged.await.map_err(CommitError::from)?.settle(txn);
            if let Some((revision, _)) = race.commit(&state, txn).await? {
                return results::of(&state, asked.environment, &plan, Some(revision));
            }
        }
    }

    async fn plan(&self, state: &Arc<State>, asked: &Asked<'_>, wishes: Vec<Wish>) -> Result<Plan, Status> {
        let versions = self.versions(state, asked.environment, &wishes).await?;
        let (state, environment, at_us) = (state.clone(), asked.environment.clone(), asked.actor.at_us);
        // A hundred thousand units take a while to sort.
        let plan =
            tokio::task::spawn_blocking(move || apply::plan(&state, &environment, &wishes, &versions, at_us)).await;
        let plan = plan.map_err(|error| Status::internal(error.to_string()))?;
        plan.map_err(refusal::refused)
    }

    /// The versions that documents get which are not there: those of deleted ones are counted on.
    async fn versions(&self, state: &State, environment: &Key, wishes: &[Wish]) -> Result<BTreeMap<Name, u32>, Status> {
        let mut versions = BTreeMap::new();
        for name in wishes.iter().filter_map(Wish::name) {
            if name.revision(state, environment) == 0 {
                let (store, kind) = (self.truth.store(), name.kind.word());
                let newest = history::newest_version(store, environment, kind, &name.key).await?;
                versions.insert(name, newest + 1);
            }
        }
        Ok(versions)
    }
}

#[tonic::async_trait]
impl Configuration for ConfigurationApi {
    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let changeset = read::changeset(&request.changeset)?;
        let documents = read::Documents::of(request.documents)?;
        let asked = Asked {
            environment: &environment,
            actor: &actor,
            changeset,
            validate_only: request.validate_only,
            field: "documents",
        };
        let results = self.make(asked, |_| Ok(documents.wishes())).await?;
        Ok(Response::new(v1::ApplyResponse {
            results,
            changeset: changeset.to_string(),
        }))
    }

    async fn compare(&self, request: Request<v1::CompareRequest>) -> Result<Response<v1::CompareResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        // Two environments of many thousand documents take a while.
        let compared = tokio::task::spawn_blocking(move || compare::compare(&state, request)).await;
        let compared = compared.map_err(|error| Status::internal(error.to_string()))?;
        compared.map(Response::new)
    }

    async fn copy(&self, request: Request<v1::CopyRequest>) -> Result<Response<v1::CopyResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let pair = read::Pair::of(&self.truth.state(), &request.source, &request.target)?;
        let changeset = read::changeset(&request.changeset)?;
        let names = read::names(request.names)?;
        read::some(&names)?;
        let asked = Asked {
            environment: &pair.target,
            actor: &actor,
            changeset,
            validate_only: request.validate_only,
            field: "names",
        };
        let results = self.make(asked, |state| copy::wishes(state, &pair, &names)).await?;
        Ok(Response::new(v1::CopyResponse {
            results,
            changeset: changeset.to_string(),
        }))
    }
}

#[cfg(test)]
mod tests;
