//! The guards of a rollout: treatment against control, the distance from the limit, and the evidence on a log scale.
//!
//! Evidence multiplies, so its scale is one of logarithms: a bar from 1, which says nothing, to 1/alpha, where a guard
//! that may abort does, with the marks of warn and hold between.

use proto::v1;
use serde::Serialize;

use super::amount::{self, amount};
use crate::{
    duration,
    print::{self, count, figure, plain},
};

/// Cells of a bar.
const BAR: usize = 20;

/// A guard, for programs. Logarithms stay logarithms.
#[derive(Debug, Serialize)]
pub(crate) struct GuardView {
    harm: String,
    level: &'static str,
    test: String,
    untested: String,
    standing: String,
    log_evidence: Option<f64>,
    weight: f64,
    metric: String,
    unit: String,
    counted: String,
    treatment: Option<f64>,
    control: Option<f64>,
    baseline: Option<f64>,
    limit: Option<f64>,
    /// Treatment less its limit, at 95 %.
    from_limit: Option<IntervalView>,
    treatment_outcomes: u64,
    control_outcomes: u64,
    treatment_units: u64,
    control_units: u64,
    eta: Option<EtaView>,
}

#[derive(Debug, Serialize)]
struct IntervalView {
    low: f64,
    high: f64,
}

#[derive(Debug, Serialize)]
struct EtaView {
    left_us: i64,
    until: String,
}

impl GuardView {
    /// Of what the control plane sent.
    pub(crate) fn of(guard: &v1::GuardView) -> Self {
        Self {
            harm: guard.harm.clone(),
            level: level(guard.level()),
            test: guard.test.clone(),
            untested: guard.untested.clone(),
            standing: guard.standing.clone(),
            log_evidence: guard.log_evidence,
            weight: guard.weight,
            metric: guard.metric.clone(),
            unit: guard.unit.clone(),
            counted: guard.counted.clone(),
            treatment: guard.treatment,
            control: guard.control,
            baseline: guard.baseline,
            limit: guard.limit,
            from_limit: guard.from_limit.as_ref().map(|interval| IntervalView {
                low: interval.low,
                high: interval.high,
            }),
            treatment_outcomes: guard.treatment_outcomes,
            control_outcomes: guard.control_outcomes,
            treatment_units: guard.treatment_units,
            control_units: guard.control_units,
            eta: guard.eta.as_ref().map(|eta| EtaView {
                left_us: eta.left_us,
                until: eta.until.clone(),
            }),
        }
    }
}

/// A table, one guard a row; nothing without a guard.
pub(crate) fn table(rollout: &v1::Rollout) -> Option<String> {
    let guards = rollout.guard_views.as_slice();
    if guards.is_empty() {
        return None;
    }
    let scale = rollout.evidence.clone().unwrap_or_default();
    let rows = guards.iter().map(|guard| {
        [
            guard.harm.clone(),
            level(guard.level()).to_owned(),
            arm(guard, guard.treatment),
            amount::known(&guard.unit, guard.control),
            amount::known(&guard.unit, guard.limit),
            from_limit(guard),
            evidence(guard, &scale),
            standing(guard),
            pair(guard.treatment_outcomes, guard.control_outcomes),
            pair(guard.treatment_units, guard.control_units),
            verdict(guard),
        ]
    });
    let header = [
        "GUARD",
        "LEVEL",
        "TREATMENT",
        "CONTROL",
        "LIMIT",
        "FROM LIMIT (95 %)",
        "EVIDENCE",
        "STANDS",
        "OUTCOMES",
        "UNITS",
        "VERDICT",
    ];
    Some(print::table(header, rows))
}

/// One guard in a line, where there is no room for a table.
pub(crate) fn line(guard: &v1::GuardView) -> String {
    let mut parts = vec![format!("guard {}: {}", guard.harm, standing(guard))];
    parts.extend(guard.log_evidence.map(|log| format!("evidence {}", figure(log))));
    if guard.treatment.is_some() {
        parts.push(format!("treatment {}", arm(guard, guard.treatment)));
        parts.push(format!("limit {}", amount::known(&guard.unit, guard.limit)));
    }
    plain(&parts.join(" | "))
}

