//! What is to be said about a plan: what is wrong with it, and what it will cost.
//!
//! What is not known is said to be not known and why; it is never shown as 0.

use proto::v1;
use serde::Serialize;

use super::{
    desk::{StepView, WaitingView},
    walk,
};
use crate::{
    duration,
    print::{self, Paint, Tone, count, plain},
};

/// All that is said about a plan, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct LintView {
    violations: Vec<NoteView>,
    warnings: Vec<NoteView>,
    calendar: Vec<StepView>,
    stages: Vec<StageCostView>,
    limits: Vec<LimitCostView>,
    thresholds: Vec<ThresholdView>,
    phase: String,
    waits: Vec<WaitingView>,
}

#[derive(Debug, Serialize)]
struct NoteView {
    field: String,
    description: String,
}

#[derive(Debug, Serialize)]
struct StageCostView {
    stage: String,
    from: Option<String>,
    until: Option<String>,
    units: Option<u64>,
    requests: Option<u64>,
}

#[derive(Debug, Serialize)]
struct LimitCostView {
    limit: String,
    stage: String,
    purpose: String,
    times: Option<f64>,
    bound: Option<f64>,
    ours: Option<f64>,
    time: Option<String>,
    within_dwell: bool,
    unknown: String,
}

#[derive(Debug, Serialize)]
struct ThresholdView {
    field: String,
    criterion: String,
    odds: Option<f64>,
    grounds: String,
}

impl LintView {
    /// Of what the control plane found.
    pub(crate) fn of(lint: &v1::LintPlanResponse) -> Self {
        Self {
            violations: lint.violations.iter().map(NoteView::of).collect(),
            warnings: lint.warnings.iter().map(NoteView::of).collect(),
            calendar: lint.calendar.iter().map(StepView::of).collect(),
            stages: lint.stages.iter().map(StageCostView::of).collect(),
            limits: lint.limits.iter().map(LimitCostView::of).collect(),
            thresholds: lint.thresholds.iter().map(ThresholdView::of).collect(),
            phase: lint.phase.clone(),
            waits: lint.waits.iter().map(WaitingView::of).collect(),
        }
    }
}

impl NoteView {
    fn of(note: &v1::LintNote) -> Self {
        Self {
            field: note.field.clone(),
            description: note.description.clone(),
        }
    }
}

impl StageCostView {
    fn of(cost: &v1::StageCost) -> Self {
        Self {
            stage: cost.stage.clone(),
            from: print::timestamp(cost.from_us),
            until: print::timestamp(cost.until_us),
            units: known(cost.units),
            requests: known(cost.requests),
        }
    }
}

impl LimitCostView {
    fn of(cost: &v1::LimitCost) -> Self {
        Self {
            limit: cost.limit.clone(),
            stage: cost.stage.clone(),
            purpose: cost.purpose.clone(),
            times: known_figure(cost.times),
            bound: known_figure(cost.bound),
            ours: known_figure(cost.ours),
            time: (cost.time_us > 0).then(|| duration::exact(cost.time_us)),
            within_dwell: cost.within_dwell,
            unknown: cost.unknown.clone(),
        }
    }
}

impl ThresholdView {
    fn of(threshold: &v1::ThresholdOdds) -> Self {
        Self {
            field: threshold.field.clone(),
            criterion: threshold.criterion.clone(),
            odds: threshold.odds,
            grounds: threshold.grounds.clone(),
        }
    }
}

fn known(number: u64) -> Option<u64> {
    (number > 0).then_some(number)
}

fn known_figure(number: f64) -> Option<f64> {
    (number.is_finite() && number > 0.0).then_some(number)
}

