//! Logs to standard error, metrics for the ops port.
//!
//! Both are global by the nature of their libraries, so they are set up once, from `main`, with values that `main`
//! was given: nothing here reads the environment. Rule: a daemon with a mistyped log filter still starts and logs, and
//! says what was wrong; it must not stay down for the sake of its own logs.

use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::EnvFilter;

/// What is logged unless told otherwise.
const DEFAULT_FILTER: &str = "info";

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: one line of text an event, coloured on a terminal.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// A text that names no log format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format {0:?}: use text or json")]
pub struct UnknownLogFormat(String);

/// The metrics of this process, ready to be rendered; clones share them.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    /// What is not recorded and made when it is asked for.
    more: Option<Arc<dyn Fn() -> String + Send + Sync>>,
}

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownLogFormat(text.to_owned())),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl Metrics {
    /// The same, and what `more` gives each time they are rendered: whole families in the text format, of other names than
    /// those that are recorded. For series of things that go away, which a recorder would keep for ever.
    #[must_use]
    pub fn with(self, more: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self {
            more: Some(Arc::new(more)),
            ..self
        }
    }

    /// All metrics in the Prometheus text format. Also moves recorded samples out of their buffers, which is why a
    /// process must be scraped (or render now and then) to keep its memory flat.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        let mut text = self.handle.render();
        if let Some(more) = &self.more {
            text.push_str(&more());
        }
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Starts logging to standard error. `filter` is in the syntax of `tracing` (`info`, `warn,agent=debug`); an invalid one
/// is reported and replaced by `info`. A second call changes nothing.
pub fn init_logging(format: LogFormat, filter: Option<&str>) {
    let (filter, invalid) = parse_filter(filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // Failing here means that logging has been set up before, which the second call leaves as it is.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Some(error) = invalid {
        tracing::warn!(error, "invalid log filter, using {DEFAULT_FILTER}");
    }
}

/// Installs the recorder behind the `metrics` macros.
///
/// # Errors
/// If this process already has one.
pub fn init_metrics() -> anyhow::Result<Metrics> {
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .context("cannot install the metrics recorder")?;
    Ok(Metrics { handle, more: None })
}

/// A recorder that is not installed, for `metrics::with_local_recorder` in tests, and the metrics that it records.
pub fn local_metrics() -> (PrometheusRecorder, Metrics) {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    (recorder, Metrics { handle, more: None })
}

/// The filter to use and, if the wanted one was invalid, what was wrong with it.
fn parse_filter(wanted: Option<&str>) -> (EnvFilter, Option<String>) {
    match EnvFilter::try_new(wanted.unwrap_or(DEFAULT_FILTER)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_round_trip_and_unknown_ones_are_named() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let refused = "xml".parse::<LogFormat>().map_err(|error| error.to_string());
        assert_eq!(refused, Err("unknown log format \"xml\": use text or json".to_owned()));
    }

    #[test]
    fn an_invalid_filter_is_reported_and_replaced() {
        let (filter, invalid) = parse_filter(Some("agent=loudly"));
        assert_eq!(filter.to_string(), DEFAULT_FILTER);
        assert!(invalid.is_some());
        let (filter, invalid) = parse_filter(Some("warn,agent=debug"));
        assert!(filter.to_string().contains("agent=debug"));
        assert_eq!(invalid, None);
    }

    #[test]
    fn rendering_shows_what_was_recorded() {
        let (recorder, metrics) = local_metrics();
        metrics::with_local_recorder(&recorder, || metrics::gauge!("tidegate_level").set(2.5));
        assert!(metrics.render().contains("tidegate_level 2.5"));
    }

    #[test]
    fn what_is_made_when_it_is_asked_for_follows_what_was_recorded() {
        let (recorder, metrics) = local_metrics();
        metrics::with_local_recorder(&recorder, || metrics::gauge!("tidegate_level").set(2.5));
        let metrics = metrics.with(|| "tidegate_made 1\n".to_owned());
        let text = metrics.render();
        assert!(
            text.contains("tidegate_level 2.5") && text.ends_with("\ntidegate_made 1\n"),
            "{text:?}"
        );
    }
}
