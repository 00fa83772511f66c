#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::Code;

use super::*;
use crate::{
    audit::{self, Subject},
    builders::{actor, flag, production},
    store::Txn,
    trial::Trial,
};

/// Only a broken test waits so long.
const FAR: Duration = Duration::from_secs(60);
const SECOND_US: i64 = 1_000_000;

fn api(trial: &Trial) -> AuditApi {
    AuditApi::new(trial.truth.clone(), Followers::new(), Shutdown::new())
}

fn request() -> v1::ListAuditRequest {
    v1::ListAuditRequest {
        environment: "production".to_owned(),
        ..v1::ListAuditRequest::default()
    }
}

/// One act of somebody about a key, so long ago.
async fn act(trial: &Trial, name: &str, action: &'static str, key: &str, ago_us: i64, changeset: Option<Uuid>) {
    let environment = production();
    let subject = Subject {
        environment: &environment,
        action,
        kind: action.split('.').next().unwrap(),
        key,
    };
    let actor = crate::identity::Actor {
        name: name.to_owned(),
        at_us: runtime::clock::now_us() - ago_us,
        ..actor()
    };
    trial
        .commit(audit::record(Txn::default(), subject, &actor, changeset, None, None))
        .await;
}

async fn listed(api: &AuditApi, request: v1::ListAuditRequest) -> Vec<String> {
    let mut keys = Vec::new();
    let mut request = request;
    loop {
        let page = api
            .list_audit(Request::new(request.clone()))
            .await
            .unwrap()
            .into_inner();
        keys.extend(
            page.records
                .into_iter()
                .map(|record| format!("{} {}", record.action, record.key)),
        );
        if page.next_page_token.is_empty() {
            return keys;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn records_are_found_by_key_actor_action_time_and_changeset() {
    let trial = Trial::new().await;
    let api = api(&trial);
    let joined = Uuid::from_u128(9);
    act(&trial, "ada", "flag.create", "checkout", 100 * SECOND_US, None).await;
    act(&trial, "ben", "flag.update", "checkout", 50 * SECOND_US, Some(joined)).await;
    act(&trial, "ben", "segment.update", "staff", 40 * SECOND_US, Some(joined)).await;
    act(&trial, "ada", "rollout.start", "checkout#2", 10 * SECOND_US, None).await;
    act(&trial, "ada", "flags.other", "other", 0, None).await;
    let all = [
        "flags.other other",
        "rollout.start checkout#2",
        "segment.update staff",
        "flag.update checkout",
        "flag.create checkout",
    ];
    assert_eq!(listed(&api, request()).await, all);
    let now_us = runtime::clock::now_us();
    type Narrow = fn(&mut v1::ListAuditRequest, i64);
    let cases: [(Narrow, &[usize]); 11] = [
        (|ask, _| ask.key = "checkout".to_owned(), &[1, 3, 4]),
        (|ask, _| ask.key = "checkout#2".to_owned(), &[1]),
        (|ask, _| ask.actor = "ben".to_owned(), &[2, 3]),
        (|ask, _| ask.action = "flag".to_owned(), &[3, 4]),
        (|ask, _| ask.action = "flag.update".to_owned(), &[3]),
        (|ask, _| ask.action = "flag.up".to_owned(), &[]),
        (|ask, _| ask.changeset = Uuid::from_u128(9).to_string(), &[2, 3]),
        (|ask, now_us| ask.since_us = now_us - 45 * SECOND_US, &[0, 1, 2]),
        (|ask, now_us| ask.until_us = now_us - 45 * SECOND_US, &[3, 4]),
        (
            |ask, now_us| (ask.since_us, ask.until_us) = (now_us - 55 * SECOND_US, now_us - 20 * SECOND_US),
            &[2, 3],
        ),
        (
            |ask, _| (ask.actor, ask.action) = ("ada".to_owned(), "rollout".to_owned()),
            &[1],
        ),
    ];
    for (narrow, expected) in cases {
        for page_size in [0, 1] {
            let mut ask = request();
            narrow(&mut ask, now_us);
            ask.page_size = page_size;
            let expected = expected.iter().map(|at| all[*at]).collect::<Vec<_>>();
            assert_eq!(listed(&api, ask.clone()).await, expected, "{ask:?}");
        }
    }
}

#[tokio::test]
async fn a_scan_for_what_is_old_does_not_read_what_is_new() {
    let hour_us = 3_600 * SECOND_US;
    let now_us = runtime::clock::now_us();
    let filter = Filter::of_list(&v1::ListAuditRequest {
        since_us: now_us - 2 * hour_us,
        until_us: now_us - hour_us,
        ..request()
    });
    let filter = filter.unwrap();
    let first = first(&production(), &filter, "").unwrap().unwrap();
    assert!(first < keys::audit(&production(), Uuid::now_v7()));
    assert!(first > keys::audit(&production(), earliest(now_us - hour_us)));
    assert!(is_past(earliest(now_us - 3 * hour_us), &filter));
    assert!(!is_past(earliest(now_us - 2 * hour_us), &filter));
    // A page token that is further on wins.
    let token = earliest(now_us - 90 * 60 * SECOND_US).to_string();
    let further = super::first(&production(), &filter, &token).unwrap().unwrap();
    assert!(further < first);
}

#[tokio::test]
async fn a_filter_that_cannot_be_is_refused_with_everything_that_is_wrong() {
    let trial = Trial::new().await;
    let ask = v1::ListAuditRequest {
        changeset: "nine".to_owned(),
        since_us: -1,
        until_us: -1,
        ..request()
    };
    let refused = api(&trial).list_audit(Request::new(ask)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    for field in ["changeset", "since_us", "until_us"] {
        assert!(refused.message().contains(field), "{refused}");
    }
}

#[tokio::test]
async fn a_follower_gets_whole_records_that_fit_and_the_list_has_the_same() {
    let trial = Trial::new().await;
    let api = api(&trial);
    let begun = trial.truth.state().revision;
    let ask = v1::FollowAuditRequest {
        environment: "production".to_owned(),
        action: "flag".to_owned(),
        actor: "ada".to_owned(),
        after_revision: begun,
        ..v1::FollowAuditRequest::default()
    };
    let mut stream = api.follow_audit(Request::new(ask)).await.unwrap().into_inner();
    let next = async |stream: &mut <AuditApi as Audit>::FollowAuditStream| {
        let next = tokio::time::timeout(FAR, stream.next()).await;
        next.expect("a message comes").expect("the stream goes on").unwrap()
    };
    let alive = next(&mut stream).await;
    assert_eq!((alive.revision, alive.record), (begun, None));
    act(&trial, "ben", "flag.update", "other", 0, None).await;
    let written = trial.write(flag("checkout")).await.revision;
    let told = next(&mut stream).await;
    let record = told.record.unwrap();
    assert_eq!((told.revision, record.revision), (written, written));
    let page = api.list_audit(Request::new(request())).await.unwrap().into_inner();
    assert_eq!(page.records[0], record);
    assert!(!record.authenticated && record.after.contains("checkout"));
}

#[tokio::test]
async fn what_was_done_in_an_environment_that_is_gone_can_still_be_read() {
    let trial = Trial::new().await;
    let api = api(&trial);
    act(&trial, "ada", "flag.update", "checkout", 0, None).await;
    trial
        .commit(Txn::default().delete(keys::environment(&production())))
        .await;
    assert_eq!(listed(&api, request()).await, ["flag.update checkout"]);
    let never = v1::ListAuditRequest {
        environment: "never".to_owned(),
        ..request()
    };
    assert_eq!(
        api.list_audit(Request::new(never)).await.unwrap_err().code(),
        Code::NotFound
    );
}
