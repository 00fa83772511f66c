//! The stored form of a rollout's end.

use prost::Message;
use rollout::EvidenceNumber;

use super::{ModelError, evidence::StoredCounts, recovery::StoredRecovery};
use crate::record::{End, EndCause};

/// An end as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredEnd {
    #[prost(int64, tag = "1")]
    decided_at_us: i64,
    /// 1 evidence, 2 person, 3 completed, 4 trigger, 5 criterion, 6 withdrawn, 7 edit, 8 time.
    #[prost(uint32, tag = "2")]
    cause: u32,
    #[prost(string, tag = "3")]
    actor: String,
    #[prost(string, tag = "4")]
    reason: String,
    #[prost(uint32, tag = "5")]
    guard: u32,
    #[prost(uint32, tag = "6")]
    horizon: u32,
    #[prost(double, optional, tag = "7")]
    log_evidence: Option<f64>,
    #[prost(message, optional, tag = "8")]
    counts: Option<StoredCounts>,
    #[prost(int64, optional, tag = "9")]
    published_at_us: Option<i64>,
    #[prost(int64, optional, tag = "10")]
    applied_at_us: Option<i64>,
    #[prost(int64, optional, tag = "11")]
    persisted_at_us: Option<i64>,
    #[prost(int64, optional, tag = "12")]
    last_treatment_exposure_us: Option<i64>,
    #[prost(int64, optional, tag = "13")]
    time_to_zero_us: Option<i64>,
    #[prost(uint64, tag = "14")]
    batches: u64,
    #[prost(bool, tag = "15")]
    fresh: bool,
    #[prost(string, repeated, tag = "16")]
    awaited: Vec<String>,
    #[prost(message, optional, tag = "17")]
    recovery: Option<StoredRecovery>,
    #[prost(uint64, tag = "18")]
    readings: u64,
    #[prost(uint32, optional, tag = "19")]
    rule: Option<u32>,
}

pub(super) fn write_end(end: &End) -> StoredEnd {
    StoredEnd {
        decided_at_us: end.decided_at_us,
        cause: match end.cause {
            EndCause::Evidence => 1,
            EndCause::Person => 2,
            EndCause::Completed => 3,
            EndCause::Trigger => 4,
            EndCause::Criterion => 5,
            EndCause::Withdrawn => 6,
            EndCause::Edit => 7,
            EndCause::Time => 8,
            EndCause::Rule => 9,
        },
        actor: end.actor.clone(),
        reason: end.reason.clone(),
        guard: end.evidence.map_or(0, |evidence| evidence.guard as u32),
        horizon: end.evidence.map_or(0, |evidence| evidence.horizon as u32),
        log_evidence: end.evidence.map(|evidence| evidence.log_evidence),
        counts: Some(StoredCounts::from(&end.counts)),
        published_at_us: end.published_at_us,
        applied_at_us: end.applied_at_us,
        persisted_at_us: end.persisted_at_us,
        last_treatment_exposure_us: end.last_treatment_exposure_us,
        time_to_zero_us: end.time_to_zero_us,
        batches: end.batches,
        readings: end.readings,
        rule: end.rule.map(|guard| guard as u32),
        fresh: end.fresh,
        awaited: end.awaited.clone(),
        recovery: end.recovery.as_ref().map(StoredRecovery::from),
    }
}

pub(super) fn read_end(end: StoredEnd) -> Result<End, ModelError> {
    let cause = match end.cause {
        1 => EndCause::Evidence,
        2 => EndCause::Person,
        3 => EndCause::Completed,
        4 => EndCause::Trigger,
        5 => EndCause::Criterion,
        6 => EndCause::Withdrawn,
        7 => EndCause::Edit,
        8 => EndCause::Time,
        9 => EndCause::Rule,
        _ => return Err(ModelError::Field("end.cause")),
    };
    let evidence = end.log_evidence.map(|log_evidence| EvidenceNumber {
        guard: end.guard as usize,
        horizon: end.horizon as usize,
        log_evidence,
        is_doubted: false,
    });
    Ok(End {
        decided_at_us: end.decided_at_us,
        cause,
        actor: end.actor,
        reason: end.reason,
        evidence,
        rule: end.rule.map(|guard| guard as usize),
        counts: end.counts.unwrap_or_default().read(),
        published_at_us: end.published_at_us,
        applied_at_us: end.applied_at_us,
        persisted_at_us: end.persisted_at_us,
        last_treatment_exposure_us: end.last_treatment_exposure_us,
        time_to_zero_us: end.time_to_zero_us,
        batches: end.batches,
        readings: end.readings,
        fresh: end.fresh,
        awaited: end.awaited,
        recovery: end.recovery.map(StoredRecovery::read).transpose()?,
    })
}
