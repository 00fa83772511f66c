#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Buckets};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::*;
use crate::{
    health::{
        caller::Caller,
        otlp::samples::{
            double, evaluated, evaluation, event, failed, number, record, request, span, telling, text, with,
        },
    },
    samples::Contents,
    server_clock::ServerClock,
};

/// Reads with the rollout at everybody.
fn read(span: &v1::Span) -> (Option<Span>, Tally) {
    let snapshot = Contents::production().rollout(Buckets::ALL).snapshot(1);
    let (clock, mut tally) = (ServerClock::new(), Tally::default());
    let reader = Reader {
        snapshot: &snapshot,
        clock: &clock,
    };
    (reader.span(span, Source::of(None, Caller::ANYBODY), &mut tally), tally)
}

fn records(record: &LogRecord) -> (Vec<Item>, Tally) {
    let snapshot = Contents::production().rollout(Buckets::ALL).snapshot(1);
    let (clock, mut tally) = (ServerClock::new(), Tally::default());
    let reader = Reader {
        snapshot: &snapshot,
        clock: &clock,
    };
    let found = reader.record(record, Source::of(None, Caller::ANYBODY), &mut tally);
    (found.map(|found| found.items).unwrap_or_default(), tally)
}

/// The arms served and the numbers measured.
fn said(items: &[Item]) -> (Vec<Arm>, Vec<f64>) {
    let (mut arms, mut numbers) = (Vec::new(), Vec::new());
    for item in items {
        match &item.what {
            What::Served(attributed) => arms.push(attributed.arm),
            What::Measured(measured) => numbers.push(measured.number),
        }
    }
    (arms, numbers)
}

#[test]
fn an_evaluation_stands_in_an_event_in_attributes_or_in_a_span_of_its_own() {
    let older = event("feature_flag", evaluated("on", "ada"));
    for span in [
        telling(request(1), vec![evaluation("on", "ada")]),
        telling(request(1), vec![older]),
        with(request(1), evaluated("on", "ada")),
        with(span(2, 1, SpanKind::Internal), evaluated("on", "ada")),
    ] {
        let (read, tally) = read(&span);
        assert_eq!(said(&read.unwrap().items), (vec![Arm::Treatment], Vec::new()));
        assert_eq!(tally, Tally::default());
    }
}

#[test]
fn an_exposure_that_cannot_be_counted_is_told_apart_from_what_was_none() {
    let events = vec![
        evaluation("off", "ada"),
        evaluation("third", "bob"),
        event("feature_flag", Vec::new()),
    ];
    let (span, tally) = read(&telling(request(1), events));
    let span = span.unwrap();
    assert_eq!((span.items.len(), span.uncounted.len()), (0, 2));
    assert_eq!(tally.dropped, [(Dropped::OtherArm, 2), (Dropped::Malformed, 1)].into());
}

#[test]
fn a_request_is_what_is_served_or_taken_from_a_queue() {
    for (kind, is_request) in [
        (SpanKind::Server, true),
        (SpanKind::Consumer, true),
        (SpanKind::Client, false),
        (SpanKind::Producer, false),
        (SpanKind::Internal, false),
        (SpanKind::Unspecified, false),
    ] {
        assert_eq!(read(&span(1, 0, kind)).0.unwrap().is_request, is_request, "{kind:?}");
    }
    let unknown = v1::Span {
        kind: 77,
        ..span(1, 0, SpanKind::Server)
    };
    assert!(!read(&unknown).0.unwrap().is_request);
}

#[test]
fn answers_and_judgements_are_values() {
    let chat = with(
        span(2, 1, SpanKind::Client),
        vec![
            number("gen_ai.usage.input_tokens", 7),
            double("gen_ai.response.time_to_first_chunk", 0.5),
        ],
    );
    let result = vec![
        text("gen_ai.evaluation.name", "faithfulness"),
        double("gen_ai.evaluation.score.value", 0.9),
    ];
    let judged = telling(chat, vec![event("gen_ai.evaluation.result", result.clone())]);
    assert_eq!(said(&read(&judged).0.unwrap().items).1, [7.0, 500_000.0, 0.9]);
    assert_eq!(
        said(&records(&record("gen_ai.evaluation.result", 2, result)).0).1,
        [0.9]
    );
    let nameless = record("gen_ai.evaluation.result", 2, Vec::new());
    assert_eq!(records(&nameless).1.dropped, [(Dropped::Judgement, 1)].into());
}

#[test]
fn a_record_is_an_event_by_its_name_or_by_an_attribute_of_older_libraries() {
    let current = record("feature_flag.evaluation", 2, evaluated("on", "ada"));
    let older = record(
        "",
        2,
        [
            evaluated("on", "ada"),
            vec![text("event.name", "feature_flag.evaluation")],
        ]
        .concat(),
    );
    for record in [current, older] {
        let (items, tally) = records(&record);
        assert_eq!(said(&items).0, [Arm::Treatment]);
        assert_eq!(tally, Tally::default());
    }
    for other in [
        record("", 2, evaluated("on", "ada")),
        record("user.login", 2, Vec::new()),
    ] {
        assert_eq!(records(&other), (Vec::new(), Tally::default()), "no event of ours");
    }
    let alone = LogRecord {
        trace_id: Vec::new(),
        ..record("feature_flag.evaluation", 2, evaluated("on", "ada"))
    };
    assert_eq!(records(&alone).1.dropped, [(Dropped::NoSpan, 1)].into());
}

#[test]
fn a_span_without_ids_is_none_and_one_without_anything_else_is_one() {
    let bare = v1::Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        ..v1::Span::default()
    };
    let read_bare = read(&bare).0.unwrap();
    assert_eq!(
        (read_bare.parent, read_bare.ended.duration_us),
        (Parent::Elsewhere, None)
    );
    for malformed in [
        v1::Span {
            trace_id: vec![1; 3],
            ..bare.clone()
        },
        v1::Span {
            span_id: Vec::new(),
            ..bare
        },
    ] {
        assert!(read(&malformed).0.is_none());
    }
}

#[test]
fn events_beyond_the_limit_are_dropped_and_counted() {
    let span = telling(failed(request(1)), vec![evaluation("on", "ada"); EVENTS + 3]);
    let (span, tally) = read(&span);
    assert_eq!(span.unwrap().items.len(), EVENTS);
    assert_eq!(tally.dropped, [(Dropped::TooMany, 3)].into());
}
