//! A plan as a document (YAML or JSON), and its conversion to the wire.
//!
//! Percentages and durations are written as people write them. Absent fields stay absent on the wire, where the
//! control plane gives them their defaults; a written 0 that would silently mean "the default" there is refused here.

use evaluation::Key;
use proto::v1;
use serde::Deserialize;

use crate::{
    duration,
    flag_document::{Percent, buckets},
};

/// A plan as its author writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanDocument {
    /// Its own key; absent: the flag's.
    #[serde(default)]
    pub(crate) key: Option<String>,
    /// The flag that it moves.
    pub(crate) flag: String,
    /// For people.
    #[serde(default)]
    pub(crate) description: String,
    /// Variant that is rolled out.
    pub(crate) treatment: String,
    /// Variant that it is compared with.
    pub(crate) control: String,
    /// `unit` or `request`; absent: unit.
    #[serde(default)]
    pub(crate) unit: Option<String>,
    /// In order, percentages rising.
    pub(crate) stages: Vec<StageDocument>,
    /// Absent: the error rate against the control, limit 1.0.
    #[serde(default)]
    pub(crate) guards: Vec<GuardDocument>,
    /// The chance of a false abort, between 0 and 1.
    #[serde(default)]
    pub(crate) alpha: Option<f64>,
    /// For `request`: the highest plausible error rate of the control, between 0 and 1.
    #[serde(default)]
    pub(crate) max_control_rate: Option<f64>,
    /// An exposure without an outcome is lost after this long.
    #[serde(default)]
    pub(crate) lost_after: Option<String>,
}

/// A stage of a plan document.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageDocument {
    /// Unique in the plan.
    pub(crate) name: String,
    /// Treatment's share.
    pub(crate) percent: Percent,
    /// How long it must soak, such as 10m.
    pub(crate) dwell: String,
    /// Outcomes per arm that the gate needs.
    #[serde(default)]
    pub(crate) minimum_outcomes: Option<u64>,
    /// Units per arm that the gate needs.
    #[serde(default)]
    pub(crate) minimum_units: Option<u64>,
}

/// A guard of a plan document.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuardDocument {
    /// `error-rate`.
    pub(crate) metric: String,
    /// The ratio of treatment to control that is still accepted; absent: 1.0.
    #[serde(default)]
    pub(crate) limit: Option<f64>,
    /// `warn`, `hold` or `abort`; absent: abort.
    #[serde(default)]
    pub(crate) level: Option<String>,
}

impl PlanDocument {
    /// The plan on the wire, or every violation as `field: what is wrong`.
    pub(crate) fn to_wire(&self) -> Result<v1::Plan, Vec<String>> {
        let mut problems = Vec::new();
        for (field, key) in [("key", self.key.as_ref()), ("flag", Some(&self.flag))] {
            if let Some(Err(error)) = key.map(|key| Key::parse(key)) {
                problems.push(format!("{field}: {error}"));
            }
        }
        let plan = v1::Plan {
            key: self.key.clone().unwrap_or_default(),
            flag: self.flag.clone(),
            description: self.description.clone(),
            treatment: self.treatment.clone(),
            control: self.control.clone(),
            unit: self.splitting_unit(&mut problems).into(),
            stages: self
                .stages
                .iter()
                .enumerate()
                .map(|(at, stage)| stage.to_wire(at, &mut problems))
                .collect(),
            guards: self
                .guards
                .iter()
                .enumerate()
                .map(|(at, guard)| guard.to_wire(at, &mut problems))
                .collect(),
            alpha: probability("alpha", self.alpha, &mut problems),
            max_control_rate: probability("max_control_rate", self.max_control_rate, &mut problems),
            lost_after_us: self.lost_after_us(&mut problems),
        };
        if plan.stages.is_empty() {
            problems.push("stages: at least one".into());
        }
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }

    fn splitting_unit(&self, problems: &mut Vec<String>) -> v1::SplittingUnit {
        match self.unit.as_deref() {
            None => v1::SplittingUnit::Unspecified,
            Some("unit") => v1::SplittingUnit::Unit,
            Some("request") => v1::SplittingUnit::Request,
            Some(other) => {
                problems.push(format!("unit: no {other:?}; unit or request"));
                v1::SplittingUnit::Unspecified
            }
        }
    }

