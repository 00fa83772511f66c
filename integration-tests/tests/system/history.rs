//! What was written stays known: records followed as they are made, every version, the way back, and copies elsewhere.

use std::collections::BTreeMap;

use futures::future::join_all;
use integration_tests::{
    answers::inspected,
    conditions::in_segment,
    flags,
    operator::Operator,
    records::{create_segment, flag_version, versions},
    system::{PRODUCTION, System},
    violations,
};
use proto::v1::{
    self, audit_client::AuditClient, changes_client::ChangesClient, configuration_client::ConfigurationClient,
    history_client::HistoryClient, inspection_client::InspectionClient,
};
use serde_json::json;
use tonic::{Code, Status};

const STAGING: &str = "staging";
const WRITERS: usize = 20;
const WRITES: usize = 25;

/// A record as a follower knows it: the revision, and the id.
type Told = (u64, String);

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_the_audit_sees_each_of_500_concurrent_writes_once_and_in_order() {
    let system = System::start().await;
    let operator = &system.operator;
    let (_, start) = operator.list().await;
    let live = follow(operator, start, WRITERS * WRITES);
    let writing = join_all((0..WRITERS).map(|writer| write(operator.clone(), writer)));
    let (live, _) = tokio::join!(live, writing);
    let mut listed: Vec<Told> = operator
        .audit("")
        .await
        .into_iter()
        .map(|record| (record.revision, record.id))
        .collect();
    // The environments were made before.
    listed.retain(|(revision, _)| *revision > start);
    listed.sort();
    assert_eq!(listed.len(), WRITERS * WRITES);
    let mut in_order = live.clone();
    in_order.sort();
    assert_eq!(
        live.iter().map(|told| told.0).collect::<Vec<_>>(),
        in_order.iter().map(|told| told.0).collect::<Vec<_>>()
    );
    assert_eq!(in_order, listed, "each once, none missing");

    // Broken off anywhere and taken up again: nothing twice, nothing left out.
    for cut in [0, 1, 250, 499] {
        let after = if cut == 0 { start } else { live[cut - 1].0 };
        let expected: Vec<_> = live.iter().filter(|told| told.0 > after).cloned().collect();
        assert_eq!(follow(operator, after, expected.len()).await, expected, "after {after}");
    }
}

/// Creates a flag and writes it again and again.
async fn write(operator: Operator, writer: usize) {
    let key = format!("flag-{writer}");
    operator.create(flags::boolean(&key)).await;
    for number in 1..WRITES {
        let flag = v1::Flag {
            description: format!("number {number}"),
            ..flags::boolean(&key)
        };
        operator.update(flag).await;
    }
}

