//! Coverage: how recent the reports of the live agents are, per rollout.
//!
//! Silence must hold a rollout and never promote it, so somebody has to know who has not spoken. The collector writes
//! here, the engine reads. Two ticks are kept of each agent: the last it reported, and the last whose counts the state
//! shows; an end is only as certain as the second. It is in memory alone: after a restart nobody has reported yet.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use proto::tick;
use uuid::Uuid;

/// Ticks after which an agent that stopped reporting is forgotten.
const FORGOTTEN_TICKS: u32 = 3_600;
/// Beyond the intervals: the length of a tick.
const TICK_US: i64 = 1_000_000;

/// A shared, cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage(Arc<Mutex<HashMap<Uuid, Heard>>>);

#[derive(Debug, Default)]
struct Heard {
    interval_us: i64,
    /// Agents may still keep the slower pace that they were told before, until this time.
    slower: Option<(i64, i64)>,
    live: Arc<[Arc<str>]>,
    ticks: HashMap<Arc<str>, Ticks>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    reported: u32,
    settled: Option<u32>,
}

impl Coverage {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Heard>> {
        // Every write leaves the map whole, so a poisoned lock is taken as it is.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether 95 % of the live agents, and at least one, have reported past three intervals and a second ago.
    pub(crate) fn fresh(&self, rollout: Uuid, now_us: i64) -> bool {
        let heard = self.lock();
        let Some(heard) = heard.get(&rollout).filter(|heard| !heard.live.is_empty()) else {
            return false;
        };
        let reach_us = 3 * heard.patience_us(now_us) + TICK_US;
        heard.covers(tick::at(now_us.saturating_sub(reach_us)))
    }

    /// Until when every live agent has reported all it counted, and the state shows it; in microseconds since 1970.
    /// None while there is no live agent, or one that has not reported.
    pub(crate) fn covered_until_us(&self, rollout: Uuid) -> Option<i64> {
        let heard = self.lock();
        let heard = heard.get(&rollout)?;
        let settled = heard
            .live
            .iter()
            .map(|agent| heard.ticks.get(agent).and_then(|ticks| ticks.settled));
        let earliest = settled.collect::<Option<Vec<_>>>()?.into_iter().min()?;
        Some(tick::begins_us(earliest).saturating_add(TICK_US))
    }

    /// Whether 95 % of the live agents have reported past the beginning of a tick. With no live agent there is nobody
    /// to wait for.
    pub(super) fn covers(&self, rollout: Uuid, tick: u32) -> bool {
        self.lock().get(&rollout).is_none_or(|heard| heard.covers(tick))
    }

    /// An agent has reported up to a tick.
    pub(super) fn report(&self, rollout: Uuid, agent: &Arc<str>, last_tick: u32) {
        let mut heard = self.lock();
        let ticks = heard
            .entry(rollout)
            .or_default()
            .ticks
            .entry(agent.clone())
            .or_default();
        ticks.reported = ticks.reported.max(last_tick);
    }

    /// Who is live by now, and how often they report.
    pub(super) fn expect(&self, rollout: Uuid, live: Arc<[Arc<str>]>, interval_us: i64, now_us: i64) {
        let mut heard = self.lock();
        let heard = heard.entry(rollout).or_default();
        if interval_us < heard.interval_us {
            let slower_us = heard.patience_us(now_us);
            heard.slower = Some((slower_us, now_us.saturating_add(slower_us)));
        }
        heard.interval_us = interval_us;
        heard.live = live;
        let oldest = tick::at(now_us).saturating_sub(FORGOTTEN_TICKS);
        heard.ticks.retain(|_, ticks| ticks.reported >= oldest);
    }

    /// The state shows all that was reported so far.
    pub(super) fn settle(&self, rollout: Uuid) {
        if let Some(heard) = self.lock().get_mut(&rollout) {
            heard
                .ticks
                .values_mut()
                .for_each(|ticks| ticks.settled = Some(ticks.reported));
        }
    }