    fn lost_after_us(&self, problems: &mut Vec<String>) -> i64 {
        match self.lost_after.as_deref().map(duration::parse_us) {
            None => 0,
            Some(Ok(0)) => {
                problems.push("lost_after: longer than 0s".into());
                0
            }
            Some(Ok(us)) => us,
            Some(Err(error)) => {
                problems.push(format!("lost_after: {error}"));
                0
            }
        }
    }
}

/// Between 0 and 1, both excluded; 0 on the wire is "the default".
fn probability(field: &str, number: Option<f64>, problems: &mut Vec<String>) -> f64 {
    match number {
        Some(number) if !(number > 0.0 && number < 1.0) => {
            problems.push(format!("{field}: {number}: between 0 and 1, such as 0.01"));
            0.0
        }
        Some(number) => number,
        None => 0.0,
    }
}

impl StageDocument {
    fn to_wire(&self, at: usize, problems: &mut Vec<String>) -> v1::Stage {
        let dwell_us = duration::parse_us(&self.dwell).unwrap_or_else(|error| {
            problems.push(format!("stages[{at}].dwell: {error}"));
            0
        });
        v1::Stage {
            name: self.name.clone(),
            buckets: buckets(&self.percent, &format!("stages[{at}].percent"), problems),
            dwell_us,
            minimum_outcomes: self.minimum_outcomes,
            minimum_units: self.minimum_units,
        }
    }
}

impl GuardDocument {
    fn to_wire(&self, at: usize, problems: &mut Vec<String>) -> v1::Guard {
        let limit = match self.limit {
            Some(limit) if !(limit.is_finite() && limit > 0.0) => {
                problems.push(format!("guards[{at}].limit: {limit}: a positive ratio, such as 1.0"));
                0.0
            }
            Some(limit) => limit,
            None => 0.0,
        };
        let level = match self.level.as_deref() {
            None => v1::GuardLevel::Unspecified,
            Some("warn") => v1::GuardLevel::Warn,
            Some("hold") => v1::GuardLevel::Hold,
            Some("abort") => v1::GuardLevel::Abort,
            Some(other) => {
                problems.push(format!("guards[{at}].level: no {other:?}; warn, hold or abort"));
                v1::GuardLevel::Unspecified
            }
        };
        v1::Guard {
            metric: self.metric.clone(),
            limit,
            level: level.into(),
        }
    }
}