/// The report for people: what is wrong first, then what it costs.
pub(crate) fn report(lint: &v1::LintPlanResponse, now_us: i64, paint: Paint) -> String {
    let mut parts = Vec::new();
    parts.extend(notes("wrong", &lint.violations, Tone::Bad, paint));
    parts.extend(notes("to think about", &lint.warnings, Tone::Warning, paint));
    let heading = |text: &str| paint.tone(Tone::Strong, text);
    if !lint.calendar.is_empty() {
        let title = "calendar, if all goes well and everybody acts at once";
        let mut calendar = format!("{}\n{}", heading(title), walk::steps(&lint.calendar, now_us));
        if let Some(end) = walk::end(&lint.phase, &lint.waits, now_us) {
            calendar.push_str(&format!("\n{end}"));
        }
        parts.push(calendar);
    }
    if !lint.stages.is_empty() {
        parts.push(format!("{}\n{}", heading("exposed"), stages(&lint.stages)));
    }
    if !lint.limits.is_empty() {
        let title = "treated requests that each limit needs: of any honest test, and of ours";
        parts.push(format!("{}\n{}", heading(title), limits(&lint.limits)));
    }
    if !lint.thresholds.is_empty() {
        let title = "how often plain thresholds trip without cause";
        parts.push(format!("{}\n{}", heading(title), thresholds(&lint.thresholds)));
    }
    parts.push(verdict(lint, paint));
    parts.join("\n\n")
}

fn verdict(lint: &v1::LintPlanResponse, paint: Paint) -> String {
    let warnings = match lint.warnings.len() {
        0 => String::new(),
        1 => ", 1 warning".into(),
        many => format!(", {many} warnings"),
    };
    match lint.violations.len() {
        0 => paint.tone(Tone::Good, &format!("the plan can be stored{warnings}")),
        1 => paint.tone(Tone::Bad, &format!("1 violation{warnings}: the plan is refused")),
        many => paint.tone(Tone::Bad, &format!("{many} violations{warnings}: the plan is refused")),
    }
}

/// `path: what is wrong`, one a line; nothing if there are none.
fn notes(title: &str, notes: &[v1::LintNote], tone: Tone, paint: Paint) -> Option<String> {
    let lines = notes.iter().map(|note| format!("  {}", note_line(note)));
    let lines = lines.collect::<Vec<_>>().join("\n");
    (!notes.is_empty()).then(|| format!("{}\n{lines}", paint.tone(tone, title)))
}

/// One note: `stages[2].percentage: must rise`.
pub(crate) fn note_line(note: &v1::LintNote) -> String {
    match note.field.as_str() {
        "" => plain(&note.description),
        field => plain(&format!("{field}: {}", note.description)),
    }
}

fn stages(stages: &[v1::StageCost]) -> String {
    let number = |number| known(number).map_or_else(|| "not known".into(), count);
    let moment = |us| match us {
        0 => "never".to_owned(),
        us => print::moment(us),
    };
    let rows = stages.iter().map(|cost| {
        [
            cost.stage.clone(),
            moment(cost.from_us),
            moment(cost.until_us),
            number(cost.units),
            number(cost.requests),
        ]
    });
    print::table(["STAGE", "FROM", "UNTIL", "UNITS", "REQUESTS"], rows)
}

fn limits(limits: &[v1::LimitCost]) -> String {
    let rows = limits.iter().map(|cost| {
        let within = match (cost.time_us, cost.within_dwell) {
            (_, true) => "yes",
            (0, false) => "",
            (_, false) => "no",
        };
        [
            cost.limit.clone(),
            cost.stage.clone(),
            purpose(cost),
            samples(cost.bound),
            samples(cost.ours),
            match cost.time_us {
                0 => String::new(),
                time => duration::about(time),
            },
            within.into(),
            cost.unknown.clone(),
        ]
    });
    print::table(
        [
            "LIMIT",
            "STAGE",
            "TO",
            "BOUND",
            "OURS",
            "TAKES",
            "WITHIN DWELL",
            "NOT KNOWN BECAUSE",
        ],
        rows,
    )
}

fn purpose(cost: &v1::LimitCost) -> String {
    match cost.purpose.as_str() {
        "times-limit" => format!("find {}x", cost.times),
        "certify" => "certify it".into(),
        other => other.to_owned(),
    }
}

