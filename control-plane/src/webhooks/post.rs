//! Posting one message to one receiver, and what came of it.
//!
//! The status decides, and nothing else: 2xx has taken it. The body of an answer is not read, so that nobody can use a
//! webhook to look at what the control plane can reach. Redirects are not followed, and an answer has its time, whatever
//! hangs.

use std::time::{Duration, Instant};

use http::{StatusCode, header};
use reqwest::{Certificate, Client, Response};

use super::{address, secret::Secret, signature};
use crate::outward::{self, innermost};

/// What to do on a machine that trusts nobody.
const NO_AUTHORITIES: &str = "no https webhook can be reached: install the certificates of authorities, or name some with \
                              --webhook-ca";

/// What the way to receivers depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Plain http to other machines is allowed.
    pub(crate) allow_http: bool,
    /// Who may vouch for receivers, beside whom the system trusts.
    pub(crate) authorities: Vec<Certificate>,
}

/// The way to receivers.
#[derive(Debug)]
pub(crate) struct Post {
    client: Client,
    allow_http: bool,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Message<'m> {
    /// Where it goes.
    pub(crate) url: &'m str,
    /// Header `webhook-id`.
    pub(crate) id: &'m str,
    /// The event as JSON.
    pub(crate) body: &'m str,
    /// What signs, the newest first.
    pub(crate) secrets: Vec<&'m Secret>,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// In a word.
    pub(crate) verdict: Verdict,
    /// The status; 0: there was no answer.
    pub(crate) status: u16,
    /// In words.
    pub(crate) words: String,
    /// How long it took.
    pub(crate) took: Duration,
    /// Header `Retry-After`.
    pub(crate) retry_after: Option<String>,
}

/// What came of a message, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// 2xx: the receiver has taken it.
    Delivered,
    /// 410: the receiver wants no more.
    Gone,
    /// 3xx: it should go elsewhere.
    Redirected,
    /// Another 4xx.
    Refused,
    /// 5xx, or a status that nobody knows.
    Failed,
    /// No answer in time.
    TimedOut,
    /// No connection.
    Unreachable,
    /// The connection was lost before an answer.
    Cut,
    /// It was not sent: its address is not allowed.
    Forbidden,
}

impl Verdict {
    /// As series name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Redirected => "redirected",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Cut => "cut",
            Self::Forbidden => "forbidden",
        }
    }

    fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Delivered,
            300..=399 => Self::Redirected,
            410 => Self::Gone,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl Answer {
    /// Whether the receiver has taken the message.
    pub(crate) fn is_good(&self) -> bool {
        self.verdict == Verdict::Delivered
    }
}

impl Post {
    /// A way on which an answer may take so long.
    pub(crate) fn new(settings: Settings, answer: Duration) -> Result<Self, reqwest::Error> {
        let client = outward::client(answer, settings.authorities, NO_AUTHORITIES)?;
        Ok(Self {
            client,
            allow_http: settings.allow_http,
        })
    }

    /// Whether plain http to other machines is allowed.
    pub(crate) fn allows_http(&self) -> bool {
        self.allow_http
    }

    /// Posts a message once.
    pub(crate) async fn send(&self, message: &Message<'_>, now_us: i64) -> Answer {
        let began = Instant::now();
        let mut answer = match address::read(message.url, self.allow_http) {
            Ok(url) => self.send_to(url, message, now_us).await,
            Err(refused) => unanswered(Verdict::Forbidden, format!("not sent: the address {refused}")),
        };
        answer.took = began.elapsed();
        answer
    }

    async fn send_to(&self, url: reqwest::Url, message: &Message<'_>, now_us: i64) -> Answer {
        let timestamp_s = now_us.div_euclid(1_000_000);
        let secrets = message.secrets.iter().copied();
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", timestamp_s)
            .header(
                "webhook-signature",
                signature::sign(secrets, message.id, timestamp_s, message.body),
            )
            .body(message.body.to_owned());
        match request.send().await {
            Ok(response) => answered(&response),
            Err(error) => failed(&error),
        }
    }
}

fn answered(response: &Response) -> Answer {
    let status = response.status();
    let verdict = Verdict::of(status);
    let more = match verdict {
        Verdict::Redirected => "; redirects are not followed: give the webhook the address itself",
        Verdict::Gone => "; it wants no more",
        _ => "",
    };
    let retry_after = response.headers().get(header::RETRY_AFTER);
    Answer {
        verdict,
        status: status.as_u16(),
        words: format!("answered {status}{more}"),
        took: Duration::ZERO,
        retry_after: retry_after.and_then(|said| said.to_str().ok()).map(str::to_owned),
    }
}

fn failed(error: &reqwest::Error) -> Answer {
    let cause = innermost(error);
    if error.is_timeout() {
        unanswered(Verdict::TimedOut, "did not answer in time".to_owned())
    } else if error.is_connect() {
        unanswered(Verdict::Unreachable, format!("cannot be reached: {cause}"))
    } else {
        unanswered(
            Verdict::Cut,
            format!("the connection was lost before an answer: {cause}"),
        )
    }
}

fn unanswered(verdict: Verdict, words: String) -> Answer {
    Answer {
        verdict,
        status: 0,
        words,
        took: Duration::ZERO,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;
