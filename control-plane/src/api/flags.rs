//! The service of flags: reads a request, hands what is wanted to `edit`, and commits what comes of it or nothing.
//!
//! A write that named no revision is repeated against what others write at the same time; one that named a revision is
//! refused once that is no longer the flag's.

mod list;

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1::{self, flags_server::Flags},
};
use rollout::Act as RolloutAct;
use tonic::{Request, Response, Status};

use super::{mask, race::Race, refusal};
use crate::{
    change::{self, flag::Act},
    edit::{self, Consent, Edit, Edited, Wanted},
    engine::{self, facts::Sources},
    history,
    identity::Actor,
    record::FlagRecord,
    state::State,
    store::Txn,
    truth::Truth,
};

/// The service `tidegate.v1.Flags`.
#[derive(Debug)]
pub(crate) struct FlagsApi {
    truth: Truth,
    sources: Sources,
}

/// Which flag, as a request names it, and the revision that the request was based on (0: whatever is there).
struct Named {
    environment: Key,
    key: Key,
    expected: u64,
}

/// What a request does with a flag that is there.
struct Asked<'a> {
    named: Named,
    action: &'static str,
    actor: &'a Actor,
    validate_only: bool,
    supersede: bool,
}

impl FlagsApi {
    /// The service over the truth, and over what is known of rollouts: an edit may end one.
    pub(crate) fn new(truth: Truth, sources: Sources) -> Self {
        Self { truth, sources }
    }

    fn named(&self, environment: &str, field: &str, key: &str, expected: u64) -> Result<Named, Status> {
        Ok(Named {
            environment: refusal::environment(&self.truth.state(), environment)?,
            key: refusal::key(field, key)?,
            expected,
        })
    }

    /// Edits a flag until the edit meets no other; an edit that changes nothing is not written.
    async fn edit(
        &self,
        asked: Asked<'_>,
        edit: impl Fn(&FlagRecord) -> Result<Edit, Status>,
    ) -> Result<(v1::StoredFlag, bool), Status> {
        let Named { environment, .. } = &asked.named;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = find(&state, &asked.named)?;
            let edited = edit::edited(&state, environment, before, edit(before)?, asked.actor.at_us);
            let edited = edited.map_err(|refusal| refusal::refused(refusal.within("flag")))?;
            if !edited.differs(before) {
                return Ok((stored(&state, environment, before), false));
            }
            if asked.validate_only {
                return Ok((stored(&state, environment, &edited.record), true));
            }
            let txn = written(&state, &asked, before, &edited);
            let txn = self.superseded(txn, &state, &asked, before)?;
            if let Some((revision, state)) = race.commit(&state, txn).await? {
                let after = FlagRecord {
                    revision,
                    ..edited.record
                };
                return Ok((stored(&state, environment, &after), true));
            }
        }
    }

    /// Adds the end of the rollout that an edit supersedes.
    fn superseded(&self, txn: Txn, state: &State, asked: &Asked<'_>, before: &FlagRecord) -> Result<Txn, Status> {
        let holder = state.holder(&asked.named.environment, &before.flag.key);
        let Some(rollout) = holder.filter(|_| asked.supersede) else {
            return Ok(txn);
        };
        let facts = self.sources.gather(state, rollout, false, asked.actor.at_us);
        let ended = engine::act(state, rollout, &RolloutAct::Supersede, &facts, asked.actor);
        let ended = ended.map_err(|error| {
            let name = rollout.name();
            refusal::precondition("ROLLOUT", &name, format!("rollout {name}: {error}"))
        })?;
        Ok(txn.and(ended))
    }

    /// The number that a new flag's first version gets: versions of one that was deleted are counted on.
    async fn next_version(&self, environment: &Key, key: &Key) -> Result<u32, Status> {
        let newest = history::newest_version(self.truth.store(), environment, "flag", key).await?;
        Ok(newest + 1)
    }

    /// Kills, revives, archives or takes back.
    async fn switch(
        &self,
        named: Named,
        action: &'static str,
        edit: Edit,
        actor: &Actor,
    ) -> Result<v1::StoredFlag, Status> {
        let asked = Asked {
            named,
            action,
            actor,
            validate_only: false,
            supersede: false,
        };
        Ok(self.edit(asked, |_| Ok(edit.clone())).await?.0)
    }
}

