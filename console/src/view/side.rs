//! Both arms side by side: how much came, how it failed, how long it took, and every metric.
//!
//! What both arms have nothing of is left out; what one arm lacks is a dash and not a zero.

use std::collections::BTreeMap;

use proto::v1;
use serde::Serialize;

use super::amount;
use crate::print::{self, count, plain, rate};

/// Both arms, for programs. Durations are in microseconds, rates fractions, money units.
#[derive(Debug, Serialize)]
pub(crate) struct SideView {
    stage: u32,
    visit: u32,
    treatment: ArmView,
    control: ArmView,
    readings: Vec<ReadingView>,
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct ArmView {
    exposures: u64,
    outcomes: u64,
    bad: u64,
    lost: u64,
    sampled_outcomes: u64,
    units_estimate: u64,
    timed: u64,
    p50_us: Option<i64>,
    p95_us: Option<i64>,
    p99_us: Option<i64>,
    classes: BTreeMap<String, u64>,
}

/// As the wire has it.
#[derive(Debug, Serialize)]
pub(crate) struct ReadingView {
    metric: String,
    unit: String,
    treatment: Option<f64>,
    control: Option<f64>,
    baseline: Option<f64>,
    outcomes: u64,
    units: u64,
}

impl SideView {
    /// Of what the control plane sent.
    pub(crate) fn of(side: &v1::SideBySide) -> Self {
        let arm = |arm: &Option<v1::ArmSide>| ArmView::of(&arm.clone().unwrap_or_default());
        Self {
            stage: side.stage,
            visit: side.visit,
            treatment: arm(&side.treatment),
            control: arm(&side.control),
            readings: side.readings.iter().map(ReadingView::of).collect(),
            dropped: side.dropped,
        }
    }
}

impl ArmView {
    fn of(arm: &v1::ArmSide) -> Self {
        Self {
            exposures: arm.exposures,
            outcomes: arm.outcomes,
            bad: arm.bad,
            lost: arm.lost,
            sampled_outcomes: arm.sampled_outcomes,
            units_estimate: arm.units_estimate,
            timed: arm.timed,
            p50_us: arm.p50_us,
            p95_us: arm.p95_us,
            p99_us: arm.p99_us,
            classes: arm.classes.iter().map(|one| (one.class.clone(), one.count)).collect(),
        }
    }
}

impl ReadingView {
    /// Of what the control plane sent.
    pub(crate) fn of(reading: &v1::MetricReading) -> Self {
        Self {
            metric: reading.metric.clone(),
            unit: reading.unit.clone(),
            treatment: reading.treatment,
            control: reading.control,
            baseline: reading.baseline,
            outcomes: reading.outcomes,
            units: reading.units,
        }
    }
}

/// A table of both arms; nothing before anything was seen.
pub(crate) fn table(rollout: &v1::Rollout) -> Option<String> {
    let side = rollout.side_by_side.as_ref()?;
    let (treatment, control) = (
        side.treatment.clone().unwrap_or_default(),
        side.control.clone().unwrap_or_default(),
    );
    if treatment.exposures == 0 && control.exposures == 0 && side.readings.is_empty() {
        return None;
    }
    let table = Table {
        side,
        treatment,
        control,
    };
    let mut rows = table.counts();
    rows.extend(table.durations());
    rows.extend(table.classes());
    rows.extend(table.readings());
    let title = plain(&title(rollout, side));
    Some(print::table([title.as_str(), "TREATMENT", "CONTROL", "BASELINE"], rows))
}

fn title(rollout: &v1::Rollout, side: &v1::SideBySide) -> String {
    let stages = rollout
        .plan
        .as_ref()
        .map(|plan| plan.stages.as_slice())
        .unwrap_or_default();
    let name = stages.get(side.stage as usize).map(|stage| stage.name.as_str());
    match (name, side.visit) {
        (None, _) => "IN THIS STAGE".into(),
        (Some(name), 0 | 1) => format!("IN {name}"),
        (Some(name), visit) => format!("IN {name}, VISIT {visit}"),
    }
}

/// What a table is made from.
struct Table<'s> {
    side: &'s v1::SideBySide,
    treatment: v1::ArmSide,
    control: v1::ArmSide,
}

/// A row: what, treatment, control, before.
type Row = [String; 4];

