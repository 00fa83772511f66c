//! What the data raises against a rollout: whether it stands, who dismissed it and why, and what to type if it is no harm.

use proto::v1;
use serde::Serialize;

use crate::print::{self, figure, plain};

/// A signal, for programs. Logarithms stay logarithms.
#[derive(Debug, Serialize)]
pub(crate) struct SignalView {
    signal: String,
    /// By its position.
    guard: Option<u32>,
    harm: String,
    criterion: String,
    log_size: Option<f64>,
    raised: bool,
    dismissed: bool,
    dismissed_log_size: Option<f64>,
    by: String,
    at: Option<String>,
    why: String,
}

impl SignalView {
    /// Of what the control plane sent.
    pub(crate) fn of(signal: &v1::Signal) -> Self {
        Self {
            signal: signal.signal.clone(),
            guard: signal.guard,
            harm: signal.harm.clone(),
            criterion: signal.criterion.clone(),
            log_size: signal.log_size,
            raised: signal.raised,
            dismissed: signal.dismissed,
            dismissed_log_size: signal.dismissed_log_size,
            by: signal.by.clone(),
            at: print::timestamp(signal.at_us),
            why: signal.why.clone(),
        }
    }
}

/// One signal in a line. One that stands says what to type.
pub(crate) fn line(rollout: &v1::Rollout, signal: &v1::Signal) -> String {
    let what = what(signal);
    let since = signal
        .dismissed_log_size
        .map(|size| format!(" at {}", figure(size)))
        .unwrap_or_default();
    let by = format!(
        "by {} at {}{since}: {}",
        signal.by,
        print::moment(signal.at_us),
        signal.why
    );
    plain(&match (signal.dismissed, signal.by.as_str()) {
        (true, _) => format!("dismissed: {what}, {by}"),
        (false, "") => format!("raised: {what}; if it is no harm: {}", command(rollout, signal)),
        (false, _) => format!(
            "raised again: {what}, which has grown since it was dismissed {by}; if it is still no harm: {}",
            command(rollout, signal)
        ),
    })
}

/// `evidence 61.2 of guard 2, p95 > 1x control (slower than control)`, `inconclusive: conversion > 2 %`.
fn what(signal: &v1::Signal) -> String {
    let size = signal
        .log_size
        .map(|size| format!(" {}", figure(size)))
        .unwrap_or_default();
    let guard = signal
        .guard
        .map(|guard| format!(" of guard {}, {}", guard + 1, signal.harm))
        .unwrap_or_default();
    let criterion = match signal.criterion.as_str() {
        "" => String::new(),
        written => format!(": {written}"),
    };
    format!("{}{size}{guard}{criterion}", signal.signal)
}

fn command(rollout: &v1::Rollout, signal: &v1::Signal) -> String {
    let guard = signal
        .guard
        .map(|guard| format!(" --guard {}", guard + 1))
        .unwrap_or_default();
    format!(
        "tidegate rollout dismiss '{}' --signal {}{guard} --reason ...",
        rollout.name, signal.signal
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_says_what_to_type_until_it_is_dismissed_and_again_when_it_has_grown() {
        let rollout = v1::Rollout {
            name: "checkout#3".to_owned(),
            ..v1::Rollout::default()
        };
        let raised = v1::Signal {
            signal: "evidence".to_owned(),
            guard: Some(1),
            harm: "p95 > 1x control (slower than control)".to_owned(),
            log_size: Some(61.0_f64.ln()),
            raised: true,
            ..v1::Signal::default()
        };
        let what = "evidence 61.0 of guard 2, p95 > 1x control (slower than control)";
        let command = "tidegate rollout dismiss 'checkout#3' --signal evidence --guard 2 --reason ...";
        assert_eq!(
            line(&rollout, &raised),
            format!("raised: {what}; if it is no harm: {command}")
        );
        let dismissed = v1::Signal {
            dismissed: true,
            dismissed_log_size: Some(55.0_f64.ln()),
            by: "ann".to_owned(),
            at_us: 1_767_225_600_000_000,
            why: "a batch job".to_owned(),
            ..raised
        };
        let by = "by ann at 2026-01-01 00:00:00Z at 55.0: a batch job";
        assert_eq!(line(&rollout, &dismissed), format!("dismissed: {what}, {by}"));
        let again = v1::Signal {
            dismissed: false,
            ..dismissed
        };
        let said = line(&rollout, &again);
        assert!(said.starts_with("raised again: ") && said.ends_with(command), "{said}");
    }
}
