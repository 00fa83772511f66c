//! The stored form of a plan document: the wire message, with what the store knows of it.

use std::sync::Arc;

use prost::Message;

use super::{ModelError, SCHEMA};
use crate::{plan_wire, record::PlanRecord};

/// A plan as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredPlan {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    /// The wire message (docs/adr/0017).
    #[prost(bytes = "bytes", tag = "2")]
    plan: bytes::Bytes,
    #[prost(uint32, tag = "3")]
    version: u32,
    #[prost(int64, tag = "4")]
    created_at_us: i64,
    #[prost(int64, tag = "5")]
    updated_at_us: i64,
    #[prost(string, tag = "6")]
    updated_by: String,
    #[prost(string, tag = "7")]
    reason: String,
}

impl From<&PlanRecord> for StoredPlan {
    fn from(record: &PlanRecord) -> Self {
        Self {
            schema: SCHEMA,
            plan: plan_wire::encode(&record.plan),
            version: record.version,
            created_at_us: record.created_at_us,
            updated_at_us: record.updated_at_us,
            updated_by: record.updated_by.clone(),
            reason: record.reason.clone(),
        }
    }
}

impl StoredPlan {
    /// The record.
    pub(super) fn read(self, revision: u64) -> Result<PlanRecord, ModelError> {
        Ok(PlanRecord {
            plan: Arc::new(plan_wire::decode(&self.plan).ok_or(ModelError::Field("plan"))?),
            version: self.version,
            created_at_us: self.created_at_us,
            updated_at_us: self.updated_at_us,
            updated_by: self.updated_by,
            reason: self.reason,
            revision,
        })
    }
}
