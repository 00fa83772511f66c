//! Levels of a rollout that are read from outside: what they are now, who says so, and why there is no number.

use proto::v1;
use serde::Serialize;

use super::amount;
use crate::print::{self, plain};

/// A level, for programs. Durations are in microseconds, fractions of 1.
#[derive(Debug, Serialize)]
pub(crate) struct LevelView {
    metric: String,
    unit: String,
    treatment: Option<f64>,
    control: Option<f64>,
    at: Option<String>,
    source: String,
    missing: String,
    control_missing: String,
}

impl LevelView {
    /// Of what the control plane sent.
    pub(crate) fn of(level: &v1::LevelReading) -> Self {
        Self {
            metric: level.metric.clone(),
            unit: level.unit.clone(),
            treatment: level.treatment,
            control: level.control,
            at: print::timestamp(level.at_us),
            source: level.source.clone(),
            missing: level.missing.clone(),
            control_missing: level.control_missing.clone(),
        }
    }
}

/// A table, one level a row, and below it a line for each number that is missing; nothing without a level.
pub(crate) fn table(rollout: &v1::Rollout) -> Option<String> {
    let levels = rollout.levels.as_slice();
    if levels.is_empty() {
        return None;
    }
    let rows = levels.iter().map(|level| {
        [
            level.metric.clone(),
            amount::known(&level.unit, level.treatment),
            amount::known(&level.unit, level.control),
            match print::moment(level.at_us).as_str() {
                "" => "never".to_owned(),
                moment => moment.to_owned(),
            },
            level.source.clone(),
        ]
    });
    let table = print::table(["LEVEL", "TREATMENT", "CONTROL", "READ", "FROM"], rows);
    let missing = levels.iter().flat_map(missing);
    let lines: Vec<_> = std::iter::once(table).chain(missing).collect();
    Some(lines.join("\n"))
}

/// One level in a line, where there is no room for a table.
pub(crate) fn line(level: &v1::LevelReading) -> String {
    let now = match (level.treatment, level.missing.as_str()) {
        (Some(_), _) => {
            let control = level.control.map(|control| amount::amount(&level.unit, control));
            let control = control
                .map(|control| format!(", control {control}"))
                .unwrap_or_default();
            let failed = match level.missing.as_str() {
                "" => String::new(),
                why => format!(", and no newer one: {why}"),
            };
            format!(
                "treatment {}{control}{failed}",
                amount::known(&level.unit, level.treatment)
            )
        }
        (None, why) => format!("no number: {why}"),
    };
    plain(&format!("level {}: {now} | from {}", level.metric, level.source))
}

/// Why numbers are missing, in whole: a table would cut it.
fn missing(level: &v1::LevelReading) -> impl Iterator<Item = String> {
    let arms = [("", &level.missing), (" of control", &level.control_missing)];
    let said = arms.into_iter().filter(|(_, why)| !why.is_empty());
    said.map(|(arm, why)| plain(&format!("no {}{arm}: {why}", level.metric)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_shown_with_its_unit_and_what_is_missing_with_its_reason() {
        let depth = v1::LevelReading {
            metric: "depth".to_owned(),
            unit: "count".to_owned(),
            source: "prometheus".to_owned(),
            missing: "no data: the query finds no series".to_owned(),
            ..v1::LevelReading::default()
        };
        let wait = v1::LevelReading {
            metric: "wait".to_owned(),
            unit: "duration".to_owned(),
            treatment: Some(250_000.0),
            at_us: 1_800_000_000_000_000,
            source: "prometheus".to_owned(),
            control_missing: "Prometheus answered 503".to_owned(),
            ..v1::LevelReading::default()
        };
        let rollout = v1::Rollout {
            levels: vec![depth, wait],
            ..v1::Rollout::default()
        };
        let table = table(&rollout).unwrap_or_default();
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["LEVEL", "TREATMENT", "CONTROL", "READ", "FROM"]);
        assert_eq!(words[1], ["depth", "-", "-", "never", "prometheus"]);
        assert_eq!(
            words[2],
            ["wait", "250ms", "-", "2027-01-15", "08:00:00Z", "prometheus"]
        );
        let lines: Vec<&str> = table.lines().skip(3).collect();
        assert_eq!(
            lines,
            [
                "no depth: no data: the query finds no series",
                "no wait of control: Prometheus answered 503"
            ]
        );
        assert_eq!(super::table(&v1::Rollout::default()), None);
        let [depth, wait] = rollout.levels.as_slice() else {
            panic!("{rollout:?}")
        };
        assert_eq!(
            line(depth),
            "level depth: no number: no data: the query finds no series | from prometheus"
        );
        assert_eq!(line(wait), "level wait: treatment 250ms | from prometheus");
        let failing = v1::LevelReading {
            missing: "Prometheus answered 500".to_owned(),
            ..wait.clone()
        };
        assert_eq!(
            line(&failing),
            "level wait: treatment 250ms, and no newer one: Prometheus answered 500 | from prometheus"
        );
    }
}
