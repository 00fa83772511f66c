//! Asking the Prometheus once, and what came of it.
//!
//! Every wait and every length has its bound here, so that whatever answers can do no more than be wrong: five seconds
//! for an answer, and no more of it is read than one number can take. The token is read before each question, because
//! whoever issued it may have changed it since.

use std::{path::PathBuf, time::Duration};

use http::{HeaderValue, header};
use reqwest::{Certificate, Client, Response, Url};
use tokio::io::AsyncReadExt as _;

use super::{
    address::Address,
    answer::{self, Missing},
};
use crate::outward::{self, innermost};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest token, in bytes.
const TOKEN_BYTES: u64 = 16 * 1_024;
/// What to do on a machine that trusts nobody.
const NO_AUTHORITIES: &str = "a Prometheus behind https cannot be reached: install the certificates of authorities, or name \
                              some with --prometheus-ca";

/// What the way to a Prometheus depends on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where it is.
    pub(crate) address: Address,
    /// The file of a bearer token.
    pub(crate) token_file: Option<PathBuf>,
    /// Who may vouch for it, beside whom the system trusts.
    pub(crate) authorities: Vec<Certificate>,
}

/// The way to a Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    client: Client,
    query: Url,
    token_file: Option<PathBuf>,
    answer: Duration,
}

impl Prometheus {
    /// A way to the Prometheus of these settings.
    pub(crate) fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        Self::patient(settings, ANSWER)
    }

    /// The same, on which an answer may take so long.
    pub(super) fn patient(settings: Settings, answer: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: outward::client(answer, settings.authorities, NO_AUTHORITIES)?,
            query: settings.address.query().clone(),
            token_file: settings.token_file,
            answer,
        })
    }

    /// Asks a query of this moment. Reading the token is part of the time.
    pub(super) async fn ask(&self, query: &str) -> Result<f64, Missing> {
        let asked = tokio::time::timeout(self.answer, self.exchange(query)).await;
        asked.unwrap_or(Err(Missing::TimedOut))
    }

    async fn exchange(&self, query: &str) -> Result<f64, Missing> {
        let mut request = self
            .client
            .post(self.query.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(self.form(query));
        if let Some(token) = self.token().await? {
            request = request.header(header::AUTHORIZATION, token);
        }
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let body = read(response).await?;
        if status.is_success() {
            answer::read(&body)
        } else {
            Err(answer::read_refusal(&status.to_string(), &body))
        }
    }

    /// The question as a form. A second series is enough to know that there are several.
    fn form(&self, query: &str) -> String {
        let mut form = self.query.clone();
        form.query_pairs_mut()
            .clear()
            .append_pair("query", query)
            .append_pair("timeout", &format!("{}s", ANSWER.as_secs()))
            .append_pair("limit", "2");
        form.query().unwrap_or_default().to_owned()
    }

    /// The header that says who asks.
    async fn token(&self) -> Result<Option<HeaderValue>, Missing> {
        let Some(file) = &self.token_file else {
            return Ok(None);
        };
        let file = tokio::fs::File::open(file).await;
        let mut file = file
            .map_err(|error| Missing::Token(error.to_string()))?
            .take(TOKEN_BYTES + 1);
        let mut text = String::new();
        let read = file.read_to_string(&mut text).await;
        read.map_err(|error| Missing::Token(error.to_string()))?;
        let mut header = bearer(&text).map_err(|what| Missing::Token(what.to_owned()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    /// Whether the token can be read now.
    pub(crate) async fn check_token(&self) -> Result<(), Missing> {
        self.token().await.map(drop)
    }
}

/// The header of a token as it stands in its file.
fn bearer(text: &str) -> Result<HeaderValue, &'static str> {
    let token = text.trim();
    if token.is_empty() {
        return Err("its file is empty");
    }
    if text.len() as u64 > TOKEN_BYTES {
        return Err("its file has more than 16 KiB");
    }
    HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| "it has characters that no header has")
}

/// The body of an answer, as far as one number can need it.
async fn read(mut response: Response) -> Result<Vec<u8>, Missing> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + part.len() > answer::MOST_BYTES {
            return Err(Missing::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

fn failed(error: &reqwest::Error) -> Missing {
    let cause = innermost(error);
    if error.is_timeout() {
        Missing::TimedOut
    } else if error.is_connect() {
        Missing::Unreachable(cause)
    } else {
        Missing::Cut(cause)
    }
}

#[cfg(test)]
mod tests;