/// A stage from `NAME:PERCENT:DWELL`, such as `canary:5%:10m`. The name may hold colons.
pub(crate) fn parse_stage(text: &str) -> Result<v1::Stage, String> {
    let mut parts = text.rsplitn(3, ':');
    let (Some(dwell), Some(percent), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("write NAME:PERCENT:DWELL, such as canary:5%:10m".into());
    };
    if name.is_empty() {
        return Err("the name before the first colon is missing".into());
    }
    let buckets = evaluation::Buckets::parse_percent(percent)
        .map_err(|error| format!("{percent:?}: {error}"))?
        .get();
    let dwell_us = duration::parse_us(dwell)?;
    Ok(v1::Stage {
        name: name.into(),
        buckets,
        dwell_us,
        minimum_outcomes: None,
        minimum_units: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::document;

    fn parse(text: &str) -> PlanDocument {
        document::parse("plan.yaml", text).unwrap()
    }

    #[test]
    fn a_whole_plan_is_read() {
        let plan = parse(
            "
flag: checkout
treatment: on
control: off
unit: request
stages:
  - {name: canary, percent: 5, dwell: 10m, minimum_outcomes: 200}
  - {name: half, percent: 50%, dwell: 1h, minimum_units: 5}
  - {name: all, percent: 100, dwell: 0s}
guards:
  - {metric: error-rate, limit: 1.2, level: hold}
alpha: 0.05
max_control_rate: 0.2
lost_after: 45s
",
        );
        let plan = plan.to_wire().unwrap();
        assert_eq!((plan.treatment.as_str(), plan.control.as_str()), ("on", "off"));
        assert_eq!(plan.unit(), v1::SplittingUnit::Request);
        let stages: Vec<_> = plan
            .stages
            .iter()
            .map(|stage| (stage.buckets, stage.dwell_us))
            .collect();
        assert_eq!(stages, [(5_000, 600_000_000), (50_000, 3_600_000_000), (100_000, 0)]);
        assert_eq!(
            (plan.stages[0].minimum_outcomes, plan.stages[1].minimum_units),
            (Some(200), Some(5))
        );
        assert_eq!(
            (plan.guards[0].limit, plan.guards[0].level()),
            (1.2, v1::GuardLevel::Hold)
        );
        assert_eq!(
            (plan.alpha, plan.max_control_rate, plan.lost_after_us),
            (0.05, 0.2, 45_000_000)
        );
    }

    #[test]
    fn what_is_absent_is_left_to_the_control_plane() {
        let plan = json!({"flag": "a", "treatment": "on", "control": "off",
                          "stages": [{"name": "all", "percent": 100, "dwell": "0s"}]});
        let plan = parse(&plan.to_string()).to_wire().unwrap();
        assert_eq!(
            (plan.alpha, plan.max_control_rate, plan.lost_after_us, plan.guards.len()),
            (0.0, 0.0, 0, 0)
        );
        assert_eq!(plan.unit(), v1::SplittingUnit::Unspecified);
    }

    #[test]
    fn wrong_meanings_are_named_all_at_once() {
        let plan = json!({
            "key": "", "flag": "a b", "treatment": "on", "control": "off", "unit": "user",
            "stages": [{"name": "a", "percent": 101, "dwell": "10"}, {"name": "b", "percent": "-1", "dwell": "fast"}],
            "guards": [{"metric": "error-rate", "limit": 0, "level": "panic"}],
            "alpha": 0, "max_control_rate": 1, "lost_after": "0s",
        });
        let problems = parse(&plan.to_string()).to_wire().unwrap_err();
        let starts = [
            "key: a key cannot be empty",
            "flag: a key has ASCII letters",
            "unit: no \"user\"; unit or request",
            "stages[0].dwell: `10`: a unit is missing",
            "stages[0].percent: \"101\": a percentage lies between",
            "stages[1].dwell: `fast`: write whole numbers",
            "stages[1].percent: \"-1\": a percentage lies between",
            "guards[0].limit: 0: a positive ratio",
            "guards[0].level: no \"panic\"; warn, hold or abort",
            "alpha: 0: between 0 and 1",
            "max_control_rate: 1: between 0 and 1",
            "lost_after: longer than 0s",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn a_wrong_form_is_named() {
        let cases = [
            ("{}", "missing field `flag`"),
            (r#"{"flag": "a", "bake": "2w"}"#, "unknown field `bake`"),
            (
                r#"{"flag": "a", "treatment": "on", "control": "off", "stages": "all"}"#,
                "expected a sequence",
            ),
        ];
        for (text, part) in cases {
            let problem = document::parse::<PlanDocument>("plan.yaml", text)
                .unwrap_err()
                .to_string();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }

    #[test]
    fn a_stage_is_written_in_one_word() {
        let stage = parse_stage("canary:5%:10m").unwrap();
        assert_eq!(
            (stage.name.as_str(), stage.buckets, stage.dwell_us),
            ("canary", 5_000, 600_000_000)
        );
        assert_eq!(parse_stage("a:b:0.125:1d").unwrap().name, "a:b");
        let cases = [
            ("canary", "NAME:PERCENT:DWELL"),
            ("canary:5%", "NAME:PERCENT:DWELL"),
            (":5%:10m", "name before the first colon"),
            ("canary:five:10m", "\"five\": not a percentage"),
            ("canary:5.0001:10m", "at most 3 decimal places"),
            ("canary:5%:ten", "whole numbers"),
        ];
        for (text, part) in cases {
            let error = parse_stage(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
