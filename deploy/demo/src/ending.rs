//! How a rollout began and ended, in words: the levels, the detection, the time to zero, the proof.
//!
//! All figures are the control plane's, as it gives them to anybody who asks.

use std::time::Duration;

use proto::v1;
use tokio::time::Instant;

use crate::{
    figures::{between, buckets, count, evidence, percent, rate, seconds, took},
    operator::Operator,
    screen::Screen,
};

/// How long after an abort the demo looks again.
const LATER: Duration = Duration::from_secs(3);
/// How long it waits for the recovery, and how often it looks.
const RECOVERED: Duration = Duration::from_secs(40);
const PACE: Duration = Duration::from_millis(200);

/// What was started, and at which evidence it warns, holds and aborts.
pub(crate) fn levels(rollout: &v1::Rollout, screen: &Screen) {
    let plan = rollout.plan.clone().unwrap_or_default();
    let stages = plan
        .stages
        .iter()
        .map(|stage| format!("{} for {}", buckets(stage.buckets), seconds(stage.dwell_us)));
    let stages = stages.collect::<Vec<_>>().join(", then ");
    screen.line(format_args!(
        "{} started: {} instead of {} to {stages}",
        rollout.name, plan.treatment, plan.control
    ));
    if let Some(levels) = &rollout.evidence {
        let (warn, hold, abort) = (
            evidence(levels.log_warn),
            evidence(levels.log_hold),
            evidence(levels.log_abort),
        );
        screen.line(format_args!(
            "evidence of harm: warns at {warn}, holds at {hold}, aborts at {abort}"
        ));
    }
}

/// Treatment is the default.
pub(crate) fn completed(rollout: &v1::Rollout, screen: &Screen) {
    let end = rollout.end.clone().unwrap_or_default();
    let lasted = took(between(rollout.started_at_us, end.decided_at_us));
    screen.good(format_args!(
        "{} completed after {lasted}: no evidence of harm",
        rollout.name
    ));
    if let Some(counts) = &rollout.total_counts {
        screen.line(format_args!("treatment: {}", arm(counts.treatment)));
        screen.line(format_args!("control:   {}", arm(counts.control)));
    }
}

/// Treatment is gone: what was seen, at which price, how fast, and the proof.
pub(crate) fn aborted(rollout: &v1::Rollout, screen: &Screen) {
    let end = rollout.end.clone().unwrap_or_default();
    let counts = end.counts.unwrap_or_default();
    let treatment = counts.treatment.unwrap_or_default();
    screen.bad(format_args!(
        "{} aborted by {} after {} treatment outcomes; about {} units had been exposed",
        rollout.name,
        end.cause,
        count(treatment.outcomes),
        count(units(treatment)),
    ));
    screen.line(format_args!("treatment: {}", arm(counts.treatment)));
    screen.line(format_args!("control:   {}", arm(counts.control)));
    if let Some(reached) = &end.evidence {
        screen.line(format_args!("evidence:  {}", reached_evidence(rollout, reached)));
    }
    screen.line(format_args!(
        "detected {} after the start",
        took(between(rollout.started_at_us, end.decided_at_us))
    ));
    time_to_zero(&end, screen);
    let delivery = rollout.delivery.clone().unwrap_or_default();
    let unreached = if delivery.unreached.is_empty() {
        "none".to_owned()
    } else {
        delivery.unreached.join(", ")
    };
    screen.line(format_args!(
        "persisted by {} of {} live agents; not reached: {unreached}",
        delivery.persisted, delivery.live
    ));
}

/// How long it took from the decision until treatment was gone, and the steps of it. A moment of 0 has not come.
fn time_to_zero(end: &v1::RolloutEnd, screen: &Screen) {
    if end.time_to_zero_us == 0 {
        screen.bad("time to zero: not proved yet");
    } else {
        screen.good(format_args!("time to zero: {}", took(between(0, end.time_to_zero_us))));
    }
    let after = |at_us: i64| {
        if at_us == 0 {
            "not yet".to_owned()
        } else {
            took(between(end.decided_at_us, at_us))
        }
    };
    screen.line(format_args!(
        "from the decision: durable and published {}, applied by the last agent {}, on its disk {}",
        after(end.published_at_us),
        after(end.applied_at_us),
        after(end.persisted_at_us),
    ));
}

