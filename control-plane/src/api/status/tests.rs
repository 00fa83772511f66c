#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use rollout::{Phase, Plan, RollbackCause, Transition, Unit};
use tokio_stream::StreamExt as _;
use tonic::Code;

use super::*;
use crate::{
    builders::{actor, flag, key, moved, plan_of, production, sources, started, started_by},
    change::rollout::Count,
    engine::transit,
    record::RolloutRecord,
    store::{keys, model},
    trial::Trial,
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);

fn api(trial: &Trial) -> StatusApi {
    StatusApi::new(trial.truth.clone(), Readers::new(), Shutdown::new())
}

/// A plan that says what it tries.
fn labelled(flag: &str, percents: &[u32]) -> Plan {
    let labels = [("component", "cart"), ("pattern", "one-page")];
    Plan {
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..plan_of(flag, Unit::Unit, percents, 0)
    }
}

/// A rollout that was acknowledged in its first stage.
async fn start(trial: &Trial, index: u32, plan: Plan) -> RolloutRecord {
    let name = plan.flag.clone();
    trial.write(flag(&name)).await;
    let record = RolloutRecord {
        acked_buckets: plan.wanted(0).get(),
        ..moved(&started(plan, index), Phase::Ramp, "started")
    };
    let state = trial.truth.state();
    let item = trial
        .truth
        .store()
        .get(&keys::rollout_count(&production()))
        .await
        .unwrap();
    let count = Count {
        value: item.as_ref().map_or(0, |item| model::read_count(&item.value).unwrap()),
        revision: item.map(|item| item.modified),
    };
    let txn = started_by(
        &record,
        state.flag(&production(), &key(&name)).unwrap(),
        count,
        &actor(),
    );
    let state = trial.commit(txn).await;
    RolloutRecord::clone(state.rollout(&production(), record.id).unwrap())
}

async fn make(trial: &Trial, record: &RolloutRecord, phase: Phase, transition: Transition) {
    let state = trial.truth.state();
    let facts = sources(&state).gather(&state, record, false, actor().at_us);
    let progress = moved(record, phase, "moved").state;
    let made = transit::by(&state, record, &progress, &transition, &facts, &actor()).unwrap();
    trial.commit(made.txn).await;
}

fn aborted() -> Transition {
    Transition::Aborted(rollout::AbortCause::Trigger("security".to_owned()))
}

fn types(events: &[v1::WatchEventsResponse]) -> Vec<String> {
    let types = events.iter().map(|event| {
        let value = serde_json::from_str::<serde_json::Value>(&event.json).unwrap();
        format!(
            "{} {}",
            value["type"].as_str().unwrap(),
            value["subject"].as_str().unwrap()
        )
    });
    types.collect()
}

async fn past(api: &StatusApi, request: v1::WatchEventsRequest) -> Vec<v1::WatchEventsResponse> {
    let request = v1::WatchEventsRequest {
        only_past: true,
        ..request
    };
    let stream = api.watch_events(Request::new(request)).await.unwrap().into_inner();
    stream.map(Result::unwrap).collect().await
}

async fn posteriors(api: &StatusApi, request: v1::ListPosteriorsRequest) -> Vec<v1::Posterior> {
    let answer = api.list_posteriors(Request::new(request)).await.unwrap();
    answer.into_inner().posteriors
}

