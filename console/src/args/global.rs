//! Options that every command takes, and the forms of single values: keys, percentages, addresses, moments.
//!
//! An option that was not given stays empty here: `settings.rs` says what an environment variable, the context file or
//! the default then put in its place.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use evaluation::{Buckets, Key};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tonic::transport::Endpoint;

use crate::{duration, print::Format};

/// The longest actor and the longest reason, in bytes.
const SAID_BYTES: usize = 1_024;

/// Options that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The control plane's address [env: TIDEGATE_SERVER] [default: http://127.0.0.1:7420]
    #[arg(long, global = true, value_name = "URL", value_parser = server)]
    pub(crate) server: Option<String>,
    /// The environment to act in [env: TIDEGATE_ENVIRONMENT] [default: production]
    #[arg(short, long, global = true, value_name = "KEY", value_parser = key)]
    pub(crate) environment: Option<Key>,
    /// The context of the context file to take server, environment and token from [env: TIDEGATE_CONTEXT]
    #[arg(long, global = true, value_name = "NAME", value_parser = key)]
    pub(crate) context_name: Option<Key>,
    /// What proves who you are, sent as `authorization: Bearer`; a control plane without identities ignores it. Others
    /// can read it from the list of processes: prefer a file [env: TIDEGATE_TOKEN]
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        hide_short_help = true,
        conflicts_with = "token_file"
    )]
    pub(crate) token: Option<String>,
    /// A file whose first line is the token [env: TIDEGATE_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// How to write results
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// When to colour: on a terminal, unless NO_COLOR is set; always; never
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN", hide_short_help = true)]
    pub(crate) color: Color,
    /// Why you do this; recorded in the audit
    #[arg(long, global = true, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: Option<String>,
    /// Who does this; recorded in the audit [env: TIDEGATE_ACTOR] [default: user@host]
    #[arg(long, global = true, value_name = "NAME", value_parser = said)]
    pub(crate) actor: Option<String>,
    /// How long to wait for an answer
    #[arg(long, global = true, value_name = "DURATION", default_value = "10s", value_parser = timeout)]
    pub(crate) timeout: Duration,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also into a file or a pipe.
    Always,
    /// Not at all.
    Never,
}

/// A key of a flag, an environment, a flag set, a segment.
pub(crate) fn key(text: &str) -> Result<Key, String> {
    Key::parse(text).map_err(|error| error.to_string())
}

/// A percentage with at most three decimals.
pub(crate) fn percent(text: &str) -> Result<Buckets, String> {
    Buckets::parse_percent(text).map_err(|error| error.to_string())
}

/// An address; the scheme may be left out.
pub(crate) fn server(text: &str) -> Result<String, String> {
    let address = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    if address.starts_with("https://") {
        return Err("write http://HOST:PORT; TLS is not spoken yet".into());
    }
    if !address.starts_with("http://") {
        return Err("write http://HOST:PORT".into());
    }
    Endpoint::from_shared(address.clone()).map_err(|_| "write http://HOST:PORT")?;
    Ok(address)
}

fn timeout(text: &str) -> Result<Duration, String> {
    positive(text)
}

/// A duration that is longer than nothing.
pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if duration.is_zero() {
        Err("longer than 0s".into())
    } else {
        Ok(duration)
    }
}

/// What an operator says of an act: text of one line, at most 1,024 bytes.
pub(crate) fn said(text: &str) -> Result<String, String> {
    if text.len() > SAID_BYTES {
        return Err("at most 1,024 bytes".into());
    }
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("{c:?} cannot be recorded; write text of one line")),
        None => Ok(text.to_owned()),
    }
}

/// A moment: RFC 3339 with its offset, or a date for its first moment in UTC. Microseconds since 1970 UTC.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    let date = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    let at = match text.parse::<Timestamp>() {
        Ok(at) => Some(at),
        Err(_) if text.len() == 10 => text.parse::<Date>().ok().and_then(|day| date(day).ok()),
        Err(_) => None,
    };
    at.map(Timestamp::as_microsecond)
        .filter(|at| *at > 0)
        .ok_or_else(|| format!("`{text}` is no moment; write 2026-12-01T09:00:00Z or 2026-12-01"))
}

/// A moment in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past {
    /// In microseconds since 1970 UTC.
    pub(crate) us: i64,
    /// It was said as so long ago, so the same words are another moment the next time.
    pub(crate) is_relative: bool,
}

/// A moment in the past: as `moment`, or a duration for so long ago (24h).
pub(crate) fn past_of(text: &str) -> Result<Past, String> {
    let (us, is_relative) = match duration::parse_us(text) {
        Ok(ago) => (Timestamp::now().as_microsecond().saturating_sub(ago).max(1), true),
        Err(_) => {
            let us = moment(text).map_err(|problem| format!("{problem}, or 24h for so long ago"))?;
            (us, false)
        }
    };
    Ok(Past { us, is_relative })
}

/// As `past_of`, in microseconds since 1970 UTC.
pub(crate) fn past(text: &str) -> Result<i64, String> {
    past_of(text).map(|past| past.us)
}
