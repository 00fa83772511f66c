#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use evaluation::{
    Buckets, Condition, Context, Flag, FlagType, Prerequisite, Rule, Segment, Serve, Share, Snapshot, Split, Test,
    Value,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::{flag, key, plan_of, production, started},
    change::rollout as changes,
    store::keys,
    trial::Trial,
};

struct Site {
    trial: Trial,
    api: HistoryApi,
}

impl Site {
    async fn new() -> Self {
        let trial = Trial::new().await;
        let api = HistoryApi::new(trial.truth.clone());
        Self { trial, api }
    }

    fn flag(&self, name: &str) -> Arc<FlagRecord> {
        self.trial
            .truth
            .state()
            .flag(&production(), &key(name))
            .unwrap()
            .clone()
    }

    async fn restore(&self, request: v1::RestoreVersionRequest) -> Result<v1::RestoreVersionResponse, Status> {
        let restored = self.api.restore_version(Request::new(request)).await;
        restored.map(Response::into_inner)
    }

    async fn diff(&self, from: u32, to: u32) -> Result<v1::DiffVersionsResponse, Status> {
        let request = v1::DiffVersionsRequest {
            environment: "production".to_owned(),
            key: "checkout".to_owned(),
            from,
            to,
            ..v1::DiffVersionsRequest::default()
        };
        let diff = self.api.diff_versions(Request::new(request)).await;
        diff.map(Response::into_inner)
    }
}

fn restoring(kind: &str, key: &str, version: u32) -> v1::RestoreVersionRequest {
    v1::RestoreVersionRequest {
        environment: "production".to_owned(),
        kind: kind.to_owned(),
        key: key.to_owned(),
        version,
        ..v1::RestoreVersionRequest::default()
    }
}

fn described(description: &str) -> Flag {
    Flag {
        description: description.to_owned(),
        ..flag("checkout")
    }
}

fn split(shares: &[(&str, u32)], ranges: &[(&str, u32)]) -> Serve {
    let shares_of = |shares: &[(&str, u32)]| {
        let share = |(variant, buckets): &(&str, u32)| Share {
            variant: (*variant).to_owned(),
            buckets: Buckets::new(*buckets).unwrap(),
        };
        shares.iter().map(share).collect()
    };
    Serve::Split(Split {
        shares: shares_of(shares),
        ranges: shares_of(ranges),
    })
}

fn staff(included: &[&str]) -> Segment {
    Segment {
        key: key("staff"),
        description: String::new(),
        owner: String::new(),
        tags: [].into(),
        included: included.iter().map(|unit| (*unit).to_owned()).collect(),
        excluded: Vec::new(),
        groups: Vec::new(),
    }
}

/// A rule that serves new to a segment.
fn rule_of(segment: &str) -> Rule {
    let condition = Condition {
        attribute: String::new(),
        test: Test::InSegment(vec![segment.to_owned()]),
        negated: false,
    };
    Rule {
        name: "segment".to_owned(),
        conditions: vec![condition],
        serve: Serve::Variant("new".to_owned()),
        salt: String::new(),
    }
}

#[tokio::test]
async fn versions_are_listed_the_newest_first_also_of_deleted_documents() {
    let site = Site::new().await;
    for round in 0..40 {
        site.trial.write(described(&round.to_string())).await;
    }
    site.trial.delete(&key("checkout")).await;
    for page_size in [0, 1, 16, 17, 40, 41, 42] {
        let mut request = v1::ListVersionsRequest {
            environment: "production".to_owned(),
            key: "checkout".to_owned(),
            page_size,
            ..v1::ListVersionsRequest::default()
        };
        let mut found = Vec::new();
        loop {
            let page = site
                .api
                .list_versions(Request::new(request.clone()))
                .await
                .unwrap()
                .into_inner();
            found.extend(page.versions.iter().map(|version| (version.version, version.deleted)));
            if page.next_page_token.is_empty() {
                break;
            }
            assert_eq!(page.versions.len(), page_size as usize);
            request.page_token = page.next_page_token;
        }
        let expected = (1..=41).rev().map(|version| (version, version == 41));
        assert_eq!(found, expected.collect::<Vec<_>>(), "pages of {page_size}");
    }
}