impl Table<'_> {
    fn counts(&self) -> Vec<Row> {
        let (treatment, control) = (&self.treatment, &self.control);
        let counted = |name: &str, of: fn(&v1::ArmSide) -> u64| {
            let (treatment, control) = (of(treatment), of(control));
            let row = [name.to_owned(), count(treatment), count(control), String::new()];
            (treatment > 0 || control > 0).then_some(row)
        };
        let errors = |arm: &v1::ArmSide| format!("{} ({})", rate(arm.bad, arm.outcomes), count(arm.bad));
        let before = self.baseline("error-rate");
        let error_rate = ["error rate".to_owned(), errors(treatment), errors(control), before];
        let dropped = [
            "dropped, both arms".to_owned(),
            count(self.side.dropped),
            String::new(),
            String::new(),
        ];
        let rows = [
            counted("exposures", |arm| arm.exposures),
            counted("outcomes", |arm| arm.outcomes),
            counted("units, about", |arm| arm.units_estimate),
            Some(error_rate),
            counted("lost", |arm| arm.lost),
            counted("sampled", |arm| arm.sampled_outcomes),
            (self.side.dropped > 0).then_some(dropped),
        ];
        rows.into_iter().flatten().collect()
    }

    fn durations(&self) -> Vec<Row> {
        if self.treatment.timed == 0 && self.control.timed == 0 {
            return Vec::new();
        }
        let row = |name: &str, of: fn(&v1::ArmSide) -> Option<i64>| {
            let time = |arm| amount::known("duration", of(arm).map(|us| us as f64));
            [
                name.to_owned(),
                time(&self.treatment),
                time(&self.control),
                self.baseline(name),
            ]
        };
        vec![
            row("p50", |arm| arm.p50_us),
            row("p95", |arm| arm.p95_us),
            row("p99", |arm| arm.p99_us),
        ]
    }

    /// Failures by class, in the order of treatment's.
    fn classes(&self) -> Vec<Row> {
        let mut names: Vec<&str> = Vec::new();
        for one in self.treatment.classes.iter().chain(&self.control.classes) {
            if !names.contains(&one.class.as_str()) {
                names.push(&one.class);
            }
        }
        let of = |arm: &v1::ArmSide, name: &str| {
            let found = arm.classes.iter().find(|one| one.class == name);
            let number = found.map_or(0, |one| one.count);
            format!("{} ({})", rate(number, arm.outcomes), count(number))
        };
        let rows = names.into_iter().map(|name| {
            let (treatment, control) = (of(&self.treatment, name), of(&self.control, name));
            [format!("  {name}"), treatment, control, String::new()]
        });
        rows.collect()
    }

    /// Every other metric.
    fn readings(&self) -> Vec<Row> {
        let is_told = |metric: &str| ["error-rate", "p50", "p95", "p99"].contains(&metric);
        let others = self.side.readings.iter().filter(|reading| !is_told(&reading.metric));
        let rows = others.map(|reading| {
            [
                reading.metric.clone(),
                amount::known(&reading.unit, reading.treatment),
                amount::known(&reading.unit, reading.control),
                before(reading),
            ]
        });
        rows.collect()
    }

    fn baseline(&self, metric: &str) -> String {
        let reading = self.side.readings.iter().find(|reading| reading.metric == metric);
        reading.map(before).unwrap_or_default()
    }
}

fn before(reading: &v1::MetricReading) -> String {
    let known = reading.baseline.map(|number| amount::amount(&reading.unit, number));
    known.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(metric: &str, unit: &str, treatment: f64, baseline: Option<f64>) -> v1::MetricReading {
        v1::MetricReading {
            metric: metric.into(),
            unit: unit.into(),
            treatment: Some(treatment),
            baseline,
            ..Default::default()
        }
    }

    #[test]
    fn both_arms_stand_side_by_side() {
        let class = |class: &str, count| v1::ClassCount {
            class: class.into(),
            count,
        };
        let side = v1::SideBySide {
            stage: 0,
            visit: 2,
            treatment: Some(v1::ArmSide {
                exposures: 1_300,
                outcomes: 1_204,
                bad: 39,
                lost: 4,
                timed: 1_204,
                p50_us: Some(120_000),
                p95_us: Some(410_000),
                p99_us: Some(1_250_000),
                classes: vec![class("db-timeout", 30), class("other", 9)],
                units_estimate: 640,
                ..Default::default()
            }),
            control: Some(v1::ArmSide {
                exposures: 22_500,
                outcomes: 22_001,
                bad: 176,
                classes: vec![class("card-declined", 170)],
                units_estimate: 12_000,
                ..Default::default()
            }),
            readings: vec![
                reading("error-rate", "fraction", 0.0321, Some(0.008)),
                reading("p95", "duration", 410_000.0, Some(390_000.0)),
                reading("revenue", "money", 0.4831, None),
            ],
            dropped: 7,
        };
        let rollout = v1::Rollout {
            plan: Some(v1::Plan {
                stages: vec![v1::Stage {
                    name: "canary".into(),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            side_by_side: Some(side),
            ..Default::default()
        };
        assert_eq!(
            table(&rollout).unwrap_or_default(),
            "IN canary, VISIT 2  TREATMENT    CONTROL       BASELINE\n\
             exposures           1,300        22,500\n\
             outcomes            1,204        22,001\n\
             units, about        640          12,000\n\
             error rate          3.24 % (39)  0.80 % (176)  0.80 %\n\
             lost                4            0\n\
             dropped, both arms  7\n\
             p50                 120ms        -\n\
             p95                 410ms        -             390ms\n\
             p99                 1.2s         -\n\
             \u{20} db-timeout        2.49 % (30)  0.00 % (0)\n\
             \u{20} other             0.75 % (9)   0.00 % (0)\n\
             \u{20} card-declined     0.00 % (0)   0.77 % (170)\n\
             revenue             0.48         -"
        );
    }

    #[test]
    fn before_anything_was_seen_there_is_nothing_to_show() {
        let silent = v1::Rollout {
            side_by_side: Some(v1::SideBySide::default()),
            ..Default::default()
        };
        assert_eq!(table(&silent), None);
        assert_eq!(table(&v1::Rollout::default()), None);
    }
}
