//! Events of rollouts, one CloudEvent a line: those that there are, or as they happen.
//!
//! The control plane keeps events for a while; a reader goes on behind the last one that it has seen, so after a cut
//! nothing is missed and nothing comes twice.

use std::time::Duration;

use proto::v1;
use serde_json::Value as Json;
use tokio::{signal, time};
use tonic::{Status, Streaming};

use super::follow;
use crate::{
    args::{EventsArgs, Global},
    connect::Session,
    error::{End, Error},
    print::{self, Format},
};

/// The first wait before trying again, at most; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait before trying again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Writes the events that there are, or follows them until Ctrl-C.
pub(super) async fn run(global: &Global, options: &EventsArgs) -> Result<End, Error> {
    let session = Session::open(global).await?;
    let mut reader = Reader {
        session,
        format: global.output,
        // The option only: events are of all environments unless one is named here.
        environment: global.environment.as_ref().map(ToString::to_string).unwrap_or_default(),
        types: options.types.iter().map(|kind| kind.name().to_owned()).collect(),
        only_past: !options.follow,
        after: options.after.clone().unwrap_or_default(),
    };
    if options.follow {
        return tokio::select! {
            biased;
            _ = signal::ctrl_c() => Ok(End::Interrupted),
            error = reader.follow() => Err(error),
        };
    }
    let mut events = reader.open().await.map_err(|status| reader.session.error(&status))?;
    match reader.drain(&mut events).await? {
        Some(cut) => Err(reader.session.error(&cut)),
        None => {
            if !reader.after.is_empty() {
                print::note(&format!("go on behind these with: --after {}", reader.after));
            }
            Ok(End::Done)
        }
    }
}

/// Where a reader is in the stream, and what it wants of it.
#[derive(Debug)]
struct Reader {
    session: Session,
    format: Format,
    environment: String,
    types: Vec<String>,
    only_past: bool,
    /// The last event that was written.
    after: String,
}

impl Reader {
    async fn open(&self) -> Result<Streaming<v1::WatchEventsResponse>, Status> {
        let request = v1::WatchEventsRequest {
            after: self.after.clone(),
            types: self.types.clone(),
            environment: self.environment.clone(),
            only_past: self.only_past,
        };
        let mut client = self.session.flag_status();
        let call = client.watch_events(self.session.follow(request));
        match time::timeout(self.session.timeout(), call).await {
            Ok(response) => Ok(response?.into_inner()),
            Err(_) => Err(Status::deadline_exceeded("it did not answer in time")),
        }
    }

    /// Writes what comes until the stream ends: how it was cut, if it was.
    async fn drain(&mut self, events: &mut Streaming<v1::WatchEventsResponse>) -> Result<Option<Status>, Error> {
        loop {
            match events.message().await {
                Ok(Some(event)) => {
                    write(self.format, &event)?;
                    self.after = event.id;
                }
                Ok(None) => return Ok(None),
                Err(cut) => return Ok(Some(cut)),
            }
        }
    }

    /// Goes on for ever across cuts; only what does not pass by itself ends it.
    async fn follow(&mut self) -> Error {
        let mut wait = FIRST_WAIT;
        let mut was_open = false;
        loop {
            let cut = match self.open().await {
                Ok(mut events) => {
                    (was_open, wait) = (true, FIRST_WAIT);
                    match self.drain(&mut events).await {
                        Ok(cut) => cut.unwrap_or_else(|| Status::unavailable("the control plane ended it")),
                        Err(error) => return error,
                    }
                }
                Err(status) => status,
            };
            if !was_open || !follow::passes(cut.code()) {
                return self.session.error(&cut);
            }
            if wait == FIRST_WAIT {
                print::note(&format!(
                    "the connection was lost ({}); going on as soon as it is back",
                    cut.message()
                ));
            }
            time::sleep(wait.mul_f64(rand::random::<f64>())).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// One event on one line, whatever line ends its text had.
fn write(format: Format, event: &v1::WatchEventsResponse) -> Result<(), Error> {
    let value = with_position(event)?;
    let line = value.to_string();
    print::show_change(format, &value, &line)
}

/// An event with where to go on from, on the line itself: an extension attribute of CloudEvents, which the schema of
/// events knows.
fn with_position(event: &v1::WatchEventsResponse) -> Result<Json, Error> {
    let mut value: Json = serde_json::from_str(&event.json)
        .map_err(|error| Error::refused(format!("the event {} is no JSON: {error}", event.id)))?;
    if let Json::Object(attributes) = &mut value {
        attributes.insert("position".to_owned(), event.id.clone().into());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_schema_of_events_takes_the_lines_of_the_stream_too() {
        let schema: Json = serde_json::from_str(include_str!("../../../schemas/events.json")).unwrap();
        for kind in schema["oneOf"].as_array().unwrap() {
            let name = kind["$ref"].as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            let kind = &schema["$defs"][name];
            // As a webhook gets it: what must be there, which holds no position.
            let required = kind["required"].as_array().unwrap();
            let delivered: serde_json::Map<_, _> = required
                .iter()
                .map(|field| (field.as_str().unwrap().to_owned(), Json::Null))
                .collect();
            let event = v1::WatchEventsResponse {
                id: "417-0".into(),
                json: Json::Object(delivered).to_string(),
            };
            let line = with_position(&event).unwrap();
            assert_eq!(line["position"], "417-0");
            for field in line.as_object().unwrap().keys() {
                assert!(kind["properties"].get(field).is_some(), "{name}: {field}");
            }
        }
    }
}
