//! Log records that are events of ours: evaluations and judgements, in the span that was current.

use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::{
    attributes,
    dropped::{Dropped, Tally},
    gen_ai,
    ids::SpanId,
    names,
    process::Source,
    reader::{Found, Reader},
    served,
};

impl Reader<'_> {
    /// Reads one record. Those that are no event of ours say nothing.
    pub(super) fn record<'t>(&self, record: &LogRecord, source: Source, tally: &'t mut Tally) -> Option<Found<'t>> {
        let name = event(record);
        if ![names::EVALUATION, names::RESULT].contains(&name) {
            return None;
        }
        let Some(id) = SpanId::read(&record.trace_id, &record.span_id) else {
            tally.drop(Dropped::NoSpan, 1);
            return None;
        };
        let mut found = Found::of(id, source.process, tally);
        if name == names::EVALUATION {
            let times = [record.time_unix_nano, record.observed_time_unix_nano];
            let served = times.into_iter().find(|time| *time > 0).unwrap_or(0);
            found.evaluation(self, &served::Said::of(&record.attributes), served);
        } else {
            found.judgement(gen_ai::judged(&record.attributes));
        }
        Some(found)
    }
}

/// The event that a record is; empty if it is none.
fn event(record: &LogRecord) -> &str {
    if !record.event_name.is_empty() {
        return &record.event_name;
    }
    let named = attributes::each(&record.attributes).find(|(key, _)| *key == names::EVENT_NAME);
    named.and_then(|(_, value)| attributes::text(value)).unwrap_or_default()
}
