//! Clients for those whom the control plane speaks to over HTTP: receivers of webhooks, a Prometheus.
//!
//! All of them are built here, so that all keep the same rules: redirects are not followed, proxies and cookies not used,
//! and an answer has its time, whatever hangs.

use std::{error::Error, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, redirect::Policy};

/// How long a connection that nothing is sent on is kept.
const IDLE: Duration = Duration::from_secs(60);

/// A client to whom an answer may take so long. These authorities may vouch for servers, beside whom the system trusts. On
/// a machine without any it reaches http only, and `advice` says in the log what to do about that.
pub(crate) fn client(
    answer: Duration,
    authorities: Vec<Certificate>,
    advice: &'static str,
) -> Result<Client, reqwest::Error> {
    match builder(answer).tls_certs_merge(authorities).build() {
        Ok(client) => Ok(client),
        // A machine without authorities can do all the rest.
        Err(error) => {
            let error = innermost(&error);
            tracing::warn!(error, "{advice}");
            trusting_nobody(answer)
        }
    }
}

/// A client for whom nobody vouches for anybody: it reaches http only.
pub(crate) fn trusting_nobody(answer: Duration) -> Result<Client, reqwest::Error> {
    builder(answer).tls_certs_only([]).build()
}

fn builder(answer: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
        .timeout(answer)
        .pool_idle_timeout(IDLE)
        .redirect(Policy::none())
        .no_proxy()
}

/// The innermost cause, such as "connection refused"; those around it name the address, which may be long.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string().chars().take(300).collect()
}
