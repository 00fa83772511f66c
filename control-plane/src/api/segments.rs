//! The service of segments: documents of conditions and, beside them, two lists of up to 500,000 units.
//!
//! Documents go one way (`segments.rs`: `prepare_segment`), units that come and go another: they change chunks and no
//! condition. Edits of lists are made one after the other, because an upload in parts would otherwise race itself.

mod filter;
mod moves;
mod named;
mod readers;
mod wire;

use std::sync::Arc;

use evaluation::Violation;
use proto::{
    status::invalid,
    v1::{self, segments_server::Segments},
};
use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use self::{
    filter::Filter,
    moves::{Move, lists, moved},
    named::{Named, current, find, unread},
    readers::Readers,
    wire::{Update, Written},
};
use super::{
    page::{self, Page},
    race::Race,
    refusal,
};
use crate::{
    change::{self, flag::Act},
    edit::Refusal,
    history,
    identity::Actor,
    record::SegmentRecord,
    references::{Overlay, StateDocuments},
    segments::{self, Prepared, Stamp, prepare_segment, stage},
    state::State,
    store::Txn,
    truth::{CommitError, Truth},
};

/// Bytes of units in a page: clients take messages of 4 MiB.
const PAGE_BYTES: usize = 3 * 1024 * 1024;

/// The service `tidegate.v1.Segments`.
#[derive(Debug)]
pub(crate) struct SegmentsApi {
    truth: Truth,
    /// Held by whoever edits a list.
    editing: Mutex<()>,
}

impl SegmentsApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth) -> Self {
        Self {
            truth,
            editing: Mutex::new(()),
        }
    }

    fn named(&self, environment: &str, key: &str) -> Result<Named, Status> {
        Ok(Named {
            environment: refusal::environment(&self.truth.state(), environment)?,
            key: refusal::key("key", key)?,
        })
    }

    /// What writes a prepared segment; its chunks, if they are many, are in the store by then.
    async fn writing(
        &self,
        state: &State,
        act: Act<'_>,
        before: Option<&SegmentRecord>,
        prepared: Prepared,
    ) -> Result<Txn, Status> {
        let staged = stage(
            self.truth.store(),
            act.environment,
            &prepared.fresh,
            segments::ROOM,
            act.actor.at_us,
        );
        let staged = staged.await.map_err(CommitError::from)?;
        let mut txn = change::segment::put(Txn::default(), act, before, &prepared.record, staged);
        if before.is_none() {
            txn = change::populate(txn, state, act.environment);
        }
        if prepared.concerns_references {
            txn = change::guard_references(txn, state, act.environment);
        }
        Ok(txn)
    }

    /// What a wanted segment would come to.
    async fn prepare(
        &self,
        state: &Arc<State>,
        named: &Named,
        before: Option<&Arc<SegmentRecord>>,
        written: &Arc<Written>,
        stamp: Stamp,
    ) -> Result<Prepared, Status> {
        let (state, named, before, written) = (state.clone(), named.clone(), before.cloned(), written.clone());
        // Hundreds of thousands of units take a while to sort.
        let prepared = tokio::task::spawn_blocking(move || {
            let overlay = Overlay::of_segment(&named.key, Some(written.wanted.segment.clone()));
            let among = StateDocuments::new(&state, &named.environment, &overlay);
            let before = before.as_deref();
            let prepared = prepare_segment(&state, &named.environment, before, &written.wanted, stamp, &among);
            let mut refusal = Refusal::default();
            let prepared = written.with_unreadable(prepared);
            let prepared = prepared.map_err(|violations| refusal.violations = wire::named_fields(violations));
            if let Ok(prepared) = &prepared
                && segments::moves_readers(before, &prepared.record)
            {
                refusal.broken(among.broken());
            }
            refusal.or(prepared.ok())
        });
        let prepared = prepared.await.map_err(|error| Status::internal(error.to_string()))?;
        let prepared = prepared.map_err(refusal::refused)?;
        prepared.ok_or_else(|| Status::internal("a segment was neither prepared nor refused"))
    }

    /// Moves units onto a list or off it; how many were moved.
    async fn move_units(
        &self,
        named: &Named,
        list: v1::MemberList,
        units: Vec<String>,
        actor: &Actor,
        direction: Move,
    ) -> Result<(v1::StoredSegment, u32), Status> {
        refuse(segments::wrong_units("units", &units))?;
        let units = Arc::new(units);
        let act = Act::alone(&named.environment, direction.action(), actor);
        let _editing = self.editing.lock().await;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = find(&state, named)?.clone();
            let edited = {
                let (state, named, before, units) = (state.clone(), named.clone(), before.clone(), units.clone());
                // Hundreds of thousands of units take a while to sort.
                tokio::task::spawn_blocking(move || moved(&state, &named.environment, &before, list, &units, direction))
            };
            let edited = edited.await.map_err(|error| Status::internal(error.to_string()))?;
            let (mut prepared, count) = edited?;
            if !prepared.differs(&before) {
                return Ok((stored(&state, named, &before), count));
            }
            refuse(segments::too_many(&prepared.record.included, &prepared.record.excluded))?;
            prepared.record.updated_at_us = actor.at_us;
            let written = prepared.record.clone();
            let txn = self.writing(&state, act, Some(&before), prepared).await?;
            if let Some((revision, state)) = race.commit(&state, txn).await? {
                let written = SegmentRecord { revision, ..written };
                return Ok((stored(&state, named, &written), count));
            }
        }
    }
}