/// The evidence between 1 and 1/alpha: a cell for each part of its logarithm, `w` and `h` where warn and hold begin.
fn bar(log_evidence: f64, scale: &v1::Evidence) -> String {
    let cell = |log: f64| {
        let part = (log / scale.log_abort).clamp(0.0, 1.0);
        if part.is_nan() {
            0
        } else {
            (part * BAR as f64).floor() as usize
        }
    };
    let filled = cell(log_evidence);
    let (warn, hold) = (cell(scale.log_warn), cell(scale.log_hold));
    let cells = (0..BAR).map(|at| match at {
        _ if at == hold => 'h',
        _ if at == warn => 'w',
        _ if at < filled => '█',
        _ => '·',
    });
    cells.collect()
}

fn evidence(guard: &v1::GuardView, scale: &v1::Evidence) -> String {
    match guard.log_evidence {
        _ if scale.log_abort <= 0.0 || guard.test.is_empty() => "-".into(),
        // A cap and a level are no matter of evidence.
        _ if ["cap", "level"].contains(&guard.test.as_str()) => "a rule".into(),
        None => format!("{} silent", bar(0.0, scale)),
        Some(log) => format!("{} {}", bar(log, scale), figure(log)),
    }
}

fn arm(guard: &v1::GuardView, number: Option<f64>) -> String {
    match (number, guard.counted.as_str()) {
        (None, _) => "-".into(),
        (Some(number), "") => amount(&guard.unit, number),
        (Some(number), counted) => format!("{} {counted}", amount(&guard.unit, number)),
    }
}

fn from_limit(guard: &v1::GuardView) -> String {
    let distance = guard
        .treatment
        .zip(guard.limit)
        .map(|(treatment, limit)| treatment - limit);
    match (distance, &guard.from_limit) {
        (None, _) => "-".into(),
        (Some(distance), None) => amount::distance(&guard.unit, distance),
        (Some(_), Some(interval)) => amount::interval(&guard.unit, interval.low, interval.high),
    }
}

fn standing(guard: &v1::GuardView) -> String {
    match (guard.untested.as_str(), guard.standing.as_str()) {
        ("", standing) => standing.to_owned(),
        // What was found in earlier stages still counts.
        (why, "no data" | "none" | "") => why.to_owned(),
        (why, standing) if why == standing => why.to_owned(),
        (why, standing) => format!("{standing}; {why}"),
    }
}

fn pair(treatment: u64, control: u64) -> String {
    format!("{} : {}", count(treatment), count(control))
}

fn verdict(guard: &v1::GuardView) -> String {
    let Some(eta) = &guard.eta else {
        return "-".into();
    };
    match (eta.until.as_str(), eta.left_us) {
        ("sensitive", 0) => "2x would show".into(),
        ("sensitive", left) => format!("2x shows in {}", duration::about(left)),
        (rung, left) => format!("{rung} in {}", duration::about(left)),
    }
}

