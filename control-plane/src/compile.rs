//! State to entries: what agents are to hold, worked out from the truth alone.
//!
//! A pure function of the state, entry by entry: an active rollout is folded into its flag, and a latched one is left
//! out whatever else is written. Only entries that a commit may have touched are compiled anew; equal bytes stop there.

use std::sync::Arc;

use bytes::Bytes;
use evaluation::{
    Buckets, Counting, Entry, EntryId, EntryKind, Key, Measurement, MetricSpec, Per, ReachedStage, RolloutStep,
    SplittingUnit, StageVisit, entry_hash,
};
use proto::{entry, tick};
use rollout::Unit;
use uuid::Uuid;

pub(crate) use self::selection::{Selection, restructured};
use crate::{record::RolloutRecord, standing, state::State, store::keys::Subject};

mod selection;

/// The entries of one environment that a touched subject may change.
pub(crate) fn touched(state: &State, subject: &Subject) -> Option<(Key, Vec<EntryId>)> {
    match subject {
        Subject::Environment(key) => Some((key.clone(), vec![id(EntryKind::Environment, key)])),
        Subject::Flag(environment, flag) => {
            // A measurement goes where its flag goes.
            let measured = state
                .runs_of(environment, flag)
                .filter(|record| state.exposures.contains_key(&record.id))
                .map(|record| id(EntryKind::Measurement, &record.index.to_string()));
            let own = std::iter::once(id(EntryKind::Flag, flag));
            Some((environment.clone(), own.chain(measured).collect()))
        }
        Subject::Segment(environment, segment) => Some((environment.clone(), vec![id(EntryKind::Segment, segment)])),
        Subject::Active(environment, flag) => Some((environment.clone(), vec![id(EntryKind::Flag, flag)])),
        Subject::Rollout(environment, rollout)
        | Subject::Exposure(environment, rollout)
        | Subject::Latch(environment, rollout) => {
            let record = state.rollout(environment, *rollout)?;
            let measurement = id(EntryKind::Measurement, &record.index.to_string());
            Some((
                environment.clone(),
                vec![id(EntryKind::Flag, &record.plan.flag), measurement],
            ))
        }
        Subject::Plan(..)
        | Subject::Baseline(..)
        | Subject::Captured(..)
        | Subject::Soak(..)
        | Subject::Stuck(..)
        | Subject::Alerted(..)
        | Subject::Events(..)
        | Subject::Evidence(..)
        | Subject::Sums(..)
        | Subject::Hour(..)
        | Subject::Levels(..)
        | Subject::Waiting(..)
        | Subject::Schedule(..)
        | Subject::Act(..)
        | Subject::Chunk(..)
        | Subject::Arrangement
        | Subject::Webhook(..)
        | Subject::WebhookRegister
        | Subject::Population(..)
        | Subject::References(..) => None,
    }
}

/// All entries of an environment.
pub(crate) fn all(state: &State, environment: &Key) -> Vec<EntryId> {
    let flags = state
        .flags_of(environment, None)
        .map(|record| id(EntryKind::Flag, &record.flag.key));
    let segments = state
        .segments_of(environment, None)
        .map(|record| id(EntryKind::Segment, &record.segment.key));
    let measurements = state
        .measured_of(environment)
        .map(|record| id(EntryKind::Measurement, &record.index.to_string()));
    let own = state
        .environments
        .contains_key(environment)
        .then(|| id(EntryKind::Environment, environment));
    own.into_iter()
        .chain(flags)
        .chain(segments)
        .chain(measurements)
        .collect()
}

/// An entry as every subscription that holds it gets it; none if there is nothing of that name to hold.
pub(crate) fn entry(state: &State, environment: &Key, id: &EntryId) -> Option<Entry<Bytes>> {
    let body = match id.kind {
        EntryKind::Flag => flag(state, environment, &id.key),
        EntryKind::Segment => segment(state, environment, &id.key),
        EntryKind::Environment => state
            .environments
            .get(environment)
            .map(|record| entry::encode_environment(&record.environment)),
        EntryKind::Measurement => measurement_entry(state, environment, &id.key),
        // The control plane makes no entries of other kinds.
        EntryKind::Other(_) => None,
    };
    body.map(|body| Entry {
        hash: entry_hash(id.kind, &id.key, &body),
        body: entry::frame(id.kind, &id.key, Some(&body)),
    })
}

fn id(kind: EntryKind, key: &str) -> EntryId {
    EntryId {
        kind,
        key: Arc::from(key),
    }
}

/// An archived flag is not delivered.
fn flag(state: &State, environment: &Key, key: &str) -> Option<Bytes> {
    let key = Key::parse(key).ok()?;
    let record = state.flag(environment, &key)?;
    if record.archived_at_us.is_some() {
        return None;
    }
    let step = step_of(state, environment, &key);
    Some(entry::encode_flag(&record.flag, step.as_ref()))
}

/// The step of the rollout that holds a flag; without one, that of its watch.
pub(crate) fn step_of(state: &State, environment: &Key, flag: &Key) -> Option<RolloutStep> {
    match state.holder(environment, flag) {
        Some(holder) => step(state, holder),
        None => watched(state, environment, flag),
    }
}

