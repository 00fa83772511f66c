#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use evaluation::{Arm, Buckets, Counting, Measurement, MetricSpec, Per};
use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value as Any},
    metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data},
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Event, SpanKind},
    },
};
use proptest::{collection::vec, prelude::*};

use super::{
    samples::{
        attribute, double, evaluated, evaluation, event, failed, logs, number, record, request, span, telling, text,
        traces, with,
    },
    *,
};
use crate::{
    health::slice::Counts,
    samples::{Contents, exposure, measurement, moment},
    server_clock::ServerClock,
};

/// Errors, HTTP statuses that are bad, and tokens.
fn measured() -> Measurement {
    let metric = |number, counting| MetricSpec {
        number,
        counting,
        ..measurement().metrics[0].clone()
    };
    let tokens = Counting::Sum {
        value: "tokens-per-query".to_owned(),
        minimum: 0,
        maximum: i64::MAX,
        per: Per::Value,
    };
    Measurement {
        metrics: vec![
            measurement().metrics[0].clone(),
            metric(1, Counting::Status { from: 400, to: 599 }),
            metric(2, tokens),
        ],
        ..measurement()
    }
}

/// A receiver for the rollout at everybody.
fn receiver() -> Receiver {
    Receiver::new(Observer {
        holder: Contents::production()
            .rollout(Buckets::ALL)
            .measured(&measured())
            .held(1),
        counters: Arc::default(),
        clock: ServerClock::new(),
    })
}

/// What was counted in treatment since the last time.
fn counted(receiver: &Receiver) -> Counts {
    let through = receiver.observer.clock.tick() + 2_000;
    let drained = receiver.observer.counters.drain(&measured(), through);
    let all = drained.slices.into_iter().reduce(|mut all, slice| {
        all.add(slice);
        all
    });
    let mut cells = all.map(|slice| slice.cells).unwrap_or_default();
    let counts = cells.pop_first().map(|(key, counts)| {
        assert_eq!(key.arm, Arm::Treatment);
        counts
    });
    assert!(cells.is_empty());
    counts.unwrap_or_default()
}

fn take(receiver: &Receiver, spans: Vec<Span>) -> Refused {
    receiver.traces(&traces("shop", spans), Caller::ANYBODY)
}

fn take_record(receiver: &Receiver, span: u64, attributes: Vec<KeyValue>) -> Refused {
    let record = record("feature_flag.evaluation", span, attributes);
    receiver.logs(&logs("shop", vec![record]), Caller::ANYBODY)
}

#[test]
fn a_request_counts_as_it_ended_for_what_was_evaluated_in_it() {
    let receiver = receiver();
    assert_eq!(
        take(
            &receiver,
            vec![telling(failed(request(1)), vec![evaluation("on", "ada")])]
        ),
        Refused::default()
    );
    let counts = counted(&receiver);
    assert_eq!((counts.outcomes, counts.bad, counts.sampled_outcomes), (1, 1, 0));
    assert_eq!(counts.metrics[0].bad, [Position::of(5, "ada")]);
    assert_eq!(counts.exposures, 0, "that was counted when it was served");
    let mut took = super::super::histogram::Histogram::default();
    took.add(25_000);
    assert_eq!(counts.durations, took);
}

#[test]
fn an_evaluation_that_is_logged_finds_its_request_before_and_after_it() {
    let receiver = receiver();
    let inner = || span(2, 1, SpanKind::Internal);
    take_record(&receiver, 2, evaluated("on", "ada"));
    assert_eq!(counted(&receiver).outcomes, 0);
    take(&receiver, vec![inner()]);
    take(&receiver, vec![request(1)]);
    assert_eq!(counted(&receiver).outcomes, 1);
    take_record(&receiver, 1, evaluated("on", "ada"));
    take(&receiver, vec![inner(), request(1)]);
    assert_eq!(counted(&receiver).outcomes, 0, "it is told again");
}

