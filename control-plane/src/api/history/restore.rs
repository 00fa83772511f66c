//! The way back to a version: its document is written again, as a new version, through the path of every other write.
//!
//! Units return to where they were: the buckets of its splits are laid as they lay then. What is not of the document
//! stays as it is: a kill in force, a rollout. An archived or deleted document is in use again.

use evaluation::{Flag, Serve};
use proto::{status::violation, v1};
use tonic::Status;

use super::{
    super::{race::Race, refusal},
    HistoryApi, Named, wire,
};
use crate::{
    change::{self, flag::Act},
    edit::{self, Refusal, Wanted},
    history::{self, Kept},
    identity::Actor,
    record::{FlagRecord, PlanRecord, SegmentRecord},
    references::{Overlay, StateDocuments},
    segments::{self, List, Staged, Stamp},
    state::State,
    store::{
        Txn,
        model::{Document, VersionRecord},
    },
    surroundings,
};

/// What is asked for.
#[derive(Debug)]
pub(super) struct Restore {
    pub(super) version: u32,
    /// 0: whatever is there.
    pub(super) expected_revision: u64,
    pub(super) validate_only: bool,
    pub(super) actor: Actor,
}

/// A restore that may be written.
struct Ready {
    txn: Txn,
    /// As it will be kept; its revision is not known yet.
    version: VersionRecord,
}

/// Who restores, with a reason that says which version.
pub(super) fn because(mut actor: Actor, version: u32) -> Actor {
    actor.reason = match actor.reason.as_str() {
        "" => format!("restores version {version}"),
        reason => format!("{reason} (restores version {version})"),
    };
    actor
}

impl HistoryApi {
    /// Writes a version again; the new version, and what differs from before.
    pub(super) async fn restore(
        &self,
        named: &Named,
        restore: &Restore,
    ) -> Result<(v1::Version, Vec<v1::FieldChange>), Status> {
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let newest = self.version(named, 0).await?;
            let ready = match self.restorable(named, restore.version).await? {
                Document::Flag(record) => {
                    let killed = self.was_killed(named, &newest).await?;
                    restore_flag(&state, named, restore, &newest, record.flag, killed)
                }
                Document::Segment(record) => restore_segment(&state, named, restore, &newest, record),
                Document::Plan(record) => restore_plan(&state, named, restore, &newest, record),
            };
            let Some(ready) = ready.map_err(refusal::refused)? else {
                return Ok((wire::version(&newest), Vec::new()));
            };
            let mut made = Kept {
                record: ready.version,
                revision: 0,
            };
            let changes = self.differences(named, Some(&newest), &made).await?;
            if restore.validate_only {
                return Ok((wire::version(&made), changes));
            }
            if race.commit(&state, ready.txn).await?.is_some() {
                made = self.version(named, made.record.version).await?;
                return Ok((wire::version(&made), changes));
            }
        }
    }

    /// The document of a version.
    async fn restorable(&self, named: &Named, version: u32) -> Result<Document, Status> {
        let kept = self.version(named, version).await?;
        kept.record.document.ok_or_else(|| {
            let what = "is a deletion; delete the document instead, or restore another version";
            refusal::refused(Refusal::of("version", format!("{version} {what}")))
        })
    }

    /// Whether a kill is in force, or was when the flag was deleted.
    async fn was_killed(&self, named: &Named, newest: &Kept) -> Result<bool, Status> {
        let killed = |kept: &Kept| match &kept.record.document {
            Some(Document::Flag(record)) => Some(record.flag.killed),
            Some(Document::Segment(_) | Document::Plan(_)) | None => None,
        };
        if let Some(killed) = killed(newest) {
            return Ok(killed);
        }
        let (store, kind) = (self.truth.store(), named.kind.as_str());
        let before = newest.record.version - 1;
        let last = history::version(store, &named.environment, kind, &named.key, before).await?;
        Ok(last.as_ref().and_then(killed).unwrap_or(false))
    }
}

/// None: the flag is so already.
fn restore_flag(
    state: &State,
    named: &Named,
    restore: &Restore,
    newest: &Kept,
    mut flag: Flag,
    killed: bool,
) -> Result<Option<Ready>, Refusal> {
    let environment = &named.environment;
    let before = state.flag(environment, &named.key).map(|record| &**record);
    expect(named, restore, before.map_or(0, |before| before.revision))?;
    flag.killed = killed;
    keep_buckets(&mut flag);
    // What is put away is taken back by the same write.
    let in_use = before.map(|before| FlagRecord {
        archived_at_us: None,
        ..before.clone()
    });
    let prepared = edit::prepare_alone(state, environment, in_use.as_ref(), Wanted::from(flag))?;
    if before.is_some_and(|before| before.archived_at_us.is_none() && before.flag == prepared.flag) {
        return Ok(None);
    }
    let returns = before.is_none_or(|before| before.archived_at_us.is_some());
    let concerns_references = prepared.concerns_references || returns;
    let after = prepared.record(before, newest.record.version + 1, restore.actor.at_us);
    let act = Act::alone(environment, "flag.restore", &restore.actor);
    let mut txn = change::flag::write(Txn::default(), state, act, before, &after);
    if before.is_none() {
        txn = change::populate(txn, state, environment);
    }
    if concerns_references {
        txn = change::guard_references(txn, state, environment);
    }
    let version = kept(act, after.version, Document::Flag(after));
    Ok(Some(Ready { txn, version }))
}