#[tonic::async_trait]
impl Flags for FlagsApi {
    async fn create_flag(
        &self,
        request: Request<v1::CreateFlagRequest>,
    ) -> Result<Response<v1::CreateFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let wanted = Wanted::read(required(request.flag)?);
        let readable = !wanted.unreadable.iter().any(|found| found.field == "key");
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            if readable && let Some(found) = state.flag(&environment, &wanted.flag.key) {
                return Err(exists(found));
            }
            let prepared = edit::prepare_alone(&state, &environment, None, wanted.clone());
            let prepared = prepared.map_err(|refusal| refusal::refused(refusal.within("flag")))?;
            let concerns_references = prepared.concerns_references;
            let version = self.next_version(&environment, &prepared.flag.key).await?;
            let record = prepared.record(None, version, actor.at_us);
            let record = if request.validate_only {
                Some(stored(&state, &environment, &record))
            } else {
                let act = Act::alone(&environment, "flag.create", &actor);
                let txn = change::flag::write(Txn::default(), &state, act, None, &record);
                let txn = change::populate(
                    guarded(txn, &state, &environment, concerns_references),
                    &state,
                    &environment,
                );
                let committed = race.commit(&state, txn).await?;
                committed.map(|(revision, state)| stored(&state, &environment, &FlagRecord { revision, ..record }))
            };
            if let Some(flag) = record {
                return Ok(Response::new(v1::CreateFlagResponse { flag: Some(flag) }));
            }
        }
    }

    async fn update_flag(
        &self,
        request: Request<v1::UpdateFlagRequest>,
    ) -> Result<Response<v1::UpdateFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let wire = required(request.flag)?;
        let consent = Consent {
            supersede: request.supersede,
            acknowledge_abort: request.acknowledge_abort,
        };
        if consent.supersede && actor.reason.is_empty() {
            let description = "ends a rollout, and needs a reason (metadata tidegate-reason)";
            return Err(invalid(&[violation("supersede", description)]));
        }
        let asked = Asked {
            named: self.named(&request.environment, "flag.key", &wire.key, request.expected_revision)?,
            action: if consent.acknowledge_abort.is_empty() {
                "flag.update"
            } else {
                "flag.update-after-abort"
            },
            actor: &actor,
            validate_only: request.validate_only,
            supersede: consent.supersede,
        };
        let edit = |before: &FlagRecord| {
            let wire = mask::flag(&before.flag, &wire, request.update_mask.as_ref());
            let wire = wire.map_err(|violations| invalid(&violations))?;
            let mut wanted = Wanted::read(wire);
            wanted.consent = consent.clone();
            Ok(Edit::Document(Box::new(wanted)))
        };
        let (flag, changed) = self.edit(asked, edit).await?;
        Ok(Response::new(v1::UpdateFlagResponse {
            flag: Some(flag),
            changed,
        }))
    }

    async fn get_flag(&self, request: Request<v1::GetFlagRequest>) -> Result<Response<v1::GetFlagResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key, 0)?;
        let state = self.truth.state();
        let flag = Some(stored(&state, &named.environment, find(&state, &named)?));
        Ok(Response::new(v1::GetFlagResponse { flag }))
    }

    async fn list_flags(
        &self,
        request: Request<v1::ListFlagsRequest>,
    ) -> Result<Response<v1::ListFlagsResponse>, Status> {
        list::list(&self.truth.state(), request.into_inner()).map(Response::new)
    }

    async fn kill_flag(&self, request: Request<v1::KillFlagRequest>) -> Result<Response<v1::KillFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key, request.expected_revision)?;
        let flag = self.switch(named, "flag.kill", Edit::Killed(true), &actor).await?;
        Ok(Response::new(v1::KillFlagResponse { flag: Some(flag) }))
    }

    async fn revive_flag(
        &self,
        request: Request<v1::ReviveFlagRequest>,
    ) -> Result<Response<v1::ReviveFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key, request.expected_revision)?;
        let flag = self.switch(named, "flag.revive", Edit::Killed(false), &actor).await?;
        Ok(Response::new(v1::ReviveFlagResponse { flag: Some(flag) }))
    }

    async fn archive_flag(
        &self,
        request: Request<v1::ArchiveFlagRequest>,
    ) -> Result<Response<v1::ArchiveFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key, request.expected_revision)?;
        let flag = self.switch(named, "flag.archive", Edit::Archived(true), &actor).await?;
        Ok(Response::new(v1::ArchiveFlagResponse { flag: Some(flag) }))
    }

    async fn unarchive_flag(
        &self,
        request: Request<v1::UnarchiveFlagRequest>,
    ) -> Result<Response<v1::UnarchiveFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key, request.expected_revision)?;
        let flag = self
            .switch(named, "flag.unarchive", Edit::Archived(false), &actor)
            .await?;
        Ok(Response::new(v1::UnarchiveFlagResponse { flag: Some(flag) }))
    }

    async fn delete_flag(
        &self,
        request: Request<v1::DeleteFlagRequest>,
    ) -> Result<Response<v1::DeleteFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, "key", &request.key, request.expected_revision)?;
        let environment = &named.environment;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = find(&state, &named)?;
            edit::removable(&state, environment, before).map_err(refusal::refused)?;
            let act = Act::alone(environment, "flag.delete", &actor);
            let txn = change::flag::delete(Txn::default(), &state, act, before);
            let txn = change::guard_references(txn, &state, environment);
            if race.commit(&state, txn).await?.is_some() {
                let flag = Some(stored(&state, environment, before));
                return Ok(Response::new(v1::DeleteFlagResponse { flag }));
            }
        }
    }
}

