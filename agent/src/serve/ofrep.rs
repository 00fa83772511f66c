//! The OpenFeature Remote Evaluation Protocol over HTTP: one flag, or all of them.
//!
//! Answers as flagd does where OFREP leaves it open, and more precisely where flagd leaves it vague: what is wrong with
//! a request is said. A single answer counts its exposure. A bulk answer counts none, carries an ETag, and is not even
//! evaluated for a caller who has it already. JSON is written straight into one buffer.

mod asked;
mod body;
mod connections;
pub(crate) mod cors;
mod etag;
mod reply;
mod stream;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{Path, Query, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use evaluation::{Context, Snapshot};
use proto::CALLER;
use runtime::shutdown::Shutdown;
use tokio::net::TcpListener;

use self::{
    asked::context,
    cors::Origins,
    reply::Answer,
    write::{Failure, Writer},
};
use super::{
    DoorOpen,
    answer::{self, Described, SELECTOR, error_code},
};
use crate::{
    evaluate::{Evaluator, Selection, decide, find},
    health::caller::Caller,
    metrics::Several,
};

/// Bytes that a flag takes in a bulk answer, more often than not.
const FLAG_BYTES: usize = 112;
/// The largest bulk answer, in bytes.
const BULK_LIMIT: usize = 64 * 1_024 * 1_024;
/// What is said instead of a larger one.
const TOO_LARGE: &str = "all flags make more than 64 MiB; select a flag set with the header Flagd-Selector";

/// What the door answers with.
#[derive(Debug)]
pub(crate) struct Ofrep {
    evaluator: Arc<Evaluator>,
    /// Whether bulk answers name the event stream.
    names_events: bool,
    shutdown: Shutdown,
}

/// What web pages may do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    /// Those of these origins may ask.
    pub(crate) origins: Origins,
    /// They are told of the event stream.
    pub(crate) events: bool,
}

/// The paths of the protocol.
pub(crate) fn router(evaluator: Arc<Evaluator>, pages: Pages, shutdown: Shutdown) -> Router {
    let Pages { origins, events } = pages;
    let door = Ofrep {
        evaluator,
        names_events: events,
        shutdown,
    };
    let router = Router::new()
        .route("/ofrep/v1/evaluate/flags/{key}", post(single))
        .route("/ofrep/v1/evaluate/flags", post(bulk))
        .route("/ofrep/v1/evaluate/flags/", post(bulk))
        .route(stream::PATH, get(follow))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::new(door));
    if origins.is_none() {
        return router;
    }
    router.layer(middleware::from_fn_with_state(Arc::new(origins), cors::allow))
}

/// Serves the port until the process drains and the open calls have ended.
pub(crate) async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown, open: DoorOpen) {
    connections::serve(listener, router, &shutdown).await;
    drop(open);
}

async fn single(State(door): State<Arc<Ofrep>>, key: Result<Path<String>, PathRejection>, request: Request) -> Answer {
    let Ok(Path(key)) = key else {
        return Answer::details(StatusCode::BAD_REQUEST, "the flag's key is not UTF-8");
    };
    let (head, body) = request.into_parts();
    match body::read(&head.headers, body).await {
        Ok(body) => door.single(&head.headers, &key, &body),
        Err(error) => error.into(),
    }
}

async fn bulk(State(door): State<Arc<Ofrep>>, request: Request) -> Answer {
    let (head, body) = request.into_parts();
    match body::read(&head.headers, body).await {
        Ok(body) => door.bulk(&head.headers, &body),
        Err(error) => error.into(),
    }
}

