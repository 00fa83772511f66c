//! The act of the shared outage: what both paths suffer is nobody's fault that treatment could be taken back for. The
//! rollout is held while it lasts, and goes on by itself.

use std::time::Duration;

use anyhow::Context as _;
use proto::v1;
use tokio::time::{Instant, timeout_at};

use crate::{fault, faults::PATHS, operator::Operator, plans, ports::Ports, screen::Screen, table};

/// How long it may take until the rollout is held, and until it goes on.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often every path fails in the outage.
const OUTAGE: f64 = 0.3;

/// Tells it; whether the rollout was held for the incident and not aborted.
pub(crate) async fn tell(
    operator: &Operator,
    ports: &Ports,
    flag: &str,
    base_rate: f64,
    screen: &Screen,
) -> anyhow::Result<bool> {
    let started = operator.start(plans::under_limits(flag)).await?;
    let name = started.name.as_str();
    screen.line(format_args!(
        "{name} started: half of everybody, aborts above {}",
        plans::ERROR_LIMIT
    ));
    until(operator, name, "has outcomes", screen, |rollout| {
        let counts = rollout.stage_counts.and_then(|counts| counts.treatment);
        counts.is_some_and(|treatment| treatment.outcomes >= 500)
    })
    .await?;
    for path in PATHS {
        fault::set(&ports.services, path, OUTAGE).await?;
    }
    screen.line(format_args!(
        "the database fails: every path fails in {} % of its requests",
        OUTAGE * 100.0
    ));
    let held = until(operator, name, "is held", screen, |rollout| {
        rollout.end.is_some()
            || rollout
                .hold_reasons
                .iter()
                .any(|reason| reason == "incident" || reason == "spill-over")
    })
    .await?;
    for path in PATHS {
        fault::set(&ports.services, path, base_rate).await?;
    }
    let went_well = held.end.is_none();
    if went_well {
        screen.good(format_args!(
            "{name} is held ({}), not aborted: both arms suffer alike",
            held.hold_reason
        ));
    } else {
        screen.bad(format_args!("{name} was aborted for what both arms suffered"));
    }
    operator.abort(name).await?;
    screen.line(format_args!("the database is back; {name} is ended by hand"));
    Ok(went_well)
}

/// Watches until something holds.
async fn until(
    operator: &Operator,
    name: &str,
    what: &str,
    screen: &Screen,
    holds: impl Fn(&v1::Rollout) -> bool,
) -> anyhow::Result<v1::Rollout> {
    let deadline = Instant::now() + PATIENCE;
    let begun = Instant::now();
    let mut stream = operator.watch(name).await?;
    loop {
        let next = timeout_at(deadline, stream.message()).await;
        let message = next.with_context(|| format!("{name} {what} not even after {PATIENCE:?}"))??;
        let rollout = message.and_then(|message| message.rollout).context("the watch ended")?;
        if holds(&rollout) {
            screen.aside(table::line(&rollout, begun.elapsed()));
            return Ok(rollout);
        }
    }
}
