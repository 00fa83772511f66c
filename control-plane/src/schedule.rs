//! A change with a time: what it is, when it is due, and what has become of it.
//!
//! Pure. A schedule is pending until it ends, in one of four ways, and then stays as it is; the transaction that makes the
//! change is the one that ends the schedule, so that a change is made once or not at all.

use evaluation::{Flag, Key};
use uuid::Uuid;

/// How late a change may be made if nothing else is said.
pub(crate) const DEADLINE_US: i64 = 24 * 60 * 60 * 1_000_000;

/// A change of a flag with a time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScheduleRecord {
    /// A UUIDv7.
    pub(crate) id: Uuid,
    /// Its environment.
    pub(crate) environment: Key,
    /// The flag.
    pub(crate) flag: Key,
    /// When.
    pub(crate) at_us: i64,
    /// What.
    pub(crate) change: ScheduledChange,
    /// If the flag has another revision then, the change is refused; 0: whatever is there.
    pub(crate) expected_revision: u64,
    /// How late it may still be made.
    pub(crate) deadline_us: i64,
    /// Who scheduled it.
    pub(crate) actor: String,
    /// Why.
    pub(crate) reason: String,
    /// From where.
    pub(crate) peer: String,
    /// When it was scheduled.
    pub(crate) created_at_us: i64,
    /// What has become of it.
    pub(crate) progress: Progress,
    /// The store revision of its last write: for a change that was made, the revision of that change.
    pub(crate) revision: u64,
}

/// What happens to the flag.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ScheduledChange {
    /// Takes some fields from a document.
    Patch {
        /// The fields' new values, in a document that was valid when it was scheduled.
        flag: Box<Flag>,
        /// Names of the fields, as the protocol has them.
        fields: Vec<String>,
    },
    /// Enables or disables.
    Enabled(bool),
    /// Kills or revives.
    Killed(bool),
    /// Archives or takes back.
    Archived(bool),
    /// Deletes.
    Delete,
}

/// What has become of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It waits for its time.
    Pending,
    /// It has ended.
    Ended {
        /// How.
        end: ScheduleEnd,
        /// When.
        at_us: i64,
        /// In words.
        outcome: String,
    },
}

/// How a schedule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScheduleEnd {
    /// The change was made.
    Done,
    /// The change was refused at its time.
    Refused,
    /// Somebody cancelled it.
    Cancelled,
    /// Its deadline had passed.
    Missed,
}

/// Whether a schedule's time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Not yet.
    Later,
    /// It has.
    Now,
    /// It came, and so did its deadline.
    TooLate,
}

impl ScheduleRecord {
    /// Whether it waits for its time.
    pub(crate) fn is_pending(&self) -> bool {
        match self.progress {
            Progress::Pending => true,
            Progress::Ended { .. } => false,
        }
    }

    /// Whether the time of a pending schedule has come.
    pub(crate) fn due(&self, now_us: i64) -> Due {
        if now_us < self.at_us {
            Due::Later
        } else if now_us <= self.at_us.saturating_add(self.deadline_us) {
            Due::Now
        } else {
            Due::TooLate
        }
    }

    /// The record after its end.
    pub(crate) fn ended(&self, end: ScheduleEnd, at_us: i64, outcome: impl Into<String>) -> Self {
        Self {
            progress: Progress::Ended {
                end,
                at_us,
                outcome: outcome.into(),
            },
            ..self.clone()
        }
    }
}

impl ScheduledChange {
    /// In words, for audits and lists.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Patch { fields, .. } => format!("sets {}", fields.join(", ")),
            Self::Enabled(true) => "enables".to_owned(),
            Self::Enabled(false) => "disables".to_owned(),
            Self::Killed(true) => "kills".to_owned(),
            Self::Killed(false) => "revives".to_owned(),
            Self::Archived(true) => "archives".to_owned(),
            Self::Archived(false) => "unarchives".to_owned(),
            Self::Delete => "deletes".to_owned(),
        }
    }
}

impl ScheduleEnd {
    /// The word for it, as audits have it.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Done => "schedule.execute",
            Self::Refused => "schedule.refuse",
            Self::Cancelled => "schedule.cancel",
            Self::Missed => "schedule.miss",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_schedule_is_due_from_its_time_until_its_deadline() {
        let record = ScheduleRecord {
            id: Uuid::nil(),
            environment: Key::parse("production").unwrap(),
            flag: Key::parse("checkout").unwrap(),
            at_us: 1_000,
            change: ScheduledChange::Enabled(true),
            expected_revision: 0,
            deadline_us: 100,
            actor: String::new(),
            reason: String::new(),
            peer: String::new(),
            created_at_us: 0,
            progress: Progress::Pending,
            revision: 0,
        };
        let cases = [
            (0, Due::Later),
            (999, Due::Later),
            (1_000, Due::Now),
            (1_100, Due::Now),
            (1_101, Due::TooLate),
        ];
        for (now_us, due) in cases {
            assert_eq!(record.due(now_us), due, "{now_us}");
        }
        let ended = record.ended(ScheduleEnd::Done, 1_050, "done");
        assert!(record.is_pending() && !ended.is_pending());
    }
}
