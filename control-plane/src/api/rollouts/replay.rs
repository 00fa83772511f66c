//! A replay: the batches of a rollout are read in pages and judged again, on a thread that may take its time.
//!
//! The record and the number of its batches are of one state, so a rollout that is under way is replayed as it was at
//! that moment. One replay at a time, and no more batches than it says: a longer rollout is replayed in part.

use std::sync::Arc;

use bytes::Bytes;
use proto::{status::invalid, v1};
use rollout::{Ladder, Plan, criterion::Criterion, evidence::budget};
use tonic::Status;

use super::RolloutsApi;
use crate::{
    levels::Log,
    record::RolloutRecord,
    replay::{Decision, Look, Move, Replay, Replayer, limits},
    state::State,
    store::{
        Item, Order, keys,
        model::{self, SealedBatch},
    },
};

/// The most batches that are judged.
const MOST: u64 = 50_000;
/// Batches that are read at once.
const PAGE: usize = 256;

/// A replay under way.
#[derive(Debug)]
struct Run {
    own: Replayer,
    other: Option<Replayer>,
    /// The number of the next batch.
    next: u64,
    /// The number of the last batch that is judged.
    last: u64,
}

/// A batch that cannot be judged.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("batch {0} is missing")]
    Missing(u64),
    #[error("batch {0} {1}")]
    Model(u64, model::ModelError),
}

impl RolloutsApi {
    pub(super) async fn replay(&self, request: v1::ReplayRolloutRequest) -> Result<v1::ReplayRolloutResponse, Status> {
        let _turn = self.replays.try_lock().map_err(|_| {
            Status::resource_exhausted("another replay is under way; try again when it has had time to end")
        })?;
        let state = self.view.truth.state();
        let record = self.found(&state, &request.environment, &request.rollout)?;
        let readings = self.readings(&state, &record).await?;
        let read = readings.metrics().collect();
        let other = request.other.map(|other| limits::plan_with(&record, other, &read));
        let other = other.transpose().map_err(|found| invalid(&found))?.map(Arc::new);
        let sealed = state.evidence_of(record.id).batches;
        let log = self.items(&keys::transitions(&record.environment, record.id)).await?;
        let log = log.iter().map(|item| model::read_transition(&item.value));
        let mut log = log
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| lost(&record, error))?;
        log.retain(|made| made.sequence <= record.state.sequence);
        let run = Run {
            own: Replayer::new(&record, record.plan.clone(), &log, readings.clone()),
            other: (other.as_ref()).map(|plan| Replayer::new(&record, plan.clone(), &[], readings.clone())),
            next: 1,
            last: sealed.min(MOST),
        };
        let run = self.judge(&record, run).await?;
        let mut answer = answer(&record, run.own.finish());
        answer.sealed = sealed;
        answer.edited = log.iter().any(|made| made.kind == "rebased");
        answer.other = run.other.zip(other).map(|(run, plan)| course(&run.finish(), &plan));
        Ok(answer)
    }

    /// The readings of its levels that are kept, as far as a state shows them.
    async fn readings(&self, state: &State, record: &RolloutRecord) -> Result<Arc<Log>, Status> {
        let items = self.items(&keys::readings(&record.environment, record.id)).await?;
        // Once nothing is measured any more, no more come.
        let last = state.levels.get(&record.id).map_or(u64::MAX, |held| held.last);
        let read = items.iter().filter_map(|item| {
            let number = keys::reading_number(&item.key).filter(|number| *number <= last)?;
            Some(model::read_reading(&item.value).map(|kept| (number, kept)))
        });
        let read = read
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| lost(record, error))?;
        let log = Log::of(read.into_iter()).map_err(|error| lost(record, error))?;
        Ok(Arc::new(log))
    }

    /// Judges all batches, page by page.
    async fn judge(&self, record: &Arc<RolloutRecord>, mut run: Run) -> Result<Run, Status> {
        let prefix = keys::batches(&record.environment, record.id);
        let mut after: Option<Bytes> = None;
        while run.next <= run.last {
            let store = self.view.truth.store();
            let page = store.range(&prefix, after.as_deref(), PAGE, Order::Ascending).await?;
            after = page.items.last().map(|item| item.key.clone());
            let judged = tokio::task::spawn_blocking(move || run.page(&page.items).map(|()| run)).await;
            let judged = judged.map_err(|error| Status::internal(format!("the replay failed: {error}")))?;
            run = judged.map_err(|error| lost(record, error))?;
        }
        Ok(run)
    }
}

