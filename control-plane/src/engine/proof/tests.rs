#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use ::rollout::Phase;
use evaluation::Digest;

use super::*;
use crate::{
    builders::{SECOND_US, START_TICK, START_US, World, actor, flag, moved, production, sources},
    change::rollout as changes,
    evidence::EvidenceRecord,
    health::{builders::covered, coverage::Coverage},
    publish::Subscription,
    record::End,
    store::{Txn, keys, model},
    sync::fleet::{Acked, Held, Introduction},
};

/// When the end was decided.
const DECIDED_US: i64 = START_US + 9 * SECOND_US;
/// A second later, at the beginning of a tick: when agents ack.
const NOW_US: i64 = START_US + 10 * SECOND_US;
const NOW_TICK: u32 = START_TICK + 10;

/// A rollout that has ended, and an agent that has yet to hear of it.
struct Ending {
    world: World,
    record: RolloutRecord,
    sources: Sources,
}

impl Ending {
    fn new(cause: EndCause) -> Self {
        let mut world = World::new();
        world.write(flag("checkout"));
        let (before, _) = world.start("checkout");
        let mut after = moved(&before, Phase::Aborting, "aborted");
        after.end = Some(end(cause));
        let txn = match cause {
            EndCause::Evidence | EndCause::Rule | EndCause::Person | EndCause::Trigger => {
                changes::abort(&before, &after, None, None, &actor())
            }
            EndCause::Criterion | EndCause::Withdrawn | EndCause::Edit | EndCause::Time => {
                after.state.phase = Phase::RolledBack;
                changes::withdraw(&before, &after, None, &actor())
            }
            EndCause::Completed => {
                after.state.phase = Phase::Completed;
                changes::complete(&before, &after, None, &world.flag("checkout"), 0, &actor())
            }
        };
        world.commit(&txn);
        let record = RolloutRecord::clone(&world.rollout(before.id));
        let ending = Self {
            sources: sources(&world.state),
            world,
            record,
        };
        ending.connect("a", 1);
        ending
    }

    fn connect(&self, agent: &str, connection: u64) {
        let introduction = Introduction {
            agent: agent.into(),
            subscription: Subscription {
                environment: production(),
                set: None,
            },
            version: String::new(),
            address: None,
            diskless: false,
        };
        let interval_us = 1_000 * SECOND_US;
        self.sources
            .fleet
            .connected(introduction, connection, interval_us, NOW_US)
            .unwrap();
    }

    fn ack(&self, agent: &str, connection: u64, persisted: bool) {
        let acked = Acked {
            held: Held {
                number: self.world.state.revision,
                digest: Digest(1),
            },
            persisted,
            published_at_us: None,
            problems: Vec::new(),
            held_back: BTreeSet::new(),
        };
        self.sources
            .fleet
            .acked(&production(), &agent.into(), connection, acked);
    }

    /// The last treatment exposure that any agent reported.
    fn exposed_at(&mut self, at_us: i64) {
        let evidence = EvidenceRecord {
            last_treatment_exposure_us: at_us,
            ..EvidenceRecord::default()
        };
        let at = keys::evidence(&production(), self.record.id);
        self.world
            .commit(&Txn::default().put(at, model::write_evidence(&evidence)));
    }

    /// Looks; what is known by then, whether it is news or not.
    fn look(&mut self, coverage: &Coverage, now_us: i64) -> End {
        self.sources.coverage = coverage.clone();
        let news = prove(&self.world.state, &self.record, &self.sources, now_us);
        if let Some(after) = news {
            assert_ne!(after.end, self.record.end, "news are new");
            self.record = after;
        }
        self.record.end.clone().unwrap()
    }

    /// Frames of the agent cover the time up to the end of a tick.
    fn until(&self, tick: u32) -> Coverage {
        covered(self.record.id, tick)
    }
}

fn end(cause: EndCause) -> End {
    End {
        decided_at_us: DECIDED_US,
        cause,
        actor: String::new(),
        reason: String::new(),
        evidence: None,
        counts: Default::default(),
        published_at_us: None,
        applied_at_us: None,
        persisted_at_us: None,
        last_treatment_exposure_us: None,
        time_to_zero_us: None,
        batches: 0,
        readings: 0,
        fresh: true,
        awaited: Vec::new(),
        recovery: None,
    }
}

#[test]
fn what_has_not_ended_has_nothing_to_prove() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.record.end = None;
    let news = prove(&ending.world.state, &ending.record, &ending.sources, NOW_US);
    assert!(news.is_none());
}

