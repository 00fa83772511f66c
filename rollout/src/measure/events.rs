//! Events of treatment in the recent past, by the minute: what a limit on a count in a window is compared with.

use std::collections::BTreeMap;

use crate::Micros;

/// Minutes are what events are kept by.
const MINUTE_US: Micros = 60_000_000;
/// How long they are kept: the longest window of a limit, 30 days.
const KEPT_US: Micros = 30 * 24 * 60 * MINUTE_US;

/// Events by (number of the metric, minute), in millionths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Events(BTreeMap<(u16, i64), i64>);

impl Events {
    /// Adds so many millionths of an event, and lets go of what is too old.
    pub fn add(&mut self, metric: u16, millionths: i64, now: Micros) {
        if millionths == 0 {
            return;
        }
        let sum = self.0.entry((metric, now.div_euclid(MINUTE_US))).or_default();
        *sum = sum.saturating_add(millionths);
        let oldest = now.saturating_sub(KEPT_US).div_euclid(MINUTE_US);
        self.0.retain(|(_, minute), _| *minute >= oldest);
    }

    /// Events in a window that ends now; its first minute counts whole. Without a window: all that are kept.
    pub fn within(&self, metric: u16, window_us: Option<Micros>, now: Micros) -> f64 {
        let first = window_us.map_or(i64::MIN, |window| now.saturating_sub(window).div_euclid(MINUTE_US));
        let counts = self.0.range((metric, first)..=(metric, i64::MAX));
        counts.fold(0_i64, |sum, (_, count)| sum.saturating_add(*count)) as f64 / 1e6
    }

    /// All of them: (metric, minute since 1970, millionths).
    pub fn iter(&self) -> impl Iterator<Item = (u16, i64, i64)> {
        self.0
            .iter()
            .map(|((metric, minute), count)| (*metric, *minute, *count))
    }

    /// As they were stored.
    pub fn from_stored(events: impl IntoIterator<Item = (u16, i64, i64)>) -> Self {
        Self(
            events
                .into_iter()
                .map(|(metric, minute, count)| ((metric, minute), count))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_leave_a_window_by_the_minute() {
        let mut events = Events::default();
        let hour = 60 * MINUTE_US;
        for (at, count) in [(0, 3_000_000), (hour, 1_000_000), (2 * hour, 2_000_000)] {
            events.add(7, count, at);
        }
        events.add(8, 9_000_000, hour);
        for (window, expected) in [
            (Some(MINUTE_US), 2.0),
            (Some(hour), 3.0),
            (Some(hour - MINUTE_US), 2.0),
            (Some(2 * hour), 6.0),
            (None, 6.0),
        ] {
            assert_eq!(events.within(7, window, 2 * hour), expected, "{window:?}");
        }
        assert_eq!(Events::from_stored(events.iter()), events);
        events.add(7, 1_000_000, KEPT_US + hour);
        assert_eq!(events.within(7, None, KEPT_US + hour), 4.0);
    }
}
