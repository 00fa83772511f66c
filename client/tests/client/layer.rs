//! The tower layer reports each request that used a flag, whatever becomes of it, and changes nothing else.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use proto::v1::{Observation, OutcomeKind};
use tidegate_client::{Client, Outcome, Report, ReportLayer};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::fake::{Agent, World};
use crate::setting::{Place, amounts, plain, split, tokens, user};

/// An agent that knows a flag under a rollout and one without, and a client of it.
struct Setting {
    world: World,
    client: Client,
    _agent: Agent,
    _place: Place,
}

impl Setting {
    fn new() -> Self {
        let place = Place::new();
        let world = World::new([("checkout", split()), ("plain", plain())]);
        Self {
            client: place.patient(),
            _agent: world.listen(&place.path),
            world,
            _place: place,
        }
    }

    fn layer(&self) -> ReportLayer {
        ReportLayer::new(&self.client)
    }

    /// A service that evaluates the flag and answers with this response.
    fn answering<B>(
        &self,
        answer: impl Fn() -> Response<B> + Clone,
    ) -> impl Service<Request<()>, Response = Response<B>, Error = Infallible> + Clone {
        let client = self.client.clone();
        service_fn(move |_| {
            let (client, answer) = (client.clone(), answer.clone());
            async move {
                client.boolean("checkout", false, &user()).await;
                Ok(answer())
            }
        })
    }

    /// The one report that has been made.
    async fn report(&self) -> Observation {
        self.client.close().await;
        let heard = self.world.heard_so_far();
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(tokens(&heard[0].exposures), ["token-of-checkout"]);
        heard.into_iter().next().unwrap()
    }
}

/// A response with a body of a few bytes.
fn full(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("done"));
    *response.status_mut() = status;
    response
}

fn get() -> Request<()> {
    Request::new(())
}

#[tokio::test]
async fn a_response_tells_the_outcome_by_its_status() {
    for (status, outcome, class) in [
        (200, OutcomeKind::Ok, ""),
        (404, OutcomeKind::Ok, ""),
        (500, OutcomeKind::Error, "http-500"),
        (503, OutcomeKind::Error, "http-503"),
        (408, OutcomeKind::Timeout, "http-408"),
        (504, OutcomeKind::Timeout, "http-504"),
    ] {
        let setting = Setting::new();
        let answer = move || full(StatusCode::from_u16(status).unwrap());
        let service = setting.layer().layer(setting.answering(answer));
        let response = service.oneshot(get()).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "done");
        let report = setting.report().await;
        assert_eq!(
            (report.outcome(), report.error_class.as_str()),
            (outcome, class),
            "{status}"
        );
        assert_eq!(amounts(&report.values), [("http-status", f64::from(status))]);
        assert!(report.duration_us.is_some());
    }
}

#[tokio::test]
async fn what_the_service_says_comes_before_what_its_response_looks_like() {
    let setting = Setting::new();
    let service = setting.layer().layer(setting.answering(|| {
        let request = tidegate_client::Request::current();
        request
            .outcome(Outcome::Error)
            .class("card-declined")
            .value("revenue", 0);
        full(StatusCode::OK)
    }));
    service
        .oneshot(get())
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let report = setting.report().await;
    assert_eq!(
        (report.outcome(), report.error_class.as_str()),
        (OutcomeKind::Error, "card-declined")
    );
    assert_eq!(amounts(&report.values), [("revenue", 0.0), ("http-status", 200.0)]);
}

#[tokio::test]
async fn a_request_that_used_no_flag_under_a_rollout_is_not_reported() {
    let setting = Setting::new();
    let client = setting.client.clone();
    let service = setting.layer().layer(service_fn(async |_: Request<()>| {
        client.boolean("plain", false, &user()).await;
        Ok::<_, Infallible>(full(StatusCode::INTERNAL_SERVER_ERROR))
    }));
    service
        .oneshot(get())
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    setting.client.close().await;
    assert!(setting.world.heard_so_far().is_empty());
}

#[tokio::test]
async fn a_service_that_fails_is_an_error_and_its_error_is_passed_on() {
    let setting = Setting::new();
    let client = setting.client.clone();
    let service = setting.layer().layer(service_fn(async |_: Request<()>| {
        client.boolean("checkout", false, &user()).await;
        Err::<Response<Full<Bytes>>, _>("broken")
    }));
    assert_eq!(service.oneshot(get()).await.unwrap_err(), "broken");
    assert_eq!(setting.report().await.outcome(), OutcomeKind::Error);
}

#[tokio::test]
async fn a_service_that_panics_is_an_error() {
    let setting = Setting::new();
    let service = setting
        .layer()
        .layer(setting.answering(|| -> Response<Full<Bytes>> { panic!("out of memory") }));
    assert!(AssertUnwindSafe(service.oneshot(get())).catch_unwind().await.is_err());
    let report = setting.report().await;
    assert_eq!(
        (report.outcome(), report.error_class.as_str()),
        (OutcomeKind::Error, "panic")
    );
}