/// The next so many records after a revision.
async fn follow(operator: &Operator, after_revision: u64, count: usize) -> Vec<Told> {
    let request = v1::FollowAuditRequest {
        environment: PRODUCTION.to_owned(),
        after_revision,
        ..v1::FollowAuditRequest::default()
    };
    // The operator's own connection has a deadline for each call, which a stream of this length keeps.
    let followed = AuditClient::new(operator.channel())
        .follow_audit(request)
        .await
        .unwrap();
    let (mut followed, mut told, mut known) = (followed.into_inner(), Vec::new(), after_revision);
    while told.len() < count {
        let message = followed.message().await.unwrap().expect("the stream goes on");
        assert!(message.revision >= known, "{} after {known}", message.revision);
        known = message.revision;
        told.extend(message.record.map(|record| (record.revision, record.id)));
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_the_changes_that_it_was_asked_for_and_refuses_a_revision_of_the_future() {
    let system = System::start().await;
    let operator = &system.operator;
    let (_, start) = operator.list().await;
    operator.create(flags::boolean("checkout")).await;
    let segment = v1::Segment {
        key: "beta".to_owned(),
        ..v1::Segment::default()
    };
    create_segment(operator, segment).await;
    operator.within(STAGING).create(flags::boolean("elsewhere")).await;
    operator.try_kill("checkout").await.unwrap();
    let all = [
        ("flag.create", "checkout"),
        ("segment.create", "beta"),
        ("flag.kill", "checkout"),
    ];
    let all = all.map(|(action, key)| (action.to_owned(), key.to_owned()));
    assert_eq!(watched(operator, start, &[], "", 3).await, all);
    assert_eq!(watched(operator, start, &["segment"], "", 1).await, all[1..2]);
    assert_eq!(
        watched(operator, start, &[], "checkout", 2).await,
        [all[0].clone(), all[2].clone()]
    );
    let future = v1::WatchChangesRequest {
        environment: PRODUCTION.to_owned(),
        after_revision: u64::MAX,
        ..v1::WatchChangesRequest::default()
    };
    let refused = ChangesClient::new(operator.channel())
        .watch_changes(future)
        .await
        .unwrap_err();
    violations::names_exactly("the future", &refused, &["after_revision"]);
}

/// Actions and keys of the next changes.
async fn watched(
    operator: &Operator,
    after_revision: u64,
    kinds: &[&str],
    key: &str,
    count: usize,
) -> Vec<(String, String)> {
    let request = v1::WatchChangesRequest {
        environment: PRODUCTION.to_owned(),
        after_revision,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        key: key.to_owned(),
    };
    let watch = ChangesClient::new(operator.channel())
        .watch_changes(request)
        .await
        .unwrap();
    let (mut watch, mut changes) = (watch.into_inner(), Vec::new());
    while changes.len() < count {
        let message = watch.message().await.unwrap().expect("the stream goes on");
        changes.extend(message.change.map(|change| (change.action, change.key)));
    }
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_kept_compared_and_restored_and_so_is_a_deleted_flag() {
    let system = System::start().await;
    let operator = &system.operator;
    let first = operator.create(flags::boolean("checkout")).await;
    let split = v1::Flag {
        default_serve: Some(flags::split(&[("on", 25_000), ("off", 75_000)])),
        deny: vec!["bob".to_owned()],
        ..flags::boolean("checkout")
    };
    let second = operator.update(split).await;
    let diff = diff(operator, "checkout", 1, 2).await;
    let paths: Vec<_> = diff.iter().map(|change| change.path.as_str()).collect();
    assert!(paths.iter().any(|path| path.starts_with("default")), "{diff:#?}");
    assert!(paths.iter().any(|path| path.starts_with("deny")), "{diff:#?}");
    assert!(
        !paths
            .iter()
            .any(|path| path.starts_with("salt") || path.starts_with("key")),
        "{diff:#?}"
    );

    let stale = restore(operator, "checkout", 1, first.revision).await.unwrap_err();
    violations::stands_against("an old revision", &stale, "REVISION", "checkout");
    restore(operator, "checkout", 1, second.revision).await.unwrap();
    let restored = operator.get("checkout").await;
    assert_eq!((restored.version, &restored.flag), (3, &first.flag), "as a new version");

    operator.try_kill("checkout").await.unwrap();
    restore(operator, "checkout", 2, 0).await.unwrap();
    let flag = operator.get("checkout").await.flag.unwrap();
    assert!(
        flag.killed && flag.deny == ["bob"],
        "a restore revives nobody: {flag:#?}"
    );

    delete(operator, "checkout").await;
    let written = versions(operator, "flag", "checkout").await;
    assert!(written[0].deleted, "{written:#?}");
    let numbers: Vec<_> = written.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [6, 5, 4, 3, 2, 1]);
    assert_eq!(flag_version(operator, "checkout", 2).await.flag, second.flag);
    let unknown = restore(operator, "checkout", 7, 0).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound, "{unknown}");
    restore(operator, "checkout", 1, 0).await.unwrap();
    let back = operator.get("checkout").await;
    assert_eq!(back.version, 7, "{back:#?}");
    assert_eq!(back.flag.unwrap().default_serve, first.flag.unwrap().default_serve);
}

async fn diff(operator: &Operator, key: &str, from: u32, to: u32) -> Vec<v1::FieldChange> {
    let request = v1::DiffVersionsRequest {
        environment: PRODUCTION.to_owned(),
        kind: String::new(),
        key: key.to_owned(),
        from,
        to,
    };
    let diff = HistoryClient::new(operator.channel())
        .diff_versions(request)
        .await
        .unwrap();
    diff.into_inner().changes
}

async fn restore(operator: &Operator, key: &str, version: u32, expected_revision: u64) -> Result<(), Status> {
    let request = v1::RestoreVersionRequest {
        environment: PRODUCTION.to_owned(),
        kind: String::new(),
        key: key.to_owned(),
        version,
        expected_revision,
        validate_only: false,
    };
    HistoryClient::new(operator.channel())
        .restore_version(request)
        .await
        .map(|_| ())
}

async fn delete(operator: &Operator, key: &str) {
    let request = v1::DeleteFlagRequest {
        environment: PRODUCTION.to_owned(),
        key: key.to_owned(),
        expected_revision: 0,
    };
    let deleted = v1::flags_client::FlagsClient::new(operator.channel())
        .delete_flag(request)
        .await;
    deleted.unwrap_or_else(|status| panic!("delete {key}: {status}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_served_at_an_old_revision_can_still_be_asked() {
    let system = System::start().await;
    let operator = &system.operator;
    let first = operator.create(flags::boolean("checkout")).await.revision;
    let on = v1::Flag {
        default_serve: Some(flags::variant("on")),
        ..flags::boolean("checkout")
    };
    let second = operator.update(on).await.revision;
    delete(operator, "checkout").await;
    assert_eq!(served_at(operator, first).await.unwrap(), "off");
    assert_eq!(served_at(operator, second).await.unwrap(), "on");
    for gone in [0, first - 1] {
        assert_eq!(
            served_at(operator, gone).await.unwrap_err().code(),
            Code::NotFound,
            "{gone}"
        );
    }
    let future = served_at(operator, u64::MAX).await.unwrap_err();
    violations::names_exactly("the future", &future, &["revision"]);
}

/// The variant served at a revision; 0: now.
async fn served_at(operator: &Operator, revision: u64) -> Result<String, Status> {
    let request = v1::EvaluateRequest {
        environment: PRODUCTION.to_owned(),
        flag_key: "checkout".to_owned(),
        context: None,
        revision,
    };
    let evaluated = InspectionClient::new(operator.channel()).evaluate(request).await?;
    Ok(evaluated.into_inner().result.unwrap().variant)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_brings_the_salt_and_the_members_so_that_every_unit_keeps_its_bucket() {
    let system = System::start().await;
    let operator = &system.operator;
    let staging = operator.within(STAGING);
    let split = |shares: &[(&str, u32)]| v1::Flag {
        default_serve: Some(flags::split(shares)),
        rules: vec![integration_tests::conditions::rule(
            "beta",
            &[in_segment("beta")],
            flags::variant("grey"),
        )],
        ..flags::text("colour", &["grey", "blue", "red"])
    };
    let members = v1::Segment {
        key: "beta".to_owned(),
        included: vec!["user-3".to_owned(), "user-5".to_owned()],
        ..v1::Segment::default()
    };
    apply(&staging, STAGING, vec![v1::document::Kind::Segment(members)]).await;
    staging
        .create(split(&[("grey", 10_000), ("blue", 10_000), ("red", 80_000)]))
        .await;
    // Laid so that few move: what a fresh split of these shares would not give.
    staging
        .update(split(&[("grey", 20_000), ("blue", 10_000), ("red", 70_000)]))
        .await;

    let names = [(v1::DocumentKind::Flag, "colour"), (v1::DocumentKind::Segment, "beta")];
    assert_eq!(
        differing(operator).await,
        BTreeMap::from([
            ("beta".to_owned(), v1::DocumentAction::Created),
            ("colour".to_owned(), v1::DocumentAction::Created)
        ])
    );
    let copied = copy(operator, &names).await;
    assert!(
        copied
            .iter()
            .all(|result| result.action() == v1::DocumentAction::Created),
        "{copied:#?}"
    );
    assert_eq!(differing(operator).await, BTreeMap::new());
    for user in 0..300 {
        let caller = json!({"targetingKey": format!("user-{user}")});
        let (there, here) = (
            inspected(operator, STAGING, "colour", &caller).await,
            inspected(operator, PRODUCTION, "colour", &caller).await,
        );
        assert_eq!(there, here, "user-{user}");
    }
    let again = copy(operator, &names).await;
    assert!(
        again
            .iter()
            .all(|result| result.action() == v1::DocumentAction::Unchanged),
        "{again:#?}"
    );
}

async fn apply(operator: &Operator, environment: &str, kinds: Vec<v1::document::Kind>) {
    let document = |kind| v1::Document {
        kind: Some(kind),
        expected_revision: 0,
    };
    let request = v1::ApplyRequest {
        environment: environment.to_owned(),
        documents: kinds.into_iter().map(document).collect(),
        ..v1::ApplyRequest::default()
    };
    ConfigurationClient::new(operator.channel())
        .apply(request)
        .await
        .unwrap();
}

/// What a copy from staging to production would do.
async fn differing(operator: &Operator) -> BTreeMap<String, v1::DocumentAction> {
    let request = v1::CompareRequest {
        source: STAGING.to_owned(),
        target: PRODUCTION.to_owned(),
        ..v1::CompareRequest::default()
    };
    let compared = ConfigurationClient::new(operator.channel())
        .compare(request)
        .await
        .unwrap();
    let differences = compared.into_inner().differences.into_iter();
    differences
        .map(|difference| (difference.name.clone().unwrap().key, difference.action()))
        .collect()
}

/// Copies from staging to production.
async fn copy(operator: &Operator, names: &[(v1::DocumentKind, &str)]) -> Vec<v1::DocumentResult> {
    let name = |(kind, key): &(v1::DocumentKind, &str)| v1::DocumentName {
        kind: (*kind).into(),
        key: (*key).to_owned(),
    };
    let request = v1::CopyRequest {
        source: STAGING.to_owned(),
        target: PRODUCTION.to_owned(),
        names: names.iter().map(name).collect(),
        ..v1::CopyRequest::default()
    };
    let copied = ConfigurationClient::new(operator.channel())
        .copy(request)
        .await
        .unwrap();
    copied.into_inner().results
}
