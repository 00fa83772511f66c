//! How scheduled changes are shown: a line, a row in a list, a page of their own, and as a value for programs.

use proto::v1::{self, scheduled_change::Kind};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{duration, print, rule};

/// A scheduled change, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ScheduleView {
    id: String,
    environment: String,
    flag: String,
    at: Option<String>,
    change: ChangeView,
    #[serde(skip_serializing_if = "is_zero")]
    expected_revision: u64,
    deadline: String,
    actor: String,
    reason: String,
    created_at: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    done_revision: u64,
}

/// What happens to the flag, for programs.
#[derive(Debug, Serialize)]
struct ChangeView {
    action: &'static str,
    /// What a `set` gives these fields of the flag, as people write it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Json>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ScheduleView {
    /// Of a schedule that the control plane sent.
    pub(crate) fn of(schedule: &v1::Schedule) -> Self {
        let patch = match kind(schedule) {
            Some(Kind::Patch(patch)) => Some(patch),
            Some(Kind::Enabled(_) | Kind::Killed(_) | Kind::Archived(_) | Kind::Delete(_)) | None => None,
        };
        Self {
            id: schedule.id.clone(),
            environment: schedule.environment.clone(),
            flag: schedule.flag.clone(),
            at: print::timestamp(schedule.at_us),
            change: ChangeView {
                action: action(schedule),
                fields: patch.map(values).unwrap_or_default(),
            },
            expected_revision: schedule.expected_revision,
            deadline: duration::exact(schedule.deadline_us),
            actor: schedule.actor.clone(),
            reason: schedule.reason.clone(),
            created_at: print::timestamp(schedule.created_at_us),
            state: state(schedule.state()),
            outcome: schedule.outcome.clone(),
            ended_at: print::timestamp(schedule.ended_at_us),
            done_revision: schedule.done_revision,
        }
    }
}

fn kind(schedule: &v1::Schedule) -> Option<&Kind> {
    schedule.change.as_ref().and_then(|change| change.kind.as_ref())
}

fn fields(patch: &v1::FlagPatch) -> Vec<String> {
    patch
        .update_mask
        .as_ref()
        .map(|mask| mask.paths.clone())
        .unwrap_or_default()
}

fn values(patch: &v1::FlagPatch) -> Map<String, Json> {
    let flag = patch.flag.clone().unwrap_or_default();
    let value = |field: &String| match field.as_str() {
        "default_serve" => Some(Json::from(print::serve(flag.default_serve.as_ref()))),
        "enabled" => Some(Json::from(flag.enabled)),
        "deny" => Some(Json::from(flag.deny.clone())),
        "allow" => {
            let lists = flag.allow.iter();
            Some(Json::Object(
                lists
                    .map(|list| (list.variant.clone(), Json::from(list.units.clone())))
                    .collect(),
            ))
        }
        "rules" => Some(Json::from(flag.rules.iter().map(rule::show).collect::<Vec<_>>())),
        _ => None,
    };
    let fields = fields(patch);
    fields
        .iter()
        .map(|field| (field.clone(), value(field).unwrap_or(Json::Null)))
        .collect()
}

fn action(schedule: &v1::Schedule) -> &'static str {
    match kind(schedule) {
        Some(Kind::Patch(_)) => "set",
        Some(Kind::Enabled(true)) => "enable",
        Some(Kind::Enabled(false)) => "disable",
        Some(Kind::Killed(true)) => "kill",
        Some(Kind::Killed(false)) => "revive",
        Some(Kind::Archived(true)) => "archive",
        Some(Kind::Archived(false)) => "unarchive",
        Some(Kind::Delete(_)) => "delete",
        None => "unknown",
    }
}

fn state(state: v1::ScheduleState) -> &'static str {
    match state {
        v1::ScheduleState::Unspecified => "unknown",
        v1::ScheduleState::Pending => "pending",
        v1::ScheduleState::Done => "done",
        v1::ScheduleState::Refused => "refused",
        v1::ScheduleState::Cancelled => "cancelled",
        v1::ScheduleState::Missed => "missed",
    }
}

/// What happens, in words: `set on 50 %, off 50 %`; fields beside the default are named.
fn what(schedule: &v1::Schedule) -> String {
    let Some(Kind::Patch(patch)) = kind(schedule) else {
        return action(schedule).to_owned();
    };
    let mut words = Vec::new();
    for field in fields(patch) {
        let serve = patch.flag.as_ref().and_then(|flag| flag.default_serve.as_ref());
        words.push(match field.as_str() {
            "default_serve" => print::serve(serve),
            other => other.to_owned(),
        });
    }
    format!("set {}", words.join("; "))
}

/// One line: what happens to which flag, when, and what has become of it.
pub(crate) fn line(schedule: &v1::Schedule) -> String {
    print::plain(&format!(
        "{}: {} at {} ({}, id {})",
        schedule.flag,
        what(schedule),
        print::moment(schedule.at_us),
        state(schedule.state()),
        schedule.id,
    ))
}

/// A table, one scheduled change a row.
pub(crate) fn list(schedules: &[v1::Schedule]) -> String {
    let rows = schedules.iter().map(|schedule| {
        [
            schedule.id.clone(),
            schedule.flag.clone(),
            print::moment(schedule.at_us),
            what(schedule),
            state(schedule.state()).into(),
            schedule.actor.clone(),
            schedule.reason.clone(),
        ]
    });
    print::table(["ID", "FLAG", "AT", "CHANGE", "STATE", "ACTOR", "REASON"], rows)
}

/// Everything about one scheduled change.
pub(crate) fn page(schedule: &v1::Schedule) -> String {
    let if_unchanged = match schedule.expected_revision {
        0 => String::new(),
        revision => format!("only if the flag is still at revision {revision}"),
    };
    let revision = match schedule.done_revision {
        0 => String::new(),
        revision => revision.to_string(),
    };
    print::pairs([
        ("id", schedule.id.clone()),
        ("environment", schedule.environment.clone()),
        ("flag", schedule.flag.clone()),
        ("at", print::moment(schedule.at_us)),
        ("change", what(schedule)),
        ("condition", if_unchanged),
        ("at most late", duration::exact(schedule.deadline_us)),
        ("state", state(schedule.state()).into()),
        ("outcome", schedule.outcome.clone()),
        ("ended", print::moment(schedule.ended_at_us)),
        ("revision", revision),
        ("actor", schedule.actor.clone()),
        ("reason", schedule.reason.clone()),
        ("scheduled", print::moment(schedule.created_at_us)),
    ])
}
