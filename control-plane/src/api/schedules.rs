//! The service of scheduled changes: takes them, shows them, cancels them. Making them is `scheduler.rs`'s.

use std::collections::BTreeMap;

use evaluation::{Flag, Key, Violation};
use prost_types::FieldMask;
use proto::{
    status::{invalid, violation},
    v1::{self, scheduled_change::Kind, schedules_server::Schedules},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    mask,
    page::{self, Asked, Page},
    refusal,
};
use crate::{
    change::schedule as change,
    identity::Actor,
    schedule::{DEADLINE_US, Progress, ScheduleEnd, ScheduleRecord, ScheduledChange},
    scheduler,
    state::State,
    store::Txn,
    truth::{CommitError, Truth},
};

/// How far ahead a change may be.
const HORIZON_US: i64 = 2 * 366 * 24 * 60 * 60 * 1_000_000;
/// How far back "now" may lie: clocks differ, and a call takes a while.
const PAST_US: i64 = 60 * 1_000_000;
/// Pending schedules of an environment.
const PENDING: usize = 10_000;
/// How often a write is tried against what others write at the same time.
const TRIES: usize = 8;

/// The service `tidegate.v1.Schedules`.
#[derive(Debug)]
pub(crate) struct SchedulesApi {
    truth: Truth,
}

impl SchedulesApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self { truth }
    }
}

#[tonic::async_trait]
impl Schedules for SchedulesApi {
    async fn create_schedule(
        &self,
        request: Request<v1::CreateScheduleRequest>,
    ) -> Result<Response<v1::CreateScheduleResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let wanted = request.into_inner().schedule.unwrap_or_default();
        let state = self.truth.state();
        let record = read(&state, wanted, &actor)?;
        // Refused now what would be refused then, as far as can be known.
        scheduler::prepare(&state, &record, &actor).map_err(refusal::refused)?;
        let pending = state
            .schedules_of(&record.environment)
            .filter(|other| other.is_pending());
        if pending.count() >= PENDING {
            return Err(Status::resource_exhausted(format!(
                "{PENDING} changes are pending in environment {}; cancel some first",
                record.environment
            )));
        }
        let state = self.truth.commit(change::create(&state, &record, &actor)).await?;
        let schedule = Some(shown(find(&state, &record.environment, record.id)?));
        Ok(Response::new(v1::CreateScheduleResponse { schedule }))
    }

    async fn get_schedule(
        &self,
        request: Request<v1::GetScheduleRequest>,
    ) -> Result<Response<v1::GetScheduleResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let schedule = Some(shown(find(&state, &environment, id(&request.id)?)?));
        Ok(Response::new(v1::GetScheduleResponse { schedule }))
    }

    async fn list_schedules(
        &self,
        request: Request<v1::ListSchedulesRequest>,
    ) -> Result<Response<v1::ListSchedulesResponse>, Status> {
        let mut request = request.into_inner();
        let state = self.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let mut page = Page::new(page::size(request.page_size, 100, 1_000)?);
        let token = std::mem::take(&mut request.page_token);
        request.page_size = 0;
        let asked = Asked::of(&request);
        let after = asked.last(&token)?.map(Place::read).transpose()?;
        let (mut next_page_token, mut last) = (String::new(), None::<Place>);
        for (place, record) in ordered(&state, &environment, &request) {
            if after.is_some_and(|after| place <= after) {
                continue;
            }
            if let (true, Some(last)) = (page.is_full(), last) {
                next_page_token = asked.token(&last.text());
                break;
            }
            page.push(shown(record));
            last = Some(place);
        }
        Ok(Response::new(v1::ListSchedulesResponse {
            schedules: page.items,
            next_page_token,
        }))
    }

    async fn cancel_schedule(
        &self,
        request: Request<v1::CancelScheduleRequest>,
    ) -> Result<Response<v1::CancelScheduleResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let id = id(&request.id)?;
        for _ in 0..TRIES {
            let state = self.truth.state();
            let before = find(&state, &environment, id)?;
            if !before.is_pending() {
                return Err(refusal::precondition("SCHEDULE", &request.id, over(before)));
            }
            let after = before.ended(
                ScheduleEnd::Cancelled,
                actor.at_us,
                format!("cancelled by {}", actor.name),
            );
            match self
                .truth
                .commit(change::end(Txn::default(), before, &after, &actor))
                .await
            {
                Ok(state) => {
                    let schedule = Some(shown(find(&state, &environment, id)?));
                    return Ok(Response::new(v1::CancelScheduleResponse { schedule }));
                }
                Err(CommitError::Conflict) => {}
                Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict.into())
    }
}