#[tonic::async_trait]
impl Segments for SegmentsApi {
    async fn create_segment(
        &self,
        request: Request<v1::CreateSegmentRequest>,
    ) -> Result<Response<v1::CreateSegmentResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let environment = refusal::environment(&self.truth.state(), &request.environment)?;
        let written = Arc::new(Written::create(request.segment.unwrap_or_default()));
        let key = written.wanted.segment.key.clone();
        let named = Named { environment, key };
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            if written.has_key() && state.segment(&named.environment, &named.key).is_some() {
                return Err(Status::already_exists(format!(
                    "segment {} exists already; change it with an update",
                    named.key
                )));
            }
            let newest = history::newest_version(self.truth.store(), &named.environment, "segment", &named.key).await?;
            let stamp = Stamp {
                version: newest + 1,
                at_us: actor.at_us,
            };
            let prepared = self.prepare(&state, &named, None, &written, stamp).await?;
            if request.validate_only {
                let segment = Some(stored(&state, &named, &prepared.record));
                return Ok(Response::new(v1::CreateSegmentResponse { segment }));
            }
            let act = Act::alone(&named.environment, "segment.create", &actor);
            let record = prepared.record.clone();
            let txn = self.writing(&state, act, None, prepared).await?;
            if let Some((revision, state)) = race.commit(&state, txn).await? {
                let segment = Some(stored(&state, &named, &SegmentRecord { revision, ..record }));
                return Ok(Response::new(v1::CreateSegmentResponse { segment }));
            }
        }
    }

    async fn update_segment(
        &self,
        request: Request<v1::UpdateSegmentRequest>,
    ) -> Result<Response<v1::UpdateSegmentResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let update = Update::read(request.segment.unwrap_or_default(), request.update_mask)?;
        let named = self.named(&request.environment, update.key())?;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = find(&state, &named)?.clone();
            current(&named, request.expected_revision, &before)?;
            let written = Arc::new(update.of(&before));
            let stamp = Stamp {
                version: before.version + 1,
                at_us: actor.at_us,
            };
            let prepared = self.prepare(&state, &named, Some(&before), &written, stamp).await?;
            let changed = prepared.differs(&before);
            if request.validate_only || !changed {
                let shown = if changed { &prepared.record } else { &*before };
                let segment = Some(stored(&state, &named, shown));
                return Ok(Response::new(v1::UpdateSegmentResponse { segment, changed }));
            }
            let act = Act::alone(&named.environment, "segment.update", &actor);
            let record = prepared.record.clone();
            let txn = self.writing(&state, act, Some(&before), prepared).await?;
            if let Some((revision, state)) = race.commit(&state, txn).await? {
                let segment = Some(stored(&state, &named, &SegmentRecord { revision, ..record }));
                return Ok(Response::new(v1::UpdateSegmentResponse { segment, changed }));
            }
        }
    }

    async fn get_segment(
        &self,
        request: Request<v1::GetSegmentRequest>,
    ) -> Result<Response<v1::GetSegmentResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.key)?;
        let state = self.truth.state();
        let segment = Some(stored(&state, &named, find(&state, &named)?));
        Ok(Response::new(v1::GetSegmentResponse { segment }))
    }

    async fn list_segments(
        &self,
        request: Request<v1::ListSegmentsRequest>,
    ) -> Result<Response<v1::ListSegmentsResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        let environment = refusal::environment(&state, &request.environment)?;
        let size = page::size(request.page_size, 100, 1_000)?;
        let filter = Filter::of(&request);
        let after = filter.after(&request.page_token)?;
        let readers = Readers::of(&state, &environment);
        let mut page = Page::new(size);
        let mut next_page_token = String::new();
        let found = state.segments_of(&environment, after.as_ref());
        let mut last = None;
        for record in found.filter(|record| filter.fits(&record.segment)) {
            if let (true, Some(last)) = (page.is_full(), last) {
                next_page_token = filter.token(last);
                break;
            }
            page.push(wire::stored(record, readers.flags_of(&record.segment.key)));
            last = Some(&record.segment.key);
        }
        Ok(Response::new(v1::ListSegmentsResponse {
            segments: page.items,
            next_page_token,
            revision: state.revision,
        }))
    }

    async fn delete_segment(
        &self,
        request: Request<v1::DeleteSegmentRequest>,
    ) -> Result<Response<v1::DeleteSegmentResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.key)?;
        let mut race = Race::new(&self.truth);
        loop {
            let state = self.truth.state();
            let before = find(&state, &named)?.clone();
            current(&named, request.expected_revision, &before)?;
            unread(&state, &named)?;
            let act = Act::alone(&named.environment, "segment.delete", &actor);
            let txn = change::segment::delete(Txn::default(), act, &before);
            let txn = change::guard_references(txn, &state, &named.environment);
            if race.commit(&state, txn).await?.is_some() {
                let segment = Some(wire::stored(&before, Vec::new()));
                return Ok(Response::new(v1::DeleteSegmentResponse { segment }));
            }
        }
    }

    async fn add_segment_members(
        &self,
        request: Request<v1::AddSegmentMembersRequest>,
    ) -> Result<Response<v1::AddSegmentMembersResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.key)?;
        let list = wire::list(request.list)?;
        let moved = self.move_units(&named, list, request.units, &actor, Move::In).await?;
        let (segment, added) = (Some(moved.0), moved.1);
        Ok(Response::new(v1::AddSegmentMembersResponse { segment, added }))
    }

    async fn remove_segment_members(
        &self,
        request: Request<v1::RemoveSegmentMembersRequest>,
    ) -> Result<Response<v1::RemoveSegmentMembersResponse>, Status> {
        let actor = Actor::of(&request, runtime::clock::now_us());
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.key)?;
        let list = wire::list(request.list)?;
        let moved = self.move_units(&named, list, request.units, &actor, Move::Out).await?;
        let (segment, removed) = (Some(moved.0), moved.1);
        Ok(Response::new(v1::RemoveSegmentMembersResponse { segment, removed }))
    }

    async fn list_segment_members(
        &self,
        request: Request<v1::ListSegmentMembersRequest>,
    ) -> Result<Response<v1::ListSegmentMembersResponse>, Status> {
        let request = request.into_inner();
        let named = self.named(&request.environment, &request.key)?;
        let list = wire::list(request.list)?;
        let size = page::size(request.page_size, 1_000, 10_000)?;
        let after = wire::after(list, &request.page_token)?;
        let state = self.truth.state();
        let record = find(&state, &named)?;
        let (mut units, mut bytes) = (Vec::<String>::new(), 0);
        let chunks = state.chunks_of(&named.environment);
        let more = lists(record, list).0.page(chunks, after, |unit| {
            let fits = units.len() < size && bytes < PAGE_BYTES;
            if fits {
                bytes += unit.len();
                units.push(unit.to_owned());
            }
            fits
        })?;
        let last = units.last().filter(|_| more);
        Ok(Response::new(v1::ListSegmentMembersResponse {
            next_page_token: last.map(|unit| wire::token(list, unit)).unwrap_or_default(),
            revision: record.revision,
            units,
        }))
    }
}

fn refuse(violations: Vec<Violation>) -> Result<(), Status> {
    if violations.is_empty() {
        Ok(())
    } else {
        Err(invalid(&violations))
    }
}

/// A segment as an answer shows it.
fn stored(state: &State, named: &Named, record: &SegmentRecord) -> v1::StoredSegment {
    let readers = Readers::of(state, &named.environment);
    wire::stored(record, readers.flags_of(&named.key))
}

#[cfg(test)]
mod tests;
