//! OpenTelemetry as a door for outcomes: evaluations that a service traced, joined to how the requests ended.
//!
//! Spans and log records are read here (`span`, `record`), what they say of flags becomes an exposure at once
//! (`served`), and `join` brings it together with the span of its request, which `ended` and `gen_ai` have read.
//! Nothing that names a person is kept. The exposure itself was counted when this agent served it; here only its
//! outcome is. Metrics are not used: an aggregate tells neither requests nor units apart (`aggregates`).

mod aggregates;
mod attributes;
mod dropped;
mod ended;
mod gen_ai;
mod ids;
mod join;
mod names;
mod process;
mod reader;
mod record;
mod refused;
mod request;
mod sampling;
mod served;
mod span;

#[cfg(test)]
pub(crate) mod samples;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use evaluation::{Attributed, Exposure, Position, Snapshot};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use runtime::shutdown::Shutdown;
use twox_hash::XxHash3_64;

pub(crate) use self::refused::Refused;
use self::{
    dropped::{Dropped, Tally},
    join::{Join, Limits},
    process::Source,
    reader::Reader,
    refused::Counted,
    request::Joined,
};
use super::{
    caller::Caller,
    exposed::Exposed,
    observe::{Intake, Observer},
    report::{ErrorClass, Report, VALUES, Value},
};
use crate::metrics;

/// Spans that are read of one message; a message of 4 MiB has hardly more.
const SPANS: usize = 10_000;
/// Log records that are read of one message.
const RECORDS: usize = 10_000;
/// Data points that are read of one message.
const POINTS: usize = 100_000;
/// What is remembered: for as long as the batches of an SDK and a request of some length are apart.
const LIMITS: Limits = Limits {
    spans: 65_536,
    waiting: 16_384,
    age: Duration::from_secs(60),
};
/// How often what is too old is let go of.
const EXPIRY: Duration = Duration::from_secs(2);
/// Key of the value that an HTTP status is reported as.
const HTTP_STATUS: &str = evaluation::Counting::STATUS_VALUE;

/// What is told to who sends metrics about flags.
const AGGREGATED: &str = "\
    metrics about flags are not used, because they tell neither requests nor units apart: send traces, \
    or feature_flag.evaluation events as logs beside traces";

/// Takes telemetry in.
#[derive(Debug)]
pub(crate) struct Receiver {
    observer: Observer,
    join: Mutex<Join>,
}

impl Receiver {
    /// Counts with this observer.
    pub(crate) fn new(observer: Observer) -> Self {
        Self {
            observer,
            join: Mutex::new(Join::new(LIMITS)),
        }
    }