/// Calls a service that never answers, and goes away once it has used the flag.
async fn go_away(setting: &Setting, layer: ReportLayer, request: Request<()>) {
    let used = tokio::sync::Notify::new();
    let service = layer.layer(service_fn(async |_: Request<()>| {
        setting.client.boolean("checkout", false, &user()).await;
        used.notify_one();
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    }));
    tokio::select! {
        _ = service.oneshot(request) => panic!("it never answers"),
        () = used.notified() => {}
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_its_request() {
    let setting = Setting::new();
    go_away(&setting, setting.layer().patience(Duration::MAX), get()).await;
    assert_eq!(setting.report().await.outcome(), OutcomeKind::Cancelled);
}

#[tokio::test]
async fn a_caller_that_goes_away_after_all_its_patience_waited_too_long() {
    let setting = Setting::new();
    go_away(&setting, setting.layer().patience(Duration::ZERO), get()).await;
    assert_eq!(setting.report().await.outcome(), OutcomeKind::Timeout);
    let setting = Setting::new();
    let call = Request::builder().header("grpc-timeout", "1n").body(()).unwrap();
    go_away(&setting, setting.layer(), call).await;
    assert_eq!(setting.report().await.outcome(), OutcomeKind::Timeout);
}

/// A body of these frames that then never ends.
fn endless(
    frames: Vec<Result<Frame<Bytes>, &'static str>>,
) -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, &'static str>>> {
    StreamBody::new(stream::iter(frames).chain(stream::pending()))
}

fn data(text: &'static str) -> Result<Frame<Bytes>, &'static str> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn a_caller_that_goes_away_half_way_through_the_body_cancels_its_request() {
    let setting = Setting::new();
    let answer = || Response::new(endless(vec![data("half")]));
    let service = setting.layer().layer(setting.answering(answer));
    let mut body = Box::pin(service.oneshot(get()).await.unwrap().into_body());
    assert!(body.frame().await.unwrap().is_ok());
    assert!(setting.world.heard_so_far().is_empty());
    drop(body);
    let report = setting.report().await;
    assert_eq!(
        (report.outcome(), amounts(&report.values)),
        (OutcomeKind::Cancelled, vec![])
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let setting = Setting::new();
    let answer = || Response::new(endless(vec![data("half"), Err("cable")]));
    let service = setting.layer().layer(setting.answering(answer));
    let body = service.oneshot(get()).await.unwrap().into_body();
    assert_eq!(Box::pin(body).collect().await.unwrap_err(), "cable");
    assert_eq!(setting.report().await.outcome(), OutcomeKind::Error);
}

#[tokio::test]
async fn what_is_evaluated_while_the_body_is_produced_belongs_to_the_request() {
    let setting = Setting::new();
    let client = setting.client.clone();
    let service = setting.layer().layer(service_fn(async |_: Request<()>| {
        let client = client.clone();
        let answer = stream::once(async move {
            client.boolean("checkout", false, &user()).await;
            tidegate_client::Request::current().value("tokens-per-query", 7);
            data("done")
        });
        Ok::<_, Infallible>(Response::new(StreamBody::new(answer)))
    }));
    let body = service.oneshot(get()).await.unwrap().into_body();
    assert_eq!(Box::pin(body).collect().await.unwrap().to_bytes(), "done");
    let report = setting.report().await;
    assert_eq!(report.outcome(), OutcomeKind::Ok);
    assert_eq!(
        amounts(&report.values),
        [("tokens-per-query", 7.0), ("http-status", 200.0)]
    );
}

#[tokio::test]
async fn a_response_whose_body_nobody_asks_for_ends_its_request() {
    for (method, status) in [
        (Method::HEAD, StatusCode::OK),
        (Method::GET, StatusCode::NO_CONTENT),
        (Method::GET, StatusCode::NOT_MODIFIED),
    ] {
        let setting = Setting::new();
        let service = setting.layer().layer(setting.answering(move || full(status)));
        let request = Request::builder().method(method).body(()).unwrap();
        drop(service.oneshot(request).await.unwrap());
        assert_eq!(setting.report().await.outcome(), OutcomeKind::Ok, "{status}");
    }
}

#[tokio::test]
async fn a_stream_may_be_reported_when_it_begins() {
    let setting = Setting::new();
    let layer = setting.layer().head_only();
    let service = layer.layer(setting.answering(|| Response::new(endless(vec![]))));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(setting.report().await.outcome(), OutcomeKind::Ok);
    drop(response);
}

/// The class that a classifier gives to a request that failed.
async fn class_by(classify: impl Fn(StatusCode, &HeaderMap) -> Report + Send + Sync + 'static) -> String {
    let setting = Setting::new();
    let layer = setting.layer().classify(classify);
    let service = layer.layer(setting.answering(|| full(StatusCode::INTERNAL_SERVER_ERROR)));
    service
        .oneshot(get())
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    setting.report().await.error_class
}

#[tokio::test]
async fn a_classifier_of_the_service_decides_and_one_that_panics_is_passed_over() {
    assert_eq!(
        class_by(|status, _| Outcome::Error.class(status.as_str().to_owned())).await,
        "500"
    );
    assert_eq!(class_by(|_, _| panic!("no such status")).await, "http-500");
}