async fn follow(State(door): State<Arc<Ofrep>>, Query(parameters): Query<BTreeMap<String, String>>) -> Response {
    let selection = match parameters.get(stream::SET) {
        Some(set) => Selection::Set(set.clone()),
        None => Selection::All,
    };
    let body = stream::body(&door.evaluator, selection, door.shutdown.clone());
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

async fn nowhere() -> Answer {
    Answer::details(
        StatusCode::NOT_FOUND,
        "no such path; flags are evaluated by POST /ofrep/v1/evaluate/flags and /ofrep/v1/evaluate/flags/{key}",
    )
}

async fn wrong_method() -> Answer {
    Answer::details(
        StatusCode::METHOD_NOT_ALLOWED,
        "flags are evaluated by POST, events are read by GET",
    )
}

impl Ofrep {
    /// One flag.
    fn single(&self, headers: &HeaderMap, key: &str, body: &[u8]) -> Answer {
        let selection = match selection(headers) {
            Ok(selection) => selection,
            Err(failure) => return Answer::failed(StatusCode::BAD_REQUEST, &failure.of(key)),
        };
        let context = match context(body) {
            Ok(context) => context,
            Err(error) => return Answer::failed(StatusCode::BAD_REQUEST, &Failure::from(error).of(key)),
        };
        let (snapshot, stale_s) = (self.evaluator.holder.load(), self.evaluator.stale_s());
        let counts = &self.evaluator.evaluations.ofrep;
        if snapshot.environment().is_none() {
            return Answer::no_snapshot();
        }
        let Some(flag) = find(&snapshot, &selection, key) else {
            counts.not_found();
            let failure = Failure::new("FLAG_NOT_FOUND", format!("flag `{key}` does not exist"));
            return Answer::failed(StatusCode::NOT_FOUND, &failure.of(key));
        };
        let decision = decide(&snapshot, flag, &context, stale_s.is_some());
        counts.answered(decision.reason);
        let caller = || Caller::of(headers.get(CALLER).map(HeaderValue::as_bytes));
        let named = self.evaluator.expose(&snapshot, &decision, caller);
        let described = Described {
            decision: &decision,
            selection: &selection,
            named: named.as_ref(),
            stale_s,
        };
        let mut writer = Writer::with_capacity(2 * FLAG_BYTES);
        writer.flag(flag.key(), &described);
        let status = match decision.error {
            Some(_) => StatusCode::BAD_REQUEST,
            None => StatusCode::OK,
        };
        Answer::new(status, writer)
    }

    /// All flags, in key order.
    fn bulk(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let selection = match selection(headers) {
            Ok(selection) => selection,
            Err(failure) => return Answer::failed(StatusCode::BAD_REQUEST, &failure),
        };
        let (snapshot, stale_s) = (self.evaluator.holder.load_full(), self.evaluator.stale_s());
        if snapshot.environment().is_none() {
            return Answer::no_snapshot();
        }
        let etag = etag::of(snapshot.revision(), &selection, body, stale_s.is_some());
        if etag::is_known(headers, &etag) {
            self.evaluator.evaluations.unchanged();
            return Answer::not_modified(etag);
        }
        let context = match context(body) {
            Ok(context) => context,
            Err(error) => return Answer::failed(StatusCode::BAD_REQUEST, &error.into()),
        };
        Answer {
            etag: Some(etag),
            ..self.all(&snapshot, &selection, &context, stale_s)
        }
    }

    /// All flags, evaluated.
    fn all(&self, snapshot: &Arc<Snapshot>, selection: &Selection, context: &Context, stale_s: Option<u64>) -> Answer {
        let ordered = self.evaluator.derived.ordered(snapshot);
        let (mut writer, mut several) = (
            Writer::with_capacity(64 + ordered.len() * FLAG_BYTES),
            Several::default(),
        );
        writer.begin_flags();
        for flag in ordered.iter().filter(|flag| selection.admits(flag)) {
            let decision = decide(snapshot, flag, context, stale_s.is_some());
            several.answered(decision.reason);
            let named = self.evaluator.foresee(snapshot, &decision);
            let described = Described {
                decision: &decision,
                selection,
                named: named.as_ref(),
                stale_s,
            };
            writer.next();
            writer.flag(flag.key(), &described);
            if writer.len() > BULK_LIMIT {
                return Answer::details(StatusCode::INTERNAL_SERVER_ERROR, TOO_LARGE);
            }
        }
        let events = stream::path_of(selection).filter(|_| self.names_events);
        writer.end_flags(selection, stale_s, events.as_deref());
        self.evaluator.evaluations.ofrep.answered_all(&several);
        Answer::new(StatusCode::OK, writer)
    }
}

/// What the caller restricts itself to.
fn selection(headers: &HeaderMap) -> Result<Selection, Failure> {
    answer::selection(headers.get(SELECTOR).map(HeaderValue::as_bytes))
        .map_err(|error| Failure::new("GENERAL", format!("invalid selector: {error}")))
}

#[cfg(test)]
mod tests;