#[test]
fn who_is_not_told_is_no_unit() {
    let receiver = receiver();
    let mut attributes = evaluated("on", "ada");
    attributes.retain(|attribute| attribute.key != "feature_flag.context.id");
    take(&receiver, vec![with(failed(request(1)), attributes)]);
    let counts = counted(&receiver);
    assert_eq!((counts.outcomes, counts.bad), (1, 1));
    assert_eq!(counts.metrics[0].bad, []);
}

#[test]
fn a_cancelled_request_counts_nowhere() {
    let receiver = receiver();
    let gone = with(request(1), vec![number("http.response.status_code", 499)]);
    take(&receiver, vec![telling(gone, vec![evaluation("on", "ada")])]);
    assert_eq!(counted(&receiver).outcomes, 0);
}

#[test]
fn a_sample_is_counted_as_one() {
    let receiver = receiver();
    let sampled = Span {
        trace_state: "ot=th:c".to_owned(),
        ..telling(request(1), vec![evaluation("on", "ada")])
    };
    take(&receiver, vec![sampled]);
    assert_eq!(counted(&receiver).sampled_outcomes, 1);
}

#[test]
fn a_status_and_tokens_are_values_of_the_request() {
    let receiver = receiver();
    let chat = |id, tokens| {
        with(
            span(id, 1, SpanKind::Client),
            vec![number("gen_ai.usage.input_tokens", tokens)],
        )
    };
    let served = with(request(1), vec![number("http.response.status_code", 404)]);
    let served = telling(served, vec![evaluation("on", "ada")]);
    take(&receiver, vec![chat(2, 100), chat(3, 20), served]);
    let counts = counted(&receiver);
    assert_eq!(counts.bad, 0, "404 is the caller's fault");
    let sums = |metric: usize| counts.metrics[metric].sums.total();
    assert_eq!((sums(1), sums(2)), ((1, 1), (120_000_000, 1)));
    take(&receiver, vec![chat(4, 3)]);
    let later = counted(&receiver);
    assert_eq!((later.outcomes, later.metrics[2].sums.total()), (0, (3_000_000, 1)));
}

#[test]
fn a_parent_that_never_came_is_given_up_in_time() {
    let receiver = receiver();
    let orphan = Span {
        flags: 1,
        ..telling(span(2, 99, SpanKind::Internal), vec![evaluation("on", "ada")])
    };
    take(&receiver, vec![orphan]);
    receiver.expire(Instant::now());
    assert_eq!(counted(&receiver).outcomes, 0);
    receiver.expire(Instant::now() + LIMITS.age);
    assert_eq!(counted(&receiver).outcomes, 1);
}

#[test]
fn what_cannot_be_joined_is_dropped_and_its_rollout_hears_of_it() {
    let receiver = receiver();
    take_record(&receiver, 77, evaluated("on", "ada"));
    receiver.expire(Instant::now() + LIMITS.age);
    let through = receiver.observer.clock.tick() + 2_000;
    assert_eq!(receiver.observer.counters.drain(&measured(), through).unsaid.dropped, 1);
}

/// How many exposures are lost after a process reported that says this of what it sends.
fn lost(said: &[KeyValue]) -> u64 {
    let receiver = receiver();
    let mut export = traces("shop", vec![telling(request(1), vec![evaluation("on", "ada")])]);
    let resource = export.resource_spans[0].resource.get_or_insert_default();
    resource.attributes.extend_from_slice(said);
    receiver.traces(&export, Caller::ANYBODY);
    let (counters, tick) = (&receiver.observer.counters, receiver.observer.clock.tick());
    counters.exposed(&measured(), &exposure(Arm::Treatment, 9), Caller::ANYBODY, moment(tick));
    counters.find_lost(&measured(), moment(tick + 1_000));
    counted(&receiver).lost
}

#[test]
fn only_a_process_that_says_that_it_sends_everything_can_lose_an_outcome() {
    assert_eq!(lost(&[]), 0);
    assert_eq!(lost(&[text("tidegate.sampled", "true")]), 0);
    assert_eq!(lost(&[text("tidegate.sampled", "false")]), 1);
}