/// Everybody is exposed and served the flag's default.
fn watched(state: &State, environment: &Key, flag: &Key) -> Option<RolloutStep> {
    let watch = state.watch_of(environment, flag)?;
    let (default, other) = standing::served(state.flag(environment, flag)?)?;
    Some(RolloutStep {
        treatment: other.to_owned(),
        control: default.to_owned(),
        ..step(state, watch)?
    })
}

fn segment(state: &State, environment: &Key, key: &str) -> Option<Bytes> {
    let record = state.segment(environment, &Key::parse(key).ok()?)?;
    let whole = record.whole(state.chunks_of(environment));
    Some(entry::encode_segment(
        &whole.expect("the state takes no segment in without its chunks"),
    ))
}

/// The step of a rollout that is under way; none once it is latched or has ended.
fn step(state: &State, record: &RolloutRecord) -> Option<RolloutStep> {
    if is_over(state, record) {
        return None;
    }
    let reached = record
        .plan
        .stages
        .iter()
        .take(record.state.stage + 1)
        .enumerate()
        .map(|(number, stage)| ReachedStage {
            stage: number as u8,
            share: buckets(record.plan.wanted(number)),
            audience: stage.audience.clone(),
        });
    let is_shadow = record
        .plan
        .stages
        .get(record.state.stage)
        .is_some_and(|stage| stage.shadow);
    Some(RolloutStep {
        rollout: record.index,
        measuring_key: record.measuring_key,
        salt: record.salt.clone(),
        bucket_by: record.plan.unit_by.clone(),
        treatment: record.plan.treatment.clone(),
        control: record.plan.control.clone(),
        shadow: is_shadow,
        stage: record.state.stage as u8,
        reached: reached.collect(),
    })
}

fn is_over(state: &State, record: &RolloutRecord) -> bool {
    !record.state.is_live() || state.latches.contains_key(&record.id)
}

/// A plan's share, at most 100,000 as a bucket count is.
fn buckets(share: rollout::Share) -> Buckets {
    Buckets::new(share.get()).unwrap_or(Buckets::ALL)
}

fn measurement_entry(state: &State, environment: &Key, key: &str) -> Option<Bytes> {
    let record = state.rollout_at(environment, key.parse().ok()?)?;
    // The exposure goes when the last outcomes have had their time; with it goes what agents measure.
    state.exposures.get(&record.id)?;
    measurement(record, is_over(state, record)).map(|measurement| entry::encode_measurement(&measurement))
}

fn measurement(record: &RolloutRecord, ended: bool) -> Option<Measurement> {
    let visits = record.state.visits.iter().filter_map(|visit| {
        record.plan.stages.get(visit.stage)?;
        Some(StageVisit {
            stage: visit.stage as u8,
            visit: visit.visit,
            share: buckets(record.plan.wanted(visit.stage)),
            entered_tick: tick::at(visit.entered_at_us),
        })
    });
    let metrics = (0..).zip(record.counted.iter()).map(|(number, counted)| MetricSpec {
        number,
        key: counted.metric.clone(),
        counting: counting(&counted.counting),
        lost_is_bad: counted.counting.lost_is_bad(),
    });
    Some(Measurement {
        rollout: record.index,
        id: id_number(record.id),
        flag: Key::parse(&record.plan.flag).ok()?,
        measuring_key: record.measuring_key,
        start_tick: tick::at(record.started_at_us),
        unit: match record.plan.unit {
            Unit::Unit => SplittingUnit::Unit,
            Unit::Request => SplittingUnit::Request,
        },
        stages: visits.collect(),
        horizon_starts: record
            .state
            .horizons
            .iter()
            .map(|horizon| tick::at(horizon.started_at_us))
            .collect(),
        lost_after_us: record.plan.lost_after_us,
        metrics: metrics.collect(),
        ended,
    })
}

/// As agents know it.
fn counting(counting: &rollout::measure::Counting) -> Counting {
    use rollout::measure::Counting as Wanted;
    let divided = |per: rollout::measure::Per| match per {
        rollout::measure::Per::Value => Per::Value,
        rollout::measure::Per::Exposure => Per::Exposure,
    };
    match counting {
        Wanted::Errors { expected } => Counting::Errors {
            expected: expected.clone(),
        },
        Wanted::Timeouts => Counting::Timeouts,
        Wanted::Status { from, to } => Counting::Status { from: *from, to: *to },
        Wanted::Slower { bound_us } => Counting::Slower { bound_us: *bound_us },
        Wanted::Above { value, bound } => Counting::Above {
            value: value.clone(),
            bound: *bound,
        },
        Wanted::Sum {
            value,
            minimum,
            maximum,
            per,
        } => Counting::Sum {
            value: value.clone(),
            minimum: *minimum,
            maximum: *maximum,
            per: divided(*per),
        },
        Wanted::Hits { value, per } => Counting::Hits {
            value: value.clone(),
            per: divided(*per),
        },
        Wanted::Lost => Counting::Lost,
    }
}

fn id_number(id: Uuid) -> u128 {
    id.as_u128()
}

#[cfg(test)]
mod tests;