#[tokio::test]
async fn a_version_is_read_whole_and_a_deletion_has_no_document() {
    let site = Site::new().await;
    let written = site.trial.write(described("first")).await.revision;
    site.trial.delete(&key("checkout")).await;
    let get = async |version: u32| {
        let request = v1::GetVersionRequest {
            environment: "production".to_owned(),
            key: "checkout".to_owned(),
            version,
            ..v1::GetVersionRequest::default()
        };
        let got = site.api.get_version(Request::new(request)).await;
        got.map(Response::into_inner)
    };
    let first = get(1).await.unwrap();
    let version = first.version.unwrap();
    assert_eq!(
        (version.version, version.revision, version.deleted),
        (1, written, false)
    );
    assert_eq!((version.actor.as_str(), version.reason.as_str()), ("ada", "because"));
    let Some(v1::get_version_response::Document::Flag(stored)) = first.document else {
        panic!("a flag was written");
    };
    assert_eq!(stored.flag, Some(v1::Flag::from(&described("first"))));
    for newest in [0, 2] {
        let deletion = get(newest).await.unwrap();
        assert!(deletion.version.unwrap().deleted && deletion.document.is_none());
    }
    let missing = get(3).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert!(missing.message().contains("1 to 2"), "{missing}");
}

#[tokio::test]
async fn two_versions_differ_by_what_was_edited_between() {
    let site = Site::new().await;
    site.trial.write(described("first")).await;
    site.trial.write(described("second")).await;
    site.trial.archive(&key("checkout")).await;
    site.trial.delete(&key("checkout")).await;
    let told = |diff: v1::DiffVersionsResponse| {
        let changes = diff.changes.into_iter();
        changes
            .map(|change| (change.path, change.before, change.after))
            .collect::<Vec<_>>()
    };
    let change = |path: &str, before: &str, after: &str| (path.to_owned(), before.to_owned(), after.to_owned());
    let edited = change("description", r#""first""#, r#""second""#);
    let archived = change("archived", "false", "true");
    assert_eq!(told(site.diff(1, 2).await.unwrap()), std::slice::from_ref(&edited));
    assert_eq!(told(site.diff(0, 3).await.unwrap()), std::slice::from_ref(&archived));
    assert_eq!(told(site.diff(1, 3).await.unwrap()), [archived, edited]);
    let gone = told(site.diff(0, 0).await.unwrap());
    assert!(gone.iter().any(|(path, _, after)| path == "key" && after.is_empty()));
    let came = site.diff(0, 1).await.unwrap();
    assert!(
        came.from.is_none()
            && came
                .changes
                .iter()
                .all(|change| change.before.is_empty() || change.before == "false")
    );
    assert_eq!(site.diff(2, 1).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(site.diff(2, 9).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_version_is_written_again_as_a_new_one_that_says_so() {
    let site = Site::new().await;
    site.trial.write(described("first")).await;
    site.trial.write(described("second")).await;
    let restored = site.restore(restoring("flag", "checkout", 1)).await.unwrap();
    let version = restored.version.unwrap();
    assert_eq!((version.version, version.action.as_str()), (3, "flag.restore"));
    assert!(version.reason.contains("version 1"), "{}", version.reason);
    assert_eq!(restored.changes.len(), 1);
    let record = site.flag("checkout");
    assert_eq!((&record.flag, record.version), (&described("first"), 3));
    assert_eq!(version.revision, record.revision);
    // Again: it is so already.
    let again = site.restore(restoring("flag", "checkout", 1)).await.unwrap();
    assert_eq!((again.version.unwrap().version, again.changes), (3, Vec::new()));
    assert_eq!(site.flag("checkout").version, 3);
}

#[tokio::test]
async fn validation_alone_writes_nothing_and_tells_the_same() {
    let site = Site::new().await;
    site.trial.write(described("first")).await;
    let before = site.trial.write(described("second")).await.revision;
    let told = site.restore(v1::RestoreVersionRequest {
        validate_only: true,
        ..restoring("flag", "checkout", 1)
    });
    let told = told.await.unwrap();
    assert_eq!(site.trial.truth.state().revision, before);
    let made = site.restore(restoring("flag", "checkout", 1)).await.unwrap();
    assert_eq!(told.changes, made.changes);
    assert_eq!(told.version.unwrap().version, made.version.unwrap().version);
}

#[tokio::test]
async fn a_deleted_flag_comes_back_and_its_kill_with_it() {
    let site = Site::new().await;
    site.trial.write(described("first")).await;
    let killed = Flag {
        killed: true,
        ..described("second")
    };
    site.trial.write(killed).await;
    site.trial.delete(&key("checkout")).await;
    let restored = site.restore(restoring("flag", "checkout", 1)).await.unwrap();
    assert_eq!(restored.version.unwrap().version, 4);
    let record = site.flag("checkout");
    assert_eq!((record.flag.description.as_str(), record.flag.killed), ("first", true));
    assert_eq!(record.version, 4);
}

#[tokio::test]
async fn an_archived_flag_is_in_use_again_and_a_kill_in_force_stays() {
    let site = Site::new().await;
    site.trial.write(described("first")).await;
    let killed = Flag {
        killed: true,
        ..described("first")
    };
    site.trial.write(killed).await;
    site.trial.archive(&key("checkout")).await;
    let restored = site.restore(restoring("flag", "checkout", 1)).await.unwrap();
    let paths = restored
        .changes
        .iter()
        .map(|change| change.path.as_str())
        .collect::<Vec<_>>();
    assert_eq!(paths, ["archived"]);
    let record = site.flag("checkout");
    assert!(record.flag.killed && record.archived_at_us.is_none());
}

#[tokio::test]
async fn units_return_to_the_very_buckets_where_they_were() {
    let site = Site::new().await;
    let with = |serve: Serve| Flag {
        default: serve,
        variants: ["a", "b", "c"]
            .map(|name| (name.to_owned(), Value::String(name.into())))
            .into(),
        ..flag("checkout")
    };
    let served = || {
        let record = site.flag("checkout");
        let compiled = evaluation::compile(&record.flag, None).unwrap();
        let within = Snapshot::empty();
        let serve = |unit: u32| {
            let context = Context::new().with_targeting_key(unit.to_string());
            compiled.evaluate(&within, &context).variant.unwrap().to_owned()
        };
        (0..2_000).map(serve).collect::<Vec<_>>()
    };
    // In the order of the shares, then as an edit that moved few units left it.
    site.trial
        .write(with(split(&[("a", 10_000), ("b", 10_000), ("c", 80_000)], &[])))
        .await;
    let first = served();
    let laid = [("a", 10_000), ("b", 10_000), ("a", 10_000), ("c", 70_000)];
    site.trial
        .write(with(split(&[("a", 20_000), ("b", 10_000), ("c", 70_000)], &laid)))
        .await;
    let second = served();
    site.trial
        .write(with(split(&[("c", 50_000), ("b", 50_000)], &[])))
        .await;
    for (version, expected) in [(1, &first), (2, &second), (1, &first)] {
        site.restore(restoring("flag", "checkout", version)).await.unwrap();
        assert!(served() == *expected, "version {version}");
    }
}

#[tokio::test]
async fn a_version_that_no_longer_fits_is_refused_with_everything_that_is_wrong() {
    let site = Site::new().await;
    site.trial.write_segment(staff(&["ada"])).await;
    site.trial.write(flag("billing")).await;
    let mut reading = described("reads");
    reading.rules = vec![rule_of("staff")];
    reading.prerequisites = vec![Prerequisite {
        flag: "billing".to_owned(),
        variants: vec!["new".to_owned()],
    }];
    site.trial.write(reading).await;
    site.trial.write(described("alone")).await;
    site.trial.delete_segment(&key("staff")).await;
    site.trial.delete(&key("billing")).await;
    let before = site.trial.truth.state().revision;
    let refused = site.restore(restoring("flag", "checkout", 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let violations = refused.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 2, "{refused}");
    assert!(refused.message().contains("staff") && refused.message().contains("billing"));
    assert_eq!(site.trial.truth.state().revision, before);
}

#[tokio::test]
async fn a_flag_that_came_back_with_another_type_keeps_it() {
    let site = Site::new().await;
    site.trial.write(described("text")).await;
    site.trial.delete(&key("checkout")).await;
    let boolean = Flag {
        flag_type: FlagType::Boolean,
        variants: [
            ("new".to_owned(), Value::Boolean(true)),
            ("old".to_owned(), Value::Boolean(false)),
        ]
        .into(),
        ..described("boolean")
    };
    site.trial.write(boolean).await;
    let refused = site.restore(restoring("flag", "checkout", 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_precisely() {
    let site = Site::new().await;
    let first = site.trial.write(described("first")).await.revision;
    site.trial.delete(&key("checkout")).await;
    site.trial.write(described("again")).await;
    let code = async |request| site.restore(request).await.unwrap_err().code();
    assert_eq!(code(restoring("flag", "checkout", 0)).await, Code::InvalidArgument);
    assert_eq!(code(restoring("flag", "checkout", 2)).await, Code::InvalidArgument);
    assert_eq!(code(restoring("flag", "checkout", 4)).await, Code::NotFound);
    assert_eq!(code(restoring("flag", "never", 1)).await, Code::NotFound);
    assert_eq!(code(restoring("rollout", "checkout", 1)).await, Code::InvalidArgument);
    let stale = v1::RestoreVersionRequest {
        expected_revision: first,
        ..restoring("flag", "checkout", 1)
    };
    let refused = site.restore(stale).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let current = site.flag("checkout").revision;
    assert!(refused.message().contains(&current.to_string()), "{refused}");
    let fresh = v1::RestoreVersionRequest {
        expected_revision: current,
        ..restoring("flag", "checkout", 1)
    };
    site.restore(fresh).await.unwrap();
}

#[tokio::test]
async fn a_rollout_keeps_what_it_needs() {
    let site = Site::new().await;
    let other = Flag {
        salt: "another".to_owned(),
        ..described("first")
    };
    site.trial.write(other).await;
    site.trial.write(described("second")).await;
    let plan = plan_of("checkout", ::rollout::Unit::Unit, &[5, 50], 60_000_000);
    let record = started(plan, 1);
    let count = changes::Count {
        value: 0,
        revision: None,
    };
    let actor = Trial::somebody("ada");
    let txn = crate::builders::started_by(&record, &site.flag("checkout"), count, &actor);
    site.trial.commit(txn).await;
    let refused = site.restore(restoring("flag", "checkout", 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("the salt"), "{refused}");
}

#[tokio::test]
async fn a_deleted_segment_comes_back_with_its_members() {
    let site = Site::new().await;
    let many = (0..30_000).map(|unit| format!("unit-{unit}")).collect::<Vec<_>>();
    let many = many.iter().map(String::as_str).collect::<Vec<_>>();
    site.trial.write_segment(staff(&many)).await;
    site.trial.write_segment(staff(&["ada"])).await;
    site.trial.delete_segment(&key("staff")).await;
    let restored = site.restore(restoring("segment", "staff", 1)).await.unwrap();
    assert_eq!(restored.version.unwrap().version, 4);
    let state = site.trial.truth.state();
    let record = state.segment(&production(), &key("staff")).unwrap();
    assert_eq!(record.included.count(), many.len());
    let chunks = state.chunks_of(&production());
    assert!(record.included.contains(chunks, "unit-29999").unwrap());
    let to_one = site.restore(restoring("segment", "staff", 2)).await.unwrap();
    let change = &to_one.changes[0];
    assert_eq!((change.path.as_str(), to_one.changes.len()), ("included", 1));
    assert_eq!(change.after, r#"{"added":1,"count":1}"#);
    let back = site.restore(restoring("segment", "staff", 2)).await.unwrap();
    assert_eq!(back.changes, []);
}

#[tokio::test]
async fn restores_that_race_are_each_a_version_of_their_own() {
    let site = Arc::new(Site::new().await);
    site.trial.write(described("first")).await;
    site.trial.write(described("second")).await;
    let restores = (0..10).map(|number| {
        let site = site.clone();
        tokio::spawn(async move { site.restore(restoring("flag", "checkout", number % 2 + 1)).await })
    });
    let mut versions = Vec::new();
    for restore in restores.collect::<Vec<_>>() {
        match restore.await.unwrap() {
            Ok(restored) if !restored.changes.is_empty() => versions.push(restored.version.unwrap().version),
            Ok(_) => {}
            Err(error) => assert_eq!(error.code(), Code::Aborted),
        }
    }
    versions.sort_unstable();
    let newest = site.flag("checkout").version;
    assert_eq!(versions, (3..=newest).collect::<Vec<_>>());
    let kept = site
        .trial
        .truth
        .store()
        .get(&keys::history("flag", &production(), "checkout", newest + 1))
        .await;
    assert_eq!(kept.unwrap(), None);
}

#[tokio::test]
async fn a_restore_undoes_no_kill_that_came_between() {
    let site = Site::new().await;
    site.trial.write(described("first")).await;
    let killed = Flag {
        killed: true,
        ..described("second")
    };
    site.trial.write(killed).await;
    site.restore(restoring("flag", "checkout", 1)).await.unwrap();
    assert!(site.flag("checkout").flag.killed);
}