#[test]
fn an_exposure_of_a_stage_that_is_over_is_awaited_no_more() {
    let receiver = receiver();
    let (counters, tick) = (&receiver.observer.counters, receiver.observer.clock.tick());
    let ada = Exposure {
        position: Position::of(5, "ada"),
        ..exposure(Arm::Treatment, 0)
    };
    for position in [ada, exposure(Arm::Treatment, 9)] {
        crate::samples::report(counters, &measured(), position, super::super::report::Outcome::Ok, tick);
        counters.exposed(&measured(), &position, Caller::ANYBODY, moment(tick));
    }
    take(&receiver, vec![telling(request(1), vec![evaluation("off", "ada")])]);
    counters.find_lost(&measured(), moment(tick + 1_000));
    assert_eq!(counted(&receiver).lost, 1, "the other one is");
}

#[test]
fn every_unit_of_a_request_is_awaited_no_more_however_late_and_many_they_are() {
    let receiver = receiver();
    let (counters, tick) = (&receiver.observer.counters, receiver.observer.clock.tick());
    let names: Vec<_> = (0..100).map(|number| format!("user-{number}")).collect();
    let at = |name: &str| Exposure {
        position: Position::of(5, name),
        ..exposure(Arm::Treatment, 0)
    };
    let first = at("first");
    crate::samples::report(counters, &measured(), first, super::super::report::Outcome::Ok, tick);
    for name in &names {
        counters.exposed(&measured(), &at(name), Caller::ANYBODY, moment(tick));
    }
    let silent = exposure(Arm::Treatment, 9);
    counters.exposed(&measured(), &silent, Caller::ANYBODY, moment(tick));
    let (early, late) = names.split_at(80);
    let evaluations = early.iter().map(|name| evaluation("on", name)).collect();
    take(&receiver, vec![telling(request(1), evaluations)]);
    for name in late {
        take_record(&receiver, 1, evaluated("on", name));
    }
    counters.find_lost(&measured(), moment(tick + 1_000));
    assert_eq!(counted(&receiver).lost, 1, "nobody was told of that one");
}

#[test]
fn what_is_malformed_or_too_much_is_refused_and_the_rest_is_taken() {
    let receiver = receiver();
    let malformed = Span {
        trace_id: vec![1],
        ..request(2)
    };
    let served = telling(request(1), vec![evaluation("on", "ada")]);
    let refused = take(&receiver, vec![malformed, served]);
    assert_eq!(refused.count, 1);
    assert!(refused.why.contains("without a trace id"), "{}", refused.why);
    assert_eq!(counted(&receiver).outcomes, 1);
    let spans = (1..=SPANS as u64 + 2).map(|id| span(id + 1_000, 0, SpanKind::Internal));
    let refused = take(&receiver, spans.collect());
    assert_eq!(refused.count, 2);
    assert!(refused.why.contains("more than 10000 spans"), "{}", refused.why);
}

#[test]
fn metrics_about_flags_are_refused_and_others_are_taken_and_not_used() {
    let export = |attributes| ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    data: Some(Data::Gauge(Gauge {
                        data_points: vec![NumberDataPoint {
                            attributes,
                            ..NumberDataPoint::default()
                        }],
                    })),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    };
    let receiver = receiver();
    assert_eq!(receiver.metrics(&export(Vec::new())), Refused::default());
    let refused = receiver.metrics(&export(evaluated("on", "ada")));
    assert_eq!(refused.count, 1);
    assert!(refused.why.contains("send traces"), "{}", refused.why);
}

