//! Forgets the keys of measurements once their rollout takes no more: a repeat is refused then as of an ended rollout. What
//! waits for a rollout that is no longer there (the watch of a kill switch, whose plan was changed) goes as well.

use std::time::Duration;

use evaluation::Key;
use runtime::shutdown::Shutdown;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::{
    state::State,
    store::{self, Order, Store, Txn, keys},
    truth::Truth,
};

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// How long after its end a rollout's keys are kept: it takes measurements for an hour.
const KEPT_US: i64 = 2 * 60 * 60 * 1_000_000;
/// Keys that one transaction takes away.
const AT_ONCE: usize = 100;

/// Sweeps again and again, until the process drains.
pub(crate) async fn run(truth: Truth, shutdown: Shutdown) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.draining() => return,
        }
        let state = truth.state();
        if let Err(error) = sweep_orphans(truth.store(), &state).await {
            tracing::warn!(%error, "measurements of nobody were not taken away; they will be");
        }
        for environment in state.environments.keys() {
            let swept = tokio::select! {
                swept = sweep(truth.store(), &state, environment, runtime::clock::now_us()) => swept,
                () = shutdown.draining() => return,
            };
            match swept {
                Ok(0) => {}
                Ok(keys) => tracing::info!(%environment, keys, "forgot keys of measurements of ended rollouts"),
                Err(error) => {
                    tracing::warn!(%environment, %error, "keys of measurements were not forgotten; they will be")
                }
            }
        }
    }
}

/// Takes away the keys of rollouts that ended long ago, or are not there; how many they were.
pub(crate) async fn sweep(
    store: &dyn Store,
    state: &State,
    environment: &Key,
    now_us: i64,
) -> Result<usize, store::Error> {
    let prefix = keys::pushes(environment);
    let (mut after, mut swept) = (None::<bytes::Bytes>, 0);
    loop {
        let page = store
            .range(&prefix, after.as_deref(), AT_ONCE, Order::Ascending)
            .await?;
        let Some(first) = page.items.first() else {
            return Ok(swept);
        };
        let Some(rollout) = keys::rollout_of_pushed(environment, &first.key) else {
            after = Some(first.key.clone());
            continue;
        };
        if is_kept(state, environment, rollout, now_us) {
            after = Some(keys::behind_pushed(environment, rollout));
            continue;
        }
        let own = |item: &&store::Item| keys::rollout_of_pushed(environment, &item.key) == Some(rollout);
        let gone: Vec<_> = page.items.iter().take_while(own).map(|item| item.key.clone()).collect();
        swept += gone.len();
        after = gone.last().cloned();
        store.txn(gone.into_iter().fold(Txn::default(), Txn::delete)).await?;
    }
}

/// Takes away what waits for rollouts that are not there.
async fn sweep_orphans(store: &dyn Store, state: &State) -> Result<(), store::Error> {
    let waiting = state.waiting.iter();
    let orphans = waiting.filter(|((rollout, _), waiting)| state.rollout(&waiting.environment, *rollout).is_none());
    let keys = orphans.map(|((rollout, id), waiting)| keys::push_waiting(&waiting.environment, *rollout, *id));
    let keys = keys.collect::<Vec<_>>();
    for some in keys.chunks(AT_ONCE) {
        store
            .txn(some.iter().cloned().fold(Txn::default(), Txn::delete))
            .await?;
    }
    Ok(())
}

fn is_kept(state: &State, environment: &Key, rollout: Uuid, now_us: i64) -> bool {
    state.rollout(environment, rollout).is_some_and(|record| {
        let ended_at_us = record.state.ended_at_us;
        ended_at_us.is_none_or(|ended_at_us| now_us.saturating_sub(ended_at_us) <= KEPT_US)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rollout::Unit;

    use super::*;
    use crate::{
        builders::{self, SECOND_US, START_US, plan_of, production, started},
        trial::Trial,
    };

    #[tokio::test]
    async fn keys_go_two_hours_after_the_end_and_no_sooner() {
        let trial = Trial::new().await;
        let plan = || plan_of("checkout", Unit::Unit, &[5], SECOND_US);
        let (mut ended, live) = (started(plan(), 1), started(plan(), 2));
        ended.state.ended_at_us = Some(START_US);
        let (environment, store) = (production(), trial.truth.store());
        let key = |rollout, number: u32| keys::pushed(&environment, rollout, &format!("T-{number}"));
        let nobodys = Uuid::from_u128(u128::MAX);
        for rollout in [ended.id, live.id, nobodys] {
            for from in [0, 75] {
                let some = (from..from + 75).map(|number| key(rollout, number));
                trial
                    .commit(some.fold(Txn::default(), |txn, key| txn.put(key, "x")))
                    .await;
            }
        }
        let (ended_id, live_id) = (ended.id, live.id);
        let state = builders::state([ended, live]);
        let swept = sweep(store, &state, &environment, START_US + KEPT_US).await.unwrap();
        assert_eq!(swept, 150, "those of a rollout that is not there");
        let swept = sweep(store, &state, &environment, START_US + KEPT_US + 1)
            .await
            .unwrap();
        assert_eq!(swept, 150);
        for (rollout, is_there) in [(ended_id, false), (live_id, true), (nobodys, false)] {
            for number in 0..150 {
                let found = store.get(&key(rollout, number)).await.unwrap();
                assert_eq!(found.is_some(), is_there, "{rollout} {number}");
            }
        }
    }
}
