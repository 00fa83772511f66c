//! When which metric is asked for again: pure, and in nobody's clock.
//!
//! Each is due an interval after it was asked last, give or take a tenth, so that a thousand rollouts that began together
//! do not ask together for ever. What is being asked is not due. If more is due than may be asked at once, what has waited
//! longest goes first: whoever answers slowly makes readings rare, and never makes one of them starve.

use std::{collections::HashMap, hash::Hash};

/// A metric that is asked for the first time waits no longer than this, in microseconds.
const FIRST_US: i64 = 2_000_000;
/// An interval is this much longer or shorter, as a part of it.
const JITTER: f64 = 0.1;

/// When each is due.
#[derive(Debug, Clone)]
pub(super) struct Schedule<I>(HashMap<I, Entry>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    interval_us: i64,
    due_us: i64,
    /// It is being asked since then.
    asked_us: Option<i64>,
    /// What came of it the last time.
    last: &'static str,
}

impl<I> Default for Schedule<I> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<I: Hash + Eq + Clone + Ord> Schedule<I> {
    /// Follows what is wanted, each with its interval: what is new is due soon, what is not wanted any more is forgotten.
    /// `draw` draws a number from 0 to 1.
    pub(super) fn follow(&mut self, wanted: Vec<(I, i64)>, now_us: i64, mut draw: impl FnMut() -> f64) {
        let mut known = std::mem::take(&mut self.0);
        for (id, interval_us) in wanted {
            let mut entry = known.remove(&id).unwrap_or_else(|| Entry {
                interval_us,
                due_us: now_us + (draw() * FIRST_US.min(interval_us) as f64) as i64,
                asked_us: None,
                last: "",
            });
            if interval_us < entry.interval_us {
                entry.due_us = entry.due_us.min(now_us.saturating_add(after(interval_us, draw())));
            }
            entry.interval_us = interval_us;
            self.0.insert(id, entry);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// As many as there is room for of those that are due, what has waited longest first. They are being asked from now on.
    pub(super) fn take(&mut self, room: usize, now_us: i64) -> Vec<I> {
        let due = self.0.iter();
        let due = due.filter(|(_, entry)| entry.asked_us.is_none() && entry.due_us <= now_us);
        let mut due: Vec<_> = due.map(|(id, entry)| (entry.due_us, id.clone())).collect();
        due.sort_unstable();
        due.truncate(room);
        for (_, id) in &due {
            if let Some(entry) = self.0.get_mut(id) {
                entry.asked_us = Some(now_us);
            }
        }
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Notes that one was answered, and what came of it; whether that is another thing than the last time. What is not
    /// wanted any more is no news.
    pub(super) fn answered(&mut self, id: &I, outcome: &'static str, mut draw: impl FnMut() -> f64) -> bool {
        let Some(entry) = self.0.get_mut(id) else {
            return false;
        };
        if let Some(asked_us) = entry.asked_us.take() {
            entry.due_us = asked_us.saturating_add(after(entry.interval_us, draw()));
        }
        std::mem::replace(&mut entry.last, outcome) != outcome
    }
}

/// An interval, give or take.
fn after(interval_us: i64, drawn: f64) -> i64 {
    (interval_us as f64 * (1.0 + JITTER * (2.0 * drawn - 1.0))) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: i64 = 1_000_000;
    const EVERY_US: i64 = 30 * SECOND_US;

    fn schedule(ids: &[&'static str]) -> Schedule<&'static str> {
        let mut schedule = Schedule::default();
        schedule.follow(wanted(ids), 0, || 0.0);
        schedule
    }

    fn wanted(ids: &[&'static str]) -> Vec<(&'static str, i64)> {
        ids.iter().map(|id| (*id, EVERY_US)).collect()
    }

    #[test]
    fn what_is_new_is_asked_within_seconds_and_not_all_at_once() {
        let mut schedule = Schedule::default();
        let mut drawn = [0.0, 0.5, 1.0].into_iter();
        schedule.follow(wanted(&["a", "b", "c"]), 0, || drawn.next().unwrap_or_default());
        let asked: Vec<_> = (0..=2).map(|second| schedule.take(9, second * SECOND_US)).collect();
        assert_eq!(asked, [["a"], ["b"], ["c"]]);
    }

    #[test]
    fn each_is_asked_once_in_its_interval_give_or_take_a_tenth() {
        for (drawn, again_us) in [(0.0, 27 * SECOND_US), (0.5, EVERY_US), (1.0, 33 * SECOND_US)] {
            let mut schedule = schedule(&["a"]);
            assert_eq!(schedule.take(9, 0), ["a"]);
            assert_eq!(schedule.take(9, 100 * EVERY_US), [""; 0], "it is being asked");
            schedule.answered(&"a", "read", || drawn);
            assert_eq!(schedule.take(9, again_us - 1), [""; 0]);
            assert_eq!(schedule.take(9, again_us), ["a"]);
        }
    }

    #[test]
    fn what_has_waited_longest_goes_first_and_nothing_starves() {
        let all = ["a", "b", "c", "d", "e"];
        let mut schedule = schedule(&all);
        let mut asked = Vec::new();
        // Whoever answers takes longer for two of them than the interval is.
        for round in 0..6 {
            let now_us = round * 2 * EVERY_US;
            for id in schedule.take(2, now_us) {
                asked.push(id);
                schedule.answered(&id, "timed_out", || 0.5);
            }
        }
        for id in all {
            let times = asked.iter().filter(|one| **one == id).count();
            assert!(times >= 2, "{id}: {asked:?}");
        }
    }

    #[test]
    fn what_is_not_wanted_is_forgotten_and_what_is_wanted_keeps_its_time() {
        let mut schedule = schedule(&["a", "b"]);
        assert_eq!(schedule.take(9, 0).len(), 2);
        schedule.follow(wanted(&["b", "c"]), SECOND_US, || 0.0);
        assert_eq!(schedule.len(), 2);
        assert_eq!(schedule.take(9, SECOND_US), ["c"], "b is still being asked");
        assert!(!schedule.answered(&"a", "read", || 0.5), "nobody asks for it any more");
        schedule.answered(&"b", "read", || 0.5);
        assert_eq!(schedule.take(9, EVERY_US), ["b"]);
    }

    #[test]
    fn a_shorter_interval_holds_at_once() {
        let mut schedule = Schedule::default();
        schedule.follow(vec![("a", 600 * SECOND_US)], 0, || 0.0);
        schedule.take(9, 0);
        schedule.answered(&"a", "read", || 0.5);
        schedule.follow(vec![("a", 10 * SECOND_US)], SECOND_US, || 0.5);
        assert_eq!(schedule.take(9, 11 * SECOND_US), ["a"]);
    }

    #[test]
    fn the_same_outcome_again_is_no_news() {
        let mut schedule = schedule(&["a"]);
        let news: Vec<_> = ["read", "read", "no_data", "no_data", "read"]
            .into_iter()
            .map(|outcome| schedule.answered(&"a", outcome, || 0.5))
            .collect();
        assert_eq!(news, [true, false, true, false, true]);
    }
}