#[tokio::test]
async fn every_flag_is_listed_once_in_pages_and_some_by_name() {
    let trial = Trial::new().await;
    let api = api(&trial);
    for name in ["c", "a", "b"] {
        trial.write(flag(name)).await;
    }
    start(&trial, 1, labelled("b", &[5, 100])).await;
    for page_size in [0, 1, 2, 3] {
        let mut request = v1::ListStatusRequest {
            page_size,
            ..v1::ListStatusRequest::default()
        };
        let mut listed = Vec::new();
        loop {
            let page = api
                .list_status(Request::new(request.clone()))
                .await
                .unwrap()
                .into_inner();
            let words = page
                .flags
                .iter()
                .map(|status| format!("{} {}", status.flag, status.state));
            listed.extend(words);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(listed, ["a unrolled", "b canary-5%", "c unrolled"], "{page_size}");
    }
    let ask = |flags: &[&str]| {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Request::new(v1::ListStatusRequest {
            flags,
            ..v1::ListStatusRequest::default()
        })
    };
    let some = api.list_status(ask(&["c", "a", "c"])).await.unwrap().into_inner();
    let some = some.flags.iter().map(|status| status.flag.as_str()).collect::<Vec<_>>();
    assert_eq!(some, ["a", "c"]);
    for (flags, code) in [
        (vec!["never"], Code::NotFound),
        (vec!["a", "No Key"], Code::InvalidArgument),
        (vec!["a"; NAMED + 1], Code::InvalidArgument),
    ] {
        assert_eq!(api.list_status(ask(&flags)).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn events_are_told_as_they_happen_and_again_from_any_of_them_after_a_restart() {
    let trial = Trial::new().await;
    let mut live = Vec::new();
    {
        let api = api(&trial);
        let request = Request::new(v1::WatchEventsRequest::default());
        let mut stream = api.watch_events(request).await.unwrap().into_inner();
        let record = start(&trial, 1, labelled("checkout", &[10, 100])).await;
        make(&trial, &record, Phase::Aborting, aborted()).await;
        let record = start(&trial, 2, labelled("banner", &[100])).await;
        make(&trial, &record, Phase::Completed, Transition::Completed).await;
        for _ in 0..6 {
            let next = tokio::time::timeout(FAR, stream.next()).await;
            live.push(next.expect("an event comes").expect("the stream goes on").unwrap());
        }
    }
    let expected = [
        "rollout_started checkout#1",
        "rollout_aborted checkout#1",
        "verify_outcome checkout#1",
        "rollout_started banner#1",
        "rollout_completed banner#1",
        "verify_outcome banner#1",
    ];
    assert_eq!(types(&live), expected);
    let trial = trial.again().await;
    let api = api(&trial);
    for seen in 0..=live.len() {
        let after = seen
            .checked_sub(1)
            .map(|last| live[last].id.clone())
            .unwrap_or_default();
        let request = v1::WatchEventsRequest {
            after,
            ..v1::WatchEventsRequest::default()
        };
        assert_eq!(past(&api, request).await, live[seen..], "{seen}");
    }
    let ask = |types: &[&str], environment: &str| v1::WatchEventsRequest {
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        environment: environment.to_owned(),
        ..v1::WatchEventsRequest::default()
    };
    let outcomes = past(&api, ask(&["verify_outcome"], "production")).await;
    assert_eq!(types(&outcomes), [expected[2], expected[5]]);
    assert!(past(&api, ask(&[], "staging")).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_with_everything_that_is_wrong() {
    let trial = Trial::new().await;
    let api = api(&trial);
    let refused = async |after: &str, types: &[&str], environment: &str| {
        let request = v1::WatchEventsRequest {
            after: after.to_owned(),
            types: types.iter().map(|name| (*name).to_owned()).collect(),
            environment: environment.to_owned(),
            only_past: true,
        };
        let Err(refused) = api.watch_events(Request::new(request)).await else {
            panic!("it is watched");
        };
        refused
    };
    let both = refused("yesterday", &["rollout_started", "rollout_ended"], "").await;
    assert_eq!(both.code(), Code::InvalidArgument);
    assert!(
        both.message().contains("after") && both.message().contains("types[1]"),
        "{both}"
    );
    let early = refused("4000000-0", &[], "").await;
    assert_eq!(early.code(), Code::InvalidArgument);
    assert_eq!(refused("", &[], "never").await.code(), Code::NotFound);
}

#[tokio::test]
async fn a_stream_ends_when_the_process_drains_and_says_so() {
    let trial = Trial::new().await;
    let shutdown = Shutdown::new();
    let api = StatusApi::new(trial.truth.clone(), Readers::new(), shutdown.clone());
    let request = Request::new(v1::WatchEventsRequest::default());
    let mut stream = api.watch_events(request).await.unwrap().into_inner();
    shutdown.drain();
    let last = tokio::time::timeout(FAR, stream.next()).await.unwrap().unwrap();
    assert_eq!(last.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn posteriors_count_by_how_far_it_came_and_are_exact_after_a_restart() {
    let trial = Trial::new().await;
    assert!(
        posteriors(&api(&trial), v1::ListPosteriorsRequest::default())
            .await
            .is_empty()
    );
    // Ten wins that reached a tenth of the units are one; an abort that was acknowledged at a quarter is a quarter lost.
    for index in 1..=10 {
        let record = start(&trial, index, labelled(&format!("win-{index}"), &[10])).await;
        make(&trial, &record, Phase::Completed, Transition::Completed).await;
    }
    let record = start(&trial, 11, labelled("loss", &[25, 100])).await;
    make(&trial, &record, Phase::Aborting, aborted()).await;
    let record = start(&trial, 12, labelled("neither", &[50])).await;
    let cause = Transition::RolledBack(RollbackCause::Person);
    make(&trial, &record, Phase::RolledBack, cause).await;
    let other = Plan {
        labels: [("component", "cart"), ("pattern", "drawer")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..plan_of("other", Unit::Unit, &[100], 0)
    };
    let record = start(&trial, 13, other).await;
    make(&trial, &record, Phase::Completed, Transition::Completed).await;
    let record = start(&trial, 14, plan_of("unlabelled", Unit::Unit, &[100], 0)).await;
    make(&trial, &record, Phase::Completed, Transition::Completed).await;

    let before = posteriors(&api(&trial), v1::ListPosteriorsRequest::default()).await;
    let trial = trial.again().await;
    let api = api(&trial);
    let after = posteriors(&api, v1::ListPosteriorsRequest::default()).await;
    assert_eq!(before, after);
    let shown = after
        .iter()
        .map(|found| (found.pattern.as_str(), found.alpha, found.beta, found.outcomes));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [("drawer", 2.0, 1.0, 1), ("one-page", 2.0, 1.25, 11)]
    );
    for found in &after {
        assert_eq!(found.mean, found.alpha / (found.alpha + found.beta));
        assert!(0.0 < found.low && found.low < found.mean && found.mean < found.high && found.high < 1.0);
    }
    let ask = |component: &str, pattern: &str| v1::ListPosteriorsRequest {
        component: component.to_owned(),
        pattern: pattern.to_owned(),
    };
    assert_eq!(posteriors(&api, ask("cart", "drawer")).await, after[..1]);
    assert_eq!(posteriors(&api, ask("", "one-page")).await, after[1..]);
    assert!(posteriors(&api, ask("search", "")).await.is_empty());
}
