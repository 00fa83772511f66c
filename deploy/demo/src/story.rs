//! The story: a flag, a good rollout, a harmful one. Each act begins and ends with what is read back.
//!
//! Nothing here knows how a rollout should go but [`expected`]: verdicts are the control plane's, and a fault that does
//! no harm makes another story.

use std::time::Duration;

use anyhow::{Context as _, bail};
use proto::v1;
use tokio::time::Instant;

use crate::{
    args::DemoArgs,
    ending,
    faults::PATHS,
    figures::{self, percent},
    operator::Operator,
    outage, plans,
    ports::Ports,
    screen::Screen,
    standing, watch,
};

/// How long anything but a rollout may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(50);

/// How a rollout went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Treatment is the flag's default.
    Completed,
    /// Treatment is at 0 %, for good.
    Aborted,
    /// It waits for a person.
    Held,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Held => "held",
        }
    }
}

/// What a rollout should have come to; None: chance may decide either way.
pub(crate) fn expected(fault: f64, base_rate: f64) -> Option<Verdict> {
    if fault <= base_rate {
        return Some(Verdict::Completed);
    }
    // Five times the errors are found within a few hundred requests; only slightly more, perhaps never.
    (base_rate > 0.0 && fault >= 4.0 * base_rate && fault >= 0.02).then_some(Verdict::Aborted)
}

/// Tells all acts; whether they went as they should.
pub(crate) async fn tell(ports: &Ports, args: &DemoArgs, screen: &Screen) -> anyhow::Result<bool> {
    let operator = Operator::at(ports.control_plane)?;
    let [_, good, harmful] = PATHS;
    fleet(&operator, screen).await?;

    screen.title("2  Two flags, each before a new path of the checkout");
    for key in [good, harmful] {
        prepare(&operator, key, screen).await?;
    }
    delivered(&operator).await?;

    screen.title(format_args!(
        "3  A good rollout: {good} fails as rarely as the old path, {}",
        percent(args.base_rate)
    ));
    let first = Box::pin(act(&operator, good, screen)).await?;

    screen.title(format_args!("4  {}", second_title(harmful, args)));
    if args.fault > args.base_rate && args.base_rate > 0.0 {
        let bound = figures::bound(args.fault, args.base_rate, plans::first_share());
        screen.line(format_args!(
            "no honest test finds it, on average, in fewer than {} treatment outcomes",
            figures::count(bound)
        ));
    }
    let second = Box::pin(act(&operator, harmful, screen)).await?;

    screen.title(format_args!(
        "5  A kill switch that stands: {good}, no rollout, nobody at the console"
    ));
    let tripped = standing::tell(&operator, ports, good, args.base_rate, screen).await?;

    screen.title("6  A shared outage while a rollout is under way");
    prepare(&operator, harmful, screen).await?;
    delivered(&operator).await?;
    let held = outage::tell(&operator, ports, harmful, args.base_rate, screen).await?;

    let good_went_well = judged(good, first, Some(Verdict::Completed), screen);
    let harmful_went_well = judged(harmful, second, expected(args.fault, args.base_rate), screen);
    Ok(good_went_well && harmful_went_well && tripped && held)
}

fn second_title(flag: &str, args: &DemoArgs) -> String {
    let kind = if args.fault > args.base_rate {
        "A harmful rollout"
    } else {
        "A harmless one"
    };
    let (fault, base_rate) = (percent(args.fault), percent(args.base_rate));
    format!("{kind}: {flag} fails in {fault} of its requests, the path before in {base_rate}")
}

/// Whether a rollout went as it should; says so if not.
fn judged(flag: &str, verdict: Verdict, should: Option<Verdict>, screen: &Screen) -> bool {
    let went_well = should.is_none_or(|should| should == verdict);
    if !went_well {
        screen.bad(format_args!(
            "the rollout of {flag} was {}, which is not what these error rates should lead to",
            verdict.word()
        ));
    }
    went_well
}