#[test]
fn published_applied_and_persisted_are_each_noted_when_first_seen() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.connect("b", 2);
    let nothing = Coverage::default();
    let times = |ending: &mut Ending, now_us| {
        let end = ending.look(&nothing, now_us);
        (end.published_at_us, end.applied_at_us, end.persisted_at_us)
    };
    assert_eq!(times(&mut ending, NOW_US), (Some(NOW_US), None, None));
    ending.ack("a", 1, true);
    assert_eq!(times(&mut ending, NOW_US + 1), (Some(NOW_US), None, None));
    ending.ack("b", 2, false);
    assert_eq!(times(&mut ending, NOW_US + 2), (Some(NOW_US), Some(NOW_US + 2), None));
    ending.ack("b", 2, true);
    assert_eq!(
        times(&mut ending, NOW_US + 3),
        (Some(NOW_US), Some(NOW_US + 2), Some(NOW_US + 3))
    );
    // What was seen once stays, even if an agent comes that has less.
    ending.connect("c", 3);
    assert_eq!(
        times(&mut ending, NOW_US + 4),
        (Some(NOW_US), Some(NOW_US + 2), Some(NOW_US + 3))
    );
}

#[test]
fn without_a_live_agent_nothing_is_proved() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.sources.fleet.disconnected(&production(), &"a".into(), 1);
    let end = ending.look(&ending.until(NOW_TICK + 100), NOW_US);
    assert_eq!(
        (end.applied_at_us, end.persisted_at_us, end.time_to_zero_us),
        (None, None, None)
    );
}

#[test]
fn time_to_zero_is_known_only_when_frames_cover_the_second_behind_the_last_ack() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.ack("a", 1, true);
    assert_eq!(ending.look(&Coverage::default(), NOW_US).time_to_zero_us, None);
    let too_short = ending.until(NOW_TICK - 1);
    assert_eq!(ending.look(&too_short, NOW_US + SECOND_US).time_to_zero_us, None);
    let enough = ending.until(NOW_TICK);
    let end = ending.look(&enough, NOW_US + 2 * SECOND_US);
    assert_eq!(end.time_to_zero_us, Some(NOW_US - DECIDED_US));
    assert_eq!(end.last_treatment_exposure_us, None);
}

#[test]
fn frames_alone_prove_nothing_while_an_agent_has_not_applied_the_end() {
    let mut ending = Ending::new(EndCause::Person);
    let end = ending.look(&ending.until(NOW_TICK + 100), NOW_US);
    assert_eq!(end.time_to_zero_us, None);
}

#[test]
fn an_exposure_before_the_last_ack_is_told_and_moves_nothing() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.ack("a", 1, true);
    ending.exposed_at(NOW_US - 7);
    let end = ending.look(&ending.until(NOW_TICK), NOW_US);
    assert_eq!(end.time_to_zero_us, Some(NOW_US - DECIDED_US));
    assert_eq!(end.last_treatment_exposure_us, Some(NOW_US - 7));
}

#[test]
fn an_exposure_behind_the_last_ack_moves_zero_and_is_waited_out() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.ack("a", 1, true);
    ending.exposed_at(NOW_US + 5 * SECOND_US);
    let still_seen = ending.until(NOW_TICK + 4);
    assert_eq!(ending.look(&still_seen, NOW_US).time_to_zero_us, None);
    let gone = ending.until(NOW_TICK + 5);
    let end = ending.look(&gone, NOW_US + 9 * SECOND_US);
    assert_eq!(end.time_to_zero_us, Some(NOW_US + 5 * SECOND_US - DECIDED_US));
    assert_eq!(end.last_treatment_exposure_us, Some(NOW_US + 5 * SECOND_US));
}

#[test]
fn a_proof_that_is_complete_is_not_written_again() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.ack("a", 1, true);
    let proved = ending.look(&ending.until(NOW_TICK), NOW_US);
    ending.exposed_at(NOW_US + 60 * SECOND_US);
    let later = ending.look(&ending.until(NOW_TICK + 200), NOW_US + 100 * SECOND_US);
    assert_eq!(later, proved);
}

#[test]
fn what_is_completed_is_proved_by_its_delivery_alone() {
    let mut ending = Ending::new(EndCause::Completed);
    ending.ack("a", 1, true);
    let end = ending.look(&ending.until(NOW_TICK + 100), NOW_US);
    assert_eq!(end.persisted_at_us, Some(NOW_US));
    assert_eq!(end.time_to_zero_us, None);
    assert_eq!(ending.look(&Coverage::default(), NOW_US + 1), end);
}