/// A number of samples, rounded up: a part of a request is a request.
fn samples(number: f64) -> String {
    match known_figure(number) {
        Some(number) if number < 1e15 => count(number.ceil() as u64),
        Some(_) => "more than 10^15".into(),
        None => String::new(),
    }
}

fn thresholds(thresholds: &[v1::ThresholdOdds]) -> String {
    let rows = thresholds.iter().map(|threshold| {
        [
            threshold.field.clone(),
            threshold.criterion.clone(),
            threshold.odds.map_or_else(|| "not known".into(), chance),
            threshold.grounds.clone(),
        ]
    });
    print::table(["AT", "THRESHOLD", "ODDS", "GROUNDS"], rows)
}

/// A chance in percent, and never "0 %" of what can happen.
fn chance(odds: f64) -> String {
    match 100.0 * odds {
        percent if percent > 0.0 && percent < 0.01 => "below 0.01 %".into(),
        percent if percent < 100.0 && percent > 99.99 => "above 99.99 %".into(),
        percent => format!("{percent:.2} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(field: &str, description: &str) -> v1::LintNote {
        v1::LintNote {
            field: field.into(),
            description: description.into(),
        }
    }

    fn limit(purpose: &str, times: f64, bound: f64, ours: f64) -> v1::LimitCost {
        v1::LimitCost {
            limit: "error-rate > 1 %".into(),
            stage: "canary".into(),
            purpose: purpose.into(),
            times,
            bound,
            ours,
            time_us: 7_200_000_000,
            within_dwell: true,
            unknown: String::new(),
        }
    }

    #[test]
    fn what_is_wrong_comes_first_with_its_path() {
        let lint = v1::LintPlanResponse {
            violations: vec![
                note("stages[2].percentage", "must rise: above 5 %"),
                note("guards[0].harm", "no metric `p98`; did you mean p99?"),
            ],
            warnings: vec![note("stages[0].dwell", "under 24h")],
            ..Default::default()
        };
        assert_eq!(
            report(&lint, 0, Paint::PLAIN),
            "wrong\n  stages[2].percentage: must rise: above 5 %\n  \
             guards[0].harm: no metric `p98`; did you mean p99?\n\n\
             to think about\n  stages[0].dwell: under 24h\n\n\
             2 violations, 1 warning: the plan is refused"
        );
    }

    #[test]
    fn what_it_costs_is_said_for_each_limit_bound_and_ours() {
        let lint = v1::LintPlanResponse {
            limits: vec![
                limit("times-limit", 2.0, 1_203.2, 4_100.0),
                limit("certify", 0.0, 0.0, 0.0),
            ],
            ..Default::default()
        };
        let report = report(&lint, 0, Paint::PLAIN);
        for part in [
            "find 2x",
            "1,204",
            "4,100",
            "2h",
            "yes",
            "certify it",
            "the plan can be stored",
        ] {
            assert!(report.contains(part), "{part}: {report}");
        }
    }

    #[test]
    fn the_unknown_is_not_shown_as_zero() {
        let lint = v1::LintPlanResponse {
            stages: vec![v1::StageCost {
                stage: "canary".into(),
                from_us: 1_767_225_600_000_000,
                ..Default::default()
            }],
            thresholds: vec![v1::ThresholdOdds {
                field: "stages[0].rollback[0]".into(),
                criterion: "complaints > 10".into(),
                odds: None,
                grounds: "no baseline".into(),
            }],
            ..Default::default()
        };
        let report = report(&lint, 0, Paint::PLAIN);
        assert_eq!(report.matches("not known").count(), 3, "{report}");
        assert!(report.contains("never") && report.contains("no baseline"), "{report}");
    }

    #[test]
    fn a_chance_that_there_is_never_rounds_to_none() {
        assert_eq!(
            [
                chance(0.0),
                chance(1e-9),
                chance(0.0312),
                chance(0.999_999),
                chance(1.0)
            ],
            ["0.00 %", "below 0.01 %", "3.12 %", "above 99.99 %", "100.00 %"]
        );
    }
}
