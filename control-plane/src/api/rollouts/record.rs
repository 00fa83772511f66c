//! The record of a rollout: all that a report needs, in one answer.

use proto::v1;
use runtime::clock::now_us;
use tonic::Status;

use super::RolloutsApi;
use crate::{
    api::view,
    record::RolloutRecord,
    store::{Item, model},
};
use crate::{identity::ENGINE, store::keys};

/// The most transitions that a record shows, the newest.
const LISTED: usize = 10_000;

impl RolloutsApi {
    pub(super) async fn record(&self, record: &RolloutRecord) -> Result<v1::GetRecordResponse, Status> {
        let environment = &record.environment;
        let lost = |error: model::ModelError| Status::data_loss(format!("the record of {}: {error}", record.name()));
        let made = self.items(&keys::transitions(environment, record.id)).await?;
        let made = made.iter().map(|item| model::read_transition(&item.value));
        let mut made = made.collect::<Result<Vec<_>, _>>().map_err(lost)?;
        let surplus = made.len().saturating_sub(LISTED);
        made.drain(..surplus);
        let exits = self.items(&keys::exits(environment, record.id)).await?;
        let exits = exits.iter().map(|item| model::read_exit(&item.value));
        let exits = exits.collect::<Result<Vec<_>, _>>().map_err(lost)?;
        let mut rollout = self.view.whole(&self.view.truth.state(), record, now_us());
        rollout.transitions = made.iter().map(view::transition).collect();
        Ok(v1::GetRecordResponse {
            acts: made
                .iter()
                .filter(|made| made.actor != ENGINE)
                .map(view::transition)
                .collect(),
            exits: exits.iter().map(|exit| view::exit(record, exit)).collect(),
            rollout: Some(rollout),
        })
    }

    /// All items under a prefix.
    pub(super) async fn items(&self, prefix: &bytes::Bytes) -> Result<Vec<Item>, Status> {
        let store = self.view.truth.store();
        Ok(crate::store::all(store, prefix).await?)
    }
}
