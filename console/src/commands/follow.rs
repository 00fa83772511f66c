//! Following something without an end: until Ctrl-C, across cuts, nothing twice and nothing left out.
//!
//! The control plane says with every message up to which revision nothing was left out; after a cut the stream is asked
//! for again from there. What came after that revision and before the cut comes again, and is passed over. A control
//! plane that is not there at the beginning is an error; one that goes away later is waited for, and standard error
//! says so.

use std::{collections::BTreeSet, time::Duration};

use tokio::{signal, time};
use tonic::{Code, Status, Streaming};

use crate::{
    connect::Session,
    error::{End, Error},
    print,
};

/// A stream without a sign of life for this long is cut: the control plane sends one every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// The first wait before trying again, at most; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait before trying again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What one message says.
#[derive(Debug)]
pub(super) struct Said<T> {
    /// Up to this revision nothing was left out; 0: not said.
    pub(super) complete: u64,
    /// Its revision, its name within it, and what it is; none: a sign of life.
    pub(super) news: Option<(u64, String, T)>,
}

/// What was received so far.
#[derive(Debug, Default)]
struct Held {
    /// Up to this revision nothing was left out.
    complete: u64,
    /// What came after that revision.
    beyond: BTreeSet<(u64, String)>,
    /// Whether the stream was ever open.
    opened: bool,
}

impl Held {
    /// The news, if it is new.
    fn take<T>(&mut self, said: Said<T>) -> Option<T> {
        let news = said.news.and_then(|(revision, name, news)| {
            let new = revision > self.complete && self.beyond.insert((revision, name));
            new.then_some(news)
        });
        if said.complete > self.complete {
            self.complete = said.complete;
            self.beyond.retain(|(revision, _)| *revision > said.complete);
        }
        news
    }
}

/// Follows what `open` opens after a revision, until Ctrl-C.
pub(super) async fn follow<M, T>(
    session: &Session,
    after: u64,
    open: impl AsyncFn(u64) -> Result<Streaming<M>, Status>,
    read: impl Fn(M) -> Said<T>,
    show: impl FnMut(T) -> Result<(), Error>,
) -> Result<End, Error> {
    tokio::select! {
        biased;
        _ = signal::ctrl_c() => Ok(End::Interrupted),
        error = forever(session, after, open, read, show) => Err(error),
    }
}

async fn forever<M, T>(
    session: &Session,
    after: u64,
    open: impl AsyncFn(u64) -> Result<Streaming<M>, Status>,
    read: impl Fn(M) -> Said<T>,
    mut show: impl FnMut(T) -> Result<(), Error>,
) -> Error {
    let mut held = Held {
        complete: after,
        ..Held::default()
    };
    let mut wait = FIRST_WAIT;
    let mut told = false;
    loop {
        let cut = match opened(session, &open, held.complete).await {
            Ok(mut stream) => {
                held.opened = true;
                if told {
                    print::note("connected again");
                }
                (told, wait) = (false, FIRST_WAIT);
                match drain(&mut stream, &mut held, &read, &mut show).await {
                    Ok(cut) => cut,
                    Err(error) => return error,
                }
            }
            Err(status) => status,
        };
        if !held.opened || !passes(cut.code()) {
            return refusal(session, &cut, held.complete);
        }
        if !told {
            let cause = cut.message();
            print::note(&format!(
                "the connection was lost ({cause}); going on after revision {} as soon as it is back",
                held.complete
            ));
            told = true;
        }
        time::sleep(wait.mul_f64(rand::random::<f64>())).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The stream, within the time limit.
async fn opened<M>(
    session: &Session,
    open: &impl AsyncFn(u64) -> Result<Streaming<M>, Status>,
    after: u64,
) -> Result<Streaming<M>, Status> {
    let late = |_| Err(Status::deadline_exceeded("it did not answer in time"));
    time::timeout(session.timeout(), open(after)).await.unwrap_or_else(late)
}

/// Shows what comes, until the stream is cut: how.
async fn drain<M, T>(
    stream: &mut Streaming<M>,
    held: &mut Held,
    read: &impl Fn(M) -> Said<T>,
    show: &mut impl FnMut(T) -> Result<(), Error>,
) -> Result<Status, Error> {
    loop {
        match time::timeout(SILENCE, stream.message()).await {
            Ok(Ok(Some(message))) => {
                if let Some(news) = held.take(read(message)) {
                    show(news)?;
                }
            }
            Ok(Ok(None)) => return Ok(Status::unavailable("the control plane ended it")),
            Ok(Err(status)) => return Ok(status),
            Err(_) => return Ok(Status::unavailable("no sign of life")),
        }
    }
}

/// Whether a cut may pass by itself.
pub(super) fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::ResourceExhausted
    )
}

fn refusal(session: &Session, status: &Status, after: u64) -> Error {
    let error = session.error(status);
    if status.code() == Code::OutOfRange {
        error.after(format!(
            "what came after revision {after} is no longer kept: look at what is there now, then follow from now on"
        ))
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(complete: u64, news: Option<(u64, &str)>) -> Said<String> {
        Said {
            complete,
            news: news.map(|(revision, name)| (revision, name.to_owned(), format!("{revision} {name}"))),
        }
    }

    #[test]
    fn what_comes_again_after_a_cut_is_passed_over_and_nothing_else() {
        let mut held = Held::default();
        let mut shown = Vec::new();
        let messages = [
            said(4, None),
            said(4, Some((5, "a"))),
            // A cut in the middle of a revision: it comes again from its beginning.
            said(4, Some((5, "a"))),
            said(5, Some((5, "b"))),
            said(6, Some((6, "a"))),
            said(6, Some((6, "a"))),
        ];
        for message in messages {
            shown.extend(held.take(message));
        }
        assert_eq!(shown, ["5 a", "5 b", "6 a"]);
        assert_eq!((held.complete, held.beyond.len()), (6, 0));
    }
}