/// It waits for a person.
pub(crate) fn held(rollout: &v1::Rollout, screen: &Screen) {
    screen.bad(format_args!(
        "{} is held and waits for a person: {}",
        rollout.name, rollout.hold_reason
    ));
    if let Some(counts) = &rollout.total_counts {
        screen.line(format_args!("treatment: {}", arm(counts.treatment)));
        screen.line(format_args!("control:   {}", arm(counts.control)));
    }
}

/// Looks again a little later: whether any agent has reported another treatment exposure.
pub(crate) async fn still_zero(operator: &Operator, rollout: &v1::Rollout, screen: &Screen) -> anyhow::Result<()> {
    tokio::time::sleep(LATER).await;
    let again = operator.rollout(&rollout.name).await?;
    let (before, end) = (
        rollout.end.clone().unwrap_or_default(),
        again.end.clone().unwrap_or_default(),
    );
    let last = match end.last_treatment_exposure_us - end.decided_at_us {
        after @ 1.. => format!("{} after the decision", took(between(0, after))),
        until_then => format!("{} before the decision", took(between(until_then, 0))),
    };
    if end.last_treatment_exposure_us == before.last_treatment_exposure_us {
        screen.good(format_args!(
            "last treatment exposure {last}; looked again after {} s: none since",
            LATER.as_secs()
        ));
    } else {
        screen.bad(format_args!("treatment was seen again: the last exposure was {last}"));
    }
    recovery(operator, again, screen).await
}

/// Waits a while for what came of the harm, and tells it; of an abort that is not followed there is nothing to tell.
async fn recovery(operator: &Operator, rollout: v1::Rollout, screen: &Screen) -> anyhow::Result<()> {
    let until = Instant::now() + RECOVERED;
    let mut rollout = rollout;
    loop {
        let end = rollout.end.clone().unwrap_or_default();
        let Some(recovery) = &end.recovery else { return Ok(()) };
        if recovery.outcome == "watching" && Instant::now() < until {
            tokio::time::sleep(PACE).await;
            rollout = operator.rollout(&rollout.name).await?;
            continue;
        }
        let numbers = format!(
            "{} of {} outcomes since, {} before; to be within {}",
            recovery.value.map_or_else(|| "nothing".to_owned(), percent),
            count(recovery.outcomes),
            percent(recovery.harmed),
            percent(recovery.bar)
        );
        if recovery.outcome == "recovered" {
            let after = took(between(end.decided_at_us, recovery.at_us));
            screen.good(format_args!("recovered {after} after the decision: {numbers}"));
        } else {
            screen.bad(format_args!("recovery: {}: {numbers}", recovery.outcome));
        }
        return Ok(());
    }
}

/// The evidence, its level, and which guard it came from.
fn reached_evidence(rollout: &v1::Rollout, reached: &v1::Evidence) -> String {
    let number = reached.log_evidence.map_or_else(|| "none".to_owned(), evidence);
    let place = usize::try_from(reached.guard).unwrap_or(usize::MAX);
    let guard = rollout.plan.as_ref().and_then(|plan| plan.guards.get(place));
    let guard = guard.map_or_else(
        || "error-rate".to_owned(),
        |guard| {
            if guard.harm.is_empty() {
                format!("{}, limit {} x control", guard.metric, guard.limit)
            } else {
                guard.harm.clone()
            }
        },
    );
    let abort = evidence(reached.log_abort);
    format!(
        "{number}, where {abort} aborts; guard {} ({guard}), horizon {}",
        reached.guard + 1,
        reached.horizon
    )
}

/// One arm over the whole rollout.
fn arm(arm: Option<v1::ArmCount>) -> String {
    let arm = arm.unwrap_or_default();
    format!(
        "{} errors of {} outcomes ({}), {} units failed of about {}",
        count(arm.bad),
        count(arm.outcomes),
        rate(arm.bad, arm.outcomes),
        count(arm.bad_units),
        count(units(arm)),
    )
}

/// About how many units were exposed: the control plane's estimate, but no more than there were exposures.
pub(crate) fn units(arm: v1::ArmCount) -> u64 {
    arm.units_estimate.max(arm.units_at_least).min(arm.exposures)
}