/// One rollout from start to end, and what is left of it.
async fn act(operator: &Operator, flag: &str, screen: &Screen) -> anyhow::Result<Verdict> {
    let started = operator.start(plans::plan(flag)).await?;
    ending::levels(&started, screen);
    let rollout = watch::follow(operator, &started.name, screen).await?;
    let verdict = match rollout.phase() {
        v1::RolloutPhase::Completed => {
            ending::completed(&rollout, screen);
            Verdict::Completed
        }
        v1::RolloutPhase::Aborted => {
            ending::aborted(&rollout, screen);
            ending::still_zero(operator, &rollout, screen).await?;
            Verdict::Aborted
        }
        v1::RolloutPhase::Held => {
            ending::held(&rollout, screen);
            return Ok(Verdict::Held);
        }
        phase @ (v1::RolloutPhase::Unspecified
        | v1::RolloutPhase::Draft
        | v1::RolloutPhase::Ready
        | v1::RolloutPhase::AwaitingStart
        | v1::RolloutPhase::Delivering
        | v1::RolloutPhase::Soaking
        | v1::RolloutPhase::Gate
        | v1::RolloutPhase::Paused
        | v1::RolloutPhase::Baking
        | v1::RolloutPhase::RolledBack
        | v1::RolloutPhase::Superseded
        | v1::RolloutPhase::Expired
        | v1::RolloutPhase::Aborting) => bail!("{} did not end; it is {}", rollout.name, phase.as_str_name()),
    };
    let flag = operator.flag(flag).await?.context("the flag is gone")?;
    served(&flag, screen);
    Ok(verdict)
}

/// The agents as the control plane sees them.
async fn fleet(operator: &Operator, screen: &Screen) -> anyhow::Result<()> {
    delivered(operator).await?;
    let fleet = operator.agents().await?;
    for agent in fleet.agents.iter().filter(|agent| agent.live) {
        let (wanted, applied, persisted) = (agent.wanted_revision, agent.applied_revision, agent.persisted_revision);
        screen.aside(format_args!(
            "{} is live: wants revision {wanted}, applied {applied}, persisted {persisted}",
            agent.id
        ));
    }
    Ok(())
}

/// Waits until two agents are live and hold on disk what they should.
async fn delivered(operator: &Operator) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let fleet = operator.agents().await?;
        let holds = |agent: &&v1::Agent| agent.live && agent.persisted_revision >= agent.wanted_revision;
        if fleet.agents.iter().filter(holds).count() >= 2 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "the agents do not hold revision {} after {PATIENCE:?}: {:?}",
                fleet.wanted_revision,
                fleet.agents
            );
        }
        tokio::time::sleep(PACE).await;
    }
}

/// The flag as the story needs it, whatever an earlier demo left.
async fn prepare(operator: &Operator, key: &str, screen: &Screen) -> anyhow::Result<()> {
    match operator.flag(key).await? {
        None => operator.create(plans::flag(key)).await?,
        Some(found) => {
            if !found.rollout.is_empty() {
                screen.aside(format_args!(
                    "{} of an earlier demo still holds {key}: aborted by hand",
                    found.rollout
                ));
                operator.abort(&found.rollout).await?;
                released(operator, key).await?;
            }
            if found.flag.is_some_and(|flag| flag.killed) {
                operator.revive(key).await?;
            }
            operator.update(plans::flag(key)).await?;
        }
    }
    let flag = operator.flag(key).await?.context("the flag is gone")?;
    served(&flag, screen);
    Ok(())
}

/// Waits until no rollout holds the flag.
async fn released(operator: &Operator, key: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while let Some(flag) = operator.flag(key).await?.filter(|flag| !flag.rollout.is_empty()) {
        if Instant::now() > deadline {
            bail!("{} still holds {key} after {PATIENCE:?}", flag.rollout);
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

/// What a flag serves, as read back.
fn served(stored: &v1::StoredFlag, screen: &Screen) {
    let flag = stored.flag.as_ref();
    let key = flag.map_or("?", |flag| &flag.key);
    let variant = flag.and_then(plans::default_variant).unwrap_or("more than one variant");
    screen.line(format_args!(
        "{key} serves {variant} to everyone (read back at revision {})",
        stored.revision
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_follows_the_fault() {
        assert_eq!(expected(0.04, 0.008), Some(Verdict::Aborted));
        assert_eq!(expected(0.008, 0.008), Some(Verdict::Completed));
        assert_eq!(expected(0.0, 0.008), Some(Verdict::Completed));
        assert_eq!(expected(0.012, 0.008), None);
        assert_eq!(expected(0.04, 0.0), None);
    }
}
