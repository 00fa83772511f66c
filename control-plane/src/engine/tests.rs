#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::{Arm, Key};
use rollout::{DAY_US, Guard, Phase, Plan, Unit, criterion::Criterion, recovery::Outcome};

use super::*;
use crate::{
    builders::{SECOND_US, actor, end, flag, moved, plan_of, production, recovery, sources, started, started_by},
    change::rollout::Count,
    levels::{Levels, Reading, Source},
    record::{End, EndCause},
    store::{self, keys, model},
    trial::Trial,
};

/// A rollout that entered its first stage so many days ago.
async fn entered(trial: &Trial, days: i64) -> Uuid {
    let plan = plan_of("checkout", Unit::Unit, &[5, 100], 0);
    entered_with(trial, plan, days).await
}

/// The same by this plan.
async fn entered_with(trial: &Trial, plan: Plan, days: i64) -> Uuid {
    trial.write(flag("checkout")).await;
    let mut record = started(plan, 1);
    record.state.entered_at_us = runtime::clock::now_us() - days * DAY_US;
    let state = trial.truth.state();
    let flag = state.flag(&production(), &Key::parse("checkout").unwrap()).unwrap();
    let count = Count {
        value: 0,
        revision: None,
    };
    trial.commit(started_by(&record, flag, count, &actor())).await;
    record.id
}

/// How often it was told that a rollout is stuck.
async fn told(trial: &Trial) -> usize {
    let items = store::all(trial.truth.store(), &keys::outbox()).await.unwrap();
    let events = items.iter().flat_map(|item| model::read_events(&item.value).unwrap());
    events.filter(|event| event.kind == crate::events::Kind::Stuck).count()
}

#[tokio::test]
async fn a_stuck_rollout_is_told_of_once_whatever_restarts_and_is_left_as_it_is() {
    let mut trial = Trial::new().await;
    let id = entered(&trial, 20).await;
    for _ in 0..3 {
        let mut engine = Engine::new(trial.truth.clone(), sources(&trial.truth.state()));
        for _ in 0..3 {
            engine.look_at_all(0).await;
        }
        assert_eq!(told(&trial).await, 1);
        drop(engine);
        trial = trial.again().await;
    }
    let record = trial.truth.state().rollout(&production(), id).unwrap().clone();
    assert_eq!((record.state.stage, record.end.is_none()), (0, true));
    assert!(Stuck::of(&record, runtime::clock::now_us()).is_some());
}

#[tokio::test]
async fn a_rollout_that_is_in_its_time_is_not_told_of() {
    let trial = Trial::new().await;
    entered(&trial, 13).await;
    let mut engine = Engine::new(trial.truth.clone(), sources(&trial.truth.state()));
    engine.look_at_all(0).await;
    assert_eq!(told(&trial).await, 0);
}

/// An aborted rollout whose recovery nobody knows, decided so many minutes ago.
async fn aborted(trial: &Trial, minutes: i64) -> Uuid {
    let id = entered(trial, 0).await;
    let before = trial.truth.state().rollout(&production(), id).unwrap().clone();
    let mut after = moved(&before, Phase::Aborted, "aborted");
    let decided_at_us = runtime::clock::now_us() - minutes * 60 * SECOND_US;
    after.end = Some(End {
        recovery: Some(recovery()),
        ..end(EndCause::Evidence, decided_at_us)
    });
    trial.commit(change::abort(&before, &after, None, None, &actor())).await;
    id
}

#[tokio::test]
async fn an_abort_is_measured_until_its_recovery_is_answered_however_late_the_process_is_back() {
    let trial = Trial::new().await;
    let id = aborted(&trial, 61).await;
    let mut engine = Engine::new(trial.truth.clone(), sources(&trial.truth.state()));
    engine.look_at_all(0).await;
    let is_measured = || trial.truth.state().exposures.contains_key(&id);
    let outcome = || {
        let record = trial.truth.state().rollout(&production(), id).unwrap().clone();
        record.end.clone().unwrap().recovery.unwrap().outcome
    };
    assert!(is_measured() && outcome().is_none(), "agents may yet come back");
    engine.walker.started_at_us -= SETTLING_US;
    engine.look_at_all(0).await;
    assert_eq!(outcome().map(|(outcome, _)| outcome), Some(Outcome::NoData));
    engine.look_at_all(0).await;
    assert!(!is_measured());
    engine.look_at_all(0).await;
    let watched = trial.truth.state().rollouts.values().any(|record| record.standing);
    assert!(!watched, "and nobody watches it any more");
}

#[tokio::test]
async fn a_level_that_was_durable_before_the_process_was_killed_aborts_when_it_is_back() {
    let mut trial = Trial::new().await;
    let mut plan = plan_of("checkout", Unit::Unit, &[5, 100], 0);
    let Ok(Criterion::Compare(harm)) = "cpu > 80 %".parse() else {
        panic!("it is a comparison")
    };
    plan.guards = vec![Guard {
        harm,
        ..Guard::no_worse_than_control()
    }];
    let id = entered_with(&trial, plan, 1).await;
    let end = |trial: &Trial| {
        let record = trial.truth.state().rollout(&production(), id).unwrap().clone();
        record.end.as_ref().map(|end| (end.cause, end.readings))
    };
    let now_us = runtime::clock::now_us();
    for number in 1..=3 {
        let turn = Levels::new(false).turn(id).await;
        let state = trial.truth.state();
        let record = state.rollout(&production(), id).unwrap();
        let reading = Reading {
            value: Ok(0.9),
            at_us: now_us + number,
            until_us: i64::MAX,
            source: Source::Pushed,
        };
        let read = [("cpu".to_owned(), Arm::Treatment, reading)];
        trial
            .commit(turn.keep(Txn::default(), &state, record, &read, now_us + number))
            .await;
        drop(state);
        if number < 3 {
            let mut engine = Engine::new(trial.truth.clone(), sources(&trial.truth.state()));
            engine.look_at_all(0).await;
            assert_eq!(end(&trial), None);
        }
        trial = trial.again().await;
    }
    let mut engine = Engine::new(trial.truth.clone(), sources(&trial.truth.state()));
    engine.look_at_all(0).await;
    assert_eq!(end(&trial), Some((EndCause::Rule, 3)));
}