/// A schedule as asked for; every violation at once.
fn read(state: &State, wanted: v1::Schedule, actor: &Actor) -> Result<ScheduleRecord, Status> {
    let environment = refusal::environment(state, &wanted.environment)?;
    let flag = refusal::key("schedule.flag", &wanted.flag)?;
    let mut violations = Vec::new();
    if wanted.at_us < actor.at_us - PAST_US {
        violations.push(violation("schedule.at_us", "lies in the past"));
    }
    if wanted.at_us > actor.at_us.saturating_add(HORIZON_US) {
        violations.push(violation("schedule.at_us", "lies more than two years ahead"));
    }
    if wanted.deadline_us < 0 {
        violations.push(violation("schedule.deadline_us", "is negative"));
    }
    let present = state
        .flag(&environment, &flag)
        .ok_or_else(|| Status::not_found(format!("flag {flag} does not exist in environment {environment}")))?;
    let change = match read_change(&present.flag, wanted.change.and_then(|change| change.kind)) {
        Ok(change) if violations.is_empty() => change,
        Ok(_) => return Err(invalid(&violations)),
        Err(more) => {
            violations.extend(more);
            return Err(invalid(&violations));
        }
    };
    Ok(ScheduleRecord {
        id: Uuid::now_v7(),
        environment,
        flag,
        at_us: wanted.at_us,
        change,
        expected_revision: wanted.expected_revision,
        deadline_us: if wanted.deadline_us == 0 {
            DEADLINE_US
        } else {
            wanted.deadline_us
        },
        actor: actor.name.clone(),
        reason: if wanted.reason.is_empty() {
            actor.reason.clone()
        } else {
            wanted.reason.chars().take(1_000).collect()
        },
        peer: actor.peer.clone(),
        created_at_us: actor.at_us,
        progress: Progress::Pending,
        revision: 0,
    })
}

/// What is to happen to a flag; every violation at once.
fn read_change(present: &Flag, kind: Option<Kind>) -> Result<ScheduledChange, Vec<Violation>> {
    match kind {
        Some(Kind::Patch(patch)) => read_patch(present, patch),
        Some(Kind::Enabled(enabled)) => Ok(ScheduledChange::Enabled(enabled)),
        Some(Kind::Killed(killed)) => Ok(ScheduledChange::Killed(killed)),
        Some(Kind::Archived(archived)) => Ok(ScheduledChange::Archived(archived)),
        Some(Kind::Delete(v1::DeleteIt {})) => Ok(ScheduledChange::Delete),
        None => {
            let known = "must say what happens: patch, enabled, killed, archived or delete";
            Err(vec![violation("schedule.change", known)])
        }
    }
}

/// The fields to take; only what is taken can be wrong, everything else is as it is now.
fn read_patch(present: &Flag, patch: v1::FlagPatch) -> Result<ScheduledChange, Vec<Violation>> {
    let within = |found: Violation| {
        let field = format!("schedule.change.patch.{}", found.field);
        violation(field.trim_end_matches('.'), found.description)
    };
    let all_within = |found: Vec<Violation>| found.into_iter().map(within).collect::<Vec<_>>();
    let mask = patch.update_mask.unwrap_or_default();
    if mask.paths.is_empty() || mask.paths == ["*"] {
        let description = "must name the fields to set, such as enabled, default_serve, rules";
        return Err(all_within(vec![violation("update_mask", description)]));
    }
    let wire = mask::flag(present, &patch.flag.unwrap_or_default(), Some(&mask)).map_err(all_within)?;
    let (flag, unreadable) = proto::flag::read(wire);
    if !unreadable.is_empty() {
        let of_flag = |found: Violation| violation(format!("flag.{}", found.field), found.description);
        return Err(all_within(unreadable.into_iter().map(of_flag).collect()));
    }
    let fields = mask.paths.into_iter().filter(|path| path != "key").collect();
    Ok(ScheduledChange::Patch {
        flag: Box::new(flag),
        fields,
    })
}

/// Where a schedule stands in a list: pending ones by due time, then those that ended, the latest first.
///
/// A page goes on behind the place of its last, wherever that schedule is by then: one that is made meanwhile is not
/// missed by who lists those that ended too, but may be told twice, with what has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    has_ended: bool,
    /// The due time, or the negative of the time of the end.
    at_us: i64,
    id: Uuid,
}

