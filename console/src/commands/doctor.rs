//! Is everything there? One look at each thing that a command or an agent needs: what is found, and what to do if it is
//! not as it should be.
//!
//! Each look has the time limit of a call and stands alone: what cannot be reached does not hide what can. A local agent
//! that is not there is no fault, for most consoles have none, unless somebody said where it is; one that is there and
//! not ready is.

mod agent;
mod http;
mod server;

use serde::Serialize;

use crate::{
    args::{DoctorArgs, Global},
    contexts::Contexts,
    error::{End, Error},
    print::{self, Paint, Tone},
    settings::{self, Settings, contexts_path},
};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// Wrong.
    Wrong,
    /// Not there, and need not be.
    Absent,
}

/// One look at one thing.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was looked at.
    what: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do; empty: nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

impl Finding {
    fn new(what: &'static str, state: State, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what,
            state,
            found: found.into(),
            advice: advice.into(),
        }
    }

    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(what, State::Good, found, "")
    }
}

/// Everything that was found, for programs.
#[derive(Debug, Serialize)]
struct Report {
    healthy: bool,
    console: &'static str,
    findings: Vec<Finding>,
}

/// Looks at everything, and ends unhealthy if something is wrong.
pub(super) async fn run(global: &Global, options: &DoctorArgs) -> Result<End, Error> {
    let mut findings = vec![contexts()];
    match Settings::load(global) {
        Ok(settings) => {
            findings.push(place(&settings));
            findings.extend(server::look(global, settings).await);
        }
        Err(error) => findings.push(Finding::new(
            "settings",
            State::Wrong,
            error.to_string(),
            "correct what is named, or give --server and --environment",
        )),
    }
    let place = agent::Place::of(options, &settings::variable);
    findings.extend(agent::look(&place, global.timeout).await);
    let healthy = findings.iter().all(|finding| finding.state != State::Wrong);
    let report = Report {
        healthy,
        console: env!("CARGO_PKG_VERSION"),
        findings,
    };
    let paint = Paint::of(global);
    print::show(global.output, &report, || text(&report, paint))?;
    Ok(if healthy { End::Done } else { End::Unhealthy })
}

fn contexts() -> Finding {
    const WHAT: &str = "context file";
    let path = match contexts_path(&settings::variable) {
        Ok(path) => path,
        Err(error) => return Finding::new(WHAT, State::Warning, error.to_string(), ""),
    };
    let shown = path.display();
    match Contexts::load(&path) {
        Err(error) => Finding::new(
            WHAT,
            State::Wrong,
            error.to_string(),
            "correct the file, or move it away",
        ),
        Ok(contexts) if contexts == Contexts::default() => Finding::new(
            WHAT,
            State::Absent,
            format!("{shown}: there is none, and none is needed"),
            "",
        ),
        Ok(_) if open_to_others(&path) => Finding::new(
            WHAT,
            State::Warning,
            format!("{shown}: others can read it, and it may hold tokens"),
            format!("chmod 600 {shown}"),
        ),
        Ok(contexts) => {
            let current = contexts.current.as_deref().unwrap_or("none");
            let count = contexts.contexts.len();
            Finding::good(WHAT, format!("{shown}: {count} contexts, in use: {current}"))
        }
    }
}

#[cfg(unix)]
fn open_to_others(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_: &std::path::Path) -> bool {
    false
}

fn place(settings: &Settings) -> Finding {
    let token = match &settings.token {
        Some(token) => format!("a token ({})", token.source),
        None => "no token".into(),
    };
    let (server, environment) = (&settings.server, &settings.environment);
    Finding::good(
        "settings",
        format!(
            "server {} ({}), environment {} ({}), {token}",
            server.value, server.source, environment.value, environment.source
        ),
    )
}

/// A line for each finding, and below it what to do.
fn text(report: &Report, paint: Paint) -> String {
    let mut lines = vec![format!("tidegate {}", report.console)];
    for finding in &report.findings {
        let (sign, tone) = match finding.state {
            State::Good => ("ok      ", Tone::Good),
            State::Warning => ("warning ", Tone::Warning),
            State::Wrong => ("wrong   ", Tone::Bad),
            State::Absent => ("absent  ", Tone::Faint),
        };
        let found = print::plain(&finding.found);
        lines.push(format!("{} {:<16} {found}", paint.tone(tone, sign), finding.what));
        if !finding.advice.is_empty() {
            lines.push(format!("{:26}-> {}", "", print::plain(&finding.advice)));
        }
    }
    let wrong = report
        .findings
        .iter()
        .filter(|finding| finding.state == State::Wrong)
        .count();
    lines.push(match wrong {
        0 => "nothing is wrong".into(),
        1 => "1 thing is wrong".into(),
        wrong => format!("{wrong} things are wrong"),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_to_do_below_what_it_found() {
        let report = Report {
            healthy: false,
            console: "1.2.3",
            findings: vec![
                Finding::good("settings", "server x"),
                Finding::new("control plane", State::Wrong, "refused\u{1b}", "start it"),
            ],
        };
        let expected = "\
tidegate 1.2.3
ok       settings         server x
wrong    control plane    refused\\u{1b}
                          -> start it
1 thing is wrong";
        assert_eq!(text(&report, Paint::PLAIN), expected);
    }
}
