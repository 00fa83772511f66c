//! The service of status: where flags stand across environments, what happens to their rollouts, and what has won.
//!
//! What is said of a flag is worked out in `standing.rs`, of one state; events are read through `events/reader.rs`.

mod standing;
mod watch;

use std::collections::BTreeSet;

use evaluation::Key;
use proto::{
    status::{invalid, violation},
    v1::{self, flag_status_server::FlagStatus},
};
use runtime::{clock::now_us, shutdown::Shutdown};
use tonic::{Request, Response, Status};

use super::page::{self, Asked, Page};
use crate::{
    events::{
        outcome::{self, Tally},
        reader::Readers,
    },
    truth::Truth,
};

/// The mass of the interval that posteriors are shown with.
const MASS: f64 = 0.9;
/// The most flags that one request names.
const NAMED: usize = 1_000;

/// The service `tidegate.v1.FlagStatus`.
#[derive(Debug)]
pub(crate) struct StatusApi {
    truth: Truth,
    readers: Readers,
    shutdown: Shutdown,
}

impl StatusApi {
    /// The service over the truth.
    pub(crate) fn new(truth: Truth, readers: Readers, shutdown: Shutdown) -> Self {
        Self {
            truth,
            readers,
            shutdown,
        }
    }
}

#[tonic::async_trait]
impl FlagStatus for StatusApi {
    type WatchEventsStream = futures::stream::BoxStream<'static, Result<v1::WatchEventsResponse, Status>>;

    async fn list_status(
        &self,
        request: Request<v1::ListStatusRequest>,
    ) -> Result<Response<v1::ListStatusResponse>, Status> {
        let mut request = request.into_inner();
        let size = page::size(std::mem::take(&mut request.page_size), 100, 1_000)?;
        let token = std::mem::take(&mut request.page_token);
        let named = named(&request.flags)?;
        request.flags = named.iter().map(Key::to_string).collect();
        let asked = Asked::of(&request);
        let after = asked.after(&token)?;
        let state = self.truth.state();
        let flags = if named.is_empty() {
            standing::flags(&state)
        } else {
            standing::all_there(&state, named)?
        };
        let standings = standing::Standings::of(&state, now_us());
        let mut page = Page::new(size);
        let mut next_page_token = String::new();
        for flag in flags
            .iter()
            .filter(|flag| after.as_ref().is_none_or(|after| *flag > after))
        {
            if page.is_full() {
                let last = page.items.last().map(|last: &v1::StatusOfFlag| last.flag.as_str());
                next_page_token = asked.token(last.unwrap_or_default());
                break;
            }
            page.push(standings.of_flag(flag));
        }
        Ok(Response::new(v1::ListStatusResponse {
            flags: page.items,
            next_page_token,
        }))
    }

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let request = request.into_inner();
        let (after, filter) = watch::read(&self.truth.state(), &request)?;
        let reader = self.readers.read(&self.truth, after).await?;
        let stream = watch::stream(reader, filter, request.only_past, self.shutdown.clone());
        Ok(Response::new(stream))
    }

    async fn list_posteriors(
        &self,
        request: Request<v1::ListPosteriorsRequest>,
    ) -> Result<Response<v1::ListPosteriorsResponse>, Status> {
        let request = request.into_inner();
        let state = self.truth.state();
        let is_asked = |asked: &str, name: &str| asked.is_empty() || asked == name;
        let posteriors = outcome::tallies(&state)
            .into_iter()
            .filter(|((component, _), _)| is_asked(&request.component, component))
            .filter(|((_, pattern), _)| is_asked(&request.pattern, pattern))
            .map(|((component, pattern), tally)| posterior(component, pattern, tally));
        Ok(Response::new(v1::ListPosteriorsResponse {
            posteriors: posteriors.collect(),
        }))
    }
}

/// The flags that a request names, in order.
fn named(flags: &[String]) -> Result<BTreeSet<Key>, Status> {
    if flags.len() > NAMED {
        let description = format!("are {}, and {NAMED} can be asked for at once", flags.len());
        return Err(invalid(&[violation("flags", description)]));
    }
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for (at, text) in flags.iter().enumerate() {
        match Key::parse(text) {
            Ok(key) => _ = named.insert(key),
            Err(error) => wrong.push(violation(format!("flags[{at}]"), error.to_string())),
        }
    }
    if wrong.is_empty() {
        Ok(named)
    } else {
        Err(invalid(&wrong))
    }
}

fn posterior(component: &str, pattern: &str, tally: Tally) -> v1::Posterior {
    let (low, high) = tally.posterior.interval(MASS);
    v1::Posterior {
        component: component.to_owned(),
        pattern: pattern.to_owned(),
        alpha: tally.posterior.alpha(),
        beta: tally.posterior.beta(),
        mean: tally.posterior.mean(),
        low,
        high,
        outcomes: tally.outcomes,
    }
}

#[cfg(test)]
mod tests;
