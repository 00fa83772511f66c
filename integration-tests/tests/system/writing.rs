//! Writers that never rest, for tests in which something dies: each tells what was acknowledged, and ends at the first
//! call that was not.
//!
//! A pair of flags is always written together, with one number; who sees two numbers has seen half a write.

use integration_tests::{
    flags::{self, variant},
    operator::Operator,
    records,
};
use proto::v1;
use tokio::sync::mpsc;
use tonic::{Code, Status};

/// The flags that are always written together.
pub(crate) const PAIR: [&str; 2] = ["left", "right"];
/// The segment that grows.
pub(crate) const SEGMENT: &str = "testers";
/// The flag that schedules change.
pub(crate) const TIMED: &str = "timed";

/// A write that the control plane has answered.
#[derive(Debug, Clone)]
pub(crate) enum Acked {
    /// A flag was given a description.
    Flag {
        key: String,
        version: u32,
        revision: u64,
        description: String,
    },
    /// The pair was given a number.
    Pair { number: i64, revision: u64 },
    /// A unit was put into the segment.
    Member { unit: String, version: u32, revision: u64 },
    /// A change was scheduled.
    Schedule { id: String, description: String },
}

impl Acked {
    /// The revision that it made.
    pub(crate) fn revision(&self) -> u64 {
        match self {
            Self::Flag { revision, .. } | Self::Pair { revision, .. } | Self::Member { revision, .. } => *revision,
            Self::Schedule { .. } => 0,
        }
    }
}

/// The pair with a number.
pub(crate) fn pair(number: i64) -> Vec<v1::Flag> {
    let numbered = |key: &&str| {
        let value = v1::value::Kind::Integer(number);
        flags::flag(key, v1::FlagType::Integer, [("value", value)], "value")
    };
    PAIR.iter().map(numbered).collect()
}

/// Everything that writers write to.
pub(crate) async fn prepare(operator: &Operator, flag_writers: u32) {
    records::try_apply(operator, pair(0)).await.unwrap();
    let segment = v1::Segment {
        key: SEGMENT.to_owned(),
        ..v1::Segment::default()
    };
    records::create_segment(operator, segment).await;
    operator.create(flags::boolean(TIMED)).await;
    for writer in 0..flag_writers {
        operator.create(flags::boolean(&written_flag(writer))).await;
    }
    let reader = v1::Flag {
        rules: vec![integration_tests::conditions::rule(
            "testers",
            &[integration_tests::conditions::in_segment(SEGMENT)],
            variant("on"),
        )],
        ..flags::boolean("reader")
    };
    operator.create(reader).await;
}

fn written_flag(writer: u32) -> String {
    format!("flag-{writer}")
}

/// Describes a flag anew, again and again. Two writers of one flag overwrite each other.
pub(crate) async fn write_flag(operator: Operator, writer: u32, round: u32, acks: mpsc::Sender<Acked>) {
    for number in 0.. {
        let key = written_flag(writer / 2);
        let description = format!("writer {writer}, round {round}, write {number}");
        let flag = v1::Flag {
            description: description.clone(),
            ..flags::boolean(&key)
        };
        let Some(stored) = answered(operator.try_update(flag, 0).await) else {
            return;
        };
        let acked = Acked::Flag {
            key,
            version: stored.version,
            revision: stored.revision,
            description,
        };
        if acks.send(acked).await.is_err() {
            return;
        }
    }
}

/// Gives the pair the next numbers after `from`.
pub(crate) async fn write_pairs(operator: Operator, from: i64, acks: mpsc::Sender<Acked>) {
    for number in from + 1.. {
        let Some(applied) = answered(records::try_apply(&operator, pair(number)).await) else {
            return;
        };
        let revision = applied.results[0].revision;
        assert_eq!(revision, applied.results[1].revision, "one transaction: {applied:?}");
        if acks.send(Acked::Pair { number, revision }).await.is_err() {
            return;
        }
    }
}

/// Puts more units into the segment.
pub(crate) async fn write_members(operator: Operator, round: u32, acks: mpsc::Sender<Acked>) {
    for number in 0.. {
        let unit = format!("unit-{round}-{number}");
        let Some(stored) = answered(records::try_add_member(&operator, SEGMENT, &unit).await) else {
            return;
        };
        let acked = Acked::Member {
            unit,
            version: stored.version,
            revision: stored.revision,
        };
        if acks.send(acked).await.is_err() {
            return;
        }
    }
}

/// Schedules changes that are due soon, some before the crash and some after it.
pub(crate) async fn write_schedules(operator: Operator, round: u32, acks: mpsc::Sender<Acked>) {
    for number in 0..40 {
        let description = format!("scheduled in round {round}, number {number}");
        let after_us = 10_000 * (number % 20);
        let scheduled = records::try_schedule_description(&operator, TIMED, &description, after_us).await;
        let Some(schedule) = answered(scheduled) else { return };
        let acked = Acked::Schedule {
            id: schedule.id,
            description,
        };
        if acks.send(acked).await.is_err() {
            return;
        }
    }
}

/// What a call came to; none: the control plane died under it, so whether it was written nobody knows.
pub(crate) fn answered<T>(result: Result<T, Status>) -> Option<T> {
    match result {
        Ok(answer) => Some(answer),
        Err(status) => match status.code() {
            Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal => None,
            _ => panic!("refused: {status}"),
        },
    }
}
