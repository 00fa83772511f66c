//! Follows a rollout: on a terminal a tree that is drawn in place, elsewhere each transition, each change of its numbers
//! in a line, each guard that stands otherwise, each level and each signal that comes or goes, and its end.
//!
//! The exit code is the rollout's end. If the control plane goes away before it, that is said and is an error: the
//! rollout itself goes on without anyone watching.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use proto::v1;
use tokio::{signal::ctrl_c, time};
use tonic::Streaming;

use crate::{
    args::Global,
    connect::Session,
    error::{End, Error},
    print::{self, Format, Paint},
    view::{guard, level, rollout::RolloutView, rollout_text, rollout_tree, signal},
};

/// How often a drawn tree is drawn again, so that its clocks run.
const CLOCK: Duration = Duration::from_secs(1);

/// What a watch hears.
type Changes = Streaming<v1::WatchRolloutResponse>;

/// What has been written already, so that nothing is written twice.
#[derive(Debug, Default)]
struct Written {
    sequence: u64,
    line: String,
    /// How each guard stood.
    guards: BTreeMap<String, String>,
    /// Why each level was missing; empty: it was there.
    levels: BTreeMap<String, String>,
    /// Signals that were raised, and whether they were dismissed.
    signals: BTreeMap<(String, Option<u32>), bool>,
    end: String,
}

impl Written {
    /// What is new in this state of the rollout.
    fn news(&mut self, rollout: &v1::Rollout) -> Vec<String> {
        let mut news = Vec::new();
        for transition in rollout.transitions.iter().filter(|one| one.sequence > self.sequence) {
            news.push(rollout_text::transition(transition, rollout.plan.as_ref()));
        }
        self.sequence = rollout
            .transitions
            .iter()
            .map(|one| one.sequence)
            .fold(self.sequence, u64::max);
        let line = rollout_text::line(rollout);
        if line != self.line {
            news.push(line.clone());
            self.line = line;
        }
        for guard in &rollout.guard_views {
            let stood = self.guards.insert(guard.harm.clone(), guard.standing.clone());
            if stood.is_some_and(|stood| stood != guard.standing) {
                news.push(guard::line(guard));
            }
        }
        for level in &rollout.levels {
            let was = self.levels.insert(level.metric.clone(), level.missing.clone());
            if was.is_none_or(|was| was != level.missing) {
                news.push(level::line(level));
            }
        }
        let signals = rollout.signals.iter().filter(|signal| signal.raised);
        let signals = signals.map(|signal| ((signal.signal.clone(), signal.guard), signal));
        let signals: BTreeMap<_, _> = signals.collect();
        self.signals.retain(|key, _| signals.contains_key(key));
        for (key, signal) in signals {
            let was = self.signals.insert(key, signal.dismissed);
            if was != Some(signal.dismissed) {
                news.push(signal::line(rollout, signal));
            }
        }
        let end = rollout.end.as_ref().map(rollout_text::end).unwrap_or_default();
        if end != self.end {
            news.push(end.clone());
            self.end = end;
        }
        news
    }
}

/// Follows a rollout until its end is proved, or until Ctrl-C.
pub(super) async fn follow(global: &Global, rollout: String) -> Result<End, Error> {
    tokio::select! {
        biased;
        _ = ctrl_c() => Ok(End::Interrupted),
        end = to_its_end(global, rollout) => end,
    }
}

async fn to_its_end(global: &Global, rollout: String) -> Result<End, Error> {
    let session = Session::open(global).await?;
    let request = v1::WatchRolloutRequest {
        environment: session.environment(),
        rollout,
    };
    let mut rollouts = session.rollouts();
    let call = rollouts.watch_rollout(session.follow(request));
    let response = tokio::time::timeout(global.timeout, call).await;
    let response = response.map_err(|_| session.lost("it did not answer in time"))?;
    let changes = response.map_err(|status| session.error(&status))?.into_inner();
    let phase = if global.output == Format::Table && print::is_redrawable() {
        draw(global, &session, changes).await?
    } else {
        write(global, &session, changes).await?
    };
    match phase {
        v1::RolloutPhase::Completed => Ok(End::Done),
        v1::RolloutPhase::Aborting
        | v1::RolloutPhase::Aborted
        | v1::RolloutPhase::RolledBack
        | v1::RolloutPhase::Superseded
        | v1::RolloutPhase::Expired => Ok(End::Aborted),
        v1::RolloutPhase::Unspecified
        | v1::RolloutPhase::Draft
        | v1::RolloutPhase::Ready
        | v1::RolloutPhase::AwaitingStart
        | v1::RolloutPhase::Delivering
        | v1::RolloutPhase::Soaking
        | v1::RolloutPhase::Gate
        | v1::RolloutPhase::Held
        | v1::RolloutPhase::Paused
        | v1::RolloutPhase::Baking => Err(session.lost("the stream ended before the rollout did; watch it again")),
    }
}

