//! The service of flags: checks a document whole, says all that is wrong with it, and writes it or nothing.

use evaluation::{Flag, Key, Violation};
use prost::Message as _;
use proto::{
    status::{invalid, violation},
    v1::{self, flags_server::Flags},
};
use rand::Rng as _;
use tonic::{Request, Response, Status};

use super::{
    page::{self, Page},
    refusal,
};
use crate::{
    change,
    identity::Actor,
    record::{FlagRecord, RolloutRecord},
    state::State,
    truth::{CommitError, Truth},
};

/// The largest document without its lists, in bytes.
const DOCUMENT_LIMIT: usize = 256 * 1024;
/// The largest lists, in bytes.
const LISTS_LIMIT: usize = 384 * 1024;
/// How often a write that named no revision is tried against what others write at the same time.
const TRIES: usize = 8;
/// Length of a drawn salt: with its separator 16 bytes.
const SALT: usize = 15;
/// Base32 without letters and digits that look alike.
const SALT_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The service `tidegate.v1.Flags`.
#[derive(Debug)]
pub(crate) struct FlagsApi {
    truth: Truth,
}

/// Which flag, as a request names it.
struct Named {
    environment: Key,
    key: Key,
}

impl FlagsApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self { truth }
    }

    fn named(&self, state: &State, environment: &str, key: &str) -> Result<Named, Status> {
        Ok(Named {
            environment: refusal::environment(state, environment)?,
            key: refusal::key("key", key)?,
        })
    }

    /// Edits a flag until the edit meets no other; an edit that changes nothing is not written.
    async fn edit(
        &self,
        named: &Named,
        expected: u64,
        action: &'static str,
        actor: &Actor,
        edit: impl Fn(&Flag) -> Result<Flag, Status>,
    ) -> Result<(v1::StoredFlag, bool), Status> {
        for _ in 0..TRIES {
            let state = self.truth.state();
            let before = find(&state, named)?;
            if expected != 0 && expected != before.revision {
                return Err(refusal::stale(&named.key, expected, before.revision));
            }
            let flag = edit(&before.flag)?;
            if flag == before.flag {
                return Ok((stored(&state, &named.environment, before), false));
            }
            if let Some(rollout) = state.holder(&named.environment, &named.key) {
                undisturbed(rollout, &before.flag, &flag)?;
            }
            let after = FlagRecord {
                flag,
                version: before.version + 1,
                updated_at_us: actor.at_us,
                created_at_us: before.created_at_us,
                revision: 0,
            };
            let txn = change::update_flag(&state, &named.environment, before, &after, action, actor);
            match self.truth.commit(txn).await {
                Ok(state) => return Ok((stored(&state, &named.environment, find(&state, named)?), true)),
                Err(CommitError::Conflict) => {}
                Err(error @ (CommitError::Store(_) | CommitError::NotShown(_))) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict.into())
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
        let state = self.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let mut wire = request.flag.unwrap_or_default();
        if wire.salt.is_empty() {
            wire.salt = draw_salt();
        }
        let flag = checked(wire)?;
        let named = Named {
            environment,
            key: flag.key.clone(),
        };
        let exists = || Status::already_exists(format!("flag {} exists already; change it with an update", named.key));
        if state.flag(&named.environment, &named.key).is_some() {
            return Err(exists());
        }
        let record = FlagRecord {
            flag,
            version: 1,
            created_at_us: actor.at_us,
            updated_at_us: actor.at_us,
            revision: 0,
        };
        let state = match self
            .truth
            .commit(change::create_flag(&named.environment, &record, &actor))
            .await
        {
            Err(CommitError::Conflict) => return Err(exists()),
            committed @ (Ok(_) | Err(CommitError::Store(_) | CommitError::NotShown(_))) => committed?,
        };
        let flag = Some(stored(&state, &named.environment, find(&state, &named)?));
        Ok(Response::new(v1::CreateFlagResponse { flag }))
    }

    async fn update_flag(
        &self,
        request: Request<v1::UpdateFlagRequest>,
    ) -> Result<Response<v1::UpdateFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let wire = request.flag.unwrap_or_default();
        let named = self.named(&self.truth.state(), &request.environment, &wire.key)?;
        let edit = |before: &Flag| {
            let mut wire = wire.clone();
            if wire.salt.is_empty() {
                wire.salt.clone_from(&before.salt);
            }
            // A kill is undone by a revive only, never by a document that was written before it.
            wire.killed = before.killed;
            let flag = checked(wire)?;
            if flag.flag_type == before.flag_type {
                Ok(flag)
            } else {
                Err(invalid(&[violation(
                    "flag.type",
                    "of a flag cannot be changed; create another flag",
                )]))
            }
        };
        let (flag, changed) = self
            .edit(&named, request.expected_revision, "flag.update", &actor, edit)
            .await?;
        Ok(Response::new(v1::UpdateFlagResponse {
            flag: Some(flag),
            changed,
        }))
    }

    async fn get_flag(&self, request: Request<v1::GetFlagRequest>) -> Result<Response<v1::GetFlagResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        let named = self.named(&state, &request.environment, &request.key)?;
        let flag = Some(stored(&state, &named.environment, find(&state, &named)?));
        Ok(Response::new(v1::GetFlagResponse { flag }))
    }

    async fn list_flags(
        &self,
        request: Request<v1::ListFlagsRequest>,
    ) -> Result<Response<v1::ListFlagsResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let size = page::size(request.page_size, 100, 1_000)?;
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(Key::parse(token).map_err(|_| page::wrong_token())?),
        };
        let mut page = Page::new(size);
        let mut next_page_token = String::new();
        for record in state.flags_of(&environment, after.as_ref()) {
            if page.is_full() {
                let last = page.items.last().and_then(|flag: &v1::StoredFlag| flag.flag.as_ref());
                next_page_token = last.map(|flag| flag.key.clone()).unwrap_or_default();
                break;
            }
            page.push(stored(&state, &environment, record));
        }
        Ok(Response::new(v1::ListFlagsResponse {
            flags: page.items,
            next_page_token,
            revision: state.revision,
        }))
    }

    async fn kill_flag(&self, request: Request<v1::KillFlagRequest>) -> Result<Response<v1::KillFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&self.truth.state(), &request.environment, &request.key)?;
        let edit = |before: &Flag| {
            Ok(Flag {
                killed: true,
                ..before.clone()
            })
        };
        let (flag, _) = self.edit(&named, 0, "flag.kill", &actor, edit).await?;
        Ok(Response::new(v1::KillFlagResponse { flag: Some(flag) }))
    }

    async fn revive_flag(
        &self,
        request: Request<v1::ReviveFlagRequest>,
    ) -> Result<Response<v1::ReviveFlagResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&self.truth.state(), &request.environment, &request.key)?;
        let edit = |before: &Flag| {
            Ok(Flag {
                killed: false,
                ..before.clone()
            })
        };
        let (flag, _) = self.edit(&named, 0, "flag.revive", &actor, edit).await?;
        Ok(Response::new(v1::ReviveFlagResponse { flag: Some(flag) }))
    }
}

