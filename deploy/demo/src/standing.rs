//! The act of the standing kill switch: no rollout, a flag that everybody has, a path that goes bad, and nobody at the
//! console.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::Instant;

use crate::{fault, figures::took, operator::Operator, plans, ports::Ports, screen::Screen};

/// How long the kill switch may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the flag is looked at.
const PACE: Duration = Duration::from_millis(100);
/// How often the path fails once it has gone bad.
const BAD: f64 = 0.25;

/// Tells it; whether the switch tripped.
pub(crate) async fn tell(
    operator: &Operator,
    ports: &Ports,
    flag: &str,
    base_rate: f64,
    screen: &Screen,
) -> anyhow::Result<bool> {
    operator.put_plan(plans::stand_by(flag)).await?;
    screen.line(format_args!(
        "a plan of {flag} has a kill switch that trips by itself: {}",
        plans::KILL_CONDITION
    ));
    // Let agents have the measurement before the path goes bad.
    tokio::time::sleep(Duration::from_secs(3)).await;
    fault::set(&ports.services, flag, BAD).await?;
    let begun = Instant::now();
    screen.line(format_args!(
        "{flag} goes bad: it fails in {} % of its requests",
        BAD * 100.0
    ));
    let tripped = loop {
        let stored = operator.flag(flag).await?.context("the flag is gone")?;
        if stored.flag.as_ref().is_some_and(|flag| flag.killed) {
            break true;
        }
        if begun.elapsed() > PATIENCE {
            break false;
        }
        tokio::time::sleep(PACE).await;
    };
    fault::set(&ports.services, flag, base_rate).await?;
    if !tripped {
        screen.bad(format_args!(
            "the kill switch of {flag} did not trip in {}",
            took(PATIENCE)
        ));
        return Ok(false);
    }
    screen.good(format_args!(
        "{flag} is killed {} after it went bad; nobody touched it",
        took(begun.elapsed())
    ));
    let record = operator.last_act(flag).await?;
    screen.line(format_args!(
        "audited: {} by {}: {}",
        record.action, record.actor, record.reason
    ));
    operator.revive(flag).await?;
    screen.line(format_args!("repaired and revived by hand; the switch stands again"));
    if record.action != "flag.kill" {
        bail!("the last act on {flag} is {}, not its kill", record.action);
    }
    Ok(true)
}
