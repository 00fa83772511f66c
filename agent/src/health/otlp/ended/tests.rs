use super::*;
use crate::health::otlp::samples::{event, failed, number, request, telling, text, with};

/// How a request ended that says this of itself.
fn ended(span: &Span) -> Ended {
    let mut said = Said::default();
    attributes::each(&span.attributes).for_each(|(key, value)| said.attribute(key, value));
    for event in &span.events {
        attributes::each(&event.attributes).for_each(|(key, value)| said.exception(key, value));
    }
    said.ended(span, Caller::ANYBODY, false)
}

fn said(attributes: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>) -> (Option<Outcome>, Option<String>) {
    let ended = ended(&with(request(1), attributes));
    (ended.outcome, ended.class.map(String::from))
}

const OK: (Option<Outcome>, Option<String>) = (Some(Outcome::Ok), None);

fn bad(outcome: Outcome, class: &str) -> (Option<Outcome>, Option<String>) {
    (Some(outcome), Some(class.to_owned()))
}

#[test]
fn an_http_status_from_500_on_is_an_error_and_504_a_timeout() {
    for name in ["http.response.status_code", "http.status_code"] {
        for status in [200, 302, 404, 429] {
            assert_eq!(said(vec![number(name, status)]), OK, "{name} {status}");
        }
        assert_eq!(said(vec![number(name, 503)]), bad(Outcome::Error, "503"));
        assert_eq!(said(vec![number(name, 504)]), bad(Outcome::Timeout, "504"));
        assert_eq!(said(vec![number(name, 499)]), (None, None), "the caller went away");
    }
    let both = vec![
        number("http.response.status_code", 200),
        number("http.status_code", 500),
    ];
    assert_eq!(said(both), OK, "the current name counts");
    assert_eq!(
        ended(&with(request(1), vec![number("http.status_code", 201)])).http_status,
        Some(201)
    );
    assert_eq!(
        ended(&with(request(1), vec![text("http.status_code", "201")])).http_status,
        Some(201)
    );
    for none in [
        number("http.status_code", 0),
        number("http.status_code", 70_000),
        text("http.status_code", "ok"),
    ] {
        assert_eq!(ended(&with(request(1), vec![none])).http_status, None);
    }
}

#[test]
fn a_status_of_grpc_counts_in_words_and_as_a_number() {
    for name in ["rpc.status_code", "rpc.response.status_code", "rpc.grpc.status_code"] {
        for (word, code, expected) in [
            ("OK", 0, OK),
            ("NOT_FOUND", 5, OK),
            ("RESOURCE_EXHAUSTED", 8, OK),
            ("CANCELLED", 1, (None, None)),
            ("DEADLINE_EXCEEDED", 4, bad(Outcome::Timeout, "deadline_exceeded")),
            ("UNKNOWN", 2, bad(Outcome::Error, "unknown")),
            ("UNAVAILABLE", 14, bad(Outcome::Error, "unavailable")),
            ("DATA_LOSS", 15, bad(Outcome::Error, "data_loss")),
        ] {
            assert_eq!(said(vec![text(name, word)]), expected, "{name} {word}");
            assert_eq!(said(vec![number(name, code)]), expected, "{name} {code}");
        }
        assert_eq!(said(vec![number(name, -32_602)]), OK, "of another protocol");
    }
}

#[test]
fn a_span_that_failed_by_its_own_word_is_an_error_of_its_class() {
    let of = |attributes| {
        let ended = ended(&failed(with(request(1), attributes)));
        (ended.outcome, ended.class.map(String::from))
    };
    assert_eq!(of(Vec::new()), (Some(Outcome::Error), None));
    assert_eq!(
        of(vec![text("error.type", "CardDeclined")]),
        bad(Outcome::Error, "carddeclined")
    );
    for timeout in [
        "timeout",
        "java.net.SocketTimeoutException",
        "asyncio.TimeoutError",
        "deadline exceeded",
    ] {
        assert_eq!(
            of(vec![text("error.type", timeout)]).0,
            Some(Outcome::Timeout),
            "{timeout}"
        );
    }
    assert_eq!(of(vec![text("error.type", "_OTHER")]), bad(Outcome::Error, "other"));
    let both = vec![text("error.type", "_OTHER"), number("http.response.status_code", 500)];
    assert_eq!(of(both), bad(Outcome::Error, "500"));
}

#[test]
fn without_a_class_the_last_exception_is_it() {
    let exception = |name| event("exception", vec![text("exception.type", name)]);
    let span = telling(
        failed(request(1)),
        vec![exception("KeyError"), exception("TimeoutError")],
    );
    let ended = ended(&span);
    assert_eq!(
        (ended.outcome, ended.class.as_deref()),
        (Some(Outcome::Timeout), Some("timeouterror"))
    );
    let well = telling(request(1), vec![exception("KeyError")]);
    assert_eq!(super::tests::ended(&well).class, None, "what was handled is no failure");
}

#[test]
fn a_class_is_what_an_outcome_may_carry() {
    for (name, expected) in [
        ("psycopg2.errors.Deadlock", Some("psycopg2.errors.deadlock")),
        ("card declined: 4711", Some("card-declined--4711")),
        ("_private", Some("private")),
        ("Zeitüberschreitung", Some("zeit-berschreitung")),
        ("\u{1f4a5}", None),
        ("", None),
    ] {
        assert_eq!(class(name).as_deref(), expected, "{name}");
    }
    assert_eq!(class(&"x".repeat(500)).unwrap_or_default().len(), CLASS);
}

#[test]
fn a_duration_is_what_lies_between_the_times_if_they_are_in_order() {
    let took = |start_time_unix_nano, end_time_unix_nano| {
        let span = Span {
            start_time_unix_nano,
            end_time_unix_nano,
            ..request(1)
        };
        ended(&span).duration_us
    };
    assert_eq!(took(1_000, 26_999), Some(25));
    assert_eq!(took(1_000, 1_000), Some(0));
    assert_eq!(took(2_000, 1_000), None);
    assert_eq!(took(0, 1_000), None, "never begun");
    assert_eq!(took(1, u64::MAX), Some((u64::MAX - 1) / 1_000));
}

#[test]
fn a_sample_is_marked_by_its_process_or_its_trace() {
    let sampled = Span {
        trace_state: "ot=th:8".to_owned(),
        ..request(1)
    };
    assert!(ended(&sampled).is_sampled);
    assert!(!ended(&request(1)).is_sampled);
    assert!(Said::default().ended(&request(1), Caller::ANYBODY, true).is_sampled);
}
