#![allow(clippy::unwrap_used)]

use evaluation::{Arm, Buckets, Snapshot};

use super::*;
use crate::{
    health::{
        caller::Caller,
        report::Outcome::{self, Error, Ok},
    },
    samples::{Contents, ROLLOUT, exposure, measurement, moment, report},
};

struct Agent {
    snapshot: Snapshot,
    counters: Counters,
    outboxes: Outboxes,
}

impl Agent {
    /// Whose rollout is measured from this tick on, with frames due each ten seconds.
    fn new(tick: u32) -> Self {
        let snapshot = Contents::production().rollout(Buckets::ALL).snapshot(1);
        let mut outboxes = Outboxes::new("production", Spool::none());
        assert!(!outboxes.follow(&snapshot, tick));
        let told = v1::ReportResponse {
            acks: Vec::new(),
            intervals: vec![v1::ReportInterval {
                rollout: ROLLOUT,
                interval_us: 10_000_000,
            }],
        };
        outboxes.hear(told, &snapshot);
        Self {
            snapshot,
            counters: Counters::default(),
            outboxes,
        }
    }

    fn report(&self, arm: Arm, outcome: Outcome, times: u32, tick: u32) {
        for position in 0..times {
            report(&self.counters, &measurement(), exposure(arm, position), outcome, tick);
        }
    }

    /// The last ticks of the frames that are cut when this tick begins.
    fn cut(&mut self, tick: u32, which: Cut) -> Vec<u32> {
        let frames = self.frames(tick, which);
        frames.iter().map(|frame| frame.last_tick).collect()
    }

    fn frames(&mut self, tick: u32, which: Cut) -> Vec<v1::Frame> {
        self.outboxes.cut(&self.snapshot, &self.counters, moment(tick), which);
        self.outboxes.take_unsent()
    }
}

#[test]
fn frames_wait_for_their_interval() {
    let mut agent = Agent::new(100);
    agent.report(Arm::Treatment, Error, 2, 100);
    agent.report(Arm::Control, Error, 100, 100);
    for tick in 101..110 {
        assert!(agent.cut(tick, Cut::Due).is_empty(), "{tick}");
    }
    assert_eq!(agent.cut(110, Cut::Due), [109]);
}

#[test]
fn a_frame_says_when_it_is_urgent_due_or_not() {
    let mut agent = Agent::new(100);
    agent.report(Arm::Control, Ok, 100, 100);
    agent.report(Arm::Treatment, Ok, 5, 100);
    let is_urgent = |frames: Vec<v1::Frame>| frames.iter().map(|frame| frame.urgent).collect::<Vec<_>>();
    assert_eq!(is_urgent(agent.frames(110, Cut::Due)), [false]);
    for tick in [110, 120] {
        agent.report(Arm::Control, Ok, 100, tick);
        agent.report(Arm::Treatment, Error, 5, tick);
    }
    assert_eq!(is_urgent(agent.frames(111, Cut::Due)), [true], "before it is due");
    assert_eq!(is_urgent(agent.frames(121, Cut::Due)), [true], "when it is due");
    assert_eq!(is_urgent(agent.frames(131, Cut::Due)), [false], "it was told");
}

#[test]
fn where_requests_are_split_nothing_is_urgent() {
    let of = |unit| {
        let measurement = Measurement { unit, ..measurement() };
        let counters = Counters::default();
        for position in 0..5 {
            report(&counters, &measurement, exposure(Arm::Treatment, position), Error, 100);
            report(&counters, &measurement, exposure(Arm::Control, position), Ok, 100);
        }
        is_urgent(&measurement, &counters, 100)
    };
    assert!(of(SplittingUnit::Unit) && !of(SplittingUnit::Request));
}

#[test]
fn a_treatment_that_fails_plainly_is_told_at_once_and_once_in_a_tick() {
    let mut agent = Agent::new(100);
    agent.report(Arm::Control, Ok, 100, 100);
    agent.report(Arm::Treatment, Error, 5, 101);
    assert!(agent.cut(101, Cut::Due).is_empty(), "the tick has not ended");
    assert_eq!(agent.cut(102, Cut::Due), [101]);
    assert!(agent.cut(102, Cut::Due).is_empty());
    assert!(agent.cut(103, Cut::Due).is_empty(), "it was told");
}

#[test]
fn outcomes_that_never_come_hurry_a_frame_too() {
    let mut agent = Agent::new(100);
    agent.report(Arm::Control, Ok, 100, 100);
    let measurement = measurement();
    for position in 0..10 {
        let unit = exposure(Arm::Treatment, position);
        agent
            .counters
            .exposed(&measurement, &unit, Caller::ANYBODY, moment(100));
    }
    assert_eq!(agent.cut(110, Cut::Due), [109]);
    assert_eq!(agent.cut(120, Cut::Due), [119]);
    assert_eq!(agent.cut(130, Cut::Due), [129]);
    assert_eq!(agent.cut(131, Cut::Due), [130]);
}

#[test]
fn in_the_end_the_present_tick_is_told() {
    let mut agent = Agent::new(100);
    agent.report(Arm::Control, Ok, 1, 104);
    assert_eq!(agent.cut(104, Cut::Rest), [104]);
    assert!(agent.cut(104, Cut::Rest).is_empty());
}

#[test]
fn a_rollout_that_is_measured_no_longer_is_kept_until_its_frames_are_durable() {
    let mut agent = Agent::new(100);
    assert_eq!(agent.cut(110, Cut::Due), [109]);
    let nothing = Contents::production().snapshot(2);
    assert!(!agent.outboxes.follow(&nothing, 111));
    assert!(!agent.outboxes.is_empty() && agent.outboxes.waits((ROLLOUT, 1)));
    let acked = v1::ReportResponse {
        acks: vec![v1::FrameAck {
            rollout: ROLLOUT,
            sequence: 1,
            refused: String::new(),
        }],
        intervals: Vec::new(),
    };
    agent.outboxes.hear(acked, &nothing);
    assert!(!agent.outboxes.follow(&nothing, 111));
    assert!(agent.outboxes.is_empty());
}
