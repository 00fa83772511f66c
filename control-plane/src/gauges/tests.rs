#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;

fn rollout() -> v1::Rollout {
    let arm = |outcomes, p95_us| v1::ArmSide {
        exposures: outcomes + 1,
        outcomes,
        bad: 3,
        p95_us,
        classes: vec![v1::ClassCount {
            class: "db-timeout".into(),
            count: 2,
        }],
        ..Default::default()
    };
    v1::Rollout {
        name: "checkout#3".into(),
        environment: "production".into(),
        phase: v1::RolloutPhase::Held.into(),
        hold_reasons: vec!["sample-ratio".into()],
        stage: 1,
        plan: Some(v1::Plan {
            flag: "checkout".into(),
            stages: vec![v1::Stage::default(); 3],
            ..Default::default()
        }),
        wanted_buckets: 5_000,
        soaked_us: 1_500_000,
        evidence: Some(v1::Evidence {
            log_evidence: Some(20_f64.ln()),
            log_abort: 100_f64.ln(),
            fresh: true,
            ..Default::default()
        }),
        guard_views: vec![v1::GuardView {
            harm: "error-rate > 1x \"control\"\n".into(),
            level: v1::GuardLevel::Abort.into(),
            standing: "warn".into(),
            test: "unit".into(),
            unit: "fraction".into(),
            log_evidence: Some(2_000.0),
            treatment: Some(0.03),
            limit: Some(0.01),
            ..Default::default()
        }],
        side_by_side: Some(v1::SideBySide {
            treatment: Some(arm(100, Some(250_000))),
            control: Some(arm(900, None)),
            readings: vec![v1::MetricReading {
                metric: "p95".into(),
                unit: "duration".into(),
                treatment: Some(250_000.0),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn a_rollout_has_its_series_in_base_units() {
    let text = render(&[rollout()], 0);
    let of = "environment=\"production\",rollout=\"checkout#3\"";
    for line in [
        format!("tidegate_rollout_info{{{of},flag=\"checkout\",phase=\"held\",stage=\"\"}} 1"),
        format!("tidegate_rollout_held{{{of},reason=\"sample-ratio\"}} 1"),
        format!("tidegate_rollout_stage{{{of}}} 2"),
        format!("tidegate_rollout_wanted_ratio{{{of}}} 0.05"),
        format!("tidegate_rollout_soaked_seconds{{{of}}} 1.5"),
        format!("tidegate_rollout_outcomes_total{{{of},arm=\"treatment\"}} 100"),
        format!("tidegate_rollout_failures_total{{{of},arm=\"control\",class=\"db-timeout\"}} 2"),
        format!("tidegate_rollout_duration_seconds{{{of},arm=\"treatment\",quantile=\"0.95\"}} 0.25"),
        format!("tidegate_rollout_reading{{{of},metric=\"p95\",arm=\"treatment\"}} 0.25"),
        format!(
            "tidegate_rollout_guard_value{{{of},guard=\"error-rate > 1x \\\"control\\\"\\n\",level=\"abort\",arm=\"treatment\"}} 0.03"
        ),
    ] {
        assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("arm=\"control\",quantile"), "nothing is not zero");
}

#[test]
fn evidence_beyond_every_float_is_the_largest_there_is() {
    let text = render(&[rollout()], 0);
    let evidence = text
        .lines()
        .find(|line| line.starts_with("tidegate_rollout_guard_evidence{"))
        .unwrap();
    let number: f64 = evidence.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(number, f64::MAX);
}

#[test]
fn every_name_is_described_once_and_its_samples_stand_together() {
    let text = render(&[rollout(), rollout()], 7);
    let mut described = BTreeSet::new();
    let mut present = "";
    for line in text.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            present = told.split(' ').next().unwrap();
            assert!(described.insert(present), "{present} twice");
        } else if !line.starts_with('#') {
            assert_eq!(line.split(['{', ' ']).next(), Some(present), "{line}");
        }
    }
    assert_eq!(described.len(), FAMILIES.len() + 1);
    assert!(text.ends_with("tidegate_rollout_series_omitted 7\n"));
}

/// The same harm at two levels, and one of them twice.
fn several() -> v1::Rollout {
    let guard = |level: v1::GuardLevel, log_evidence: f64| v1::GuardView {
        harm: "error-rate > 1 %".into(),
        level: level.into(),
        log_evidence: Some(log_evidence),
        treatment: Some(0.03),
        limit: Some(0.01),
        ..Default::default()
    };
    v1::Rollout {
        guard_views: vec![
            guard(v1::GuardLevel::Abort, 2_f64.ln()),
            guard(v1::GuardLevel::Hold, 500_f64.ln()),
            guard(v1::GuardLevel::Hold, 600_f64.ln()),
        ],
        ..rollout()
    }
}

#[test]
fn no_series_is_there_twice_whatever_a_plan_guards() {
    let text = render(&[several()], 0);
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series), "{series} twice");
    }
    for family in ["guard_info", "guard_evidence", "guard_value", "guard_limit"] {
        let of = format!("tidegate_rollout_{family}{{");
        let levels = |level: &str| {
            let is_of = |series: &&&str| series.starts_with(&of) && series.contains(&format!("level=\"{level}\""));
            seen.iter().filter(is_of).count()
        };
        assert_eq!((levels("abort"), levels("hold")), (1, 1), "{family}");
    }
}

#[test]
fn the_evidence_of_a_rollout_is_that_of_the_guards_that_may_abort() {
    let text = render(&[several()], 0);
    let line = "tidegate_rollout_evidence{environment=\"production\",rollout=\"checkout#3\"} 2";
    assert!(text.lines().any(|written| written == line), "{text}");
}

#[test]
fn counters_are_named_as_counters() {
    for family in FAMILIES {
        assert_eq!(
            family.kind == "counter",
            family.name.ends_with("_total"),
            "{}",
            family.name
        );
    }
}

#[test]
fn an_empty_rollout_is_no_reason_to_panic() {
    assert!(render(&[v1::Rollout::default()], 0).contains("tidegate_rollout_stage{"));
}
