#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use evaluation::{Buckets, Flag, Split};
use rollout::Unit;

use super::*;
use crate::{
    builders::{START_US, World, actor, advanced, flag, key, moved, plan_of, production, sources, started, started_by},
    engine::transit,
    evidence::{EvidenceRecord, VisitCounts},
    store::{Txn, keys, model},
};

const DAY_US: Micros = 24 * 60 * 60 * 1_000_000;

fn standing_at(world: &World, days: i64) -> v1::StatusOfFlag {
    let now_us = START_US + days * DAY_US;
    Standings::of(&world.state, now_us).of_flag(&key("checkout"))
}

fn word(world: &World) -> String {
    let status = standing_at(world, 1);
    format!("{} {}", status.state, status.deployed_pct)
}

/// A flag whose rollout is in its first stage, at 5 %.
fn rolling() -> (World, Arc<RolloutRecord>) {
    let mut world = World::new();
    world.write(flag("checkout"));
    let (record, _) = world.start("checkout");
    (world, record)
}

/// A transition into a phase as the machine commits it.
fn make(world: &mut World, record: &RolloutRecord, phase: Phase, transition: &rollout::Transition) {
    let facts = sources(&world.state).gather(&world.state, record, false, START_US);
    let progress = moved(record, phase, "moved").state;
    let made = transit::by(&world.state, record, &progress, transition, &facts, &actor()).unwrap();
    world.commit(&made.txn);
}

fn with_default(default: Serve) -> Flag {
    Flag {
        default,
        ..flag("checkout")
    }
}

/// The same flag in another environment.
fn write_elsewhere(world: &mut World, environment: &str, flag: Flag) {
    let record = FlagRecord {
        flag,
        version: 1,
        created_at_us: START_US,
        updated_at_us: START_US,
        archived_at_us: None,
        revision: 0,
    };
    let at = keys::flag(&key(environment), &record.flag.key);
    world.commit(&Txn::default().put(at, model::write_flag(&record)));
}

#[test]
fn a_flag_that_no_rollout_has_touched_is_unrolled() {
    let mut world = World::new();
    world.write(flag("checkout"));
    assert_eq!(word(&world), "unrolled 0");
    let status = standing_at(&world, 100);
    assert_eq!(
        (status.last_changed_us, status.stuck, status.rollout.as_str()),
        (0, false, "")
    );
    assert_eq!(status.cycle, "checkout");
    let kinds = status.environments.iter().map(|environment| environment.kind.as_str());
    assert_eq!(kinds.collect::<Vec<_>>(), ["development", "staging", "production"]);
    assert!(status.environments[2].exists && !status.environments[0].exists);
}

#[test]
fn a_rollout_in_production_is_a_canary_of_its_stage_and_stuck_when_it_stands() {
    let (mut world, record) = rolling();
    assert_eq!(word(&world), "canary-5% 5");
    let status = standing_at(&world, 18);
    assert_eq!(
        (status.stuck, status.question.as_str()),
        (true, "canary-5% for 18 days: advance or roll back?")
    );
    assert_eq!(
        (status.last_changed_us, status.rollout.as_str()),
        (START_US, "checkout#1")
    );
    assert!(!standing_at(&world, 13).stuck);
    let shown = &status.environments[2];
    assert_eq!(
        (shown.stage.as_str(), shown.phase.as_str(), shown.percentage),
        ("at-5", "ramp", 5.0)
    );
    world.commit(&crate::change::rollout::rest(&record, &advanced(&record)));
    assert_eq!(word(&world), "canary-50% 50");
}

#[test]
fn what_was_completed_is_there_for_everybody_and_never_stuck() {
    let (mut world, record) = rolling();
    make(&mut world, &record, Phase::Completed, &rollout::Transition::Completed);
    assert_eq!(word(&world), "prod-100% 100");
    assert!(!standing_at(&world, 100).stuck);
    // Until an edit takes it back.
    world.write(flag("checkout"));
    assert_eq!(word(&world), "staging-only 0");
}

#[test]
fn what_was_rolled_back_is_in_production_at_zero_and_a_question_after_a_while() {
    let (mut world, record) = rolling();
    let cause = rollout::RollbackCause::Person;
    make(
        &mut world,
        &record,
        Phase::RolledBack,
        &rollout::Transition::RolledBack(cause),
    );
    assert_eq!(word(&world), "staging-only 0");
    let status = standing_at(&world, 20);
    assert_eq!(
        status.question,
        "staging-only for 20 days: start in production or archive?"
    );
    assert_eq!(status.environments[2].percentage, 0.0);
}