fn level(level: v1::GuardLevel) -> &'static str {
    match level {
        v1::GuardLevel::Warn => "warn",
        v1::GuardLevel::Hold => "hold",
        v1::GuardLevel::Abort | v1::GuardLevel::Unspecified => "abort",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(guards: Vec<v1::GuardView>) -> v1::Rollout {
        v1::Rollout {
            evidence: Some(v1::Evidence {
                log_warn: 20_f64.ln(),
                log_hold: 50_f64.ln(),
                log_abort: 100_f64.ln(),
                ..Default::default()
            }),
            guard_views: guards,
            ..Default::default()
        }
    }

    fn errors() -> v1::GuardView {
        v1::GuardView {
            harm: "error-rate > 1x control".into(),
            level: v1::GuardLevel::Abort.into(),
            test: "unit".into(),
            standing: "warn".into(),
            log_evidence: Some(31.6_f64.ln()),
            unit: "fraction".into(),
            treatment: Some(0.0321),
            control: Some(0.008),
            limit: Some(0.008),
            from_limit: Some(v1::Interval {
                low: 0.019,
                high: 0.0292,
            }),
            treatment_outcomes: 1_204,
            control_outcomes: 22_001,
            treatment_units: 640,
            control_units: 12_000,
            eta: Some(v1::Eta {
                left_us: 720_000_000,
                until: "abort".into(),
            }),
            ..Default::default()
        }
    }

    #[test]
    fn a_guard_stands_with_its_evidence_on_a_scale_of_logarithms() {
        let slow = v1::GuardView {
            harm: "p99 > 1.8 s".into(),
            level: v1::GuardLevel::Hold.into(),
            test: "robust".into(),
            standing: "none".into(),
            unit: "fraction".into(),
            counted: "above 1s800ms".into(),
            treatment: Some(0.004),
            limit: Some(0.01),
            treatment_outcomes: 1_204,
            eta: Some(v1::Eta {
                left_us: 10_800_000_000,
                until: "sensitive".into(),
            }),
            ..Default::default()
        };
        let unknown = v1::GuardView {
            harm: "p95 > 2x baseline".into(),
            level: v1::GuardLevel::Warn.into(),
            standing: "no baseline".into(),
            untested: "no baseline".into(),
            ..Default::default()
        };
        assert_eq!(
            table(&rollout(vec![errors(), slow, unknown])).unwrap_or_default(),
            "GUARD                    LEVEL  TREATMENT             CONTROL  LIMIT   FROM LIMIT (95 %)      EVIDENCE                     STANDS       OUTCOMES        UNITS         VERDICT\n\
             error-rate > 1x control  abort  3.21 %                0.80 %   0.80 %  +1.90 to +2.92 points  █████████████w··h··· 31.6    warn         1,204 : 22,001  640 : 12,000  abort in 12m\n\
             p99 > 1.8 s              hold   0.40 % above 1s800ms  -        1.00 %  -0.60 points           ·············w··h··· silent  none         1,204 : 0       0 : 0         2x shows in 3h\n\
             p95 > 2x baseline        warn   -                     -        -       -                      -                            no baseline  0 : 0           0 : 0         -"
        );
        assert_eq!(table(&rollout(Vec::new())), None);
    }

    #[test]
    fn a_bar_is_full_at_abort_and_empty_at_nothing() {
        let scale = rollout(Vec::new()).evidence.unwrap_or_default();
        for (log, bar) in [
            (f64::NEG_INFINITY, "·············w··h···"),
            (0.0, "·············w··h···"),
            (50_f64.ln(), "█████████████w██h···"),
            (100_f64.ln(), "█████████████w██h███"),
            (f64::INFINITY, "█████████████w██h███"),
            (f64::NAN, "·············w··h···"),
        ] {
            assert_eq!(super::bar(log, &scale), bar, "{log}");
        }
        assert_eq!(super::bar(3.0, &v1::Evidence::default()).chars().count(), BAR);
    }

    #[test]
    fn a_guard_fits_into_a_line() {
        assert_eq!(
            line(&errors()),
            "guard error-rate > 1x control: warn | evidence 31.6 | treatment 3.21 % | limit 0.80 %"
        );
        assert!(
            !line(&v1::GuardView {
                harm: "\u{1b}[2J".into(),
                ..Default::default()
            })
            .contains('\u{1b}')
        );
    }

    #[test]
    fn what_an_earlier_stage_found_is_not_hidden_by_a_stage_without_control() {
        let later = v1::GuardView {
            test: String::new(),
            untested: "no live control in this stage".into(),
            ..errors()
        };
        assert_eq!(standing(&later), "warn; no live control in this stage");
    }
}
