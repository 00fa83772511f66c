//! The report of lint as operators see it. What is not known is 0 on the wire, with the reason beside it where there is a
//! place for one.

use proto::v1;
use rollout::{
    Micros, Plan, State as Progress,
    lint::{LimitCost, Purpose, Report, StageCost, ThresholdOdds},
};

use super::wire;
use crate::{api::view, plan_wire};

/// The report on a plan that would start at `start_us`.
pub(super) fn response(plan: &Plan, report: Report, start_us: Micros) -> v1::LintPlanResponse {
    let last = report.calendar.last();
    let end_us = last.map_or(start_us, |walked| walked.at_us);
    let progress = Progress {
        stage: last.map_or(0, |walked| walked.stage),
        ..Progress::draft(plan_wire::hash(plan), start_us)
    };
    v1::LintPlanResponse {
        violations: wire::notes(report.violations),
        warnings: wire::notes(report.warnings),
        calendar: report
            .calendar
            .iter()
            .map(|walked| view::planned(plan, walked))
            .collect(),
        stages: report.stages.into_iter().map(stage).collect(),
        limits: report.limits.into_iter().map(limit).collect(),
        thresholds: report.thresholds.into_iter().map(threshold).collect(),
        phase: report.phase.map(|phase| phase.name().to_owned()).unwrap_or_default(),
        waits: view::waits(plan, &progress, &report.waits, end_us),
    }
}

fn stage(cost: StageCost) -> v1::StageCost {
    v1::StageCost {
        stage: cost.stage,
        from_us: cost.from_us.unwrap_or(0),
        until_us: cost.until_us.unwrap_or(0),
        units: cost.units.unwrap_or(0),
        requests: cost.requests.unwrap_or(0),
    }
}

fn limit(cost: LimitCost) -> v1::LimitCost {
    let times = match cost.purpose {
        Purpose::Times(times) => times,
        Purpose::Certify => 0.0,
    };
    v1::LimitCost {
        limit: cost.limit,
        stage: cost.stage,
        purpose: cost.purpose.name().to_owned(),
        times,
        bound: cost.bound.unwrap_or(0.0),
        ours: cost.ours.unwrap_or(0.0),
        time_us: cost.time_us.unwrap_or(0),
        within_dwell: cost.within_dwell,
        unknown: cost
            .unknown
            .map(|unknown| unknown.reason().to_owned())
            .unwrap_or_default(),
    }
}

fn threshold(odds: ThresholdOdds) -> v1::ThresholdOdds {
    v1::ThresholdOdds {
        field: odds.field,
        criterion: odds.criterion,
        odds: odds.odds,
        grounds: odds.grounds,
    }
}
