//! When a rollout must be looked at: when anything that a look reads has changed, when a deadline has come, and every
//! two seconds besides, because soak and freshness move with time alone.
//!
//! With thousands of rollouts most looks would see what the last one saw. What a look rests on is a handful of
//! revisions, so that is compared first; a look that is left out costs a few lookups and no allocation.

use evaluation::Key;
use rollout::{HoldReason, Phase};

use crate::{record::RolloutRecord, state::State};

/// The longest time between two looks at a rollout that nothing happens to; soak allows gaps of five seconds.
pub(super) const IDLE_US: i64 = 2_000_000;
/// The same while its data is not fresh, or while this process is not sure of what it sees.
pub(super) const UNSURE_US: i64 = 200_000;

/// What a look rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Basis {
    record: u64,
    evidence: u64,
    levels: u64,
    exposure: u64,
    flag: u64,
    latched: bool,
    fleet: u64,
}

impl Basis {
    /// Of a look at this moment; `fleet` counts the changes of the fleet.
    pub(super) fn of(state: &State, record: &RolloutRecord, fleet: u64) -> Self {
        let flag = Key::parse(&record.plan.flag)
            .ok()
            .and_then(|flag| state.flag(&record.environment, &flag));
        Self {
            record: record.revision,
            evidence: state.evidence.get(&record.id).map_or(0, |evidence| evidence.revision),
            levels: state.levels.get(&record.id).map_or(0, |levels| levels.revision),
            exposure: state.exposures.get(&record.id).map_or(0, |exposure| exposure.revision),
            flag: flag.map_or(0, |flag| flag.revision),
            latched: state.latches.contains_key(&record.id),
            fleet: if waits_for_agents(record) { fleet } else { 0 },
        }
    }
}

/// Whether the next ack of an agent may be what a rollout waits for. For any other, agents that come and go are seen
/// soon enough.
fn waits_for_agents(record: &RolloutRecord) -> bool {
    match record.state.phase {
        Phase::AwaitingStart | Phase::Ramp | Phase::Aborting => true,
        Phase::Held => record.state.clock_started_at_us.is_none() || record.state.holds.contains(&HoldReason::NoAgents),
        Phase::Draft
        | Phase::Ready
        | Phase::Soak
        | Phase::Gate
        | Phase::Paused
        | Phase::Baking
        | Phase::Completed
        | Phase::RolledBack
        | Phase::Aborted
        | Phase::Superseded
        | Phase::Expired => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        builders::{World, actor, flag, moved, production},
        change::rollout as change,
        store::{Txn, keys, model},
    };

    #[test]
    fn a_look_is_due_when_anything_that_it_reads_has_changed_and_only_then() {
        let mut world = World::new();
        world.write(flag("checkout"));
        world.write(flag("banner"));
        let (record, _) = world.start("checkout");
        let basis = |world: &World, fleet| Basis::of(&world.state, &world.rollout(record.id), fleet);
        let first = basis(&world, 1);
        let mut other = flag("banner");
        other.enabled = false;
        world.write(other);
        assert_eq!(basis(&world, 1), first, "another flag is nothing to it");
        assert_ne!(basis(&world, 2), first, "an ack may be what the ramp waits for");
        let evidence = model::write_evidence(&crate::evidence::EvidenceRecord::default());
        world.commit(&Txn::default().put(keys::evidence(&production(), record.id), evidence));
        let second = basis(&world, 1);
        assert_ne!(second, first, "evidence");
        let read = model::write_levels(&crate::levels::HeldLevels::default());
        world.commit(&Txn::default().put(keys::levels(&production(), record.id), read));
        let second_with_levels = basis(&world, 1);
        assert_ne!(second_with_levels, second, "a reading");
        let mut killed = flag("checkout");
        killed.killed = true;
        world.write(killed);
        let third = basis(&world, 1);
        assert_ne!(third, second_with_levels, "its flag");
        let soaking = moved(&world.rollout(record.id), Phase::Soak, "clock-started");
        world.commit(&change::rest(&world.rollout(record.id), &soaking));
        let fourth = basis(&world, 1);
        assert_ne!(fourth, third, "itself");
        assert_eq!(basis(&world, 2), fourth, "it soaks, whoever acknowledges what");
        let latch = crate::record::Latch {
            at_us: 1,
            actor: actor().name,
            reason: String::new(),
        };
        world.commit(&Txn::default().put(keys::latch(&production(), record.id), model::write_latch(&latch)));
        assert_ne!(basis(&world, 2), fourth, "a latch");
    }
}