impl Place {
    fn of(record: &ScheduleRecord) -> Self {
        let (has_ended, at_us) = match record.progress {
            Progress::Pending => (false, record.at_us),
            Progress::Ended { at_us, .. } => (true, at_us.saturating_neg()),
        };
        let id = record.id;
        Self { has_ended, at_us, id }
    }

    /// As a token has it.
    fn text(self) -> String {
        format!("{}.{}.{}", u8::from(self.has_ended), self.at_us, self.id)
    }

    fn read(text: &str) -> Result<Self, Status> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or_else(page::wrong_token);
        Ok(Self {
            has_ended: part()? == "1",
            at_us: part()?.parse().map_err(|_| page::wrong_token())?,
            id: part()?.parse().map_err(|_| page::wrong_token())?,
        })
    }
}

/// The schedules that a list shows, in its order.
fn ordered<'s>(
    state: &'s State,
    environment: &Key,
    request: &v1::ListSchedulesRequest,
) -> BTreeMap<Place, &'s ScheduleRecord> {
    let all = state.schedules_of(environment).map(|record| &**record);
    all.filter(|record| request.flag.is_empty() || record.flag.as_str() == request.flag)
        .filter(|record| request.ended || record.is_pending())
        .map(|record| (Place::of(record), record))
        .collect()
}

fn id(text: &str) -> Result<Uuid, Status> {
    text.parse().map_err(|_| {
        invalid(&[violation(
            "id",
            "is not a schedule's id; list the schedules to see theirs",
        )])
    })
}

fn find<'s>(state: &'s State, environment: &Key, id: Uuid) -> Result<&'s ScheduleRecord, Status> {
    let found = state.schedules.get(&(environment.clone(), id)).map(|record| &**record);
    found.ok_or_else(|| Status::not_found(format!("schedule {id} does not exist in environment {environment}")))
}

/// Why a schedule cannot be cancelled any more.
fn over(record: &ScheduleRecord) -> String {
    match &record.progress {
        Progress::Pending => "the schedule is pending".to_owned(),
        Progress::Ended { end, outcome, .. } => {
            let word = match end {
                ScheduleEnd::Done => "done",
                ScheduleEnd::Refused => "refused",
                ScheduleEnd::Cancelled => "cancelled",
                ScheduleEnd::Missed => "missed",
            };
            format!("the schedule has ended ({word}): {outcome}")
        }
    }
}

fn shown(record: &ScheduleRecord) -> v1::Schedule {
    let (state, ended_at_us, outcome) = match &record.progress {
        Progress::Pending => (v1::ScheduleState::Pending, 0, String::new()),
        Progress::Ended { end, at_us, outcome } => {
            let state = match end {
                ScheduleEnd::Done => v1::ScheduleState::Done,
                ScheduleEnd::Refused => v1::ScheduleState::Refused,
                ScheduleEnd::Cancelled => v1::ScheduleState::Cancelled,
                ScheduleEnd::Missed => v1::ScheduleState::Missed,
            };
            (state, *at_us, outcome.clone())
        }
    };
    v1::Schedule {
        id: record.id.to_string(),
        environment: record.environment.to_string(),
        flag: record.flag.to_string(),
        at_us: record.at_us,
        change: Some(shown_change(&record.change)),
        expected_revision: record.expected_revision,
        deadline_us: record.deadline_us,
        actor: record.actor.clone(),
        reason: record.reason.clone(),
        created_at_us: record.created_at_us,
        state: state.into(),
        outcome,
        ended_at_us,
        done_revision: if state == v1::ScheduleState::Done {
            record.revision
        } else {
            0
        },
    }
}

fn shown_change(change: &ScheduledChange) -> v1::ScheduledChange {
    let kind = match change {
        ScheduledChange::Patch { flag, fields } => Kind::Patch(v1::FlagPatch {
            flag: Some(v1::Flag::from(&**flag)),
            update_mask: Some(FieldMask { paths: fields.clone() }),
        }),
        ScheduledChange::Enabled(enabled) => Kind::Enabled(*enabled),
        ScheduledChange::Killed(killed) => Kind::Killed(*killed),
        ScheduledChange::Archived(archived) => Kind::Archived(*archived),
        ScheduledChange::Delete => Kind::Delete(v1::DeleteIt {}),
    };
    v1::ScheduledChange { kind: Some(kind) }
}

#[cfg(test)]
mod tests;
