//! The control plane's clock as this agent knows it: the own clock plus an offset.
//!
//! Ticks, horizons and times of exposures are by the server's clock, so that agents with wrong clocks agree. The offset
//! is taken from the heartbeat with the smallest round trip of the last eight: its error is at most half of that. A
//! server that answers in its own time makes round trips of seconds; then only the way back is short, and the offset is
//! taken from that alone, its error being the time of one way.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use proto::tick;
use runtime::clock::now_us;
use tokio::sync::watch;

/// How many heartbeats are remembered.
const SAMPLES: usize = 8;
/// A longer round trip was not answered at once, and its middle says nothing.
const PROMPT_US: i64 = 500_000;

/// A shared handle to the offset.
#[derive(Debug, Clone)]
pub(crate) struct ServerClock {
    offset_us: Arc<AtomicI64>,
    known: watch::Sender<bool>,
    started: Instant,
}

/// A point in time, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// By the server's, in microseconds since 1970 UTC: when things are said to happen.
    pub(crate) time_us: i64,
    /// Whole seconds by one that nobody corrects: how long things have waited.
    pub(crate) elapsed_s: u32,
}

impl Moment {
    /// The tick that it is in.
    pub(crate) fn tick(self) -> u32 {
        tick::at(self.time_us)
    }
}

impl ServerClock {
    /// The own clock, until the offset is known.
    pub(crate) fn new() -> Self {
        Self {
            offset_us: Arc::default(),
            known: watch::Sender::new(false),
            started: Instant::now(),
        }
    }

    /// Now, by both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            time_us: self.now_us(),
            // 136 years.
            elapsed_s: u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX),
        }
    }

    /// Now, in microseconds since 1970 UTC. May step when the offset becomes better known.
    pub(crate) fn now_us(&self) -> i64 {
        self.at(now_us())
    }

    /// A time of the own clock by the server's, as far as the offset is known now.
    pub(crate) fn at(&self, own_us: i64) -> i64 {
        own_us.saturating_add(self.offset_us.load(Ordering::Relaxed))
    }

    /// The current tick.
    pub(crate) fn tick(&self) -> u32 {
        tick::at(self.now_us())
    }

    /// Takes a better offset.
    pub(crate) fn adjust(&self, offset_us: i64) {
        self.offset_us.store(offset_us, Ordering::Relaxed);
        self.known.send_if_modified(|known| !std::mem::replace(known, true));
    }

    /// Whether the offset has been learned once.
    pub(crate) fn is_known(&self) -> bool {
        *self.known.borrow()
    }

    /// Ends when the offset has been learned once.
    pub(crate) async fn known(&self) {
        // The sender lives in self, so the wait cannot fail.
        let _ = self.known.subscribe().wait_for(|known| *known).await;
    }
}

/// The last heartbeats of one connection.
#[derive(Debug, Default)]
pub(crate) struct RoundTrips {
    /// The newest last.
    samples: VecDeque<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// None: the heartbeat answers none of ours.
    round_trip_us: Option<i64>,
    /// The offset if the way back took no time: never above the true one.
    least_us: i64,
}

impl RoundTrips {
    /// Adds a heartbeat of the server, by the own clock sent for at `sent_us` and received at `received_us`, and
    /// written at `server_us` by the server's; gives the offset to use. None if the times are out of any range.
    pub(crate) fn add(&mut self, sent_us: Option<i64>, received_us: i64, server_us: i64) -> Option<i64> {
        let least_us = server_us.checked_sub(received_us)?;
        let round_trip_us = match sent_us {
            Some(sent_us) => Some(received_us.checked_sub(sent_us).filter(|trip| *trip >= 0)?),
            None => None,
        };
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            round_trip_us,
            least_us,
        });
        self.offset_us()
    }

    fn offset_us(&self) -> Option<i64> {
        let prompt = |sample: &Sample| Some((sample.round_trip_us.filter(|trip| *trip <= PROMPT_US)?, sample.least_us));
        let shortest = self.samples.iter().filter_map(prompt).min_by_key(|(trip, _)| *trip);
        match shortest {
            Some((trip, least_us)) => Some(least_us.saturating_add(trip / 2)),
            None => self.samples.iter().map(|sample| sample.least_us).max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_gives_the_offset() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.add(Some(0), 100, 1_050), Some(1_000));
        assert_eq!(trips.add(Some(1_000), 1_010, 2_015), Some(1_010));
        assert_eq!(trips.add(Some(2_000), 4_000, 9_000), Some(1_010));
    }

    #[test]
    fn a_heartbeat_is_forgotten_after_eight_more() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.add(Some(0), 0, 5), Some(5));
        for _ in 0..7 {
            assert_eq!(trips.add(Some(0), 10, 12), Some(5));
        }
        assert_eq!(trips.add(Some(0), 10, 12), Some(7));
    }

    #[test]
    fn an_answer_that_took_its_time_counts_by_its_way_back() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.add(None, 1_000, 900), Some(-100));
        assert_eq!(trips.add(Some(0), 2_000_000, 1_999_950), Some(-50));
        assert_eq!(trips.add(Some(2_000_000), 2_000_010, 2_000_005), Some(0));
    }

    #[test]
    fn impossible_times_change_nothing() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.add(Some(10), 5, 0), None);
        assert_eq!(trips.add(Some(i64::MIN), i64::MAX, 0), None);
        assert_eq!(trips.add(None, i64::MIN, i64::MAX), None);
    }

    #[test]
    fn the_offset_moves_the_clock() {
        let clock = ServerClock::new();
        let before = clock.now_us();
        clock.adjust(3_600_000_000);
        assert!(clock.now_us() - before >= 3_600_000_000);
        assert_eq!(clock.at(7), 3_600_000_007);
    }
}
