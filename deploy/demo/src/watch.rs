//! One rollout followed to its end, line by line, as the control plane streams it.
//!
//! A transition is told when it comes, in the control plane's own words; between transitions a line every other second
//! is enough to see numbers grow. A rollout that is held is waiting for a person, so the demo waits a while only.

use std::time::Duration;

use anyhow::Context as _;
use proto::v1;
use tokio::time::{Instant, timeout_at};

use crate::{
    operator::{Operator, said},
    screen::Screen,
    table,
};

/// How often a rollout gets a line while nothing happens to it.
const PACE: Duration = Duration::from_secs(2);
/// How long a rollout may be held before the demo goes on without its end.
const HELD: Duration = Duration::from_secs(40);
/// How long a gate is seen to wait for its approval.
const SEEN: Duration = Duration::from_secs(1);
/// Who gives it.
const APPROVER: &str = "release-manager";
/// How long it may take in all.
const PATIENCE: Duration = Duration::from_secs(300);

/// What has been told of a rollout.
#[derive(Debug)]
struct Told {
    begun: Instant,
    sequence: u64,
    line_at: Option<Instant>,
    held_since: Option<Instant>,
    /// Since when the gate has waited for nothing but an approval.
    asked_since: Option<Instant>,
}

/// Follows a rollout until its end is proved, or until it has been held for long; gives it as it is then.
pub(crate) async fn follow(operator: &Operator, name: &str, screen: &Screen) -> anyhow::Result<v1::Rollout> {
    let begun = Instant::now();
    let mut told = Told {
        begun,
        sequence: 0,
        line_at: None,
        held_since: None,
        asked_since: None,
    };
    let mut stream = operator.watch(name).await?;
    let mut latest = None;
    screen.aside(table::header());
    loop {
        let Ok(next) = timeout_at(told.deadline(), stream.message()).await else {
            break;
        };
        let Some(message) = next.map_err(|status| said("go on watching", name, &status))? else {
            break;
        };
        let rollout = message.rollout.context("the control plane sent an empty change")?;
        told.tell(&rollout, screen);
        if told.is_asked(&rollout) {
            approve(operator, &rollout, screen).await?;
        }
        latest = Some(rollout);
    }
    latest.with_context(|| format!("nothing was heard of {name}"))
}

impl Told {
    fn tell(&mut self, rollout: &v1::Rollout, screen: &Screen) {
        let now = Instant::now();
        let moved = rollout.sequence > self.sequence;
        let due = self.line_at.is_none_or(|at| now.duration_since(at) >= PACE);
        for transition in rollout.transitions.iter().filter(|one| one.sequence > self.sequence) {
            screen.aside(event(rollout, transition));
        }
        self.sequence = self.sequence.max(rollout.sequence);
        if moved || due {
            screen.line(table::line(rollout, now.duration_since(self.begun)));
            self.line_at = Some(now);
        }
        self.held_since = match rollout.phase() {
            v1::RolloutPhase::Held => Some(self.held_since.unwrap_or(now)),
            _ => None,
        };
    }

    /// Whether the gate has waited for nothing but an approval for long enough to be seen.
    fn is_asked(&mut self, rollout: &v1::Rollout) -> bool {
        let is_asked = rollout.waits.len() == 1 && rollout.waits.iter().all(|wait| wait.kind == "approvals");
        if !is_asked {
            self.asked_since = None;
            return false;
        }
        let since = *self.asked_since.get_or_insert_with(Instant::now);
        since.elapsed() >= SEEN
    }

    /// When to stop waiting for the end.
    fn deadline(&self) -> Instant {
        let patience = self.begun + PATIENCE;
        self.held_since.map_or(patience, |since| patience.min(since + HELD))
    }
}

/// Gives the approval that the gate waits for, as a release manager would.
async fn approve(operator: &Operator, rollout: &v1::Rollout, screen: &Screen) -> anyhow::Result<()> {
    let stage = table::stage_name(rollout, rollout.stage);
    screen.aside(format_args!(
        "         the gate of [{stage}] waits for: {}; {APPROVER} approves it",
        table::waits(rollout)
    ));
    operator.approve(&rollout.name, APPROVER).await
}

/// A transition in words.
fn event(rollout: &v1::Rollout, transition: &v1::Transition) -> String {
    let stage = table::stage_name(rollout, transition.stage);
    let colon = if transition.detail.is_empty() { "" } else { ": " };
    format!(
        "         {} [{stage}] by {}{colon}{}",
        transition.kind, transition.actor, transition.detail
    )
}