#[test]
fn what_became_of_it_is_shown() {
    let (recorder, rendered) = runtime::telemetry::local_metrics();
    ::metrics::with_local_recorder(&recorder, || {
        let receiver = receiver();
        let events = vec![evaluation("on", "ada"), event("feature_flag.evaluation", Vec::new())];
        take(&receiver, vec![telling(request(1), events)]);
        receiver.expire(Instant::now());
    });
    let text = rendered.render();
    for line in [
        "tidegate_agent_otlp_total{result=\"joined\"} 1",
        "tidegate_agent_otlp_total{result=\"malformed\"} 1",
        "tidegate_agent_otlp_spans 1",
        "tidegate_agent_otlp_waiting 0",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

/// Any value under a name that is read, or another.
fn any_attribute() -> impl Strategy<Value = KeyValue> {
    let name = prop::sample::select(vec![
        "feature_flag.key",
        "feature_flag.result.variant",
        "feature_flag.result.reason",
        "feature_flag.version",
        "feature_flag.context.id",
        "tidegate.token",
        "http.response.status_code",
        "rpc.status_code",
        "error.type",
        "gen_ai.usage.input_tokens",
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.value",
        "other",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "checkout",
            "on",
            "off",
            "split",
            "r7.0.0",
            "ada",
            "",
            "OK",
            "hallucination"
        ])
        .prop_map(|text| Any::StringValue(text.to_owned())),
        "\\PC{0,80}".prop_map(Any::StringValue),
        any::<i64>().prop_map(Any::IntValue),
        any::<f64>().prop_map(Any::DoubleValue),
        any::<bool>().prop_map(Any::BoolValue),
        vec(any::<u8>(), 0..9).prop_map(Any::BytesValue),
    ];
    (name, value).prop_map(|(name, value)| attribute(name, value))
}

fn any_span() -> impl Strategy<Value = Span> {
    let id = || prop_oneof![vec(1_u8..4, 8), vec(any::<u8>(), 0..20)];
    let trace = prop_oneof![Just(vec![7; 16]), vec(any::<u8>(), 0..20)];
    let name = prop::sample::select(vec![
        "feature_flag.evaluation",
        "feature_flag",
        "gen_ai.evaluation.result",
        "exception",
        "other",
    ]);
    let events = vec((name, vec(any_attribute(), 0..6), any::<u64>()), 0..4);
    let ids = (trace, id(), id());
    let rest = (vec(any_attribute(), 0..8), any::<i32>(), any::<u32>(), "\\PC{0,30}");
    (ids, rest, events, any::<(u64, u64, i32)>()).prop_map(|(ids, rest, events, (start, end, code))| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        attributes: rest.0,
        kind: rest.1.rem_euclid(7),
        flags: rest.2,
        trace_state: rest.3,
        events: events
            .into_iter()
            .map(|(name, attributes, time_unix_nano)| Event {
                time_unix_nano,
                ..event(name, attributes)
            })
            .collect(),
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        status: Some(Status {
            code,
            ..Status::default()
        }),
        ..Span::default()
    })
}

proptest! {
    #[test]
    fn whatever_is_sent_is_answered(
        spans in vec(any_span(), 0..20),
        records in vec((any_attribute(), 0_u64..5), 0..5),
    ) {
        let receiver = receiver();
        let export = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
                ..ResourceSpans::default()
            }],
        };
        let refused = receiver.traces(&export, Caller::ANYBODY);
        prop_assert!(refused.count <= 20);
        let records = records.into_iter().map(|(attribute, span)| {
            record("feature_flag.evaluation", span, [evaluated("on", "ada"), vec![attribute]].concat())
        });
        receiver.logs(&logs("shop", records.collect()), Caller::ANYBODY);
        receiver.expire(Instant::now() + LIMITS.age);
        prop_assert_eq!(receiver.lock().size(), (0, 0));
    }
}

#[test]
fn a_judgement_of_another_process_counts_for_the_request() {
    let receiver = receiver();
    take(&receiver, vec![telling(request(1), vec![evaluation("on", "ada")])]);
    counted(&receiver);
    let result = vec![
        text("gen_ai.evaluation.name", "tokens per query"),
        double("gen_ai.evaluation.score.value", 0.5),
    ];
    receiver.logs(
        &logs("judge", vec![record("gen_ai.evaluation.result", 1, result)]),
        Caller::ANYBODY,
    );
    let counts = counted(&receiver);
    assert_eq!((counts.outcomes, counts.metrics[2].sums.total()), (0, (500_000, 1)));
}
