#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Key;
use rollout::{DAY_US, Plan, Unit};

use super::*;
use crate::{
    builders::{actor, flag, plan_of, production, sources, started, started_by},
    change::rollout::Count,
    store::{self, keys, model},
    trial::Trial,
};

/// A rollout that entered its first stage so many days ago.
async fn entered(trial: &Trial, days: i64) -> Uuid {
    trial.write(flag("checkout")).await;
    let plan: Plan = plan_of("checkout", Unit::Unit, &[5, 100], 0);
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