#[test]
fn a_flag_that_is_killed_reaches_nobody() {
    let (mut world, _) = rolling();
    world.write(Flag {
        killed: true,
        ..flag("checkout")
    });
    assert_eq!(word(&world), "staging-only 0");
    assert!(!standing_at(&world, 1).environments[2].on);
}

#[test]
fn development_never_counts_and_staging_only_until_production_has_it() {
    let treatment = || with_default(Serve::Variant("new".to_owned()));
    let mut world = World::new();
    world.write(flag("checkout"));
    let plan = plan_of("checkout", Unit::Unit, &[5, 100], 0);
    let record = moved(&started(plan, 1), Phase::Draft, "created");
    let draft = RolloutRecord {
        state: rollout::State::draft(7, START_US),
        ..record
    };
    world.commit(&crate::change::rollout::create(&draft, world.count(), &actor()));
    assert_eq!(word(&world), "unrolled 0");
    write_elsewhere(&mut world, "development", treatment());
    assert_eq!(word(&world), "unrolled 0");
    write_elsewhere(&mut world, "staging", treatment());
    assert_eq!(word(&world), "staging-only 0");
    world.write(treatment());
    assert_eq!(word(&world), "prod-100% 100");
}

#[test]
fn a_split_by_hand_is_a_canary_too_and_a_switch_that_is_on_is_everywhere() {
    let mut world = World::new();
    let share = |variant: &str, buckets: u32| evaluation::Share {
        variant: variant.to_owned(),
        buckets: Buckets::new(buckets).unwrap(),
    };
    let switch = |default: Serve| Flag {
        variants: [("off", false), ("on", true)]
            .map(|(name, value)| (name.to_owned(), Value::Boolean(value)))
            .into(),
        ..with_default(default)
    };
    let split = Split {
        shares: vec![share("on", 12_500), share("off", 87_500)],
        ranges: Vec::new(),
    };
    world.write(switch(Serve::Split(split)));
    assert_eq!(word(&world), "canary-12.5% 12.5");
    world.write(switch(Serve::Variant("on".to_owned())));
    assert_eq!(word(&world), "prod-100% 100");
    world.write(switch(Serve::Variant("off".to_owned())));
    assert_eq!(word(&world), "unrolled 0");
}

#[test]
fn the_measured_share_is_that_of_the_exposures_and_absent_without_any() {
    let (mut world, record) = rolling();
    assert_eq!(standing_at(&world, 1).measured_pct, None);
    let mut seen = VisitCounts {
        stage: 0,
        visit: 1,
        counts: crate::evidence::Counts::default(),
    };
    seen.counts.treatment.exposures = 6;
    seen.counts.control.exposures = 94;
    let evidence = EvidenceRecord {
        visits: vec![seen],
        ..EvidenceRecord::default()
    };
    let at = keys::evidence(&production(), record.id);
    world.commit(&Txn::default().put(at, model::write_evidence(&evidence)));
    assert_eq!(standing_at(&world, 1).measured_pct, Some(6.0));
}

#[test]
fn labels_are_those_of_the_latest_plan_of_whatever_environment() {
    let mut world = World::new();
    world.write(flag("checkout"));
    for (index, cycle) in [(1, "first"), (2, "second")] {
        let mut plan = plan_of("checkout", Unit::Unit, &[5], 0);
        plan.labels = [("cycle", cycle), ("component", "cart"), ("pattern", "one-page")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let record = started(plan, index);
        let txn = started_by(&record, &world.flag("checkout"), world.count(), &actor());
        world.commit(&txn);
        let cause = rollout::RollbackCause::Person;
        let record = world.rollout(record.id);
        make(
            &mut world,
            &record,
            Phase::RolledBack,
            &rollout::Transition::RolledBack(cause),
        );
    }
    let status = standing_at(&world, 1);
    assert_eq!(
        (
            status.cycle.as_str(),
            status.component.as_str(),
            status.pattern.as_str()
        ),
        ("second", "cart", "one-page")
    );
}

#[test]
fn a_flag_that_is_put_away_everywhere_is_not_listed_and_one_that_never_was_is_missed() {
    let mut world = World::new();
    for name in ["checkout", "banner"] {
        world.write(flag(name));
    }
    let mut record = FlagRecord::clone(&world.flag("banner"));
    record.archived_at_us = Some(START_US);
    let at = keys::flag(&production(), &record.flag.key);
    world.commit(&Txn::default().put(at, model::write_flag(&record)));
    assert_eq!(flags(&world.state), [key("checkout")].into());
    assert!(all_there(&world.state, [key("banner")].into()).is_ok());
    let missing = all_there(&world.state, [key("checkout"), key("never")].into()).unwrap_err();
    assert_eq!(missing.code(), tonic::Code::NotFound);
    assert!(missing.message().contains("never") && !missing.message().contains("checkout"));
}