impl Run {
    /// Judges a page of batches, which follow the ones before.
    fn page(&mut self, items: &[Item]) -> Result<(), Broken> {
        if items.is_empty() {
            return Err(Broken::Missing(self.next));
        }
        for item in items {
            if self.next > self.last {
                return Ok(());
            }
            let number = self.next;
            if !item.key.ends_with(&number.to_be_bytes()) {
                return Err(Broken::Missing(number));
            }
            let batch = SealedBatch::read(&item.value).map_err(|error| Broken::Model(number, error))?;
            self.own.add(&batch);
            if let Some(other) = &mut self.other {
                other.add(&batch);
            }
            self.next += 1;
        }
        Ok(())
    }
}

fn lost(record: &RolloutRecord, error: impl std::fmt::Display) -> Status {
    Status::data_loss(format!("the record of {}: {error}", record.name()))
}

fn answer(record: &RolloutRecord, replay: Replay) -> v1::ReplayRolloutResponse {
    let course = course(&replay, &record.plan);
    let (decision, decision_detail) = match replay.decision {
        Some(Decision::Same) => ("same", String::new()),
        Some(Decision::Differs(why)) => ("differs", why),
        Some(Decision::NotReplayed(why)) => ("not-replayed", why),
        None => ("not-replayed", "nothing was judged".to_owned()),
    };
    v1::ReplayRolloutResponse {
        rollout: record.name(),
        batches: replay.batches,
        differs_at: replay.differs_at.unwrap_or(0),
        decision: decision.to_owned(),
        decision_detail,
        own: Some(course),
        moves: replay.moves.into_iter().map(made).collect(),
        ..v1::ReplayRolloutResponse::default()
    }
}

fn course(replay: &Replay, plan: &Plan) -> v1::Course {
    let reached = replay.reached.iter().zip(["warn", "hold", "abort"]);
    v1::Course {
        reached: reached
            .filter_map(|(look, rung)| Some(self::reached(look.as_ref()?, rung, plan)))
            .collect(),
        peak: replay.peak.map(|look| peak(look, plan)),
    }
}

/// When the guards that may abort had the strongest evidence, whatever others had reached.
fn peak(look: Look, plan: &Plan) -> v1::Reached {
    let rung = look
        .number
        .map_or(Ladder::None, |number| budget::level(number.log_evidence, plan.alpha));
    let alone = Look {
        culprit: look.number,
        rule: None,
        ..look
    };
    reached(&alone, rung.name(), plan)
}

fn reached(look: &Look, rung: &str, plan: &Plan) -> v1::Reached {
    let guard = look.guard();
    let harm = guard.and_then(|guard| plan.guards.get(guard));
    let rule = look.leading_rule();
    let harm = match (harm, rule) {
        (Some(guard), _) => Criterion::Compare(guard.harm.clone()).to_string(),
        (None, Some(rule)) => rule.reason.name().to_owned(),
        (None, None) => String::new(),
    };
    v1::Reached {
        rung: rung.to_owned(),
        batch: look.batch,
        at_us: look.at_us,
        log_evidence: look
            .culprit
            .filter(|_| rule.is_none())
            .map(|number| number.log_evidence),
        guard: guard.unwrap_or(0) as u32,
        harm,
        outcomes: look.outcomes,
        units: look.units,
    }
}

fn made(made: Move) -> v1::ReplayedMove {
    v1::ReplayedMove {
        sequence: made.sequence,
        at_us: made.at_us,
        kind: made.kind,
        rung: made.rung.name().to_owned(),
        agrees: made.agrees,
        dismissed: made.dismissed,
    }
}