    /// What was reported may have to be sent again: nobody counts as having reported.
    pub(super) fn restart(&self, rollout: Uuid) {
        if let Some(heard) = self.lock().get_mut(&rollout) {
            heard.ticks.clear();
        }
    }

    /// Forgets all rollouts but some.
    pub(super) fn keep(&self, wanted: impl Fn(Uuid) -> bool) {
        self.lock().retain(|rollout, _| wanted(*rollout));
    }
}

impl Heard {
    fn patience_us(&self, now_us: i64) -> i64 {
        let slower_us = self
            .slower
            .filter(|(_, until_us)| now_us < *until_us)
            .map_or(0, |(slower_us, _)| slower_us);
        self.interval_us.max(slower_us)
    }

    fn covers(&self, tick: u32) -> bool {
        let has = |agent: &&Arc<str>| self.ticks.get(*agent).is_some_and(|ticks| ticks.reported >= tick);
        self.live.iter().filter(has).count() * 100 >= self.live.len() * 95
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SECOND_US: i64 = 1_000_000;
    const NOW: i64 = tick::EPOCH_US + 10_000 * SECOND_US;

    fn agents(count: usize) -> Vec<Arc<str>> {
        (0..count).map(|number| Arc::from(format!("agent-{number}"))).collect()
    }

    fn coverage(live: &[Arc<str>]) -> (Coverage, Uuid) {
        let (coverage, rollout) = (Coverage::default(), Uuid::from_u128(7));
        coverage.expect(rollout, live.into(), SECOND_US, NOW);
        (coverage, rollout)
    }

    #[test]
    fn nobody_is_never_fresh() {
        let (coverage, rollout) = coverage(&[]);
        assert!(!coverage.fresh(rollout, NOW));
        assert!(!coverage.fresh(Uuid::from_u128(8), NOW));
        assert_eq!(coverage.covered_until_us(rollout), None);
        assert!(coverage.covers(rollout, 10_000));
    }

    #[test]
    fn data_are_fresh_while_95_percent_report_and_for_three_intervals_and_a_second_after() {
        let live = agents(20);
        let (coverage, rollout) = coverage(&live);
        for agent in &live[..18] {
            coverage.report(rollout, agent, 10_000);
        }
        assert!(!coverage.fresh(rollout, NOW));
        coverage.report(rollout, &live[18], 10_000);
        assert!(coverage.fresh(rollout, NOW));
        assert!(coverage.fresh(rollout, NOW + 4 * SECOND_US));
        assert!(!coverage.fresh(rollout, NOW + 5 * SECOND_US));
    }

    #[test]
    fn agents_that_were_told_to_be_slow_are_waited_for_once_more() {
        let live = agents(1);
        let (coverage, rollout) = coverage(&live);
        coverage.expect(rollout, live.as_slice().into(), 10 * SECOND_US, NOW);
        coverage.report(rollout, &live[0], 10_000);
        coverage.expect(rollout, live.as_slice().into(), SECOND_US, NOW + SECOND_US);
        assert!(coverage.fresh(rollout, NOW + 9 * SECOND_US));
        assert!(!coverage.fresh(rollout, NOW + 11 * SECOND_US));
    }

    #[test]
    fn an_end_is_certain_only_when_all_have_reported_and_the_state_shows_it() {
        let live = agents(2);
        let (coverage, rollout) = coverage(&live);
        coverage.report(rollout, &live[0], 10_005);
        coverage.settle(rollout);
        assert_eq!(coverage.covered_until_us(rollout), None);
        coverage.report(rollout, &live[1], 10_003);
        assert_eq!(coverage.covered_until_us(rollout), None);
        coverage.settle(rollout);
        assert_eq!(coverage.covered_until_us(rollout), Some(NOW + 4 * SECOND_US));
        coverage.report(rollout, &live[1], 10_009);
        assert_eq!(coverage.covered_until_us(rollout), Some(NOW + 4 * SECOND_US));
    }
}
