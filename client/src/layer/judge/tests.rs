#![allow(clippy::unwrap_used)]

use http::HeaderValue;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        let name = http::HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    pairs.collect()
}

#[test]
fn what_the_caller_got_wrong_is_no_failure_of_the_service() {
    for status in [200, 302, 400, 401, 404, 409, 429] {
        let report = by_status(StatusCode::from_u16(status).unwrap(), &HeaderMap::new());
        assert_eq!(report, Outcome::Ok.into(), "{status}");
    }
    for code in ["3", "5", "6", "7", "8", "9", "10", "11", "16"] {
        let report = by_status(StatusCode::OK, &headers(&[("grpc-status", code)]));
        assert_eq!(report, Outcome::Ok.into(), "{code}");
    }
}

#[test]
fn every_code_that_the_service_answers_for_is_a_failure_with_a_class() {
    for (code, class) in [
        ("2", "grpc-unknown"),
        ("12", "grpc-unimplemented"),
        ("13", "grpc-internal"),
        ("14", "grpc-unavailable"),
        ("15", "grpc-data-loss"),
        ("99", "grpc-unknown"),
        ("no code", "grpc-unknown"),
    ] {
        let report = by_status(StatusCode::OK, &headers(&[("grpc-status", code)]));
        assert_eq!(report, Outcome::Error.class(class), "{code}");
    }
}

#[test]
fn a_grpc_response_that_never_tells_its_status_has_failed() {
    let grpc = headers(&[("content-type", "application/grpc+proto")]);
    assert_eq!(by_status(StatusCode::OK, &grpc), Outcome::Error.into());
    let web = headers(&[("content-type", "application/grpc-web+proto")]);
    assert_eq!(by_status(StatusCode::OK, &web), Outcome::Ok.into());
    assert_eq!(
        by_status(StatusCode::BAD_GATEWAY, &grpc),
        Outcome::Error.class("http-502")
    );
}

#[test]
fn trailers_are_asked_only_if_they_tell_a_status() {
    let judge = Judge::default();
    let mut verdict = judge.head(StatusCode::OK, &HeaderMap::new());
    judge.trailers(&mut verdict, &headers(&[("checksum", "17")]));
    assert_eq!(verdict.report, Outcome::Ok.into());
    judge.trailers(&mut verdict, &headers(&[("grpc-status", "14")]));
    assert_eq!(verdict.report, Outcome::Error.class("grpc-unavailable"));
}

#[test]
fn only_a_response_that_means_its_http_status_carries_it() {
    let plain = Judge::default().head(StatusCode::NOT_FOUND, &HeaderMap::new());
    assert_eq!(plain.into_report(), Outcome::Ok.value(STATUS_VALUE, 404));
    for kind in ["application/grpc", "application/grpc-web"] {
        let told = headers(&[("content-type", kind), ("grpc-status", "0")]);
        let verdict = Judge::default().head(StatusCode::OK, &told);
        assert_eq!(verdict.into_report(), Outcome::Ok.into(), "{kind}");
    }
}
