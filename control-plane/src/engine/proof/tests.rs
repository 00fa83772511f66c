#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use ::rollout::Phase;
use evaluation::Digest;

use super::*;
use crate::{
    builders::{self, SECOND_US, START_TICK, START_US, World, actor, flag, moved, production, sources},
    change::rollout as changes,
    evidence::EvidenceRecord,
    health::{builders::covered, coverage::Coverage},
    record::End,
    store::{Txn, keys, model},
    sync::fleet::{Acked, Held},
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
    sightings: Sightings,
    is_settling: bool,
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
            sightings: Sightings::default(),
            is_settling: false,
        };
        ending.connect("a", 1);
        ending
    }

    fn connect(&self, agent: &str, connection: u64) {
        let introduction = builders::introduction(&production(), agent);
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
        let moment = Moment {
            now_us,
            is_settling: self.is_settling,
        };
        let news = prove(&self.world.state, &self.record, &self.sources, &self.sightings, moment);
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
    builders::end(cause, DECIDED_US)
}

#[test]
fn what_has_not_ended_has_nothing_to_prove() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.record.end = None;
    let (world, sources) = (&ending.world.state, &ending.sources);
    let moment = Moment {
        now_us: NOW_US,
        is_settling: false,
    };
    assert!(prove(world, &ending.record, sources, &ending.sightings, moment).is_none());
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
fn an_agent_that_tells_of_later_exposures_once_it_is_back_corrects_the_proof() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.ack("a", 1, true);
    let proved = ending.look(&ending.until(NOW_TICK), NOW_US);
    assert_eq!(proved.time_to_zero_us, Some(NOW_US - DECIDED_US));
    let later = ending.until(NOW_TICK + 200);
    assert_eq!(
        ending.look(&later, NOW_US + 90 * SECOND_US),
        proved,
        "no news is not written"
    );
    ending.exposed_at(NOW_US - 7);
    let told = ending.look(&later, NOW_US + 95 * SECOND_US);
    assert_eq!(told.last_treatment_exposure_us, Some(NOW_US - 7));
    assert_eq!(told.time_to_zero_us, proved.time_to_zero_us);
    ending.exposed_at(NOW_US + 60 * SECOND_US);
    // Known to be wrong, it does not stand until all have reported again.
    let corrected = ending.look(&Coverage::default(), NOW_US + 100 * SECOND_US);
    assert_eq!(corrected.last_treatment_exposure_us, Some(NOW_US + 60 * SECOND_US));
    assert_eq!(corrected.time_to_zero_us, Some(NOW_US + 60 * SECOND_US - DECIDED_US));
    assert_eq!(corrected.applied_at_us, proved.applied_at_us);
}

#[test]
fn while_agents_come_back_the_end_is_published_and_what_they_have_is_written_later_with_its_time() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.is_settling = true;
    let nothing = Coverage::default();
    let times = |ending: &mut Ending, now_us| {
        let end = ending.look(&nothing, now_us);
        (end.published_at_us, end.applied_at_us, end.persisted_at_us)
    };
    ending.ack("a", 1, true);
    assert_eq!(times(&mut ending, NOW_US), (Some(NOW_US), None, None));
    // The first have it; the last comes with it three seconds later, and has it on disk a second after that.
    ending.connect("b", 2);
    ending.ack("b", 2, false);
    assert_eq!(times(&mut ending, NOW_US + 3 * SECOND_US), (Some(NOW_US), None, None));
    ending.ack("b", 2, true);
    assert_eq!(times(&mut ending, NOW_US + 4 * SECOND_US), (Some(NOW_US), None, None));
    ending.is_settling = false;
    let seen = (Some(NOW_US), Some(NOW_US + 3 * SECOND_US), Some(NOW_US + 4 * SECOND_US));
    assert_eq!(times(&mut ending, NOW_US + 15 * SECOND_US), seen);
}

#[test]
fn what_agents_had_while_others_came_back_without_it_is_no_proof() {
    let mut ending = Ending::new(EndCause::Evidence);
    ending.is_settling = true;
    ending.ack("a", 1, true);
    ending.look(&Coverage::default(), NOW_US);
    ending.connect("b", 2);
    ending.look(&Coverage::default(), NOW_US + SECOND_US);
    ending.is_settling = false;
    let end = ending.look(&Coverage::default(), NOW_US + 15 * SECOND_US);
    assert_eq!((end.applied_at_us, end.persisted_at_us), (None, None));
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
