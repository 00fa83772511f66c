//! Where flags stand across environments, for people and for programs; and how often patterns have won.

use proto::v1;
use serde::Serialize;

use crate::print::{self, Paint, Tone, plain};

/// Where a flag stands, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView {
    flag: String,
    state: String,
    deployed_pct: f64,
    measured_pct: Option<f64>,
    last_changed: Option<String>,
    stuck: bool,
    question: String,
    cycle: String,
    component: String,
    pattern: String,
    rollout: String,
    environments: Vec<EnvironmentView>,
}

#[derive(Debug, Serialize)]
struct EnvironmentView {
    environment: String,
    kind: String,
    exists: bool,
    on: bool,
    rollout: String,
    phase: String,
    stage: String,
    percentage: f64,
}

/// How often a pattern has won in a component, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct PosteriorView {
    component: String,
    pattern: String,
    alpha: f64,
    beta: f64,
    mean: f64,
    low: f64,
    high: f64,
    outcomes: u32,
}

impl StatusView {
    /// Of a status that the control plane sent.
    pub(crate) fn of(status: &v1::StatusOfFlag) -> Self {
        Self {
            flag: status.flag.clone(),
            state: status.state.clone(),
            deployed_pct: status.deployed_pct,
            measured_pct: status.measured_pct,
            last_changed: print::timestamp(status.last_changed_us),
            stuck: status.stuck,
            question: status.question.clone(),
            cycle: status.cycle.clone(),
            component: status.component.clone(),
            pattern: status.pattern.clone(),
            rollout: status.rollout.clone(),
            environments: status.environments.iter().map(EnvironmentView::of).collect(),
        }
    }
}

impl EnvironmentView {
    fn of(status: &v1::StatusInEnvironment) -> Self {
        Self {
            environment: status.environment.clone(),
            kind: status.kind.clone(),
            exists: status.exists,
            on: status.on,
            rollout: status.rollout.clone(),
            phase: status.phase.clone(),
            stage: status.stage.clone(),
            percentage: status.percentage,
        }
    }
}

impl PosteriorView {
    /// Of a posterior that the control plane sent.
    pub(crate) fn of(posterior: &v1::Posterior) -> Self {
        Self {
            component: posterior.component.clone(),
            pattern: posterior.pattern.clone(),
            alpha: posterior.alpha,
            beta: posterior.beta,
            mean: posterior.mean,
            low: posterior.low,
            high: posterior.high,
            outcomes: posterior.outcomes,
        }
    }
}

/// A table, one flag a row, and below it what to ask about those that are stuck.
pub(crate) fn table(flags: &[v1::StatusOfFlag], paint: Paint) -> String {
    let rows = flags.iter().map(|status| {
        [
            status.flag.clone(),
            status.state.clone(),
            share(status.deployed_pct),
            status.measured_pct.map(share).unwrap_or_default(),
            print::moment(status.last_changed_us),
            if status.stuck { "stuck".into() } else { String::new() },
            status.rollout.clone(),
            places(status),
        ]
    });
    let header = [
        "FLAG",
        "STATE",
        "DEPLOYED",
        "MEASURED",
        "LAST CHANGED",
        "STUCK",
        "ROLLOUT",
        "ENVIRONMENTS",
    ];
    let mut lines = vec![print::table(header, rows)];
    lines.extend(
        flags
            .iter()
            .filter(|status| status.stuck)
            .map(|status| paint.tone(Tone::Warning, &plain(&format!("{}: {}", status.flag, status.question)))),
    );
    lines.join("\n")
}

/// Where it is, and how far.
fn places(status: &v1::StatusOfFlag) -> String {
    let place = |place: &v1::StatusInEnvironment| {
        let on = if place.on { "on" } else { "off" };
        match place.phase.as_str() {
            "" => format!("{} {on}", place.environment),
            phase => format!(
                "{} {on}, {phase} {} {}",
                place.environment,
                place.stage,
                share(place.percentage)
            ),
        }
    };
    let there = status.environments.iter().filter(|place| place.exists);
    there.map(place).collect::<Vec<_>>().join("; ")
}

/// A percentage as it was given: `10 %`, `0.5 %`.
fn share(percent: f64) -> String {
    format!("{percent} %")
}

/// A table, one component and pattern a row.
pub(crate) fn posteriors(posteriors: &[v1::Posterior]) -> String {
    let rows = posteriors.iter().map(|posterior| {
        [
            posterior.component.clone(),
            posterior.pattern.clone(),
            format!("{:.1} %", 100.0 * posterior.mean),
            format!("{:.1} % to {:.1} %", 100.0 * posterior.low, 100.0 * posterior.high),
            posterior.outcomes.to_string(),
            format!("Beta({}, {})", posterior.alpha, posterior.beta),
        ]
    });
    print::table(
        ["COMPONENT", "PATTERN", "WINS", "90 % WITHIN", "OUTCOMES", "POSTERIOR"],
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_flag_comes_with_its_question() {
        let status = v1::StatusOfFlag {
            flag: "checkout".into(),
            state: "canary-10%".into(),
            deployed_pct: 10.0,
            measured_pct: Some(9.5),
            stuck: true,
            question: "canary-10% for 18 days: advance or roll back?".into(),
            environments: vec![
                v1::StatusInEnvironment {
                    environment: "production".into(),
                    exists: true,
                    on: true,
                    phase: "soaking".into(),
                    stage: "canary".into(),
                    percentage: 10.0,
                    ..Default::default()
                },
                v1::StatusInEnvironment {
                    environment: "staging".into(),
                    ..Default::default()
                },
            ],
            ..Default::default()
        };
        let table = table(&[status], Paint::PLAIN);
        for part in ["canary-10%", "9.5 %", "production on, soaking canary 10 %"] {
            assert!(table.contains(part), "{part}: {table}");
        }
        assert!(
            table.ends_with("\ncheckout: canary-10% for 18 days: advance or roll back?"),
            "{table}"
        );
        assert!(!table.contains("staging"), "where it is not, it is not shown: {table}");
    }
}