/// The transaction of an edit.
fn written(state: &State, asked: &Asked<'_>, before: &FlagRecord, edited: &Edited) -> Txn {
    let environment = &asked.named.environment;
    let act = Act::alone(environment, asked.action, asked.actor);
    let txn = change::flag::write(Txn::default(), state, act, Some(before), &edited.record);
    guarded(txn, state, environment, edited.concerns_references)
}

fn guarded(txn: Txn, state: &State, environment: &Key, concerns_references: bool) -> Txn {
    if concerns_references {
        change::guard_references(txn, state, environment)
    } else {
        txn
    }
}

/// A request's document.
fn required(flag: Option<v1::Flag>) -> Result<v1::Flag, Status> {
    flag.ok_or_else(|| {
        invalid(&[violation(
            "flag",
            "is missing: a whole document, or the fields of the mask",
        )])
    })
}

fn exists(found: &FlagRecord) -> Status {
    let key = &found.flag.key;
    Status::already_exists(match found.archived_at_us {
        Some(_) => format!("flag {key} exists already and is archived; unarchive it, or delete it first"),
        None => format!("flag {key} exists already; change it with an update"),
    })
}

/// A flag that must be there, at the revision that the request was based on.
fn find<'s>(state: &'s State, named: &Named) -> Result<&'s FlagRecord, Status> {
    let Named {
        environment,
        key,
        expected,
    } = named;
    let found = state.flag(environment, key);
    let found =
        found.ok_or_else(|| Status::not_found(format!("flag {key} does not exist in environment {environment}")))?;
    if *expected != 0 && *expected != found.revision {
        return Err(refusal::stale(key, *expected, found.revision));
    }
    Ok(found)
}

fn stored(state: &State, environment: &Key, record: &FlagRecord) -> v1::StoredFlag {
    v1::StoredFlag {
        flag: Some(v1::Flag::from(&record.flag)),
        revision: record.revision,
        version: record.version,
        created_at_us: record.created_at_us,
        updated_at_us: record.updated_at_us,
        rollout: state
            .holder(environment, &record.flag.key)
            .map(|rollout| rollout.name())
            .unwrap_or_default(),
        archived_at_us: record.archived_at_us.unwrap_or(0),
    }
}

#[cfg(test)]
mod tests;