/// None: the segment is so already.
fn restore_segment(
    state: &State,
    named: &Named,
    restore: &Restore,
    newest: &Kept,
    record: SegmentRecord,
) -> Result<Option<Ready>, Refusal> {
    let environment = &named.environment;
    let before = state.segment(environment, &named.key).map(|record| &**record);
    expect(named, restore, before.map_or(0, |before| before.revision))?;
    let overlay = Overlay::of_segment(&named.key, Some(record.segment.clone()));
    let among = StateDocuments::new(state, environment, &overlay);
    let wanted = segments::Wanted {
        segment: record.segment,
        included: List::Laid(record.included),
        excluded: List::Laid(record.excluded),
    };
    let stamp = Stamp {
        version: newest.record.version + 1,
        at_us: restore.actor.at_us,
    };
    let mut refusal = Refusal::default();
    let prepared = segments::prepare_segment(state, environment, before, &wanted, stamp, &among);
    let prepared = prepared.map_err(|violations| refusal.violations = violations).ok();
    refusal.broken(among.broken());
    let Some(prepared) = refusal.or(prepared)? else {
        return Ok(None);
    };
    if before.is_some_and(|before| !prepared.differs(before)) {
        return Ok(None);
    }
    let act = Act::alone(environment, "segment.restore", &restore.actor);
    let mut txn = change::guard_references(Txn::default(), state, environment);
    // Its chunks are in the store: versions keep them there.
    txn = change::segment::put(txn, act, before, &prepared.record, Staged::default());
    if before.is_none() {
        txn = change::populate(txn, state, environment);
    }
    let version = kept(act, stamp.version, Document::Segment(prepared.record));
    Ok(Some(Ready { txn, version }))
}

/// None: the plan is so already. What is there now may have moved away from it: it is linted again.
fn restore_plan(
    state: &State,
    named: &Named,
    restore: &Restore,
    newest: &Kept,
    record: PlanRecord,
) -> Result<Option<Ready>, Refusal> {
    let (environment, actor) = (&named.environment, &restore.actor);
    let before = state.plan(environment, &named.key).map(|record| &**record);
    expect(named, restore, before.map_or(0, |before| before.revision))?;
    if before.is_some_and(|before| before.plan == record.plan) {
        return Ok(None);
    }
    let report = surroundings::lint(state, environment, &record.plan, actor.at_us);
    let violations = report.violations.into_iter();
    Refusal {
        violations: violations
            .map(|found| violation(found.field, found.description))
            .collect(),
        preconditions: Vec::new(),
    }
    .or(())?;
    let after = PlanRecord {
        plan: record.plan,
        version: newest.record.version + 1,
        created_at_us: before.map_or(actor.at_us, |before| before.created_at_us),
        updated_at_us: actor.at_us,
        updated_by: actor.name.clone(),
        reason: actor.reason.clone(),
        revision: 0,
    };
    let act = Act::alone(environment, "plan.restore", actor);
    let txn = change::plan::put(Txn::default(), act, &named.key, before, &after);
    let mut txn = change::guard_references(txn, state, environment);
    if before.is_none() {
        txn = change::populate(txn, state, environment);
    }
    let version = kept(act, after.version, Document::Plan(after));
    Ok(Some(Ready { txn, version }))
}

/// Refuses what was decided about another revision.
fn expect(named: &Named, restore: &Restore, current: u64) -> Result<(), Refusal> {
    let mut refusal = Refusal::default();
    refusal.stale(&named.key, restore.expected_revision, current);
    refusal.or(())
}

/// A split without ranges lies in the order of its shares: said, so that it is laid so again.
fn keep_buckets(flag: &mut Flag) {
    let rules = flag.rules.iter_mut().map(|rule| &mut rule.serve);
    for serve in rules.chain([&mut flag.default]) {
        match serve {
            Serve::Split(split) if split.ranges.is_empty() => split.ranges.clone_from(&split.shares),
            Serve::Split(_) | Serve::Variant(_) | Serve::CallerDefault => {}
        }
    }
}

fn kept(act: Act<'_>, version: u32, document: Document) -> VersionRecord {
    VersionRecord {
        version,
        at_us: act.actor.at_us,
        actor: act.actor.name.clone(),
        action: act.action.to_owned(),
        reason: act.actor.reason.clone(),
        document: Some(document),
    }
}