    /// Takes in spans.
    pub(crate) fn traces(&self, request: &ExportTraceServiceRequest, caller: Caller) -> Refused {
        let snapshot = self.observer.holder.load_full();
        let (reader, mut tally) = (self.reader(&snapshot), Tally::default());
        let (mut spans, mut counted) = (Vec::new(), Counted::up_to(SPANS));
        for resource in &request.resource_spans {
            let source = Source::of(resource.resource.as_ref(), caller);
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                if !counted.one_more() {
                    continue;
                }
                match reader.span(span, source, &mut tally) {
                    Some(span) => spans.push(span),
                    None => counted.malformed(),
                }
            }
        }
        let refused = counted.refused("spans", &mut tally);
        for span in &mut spans {
            self.await_no_more(&snapshot, std::mem::take(&mut span.uncounted));
        }
        let joined = self.lock().take(spans, Vec::new(), Instant::now(), &mut tally);
        self.count(&snapshot, joined, tally);
        refused
    }

    /// Takes in log records; those that are no events of ours are passed over.
    pub(crate) fn logs(&self, request: &ExportLogsServiceRequest, caller: Caller) -> Refused {
        let snapshot = self.observer.holder.load_full();
        let (reader, mut tally) = (self.reader(&snapshot), Tally::default());
        let (mut items, mut counted) = (Vec::new(), Counted::up_to(RECORDS));
        for resource in &request.resource_logs {
            let source = Source::of(resource.resource.as_ref(), caller);
            for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                let found = counted.one_more().then(|| reader.record(record, source, &mut tally));
                if let Some(found) = found.flatten() {
                    items.extend(found.items);
                    self.await_no_more(&snapshot, found.uncounted);
                }
            }
        }
        let refused = counted.refused("log records", &mut tally);
        let joined = self.lock().take(Vec::new(), items, Instant::now(), &mut tally);
        self.count(&snapshot, joined, tally);
        refused
    }

    /// Takes in metrics, and uses none; says so to who sends some about flags.
    pub(crate) fn metrics(&self, request: &ExportMetricsServiceRequest) -> Refused {
        let points = aggregates::of(request, POINTS);
        metrics::otlp_metrics_not_used("no_flag", points.plain);
        metrics::otlp_metrics_not_used("aggregated", points.of_flags);
        metrics::otlp_metrics_not_used("too_many", points.unread);
        if points.of_flags == 0 {
            return Refused::default();
        }
        Refused {
            count: i64::try_from(points.of_flags).unwrap_or(i64::MAX),
            why: AGGREGATED.to_owned(),
        }
    }

    /// Lets go of what is too old, until the process drains.
    pub(crate) async fn run(&self, shutdown: Shutdown) {
        let mut interval = tokio::time::interval(EXPIRY);
        loop {
            tokio::select! {
                _ = interval.tick() => self.expire(Instant::now()),
                () = shutdown.draining() => return,
            }
        }
    }

    fn expire(&self, now: Instant) {
        let mut tally = Tally::default();
        let (joined, (spans, waiting)) = {
            let mut join = self.lock();
            (join.expire(now, &mut tally), join.size())
        };
        metrics::otlp_remembered(spans, waiting);
        self.count(&self.observer.holder.load_full(), joined, tally);
    }

    fn reader<'s>(&'s self, snapshot: &'s Snapshot) -> Reader<'s> {
        Reader {
            snapshot,
            clock: &self.observer.clock,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Join> {
        self.join.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exposures were told of that cannot be counted.
    fn await_no_more(&self, snapshot: &Snapshot, uncounted: Vec<Attributed>) {
        if !uncounted.is_empty() {
            let mut intake = self.observer.intake(snapshot, Caller::ANYBODY);
            intake.cancelled(uncounted.iter().map(|attributed| Ok(exposed(attributed, 0))));
        }
    }

    /// Counts what was joined, and shows what became of the message.
    fn count(&self, snapshot: &Snapshot, joined: Vec<Joined>, mut tally: Tally) {
        for joined in joined.chunk_by(|one, next| one.ended.caller == next.ended.caller) {
            let caller = joined.first().map_or(Caller::ANYBODY, |joined| joined.ended.caller);
            let mut intake = self.observer.intake(snapshot, caller);
            for joined in joined {
                observe(&mut intake, joined, &mut tally);
            }
            intake.finish();
        }
        let measured = |rollout: &u32| snapshot.measurement(*rollout);
        for measurement in tally.of_rollouts.iter().filter_map(measured) {
            self.observer.counters.dropped(measurement, 1);
        }
        self.await_no_more(snapshot, std::mem::take(&mut tally.told));
        for (result, times) in tally.results() {
            metrics::otlp(result, times);
        }
    }
}

/// Counts one request, or what came later of it.
fn observe(intake: &mut Intake<'_>, joined: &Joined, tally: &mut Tally) {
    let Joined { ended, is_first, .. } = joined;
    let exposed = || {
        joined
            .exposed
            .iter()
            .map(|attributed| Ok(exposed(attributed, joined.id.spread())))
    };
    if ended.outcome.is_none() {
        tally.drop(Dropped::Cancelled, joined.exposed.len() as u64);
        return intake.cancelled(exposed());
    }
    let status = ended.http_status.filter(|_| *is_first);
    let status = status.and_then(|status| Value::new(HTTP_STATUS, f64::from(status)));
    let told = joined
        .values
        .iter()
        .filter_map(|(key, number)| Value::new(key, *number));
    let values: Vec<Value<'_>> = status.into_iter().chain(told).take(VALUES).collect();
    let later = Report {
        sampled: ended.is_sampled,
        ..Report::later(&values)
    };
    let report = if *is_first {
        Report {
            outcome: ended.outcome,
            duration_us: ended.duration_us,
            class: ended.class.as_deref().and_then(ErrorClass::parse),
            ..later
        }
    } else {
        later
    };
    intake.count(&report, exposed());
}

/// What was exposed; who is not known is put anywhere by this number, the same for all of a trace.
fn exposed(attributed: &Attributed, spread: u64) -> Exposed {
    let Attributed { place, arm, position } = *attributed;
    let exposure = |position| Exposure {
        rollout: place.rollout,
        stage: place.stage,
        stratum: place.stratum,
        arm,
        position,
    };
    match position {
        Some(position) => Exposed::unit(exposure(position)),
        None => Exposed::somebody(
            exposure(Position::of(0, "")),
            XxHash3_64::oneshot(&spread.to_le_bytes()),
        ),
    }
}

#[cfg(test)]
mod tests;
