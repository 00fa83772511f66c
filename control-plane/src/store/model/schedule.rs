//! The stored form of a schedule.

use prost::{Message, Oneof};
use uuid::Uuid;

use super::{ModelError, SCHEMA, flag::StoredFlag, key};
use crate::{
    record::FlagRecord,
    schedule::{Progress, ScheduleEnd, ScheduleRecord, ScheduledChange},
};

/// A schedule as stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredSchedule {
    #[prost(uint32, tag = "1")]
    pub(super) schema: u32,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(string, tag = "3")]
    environment: String,
    #[prost(string, tag = "4")]
    flag: String,
    #[prost(int64, tag = "5")]
    at_us: i64,
    #[prost(oneof = "StoredChange", tags = "6, 7, 8, 9, 10")]
    change: Option<StoredChange>,
    #[prost(uint64, tag = "11")]
    expected_revision: u64,
    #[prost(int64, tag = "12")]
    deadline_us: i64,
    #[prost(string, tag = "13")]
    actor: String,
    #[prost(string, tag = "14")]
    reason: String,
    #[prost(string, tag = "15")]
    peer: String,
    #[prost(int64, tag = "16")]
    created_at_us: i64,
    /// 0 pending, 1 done, 2 refused, 3 cancelled, 4 missed.
    #[prost(uint32, tag = "17")]
    progress: u32,
    #[prost(int64, tag = "18")]
    ended_at_us: i64,
    #[prost(string, tag = "19")]
    outcome: String,
}

#[derive(Clone, PartialEq, Oneof)]
enum StoredChange {
    #[prost(message, tag = "6")]
    Patch(Box<StoredPatch>),
    #[prost(bool, tag = "7")]
    Enabled(bool),
    #[prost(bool, tag = "8")]
    Killed(bool),
    #[prost(bool, tag = "9")]
    Archived(bool),
    #[prost(bool, tag = "10")]
    Delete(bool),
}

#[derive(Clone, PartialEq, Message)]
struct StoredPatch {
    #[prost(message, optional, tag = "1")]
    flag: Option<StoredFlag>,
    #[prost(string, repeated, tag = "2")]
    fields: Vec<String>,
}

impl From<&ScheduleRecord> for StoredSchedule {
    fn from(record: &ScheduleRecord) -> Self {
        let record = record.clone();
        let (progress, ended_at_us, outcome) = match record.progress {
            Progress::Pending => (0, 0, String::new()),
            Progress::Ended { end, at_us, outcome } => (number(end), at_us, outcome),
        };
        Self {
            schema: SCHEMA,
            id: record.id.as_bytes().to_vec(),
            environment: record.environment.to_string(),
            flag: record.flag.to_string(),
            at_us: record.at_us,
            change: Some(write_change(record.change)),
            expected_revision: record.expected_revision,
            deadline_us: record.deadline_us,
            actor: record.actor,
            reason: record.reason,
            peer: record.peer,
            created_at_us: record.created_at_us,
            progress,
            ended_at_us,
            outcome,
        }
    }
}

fn number(end: ScheduleEnd) -> u32 {
    match end {
        ScheduleEnd::Done => 1,
        ScheduleEnd::Refused => 2,
        ScheduleEnd::Cancelled => 3,
        ScheduleEnd::Missed => 4,
    }
}

fn write_change(change: ScheduledChange) -> StoredChange {
    match change {
        ScheduledChange::Patch { flag, fields } => {
            let record = FlagRecord {
                flag: *flag,
                version: 0,
                created_at_us: 0,
                updated_at_us: 0,
                archived_at_us: None,
                revision: 0,
            };
            StoredChange::Patch(Box::new(StoredPatch {
                flag: Some(StoredFlag::from(&record)),
                fields,
            }))
        }
        ScheduledChange::Enabled(enabled) => StoredChange::Enabled(enabled),
        ScheduledChange::Killed(killed) => StoredChange::Killed(killed),
        ScheduledChange::Archived(archived) => StoredChange::Archived(archived),
        ScheduledChange::Delete => StoredChange::Delete(true),
    }
}

impl StoredSchedule {
    /// The record.
    pub(super) fn read(self, revision: u64) -> Result<ScheduleRecord, ModelError> {
        let ended = |end| Progress::Ended {
            end,
            at_us: self.ended_at_us,
            outcome: self.outcome.clone(),
        };
        let progress = match self.progress {
            0 => Progress::Pending,
            1 => ended(ScheduleEnd::Done),
            2 => ended(ScheduleEnd::Refused),
            3 => ended(ScheduleEnd::Cancelled),
            4 => ended(ScheduleEnd::Missed),
            _ => return Err(ModelError::Field("progress")),
        };
        Ok(ScheduleRecord {
            id: Uuid::from_slice(&self.id).map_err(|_| ModelError::Field("id"))?,
            environment: key("environment", &self.environment)?,
            flag: key("flag", &self.flag)?,
            at_us: self.at_us,
            change: read_change(self.change.ok_or(ModelError::Field("change"))?)?,
            expected_revision: self.expected_revision,
            deadline_us: self.deadline_us,
            actor: self.actor,
            reason: self.reason,
            peer: self.peer,
            created_at_us: self.created_at_us,
            progress,
            revision,
        })
    }
}

fn read_change(change: StoredChange) -> Result<ScheduledChange, ModelError> {
    Ok(match change {
        StoredChange::Patch(patch) => {
            let flag = patch.flag.ok_or(ModelError::Field("patch.flag"))?.read(0)?.flag;
            ScheduledChange::Patch {
                flag: Box::new(flag),
                fields: patch.fields,
            }
        }
        StoredChange::Enabled(enabled) => ScheduledChange::Enabled(enabled),
        StoredChange::Killed(killed) => ScheduledChange::Killed(killed),
        StoredChange::Archived(archived) => ScheduledChange::Archived(archived),
        StoredChange::Delete(_) => ScheduledChange::Delete,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use evaluation::Key;

    use super::*;
    use crate::{
        builders::{flag, production},
        store::model::{read_schedule, write_schedule},
    };

    #[test]
    fn every_schedule_is_read_as_it_was_written() {
        let changes = [
            ScheduledChange::Patch {
                flag: Box::new(flag("checkout")),
                fields: vec!["rules".to_owned()],
            },
            ScheduledChange::Enabled(false),
            ScheduledChange::Killed(true),
            ScheduledChange::Archived(true),
            ScheduledChange::Delete,
        ];
        let pending = |change| ScheduleRecord {
            id: Uuid::from_u128(7),
            environment: production(),
            flag: Key::parse("checkout").unwrap(),
            at_us: 5,
            change,
            expected_revision: 3,
            deadline_us: 60,
            actor: "ada".to_owned(),
            reason: "because".to_owned(),
            peer: "here".to_owned(),
            created_at_us: 4,
            progress: Progress::Pending,
            revision: 9,
        };
        let ends = [
            ScheduleEnd::Done,
            ScheduleEnd::Refused,
            ScheduleEnd::Cancelled,
            ScheduleEnd::Missed,
        ];
        for record in changes.map(pending) {
            let ended = ends.map(|end| record.ended(end, 6, "so"));
            for record in ended.into_iter().chain([record]) {
                assert_eq!(read_schedule(&write_schedule(&record), 9), Ok(record));
            }
        }
    }
}