/// Writes what is new of each change, and gives the last phase.
async fn write(global: &Global, session: &Session, mut changes: Changes) -> Result<v1::RolloutPhase, Error> {
    let mut written = Written::default();
    let mut phase = v1::RolloutPhase::Unspecified;
    while let Some(change) = changes.message().await.map_err(|status| session.error(&status))? {
        let Some(rollout) = change.rollout else { continue };
        phase = rollout.phase();
        let news = written.news(&rollout);
        if !news.is_empty() {
            print::show_change(global.output, &RolloutView::of(&rollout), &news.join("\n"))?;
        }
    }
    Ok(phase)
}

/// Draws the tree of each change in the place of the one before, and again as its clocks run; gives the last phase.
async fn draw(global: &Global, session: &Session, mut changes: Changes) -> Result<v1::RolloutPhase, Error> {
    let paint = Paint::of(global);
    let mut clock = time::interval(CLOCK);
    let mut heard: Option<(v1::Rollout, Instant)> = None;
    let mut is_first = true;
    loop {
        tokio::select! {
            biased;
            change = changes.message() => match change.map_err(|status| session.error(&status))? {
                Some(change) => heard = change.rollout.map(|rollout| (rollout, Instant::now())).or(heard),
                None => break,
            },
            _ = clock.tick() => {}
        }
        if let Some((rollout, at)) = &heard {
            let passed_us = i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX);
            let now_us = Timestamp::now().as_microsecond();
            print::redraw(&rollout_tree::lines(rollout, now_us, passed_us, paint), is_first)?;
            is_first = false;
        }
    }
    Ok(heard.map_or(v1::RolloutPhase::Unspecified, |(rollout, _)| rollout.phase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition(sequence: u64, kind: &str) -> v1::Transition {
        v1::Transition {
            sequence,
            kind: kind.into(),
            ..v1::Transition::default()
        }
    }

    #[test]
    fn nothing_is_written_twice() {
        let mut written = Written::default();
        let mut rollout = v1::Rollout {
            name: "checkout#1".into(),
            phase: v1::RolloutPhase::Soaking.into(),
            transitions: vec![transition(1, "started")],
            ..v1::Rollout::default()
        };
        assert_eq!(written.news(&rollout).len(), 2, "the transition and the line");
        assert!(written.news(&rollout).is_empty());
        let guard = |standing: &str| v1::GuardView {
            harm: "error-rate > 1x control".into(),
            standing: standing.into(),
            ..v1::GuardView::default()
        };
        rollout.guard_views = vec![guard("none")];
        assert!(
            written.news(&rollout).is_empty(),
            "how a guard stands at first is no news"
        );
        rollout.guard_views = vec![guard("warn")];
        assert_eq!(written.news(&rollout), ["guard error-rate > 1x control: warn"]);
        rollout.wanted_buckets = 5_000;
        assert_eq!(written.news(&rollout).len(), 1, "the line");
        rollout.transitions.push(transition(2, "advanced"));
        let news = written.news(&rollout);
        assert!(
            matches!(news.as_slice(), [only] if only.contains("advanced")),
            "{news:?}"
        );
        rollout.end = Some(v1::RolloutEnd {
            outcome: "aborted".into(),
            ..v1::RolloutEnd::default()
        });
        assert_eq!(
            written.news(&rollout).len(),
            2,
            "the line, which soaks no more, and the end"
        );
        assert!(written.news(&rollout).is_empty());
    }
}
