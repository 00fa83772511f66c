#![allow(clippy::unwrap_used)]

use super::*;
use crate::webhooks::receiver::{Receiver, Reply};

/// Only a broken test waits so long for an answer.
const FAR: Duration = Duration::from_secs(60);
const ONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.5"]}]}}"#;

fn settings(server: &Receiver) -> Settings {
    Settings {
        address: format!("http://{}/prom", server.address).parse().unwrap(),
        token_file: None,
        authorities: Vec::new(),
    }
}

/// What comes of a question if this is replied to it.
async fn asked(server: &Receiver, reply: Reply, answer: Duration) -> Result<f64, Missing> {
    server.replies(move |_| reply.clone());
    let prometheus = Prometheus::patient(settings(server), answer).unwrap();
    prometheus.ask("vector(1)").await
}

#[tokio::test]
async fn a_query_is_asked_as_a_form_and_answered_by_one_number() {
    let server = Receiver::start().await;
    server.replies(|_| Reply::Says(200, ONE.to_owned()));
    let prometheus = Prometheus::patient(settings(&server), FAR).unwrap();
    let query = "sum(rate(x{v=\"a&b=c\"}[5m])) + 1 % 2";
    assert_eq!(prometheus.ask(query).await, Ok(0.5));
    let came = server.received(1).await.remove(0);
    let read = Url::parse(&format!("http://a/?{}", came.body)).unwrap();
    let pairs: Vec<_> = read.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs, [pair("query", query), pair("timeout", "5s"), pair("limit", "2")]);
    assert_eq!(came.headers["content-type"], "application/x-www-form-urlencoded");
    assert!(!came.headers.contains_key("authorization"));
}

#[tokio::test]
async fn the_token_is_that_of_the_file_at_the_moment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let server = Receiver::start().await;
    server.replies(|_| Reply::Says(200, ONE.to_owned()));
    let settings = Settings {
        token_file: Some(file.clone()),
        ..settings(&server)
    };
    let prometheus = Prometheus::patient(settings, FAR).unwrap();
    let missing = prometheus.ask("x").await.unwrap_err();
    assert!(matches!(missing, Missing::Token(_)), "{missing}");
    for (at, token) in [(0, "one"), (1, "two")] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        assert_eq!(prometheus.ask("x").await, Ok(0.5));
        let came = server.received(at + 1).await.remove(at);
        assert_eq!(came.headers["authorization"], format!("Bearer {token}"));
    }
    for (text, said) in [("", "empty"), (" \n", "empty"), ("a\u{1}b", "characters")] {
        std::fs::write(&file, text).unwrap();
        let missing = prometheus.check_token().await.unwrap_err().to_string();
        assert!(missing.contains(said), "{missing}");
    }
    std::fs::write(&file, "x".repeat(20_000)).unwrap();
    assert!(prometheus.check_token().await.is_err());
}

#[tokio::test]
async fn whatever_is_answered_is_a_number_or_a_reason() {
    let server = Receiver::start().await;
    let says = |status, body: &str| Reply::Says(status, body.to_owned());
    let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    for (reply, expected) in [
        (
            says(400, refused),
            "Prometheus refused the query: bad_data: parse error",
        ),
        (says(500, "down"), "Prometheus answered 500 Internal Server Error"),
        (says(401, ""), "Prometheus answered 401 Unauthorized"),
        (Reply::status(302), "Prometheus answered 302 Found"),
        (says(200, "garbage"), "the answer is not one of Prometheus's query API"),
        (Reply::status(204), "the answer is not one of Prometheus's query API"),
        (Reply::Cut, "the connection to Prometheus was lost"),
        (Reply::CutAnswer, "the connection to Prometheus was lost"),
    ] {
        let missing = asked(&server, reply.clone(), FAR).await.unwrap_err().to_string();
        assert!(missing.starts_with(expected), "{reply:?}: {missing}");
    }
}

#[tokio::test]
async fn a_huge_answer_is_left_and_one_that_never_ends_has_its_time() {
    let server = Receiver::start().await;
    let huge = |bytes| Reply::Says(200, " ".repeat(bytes));
    let long = asked(&server, huge(answer::MOST_BYTES + 1), FAR).await;
    assert_eq!(long, Err(Missing::TooLong));
    assert_eq!(asked(&server, huge(64 << 20), FAR).await, Err(Missing::TooLong));
    let most = format!("{ONE}{}", " ".repeat(answer::MOST_BYTES - ONE.len()));
    assert_eq!(asked(&server, Reply::Says(200, most), FAR).await, Ok(0.5));
    let soon = Duration::from_millis(50);
    for reply in [Reply::Hang, Reply::Endless] {
        assert_eq!(asked(&server, reply, soon).await, Err(Missing::TimedOut));
    }
}

#[tokio::test]
async fn a_prometheus_that_is_away_is_said_so() {
    let server = Receiver::start().await;
    let prometheus = Prometheus::patient(settings(&server), FAR).unwrap();
    server.stop().await;
    let missing = prometheus.ask("x").await.unwrap_err();
    assert!(matches!(missing, Missing::Unreachable(_)), "{missing}");
}
