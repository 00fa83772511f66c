//! Alerts: what people should know of a rollout, or look at now, as an event.
//!
//! Pure. An alert is about one thing (a criterion that holds, a hold, an abort) and is told once for each visit of a stage,
//! however often the engine sees it; each trip of a kill switch is one of its own. It holds what the plan says and what was measured: no person, no reason. Raising it
//! within a transaction is `change/alert.rs`'s.

use rollout::HoldReason;
use serde_json::{Value as Json, json};
use twox_hash::XxHash3_64;

use super::{Event, Kind, between, data, envelope};
use crate::record::RolloutRecord;

/// The longest title, in characters.
const TITLE: usize = 200;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Somebody should know.
    Warning,
    /// Somebody should look at it now.
    Critical,
}

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// A criterion of the plan's `warning`, as text.
    Warning(String),
    /// A criterion of the plan's `critical`, as text.
    Critical(String),
    /// What a guard calls harm, as text, and its evidence is at the warn level.
    Guard(String),
    /// The same at the hold level or above: who was warned is told again.
    GuardHolds(String),
    /// The rollout is held.
    Hold(HoldReason),
    /// Treatment goes to 0 %, for good.
    Abort,
    /// A kill switch tripped by itself, over this version of the flag: each trip is told.
    KillSwitch(u32),
    /// What is compared with a baseline cannot be.
    Baseline,
    /// The arms are not exposed in the ratio that they were assigned in.
    Balance,
    /// What agents report is not whole.
    Reporting,
}

/// Something that people should know of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What it is about: it is told once for each of these and visit of a stage.
    pub(crate) about: About,
    /// One line for people, of keys and numbers only; cut to 200 characters.
    pub(crate) title: String,
    /// The criterion or the guard that it comes from, as the plan has it; none: it is of no single one.
    pub(crate) criterion: Option<String>,
    /// Key of the metric; none: it is about no single one.
    pub(crate) metric: Option<String>,
    /// What was measured, in the metric's unit; none, or no number: nothing was.
    pub(crate) value: Option<f64>,
    /// What it may be, in the same unit.
    pub(crate) limit: Option<f64>,
}

impl Severity {
    /// As events and requests write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Warning, Self::Critical]
            .into_iter()
            .find(|severity| severity.name() == name)
    }
}

impl About {
    /// The word of a closed set that says what it is about.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Warning(_) => "warning".to_owned(),
            Self::Critical(_) => "critical".to_owned(),
            Self::Guard(_) | Self::GuardHolds(_) => "guard".to_owned(),
            Self::Hold(reason) => format!("hold.{}", reason.name()),
            Self::Abort => "abort".to_owned(),
            Self::KillSwitch(_) => "kill-switch".to_owned(),
            Self::Baseline => "baseline".to_owned(),
            Self::Balance => "balance".to_owned(),
            Self::Reporting => "reporting".to_owned(),
        }
    }

    /// What tells it from others of its name: the criterion or the guard, as the plan has it. None: there is one of it.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Warning(text) | Self::Critical(text) | Self::Guard(text) | Self::GuardHolds(text) => Some(text),
            Self::KillSwitch(_) | Self::Hold(_) | Self::Abort | Self::Baseline | Self::Balance | Self::Reporting => {
                None
            }
        }
    }

    /// What tells it from every other within a visit, in at most 40 plain characters. Made of the text of a criterion and
    /// not of its place, because an edit of the plan moves places.
    pub(crate) fn word(&self) -> String {
        let name = match self {
            Self::GuardHolds(_) => "guard-holds".to_owned(),
            Self::KillSwitch(version) => format!("{}.{version}", self.name()),
            _ => self.name(),
        };
        match self.text() {
            Some(text) => format!("{name}.{:016x}", XxHash3_64::oneshot(text.as_bytes())),
            None => name,
        }
    }
}

/// The event of an alert.
pub(crate) fn event(record: &RolloutRecord, alert: &Alert, now_us: i64) -> Event {
    let made = between(record, now_us);
    let title = alert.title.chars().filter(|c| !c.is_control()).take(TITLE);
    let more = json!({
        "severity": alert.severity.name(),
        "about": alert.about.name(),
        "title": title.collect::<String>(),
        "metric": alert.metric,
        "criterion": alert.criterion,
        "value": number(alert.value),
        "limit": number(alert.limit),
    });
    let what = format!("{}.{}", Kind::Alert.name(), alert.about.word());
    envelope(record, &made, Kind::Alert, &what, data(record, &made, more))
}

/// How bad it is, of the event of an alert; none of any other.
pub(crate) fn severity(event: &Event) -> Option<Severity> {
    let json = serde_json::from_str::<Json>(&event.json).ok()?;
    Severity::of_name(json["data"]["severity"].as_str()?)
}

/// JSON has no infinity.
fn number(value: Option<f64>) -> Json {
    value.filter(|value| value.is_finite()).map_or(Json::Null, Json::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builders::{START_US, rollout};

    fn alert(about: About) -> Alert {
        Alert {
            severity: Severity::Critical,
            about,
            title: "errors".to_owned(),
            criterion: None,
            metric: None,
            value: None,
            limit: None,
        }
    }

    fn parsed(alert: &Alert) -> Json {
        serde_json::from_str(&event(&rollout(), alert, START_US).json).unwrap_or_default()
    }

    #[test]
    fn what_differs_has_another_id_and_what_is_the_same_has_the_same() {
        let text = |text: &str| text.to_owned();
        let all = [
            About::Warning(text("error-rate > 1 %")),
            About::Critical(text("error-rate > 1 %")),
            About::Critical(text("error-rate > 2 %")),
            About::Guard(text("error-rate > 1 %")),
            About::GuardHolds(text("error-rate > 1 %")),
            About::Hold(HoldReason::Stale),
            About::Hold(HoldReason::NoAgents),
            About::Abort,
            About::KillSwitch(3),
            About::KillSwitch(4),
            About::Baseline,
            About::Balance,
            About::Reporting,
        ];
        let ids = all.clone().map(|about| parsed(&alert(about))["id"].to_string());
        let again = all.map(|about| parsed(&alert(about))["id"].to_string());
        assert_eq!(ids, again);
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{id}");
        }
    }

    #[test]
    fn a_title_is_one_short_line_and_no_number_is_null() {
        let long = Alert {
            title: format!("a\n\u{1b}[2J{}", "é".repeat(500)),
            value: Some(f64::NAN),
            limit: Some(0.02),
            ..alert(About::Abort)
        };
        let data = parsed(&long)["data"].clone();
        let title = data["title"].as_str().unwrap_or_default();
        assert_eq!(title.chars().count(), TITLE);
        assert!(title.starts_with("a[2Jé"), "{title}");
        assert_eq!((&data["value"], &data["limit"]), (&Json::Null, &json!(0.02)));
    }

    #[test]
    fn every_severity_is_known_by_its_name() {
        for severity in [Severity::Warning, Severity::Critical] {
            assert_eq!(Severity::of_name(severity.name()), Some(severity));
        }
        assert_eq!(Severity::of_name("fatal"), None);
        assert!(Severity::Warning < Severity::Critical);
    }
}