/// A flag that says only what it may; every violation at once.
fn checked(wire: v1::Flag) -> Result<Flag, Status> {
    let mut violations = too_large(&wire);
    let (flag, unreadable) = proto::flag::read(wire);
    let meaningless = evaluation::compile(&flag, None).err().unwrap_or_default();
    // What could not be read stands in the flag as its empty form; its own rule would only say it again.
    let known = |found: &Violation| unreadable.iter().any(|known| is_within(&found.field, &known.field));
    let news = meaningless
        .into_iter()
        .filter(|found| !known(found))
        .collect::<Vec<_>>();
    violations.extend(unreadable);
    violations.extend(news);
    if violations.is_empty() {
        Ok(flag)
    } else {
        Err(invalid(&named_fields(violations)))
    }
}

/// Whether a field is another one or a part of it: `rules[1].name` is of `rules[1]`, `rules[10]` is not.
fn is_within(field: &str, whole: &str) -> bool {
    field
        .strip_prefix(whole)
        .is_some_and(|part| part.is_empty() || part.starts_with(['.', '[']))
}

/// What is too large to be stored with its history and an account of what changed.
fn too_large(wire: &v1::Flag) -> Vec<Violation> {
    let lists = wire
        .deny
        .iter()
        .chain(wire.allow.iter().flat_map(|list| &list.units))
        .map(|unit| unit.len() + 4);
    let (whole, lists) = (wire.encoded_len(), lists.sum::<usize>());
    let document = whole.saturating_sub(lists);
    let mut violations = Vec::new();
    if document > DOCUMENT_LIMIT {
        violations.push(violation(
            "",
            format!("the document has {document} bytes without its lists, the limit is {DOCUMENT_LIMIT}"),
        ));
    }
    if lists > LISTS_LIMIT {
        violations.push(violation(
            "allow",
            format!(
                "the listed units have {lists} bytes together, the limit is {LISTS_LIMIT}; use a rule on an attribute"
            ),
        ));
    }
    violations
}

/// Fields of the flag within the request.
fn named_fields(violations: Vec<Violation>) -> Vec<Violation> {
    let within = |violation: Violation| Violation {
        field: format!("flag.{}", violation.field).trim_end_matches('.').to_owned(),
        ..violation
    };
    violations.into_iter().map(within).collect()
}

/// Refuses an edit that would move the units or the meaning of a rollout under way.
fn undisturbed(rollout: &RolloutRecord, before: &Flag, after: &Flag) -> Result<(), Status> {
    let arms = [&rollout.plan.treatment, &rollout.plan.control];
    let arms = arms
        .into_iter()
        .filter(|arm| before.variants.get(*arm) != after.variants.get(*arm))
        .map(|arm| format!("the variant {arm}"));
    let others = [
        (before.salt != after.salt, "the salt"),
        (before.default != after.default, "the default"),
        (before.set != after.set, "the flag set"),
    ];
    let others = others.into_iter().filter(|(moved, _)| *moved);
    let moved = others.map(|(_, what)| what.to_owned()).chain(arms).collect::<Vec<_>>();
    if moved.is_empty() {
        return Ok(());
    }
    let name = rollout.name();
    let description = format!(
        "{} cannot change while rollout {name} is under way; abort it first",
        moved.join(", ")
    );
    Err(refusal::precondition("ROLLOUT", &name, description))
}

fn find<'s>(state: &'s State, named: &Named) -> Result<&'s FlagRecord, Status> {
    let found = state.flag(&named.environment, &named.key).map(|record| &**record);
    found.ok_or_else(|| {
        Status::not_found(format!(
            "flag {} does not exist in environment {}",
            named.key, named.environment
        ))
    })
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
    }
}

fn draw_salt() -> String {
    let mut random = rand::rng();
    (0..SALT)
        .map(|_| char::from(SALT_ALPHABET[random.random_range(0..SALT_ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests;
