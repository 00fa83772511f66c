//! A span as it is joined: who it is, how it ended, and what it says of flags and answers.
//!
//! Evaluations stand in a span's events, in its attributes, or in a span of their own; what it says beyond that, its
//! name and all other attributes, is not kept.

use evaluation::Attributed;
use opentelemetry_proto::tonic::trace::v1::{self, span::SpanKind};

use super::{
    attributes,
    dropped::{Dropped, Tally},
    ended::{self, Ended},
    gen_ai,
    ids::{Parent, SpanId},
    join::{Item, What},
    names,
    process::{Process, Source},
    reader::{Found, Reader},
    served,
};

/// Events that are looked at; OpenTelemetry's own limit is 128.
const EVENTS: usize = 128;

/// A span.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Who it is.
    pub(super) id: SpanId,
    /// Whose it is.
    pub(super) process: Process,
    /// Whom it is part of.
    pub(super) parent: Parent,
    /// Whether it is a request: served, or taken from a queue.
    pub(super) is_request: bool,
    /// How it ended.
    pub(super) ended: Ended,
    /// What it says.
    pub(super) items: Vec<Item>,
    /// Exposures that it tells of and that cannot be counted: they are awaited no more.
    pub(super) uncounted: Vec<Attributed>,
}

impl Reader<'_> {
    /// Reads one span; none if it has no ids.
    pub(super) fn span(&self, span: &v1::Span, source: Source, tally: &mut Tally) -> Option<Span> {
        let id = SpanId::read(&span.trace_id, &span.span_id)?;
        let (mut end, mut served) = (ended::Said::default(), served::Said::default());
        let mut answer = gen_ai::Said::default();
        for (key, value) in attributes::each(&span.attributes) {
            end.attribute(key, value);
            served.attribute(key, value);
            answer.attribute(key, value);
        }
        let mut found = Found::of(id, source.process, tally);
        if served.is_any() {
            found.evaluation(self, &served, span.start_time_unix_nano);
        }
        let kind = span.kind();
        for value in answer.values(kind) {
            found.item(What::Measured(value));
        }
        for event in span.events.iter().take(EVENTS) {
            self.event(event, &mut end, &mut found);
        }
        found.tally.drop(Dropped::Amount, answer.wrong);
        let surplus = span.events.len().saturating_sub(EVENTS);
        found.tally.drop(Dropped::TooMany, surplus as u64);
        Some(Span {
            id,
            process: source.process,
            parent: Parent::of(span),
            is_request: matches!(kind, SpanKind::Server | SpanKind::Consumer),
            ended: end.ended(span, source.caller, source.is_sampled),
            uncounted: found.uncounted,
            items: found.items,
        })
    }

    fn event<'e>(&self, event: &'e v1::span::Event, end: &mut ended::Said<'e>, found: &mut Found<'_>) {
        match event.name.as_str() {
            names::EVALUATION | names::OLDER_EVALUATION => {
                found.evaluation(self, &served::Said::of(&event.attributes), event.time_unix_nano);
            }
            names::RESULT => found.judgement(gen_ai::judged(&event.attributes)),
            names::EXCEPTION => attributes::each(&event.attributes).for_each(|(key, value)| end.exception(key, value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
