#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use evaluation::{Buckets, Flag, Prerequisite, Serve, Share, Split, Test};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::{flag, key, production},
    store::{Order, keys, model::Act},
    trial::Trial,
};

struct Service {
    trial: Trial,
    api: Arc<ConfigurationApi>,
}

async fn service() -> Service {
    let trial = Trial::new().await;
    let api = Arc::new(ConfigurationApi::new(trial.truth.clone()));
    Service { trial, api }
}

fn document(flag: &Flag) -> v1::Document {
    v1::Document {
        kind: Some(v1::document::Kind::Flag(v1::Flag::from(flag))),
        expected_revision: 0,
    }
}

fn segment(name: &str, included: &[&str]) -> v1::Document {
    let segment = v1::Segment {
        key: name.to_owned(),
        included: included.iter().map(|unit| (*unit).to_owned()).collect(),
        ..v1::Segment::default()
    };
    v1::Document {
        kind: Some(v1::document::Kind::Segment(segment)),
        expected_revision: 0,
    }
}

fn named(kind: v1::DocumentKind, key: &str) -> v1::DocumentName {
    v1::DocumentName {
        kind: kind.into(),
        key: key.to_owned(),
    }
}

fn deletion(kind: v1::DocumentKind, key: &str) -> v1::Document {
    v1::Document {
        kind: Some(v1::document::Kind::Deleted(named(kind, key))),
        expected_revision: 0,
    }
}

fn reading(name: &str, reads: &str) -> Flag {
    Flag {
        prerequisites: vec![Prerequisite {
            flag: reads.to_owned(),
            variants: vec!["new".to_owned()],
        }],
        ..flag(name)
    }
}

/// A flag that serves new to a segment.
fn of_segment(name: &str, segment: &str) -> Flag {
    let condition = evaluation::Condition {
        attribute: String::new(),
        negated: false,
        test: Test::InSegment(vec![segment.to_owned()]),
    };
    Flag {
        rules: vec![evaluation::Rule {
            name: "members".to_owned(),
            conditions: vec![condition],
            serve: Serve::Variant("new".to_owned()),
            salt: String::new(),
        }],
        ..flag(name)
    }
}

impl Service {
    async fn ask(&self, request: v1::ApplyRequest) -> Result<v1::ApplyResponse, Status> {
        Ok(self.api.apply(Request::new(request)).await?.into_inner())
    }

    async fn apply(&self, documents: Vec<v1::Document>) -> Result<Vec<v1::DocumentAction>, Status> {
        let request = v1::ApplyRequest {
            environment: "production".to_owned(),
            documents,
            ..v1::ApplyRequest::default()
        };
        Ok(actions(&self.ask(request).await?.results))
    }

    async fn copy(&self, names: Vec<v1::DocumentName>, target: &str) -> Result<Vec<v1::DocumentResult>, Status> {
        let request = v1::CopyRequest {
            source: "production".to_owned(),
            target: target.to_owned(),
            names,
            ..v1::CopyRequest::default()
        };
        Ok(self.api.copy(Request::new(request)).await?.into_inner().results)
    }

    async fn compare(&self, page_size: u32, page_token: &str) -> v1::CompareResponse {
        let request = v1::CompareRequest {
            source: "production".to_owned(),
            target: "staging".to_owned(),
            page_size,
            page_token: page_token.to_owned(),
            names: Vec::new(),
        };
        self.api.compare(Request::new(request)).await.unwrap().into_inner()
    }

    fn flag(&self, environment: &str, name: &str) -> Option<Flag> {
        let state = self.trial.truth.state();
        Some(state.flag(&key(environment), &key(name))?.flag.clone())
    }

    fn revision(&self) -> u64 {
        self.trial.truth.state().revision
    }
}

fn actions(results: &[v1::DocumentResult]) -> Vec<v1::DocumentAction> {
    results.iter().map(v1::DocumentResult::action).collect()
}

fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|found| found.field).collect()
}

use v1::{
    DocumentAction::{Created, Deleted, Unchanged, Updated},
    DocumentKind as Kind,
};

#[tokio::test]
async fn what_reads_and_what_is_read_arrive_together_in_any_order() {
    let service = service().await;
    let documents = vec![
        document(&reading("reader", "base")),
        document(&of_segment("targeted", "staff")),
        segment("staff", &["ada"]),
        document(&flag("base")),
    ];
    assert_eq!(service.apply(documents.clone()).await.unwrap(), [Created; 4]);
    let revision = service.revision();
    assert_eq!(service.apply(documents).await.unwrap(), [Unchanged; 4]);
    assert_eq!(service.revision(), revision, "what is equal is not written");
    // They go together, too, and not apart.
    let apart = service
        .apply(vec![deletion(Kind::Flag, "base"), deletion(Kind::Segment, "staff")])
        .await
        .unwrap_err();
    assert_eq!(apart.code(), Code::FailedPrecondition);
    assert_eq!(
        apart.get_details_precondition_failure().unwrap().violations.len(),
        2,
        "{}",
        apart.message()
    );
    let together = vec![
        deletion(Kind::Flag, "base"),
        deletion(Kind::Flag, "reader"),
        deletion(Kind::Segment, "staff"),
        document(&flag("targeted")),
        deletion(Kind::Flag, "never"),
    ];
    assert_eq!(
        service.apply(together).await.unwrap(),
        [Deleted, Deleted, Deleted, Updated, Unchanged]
    );
}

#[tokio::test]
async fn everything_that_is_wrong_with_any_document_is_said_and_nothing_written() {
    let service = service().await;
    let revision = service.revision();
    let mut wrong = flag("wrong");
    wrong.off_variant = Some("none".to_owned());
    let mut killed_type = flag("right");
    killed_type.salt = "a:b".to_owned();
    let mut documents = vec![
        document(&wrong),
        v1::Document::default(),
        segment("staff", &["", "ada"]),
        deletion(Kind::Unspecified, "x"),
        document(&reading("reader", "missing")),
        document(&killed_type),
        document(&flag("twice")),
        document(&flag("twice")),
    ];
    let status = service.apply(documents.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let found = fields(&status);
    for field in [
        "documents[0].flag.off_variant",
        "documents[1]",
        "documents[2].segment.included[0]",
        "documents[3].deleted.kind",
        "documents[4].flag.prerequisites[0].flag",
        "documents[5].flag.salt",
        "documents[7].flag",
    ] {
        assert!(found.contains(&field.to_owned()), "{field} in {found:?}");
    }
    assert_eq!(found.len(), 7, "{found:?}");
    // In another order the same is wrong.
    documents.reverse();
    let reversed = service.apply(documents).await.unwrap_err();
    let places = |status: &Status, turned: bool| {
        let violations = status.get_details_bad_request().unwrap().field_violations;
        let mut said = violations
            .into_iter()
            .filter(|found| !found.description.contains("each document"))
            .map(|found| {
                let (at, rest) = found.field.strip_prefix("documents[").unwrap().split_once(']').unwrap();
                let at = at.parse::<usize>().unwrap();
                (if turned { 7 - at } else { at }, rest.to_owned(), found.description)
            })
            .collect::<Vec<_>>();
        said.sort();
        said
    };
    assert_eq!(places(&status, false), places(&reversed, true));
    assert_eq!(service.revision(), revision);
}

#[tokio::test]
async fn fifty_documents_are_one_revision_and_one_changeset_and_more_are_refused() {
    let service = service().await;
    let documents = (0..50)
        .map(|number| document(&flag(&format!("flag-{number:02}"))))
        .collect::<Vec<_>>();
    let before = service.revision();
    assert_eq!(service.apply(documents.clone()).await.unwrap(), [Created; 50]);
    assert_eq!(service.revision(), before + 1);
    let edited = (0..50).map(|number| {
        let flag = Flag {
            owner: "ada".to_owned(),
            ..flag(&format!("flag-{number:02}"))
        };
        document(&flag)
    });
    assert_eq!(service.apply(edited.collect()).await.unwrap(), [Updated; 50]);
    // Every act is told, each under an id of its own.
    let prefix = keys::audits(&production());
    let items = service
        .trial
        .truth
        .store()
        .range(&prefix, None, 10, Order::Ascending)
        .await
        .unwrap()
        .items;
    assert_eq!(items.len(), 2);
    let acts = items.iter().flat_map(|item| {
        let id = Uuid::from_slice(&item.key[prefix.len()..]).unwrap();
        Act::read_all(id, &item.value).unwrap()
    });
    let acts = acts.collect::<Vec<_>>();
    let ids = acts
        .iter()
        .map(|(id, _)| *id)
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!((acts.len(), ids.len()), (100, 100));
    assert!(
        acts[..50]
            .iter()
            .all(|(_, act)| act.changeset == acts[0].1.changeset && act.changeset.is_some())
    );
    let mut pruned = (0..49)
        .map(|number| deletion(Kind::Flag, &format!("flag-{number:02}")))
        .collect::<Vec<_>>();
    pruned.push(segment("staff", &["ada"]));
    let result = service.apply(pruned).await.unwrap();
    assert_eq!((&result[..49], result[49]), (&[Deleted; 49][..], Created));
    let many = [documents, vec![document(&flag("one-more"))]].concat();
    assert_eq!(fields(&service.apply(many).await.unwrap_err()), ["documents"]);
}

#[tokio::test]
async fn documents_that_do_not_fit_together_are_refused_with_what_to_do() {
    let service = service().await;
    let large = |number: u32| {
        let deny = (0..4_000).map(|unit| format!("unit-{unit:040}")).collect();
        document(&Flag {
            deny,
            ..flag(&format!("large-{number}"))
        })
    };
    let status = service.apply((0..8).map(large).collect()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().contains("send fewer documents"),
        "{}",
        status.message()
    );
    assert_eq!(service.apply((0..2).map(large).collect()).await.unwrap(), [Created; 2]);
}

#[tokio::test]
async fn an_apply_neither_kills_nor_revives_nor_wakes_nor_changes_a_type() {
    let service = service().await;
    service
        .trial
        .write(Flag {
            killed: true,
            ..flag("killed")
        })
        .await;
    let changed = Flag {
        owner: "ada".to_owned(),
        ..flag("killed")
    };
    assert_eq!(service.apply(vec![document(&changed)]).await.unwrap(), [Updated]);
    assert!(service.flag("production", "killed").unwrap().killed);
    service.trial.write(flag("archived")).await;
    service.trial.archive(&key("archived")).await;
    let status = service.apply(vec![document(&flag("archived"))]).await.unwrap_err();
    assert!(status.message().contains("unarchive it first"), "{}", status.message());
    let boolean = Flag {
        flag_type: evaluation::FlagType::Boolean,
        variants: ["new", "old"]
            .map(|name| (name.to_owned(), evaluation::Value::Boolean(true)))
            .into(),
        ..flag("killed")
    };
    assert_eq!(
        fields(&service.apply(vec![document(&boolean)]).await.unwrap_err()),
        ["documents[0].flag.type"]
    );
}

#[tokio::test]
async fn documents_of_an_old_revision_are_all_named() {
    let service = service().await;
    for name in ["a", "b"] {
        service.trial.write(flag(name)).await;
    }
    let based = |name: &str, expected_revision| v1::Document {
        expected_revision,
        ..document(&Flag {
            owner: "ada".to_owned(),
            ..flag(name)
        })
    };
    let status = service
        .apply(vec![based("a", 1), based("b", 1), based("gone", 7)])
        .await
        .unwrap_err();
    let found = status.get_details_precondition_failure().unwrap().violations;
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|found| found.r#type == "REVISION"), "{found:?}");
    let revision = service
        .trial
        .truth
        .state()
        .flag(&production(), &key("a"))
        .unwrap()
        .revision;
    assert_eq!(service.apply(vec![based("a", revision)]).await.unwrap(), [Updated]);
}

#[tokio::test]
async fn what_is_only_validated_is_told_and_not_written() {
    let service = service().await;
    service.trial.write(flag("there")).await;
    let revision = service.revision();
    let request = v1::ApplyRequest {
        environment: "production".to_owned(),
        documents: vec![
            document(&Flag {
                owner: "ada".to_owned(),
                ..flag("there")
            }),
            document(&flag("new")),
            deletion(Kind::Flag, "never"),
        ],
        validate_only: true,
        changeset: Uuid::nil().to_string(),
    };
    let response = service.ask(request.clone()).await.unwrap();
    assert_eq!(actions(&response.results), [Updated, Created, Unchanged]);
    assert_eq!(response.changeset, Uuid::nil().to_string());
    assert_eq!(response.results[0].changes[0].path, "owner");
    assert!(response.results.iter().all(|result| result.revision == 0));
    assert_eq!(service.revision(), revision);
    let wrong = v1::ApplyRequest {
        changeset: "x".to_owned(),
        ..request
    };
    assert_eq!(fields(&service.ask(wrong).await.unwrap_err()), ["changeset"]);
}

#[tokio::test]
async fn applies_that_race_close_no_circle_and_lose_nothing() {
    let service = service().await;
    for name in ["a", "b"] {
        service.trial.write(flag(name)).await;
    }
    let apply = |flag: Flag| {
        let api = service.api.clone();
        let request = v1::ApplyRequest {
            environment: "production".to_owned(),
            documents: vec![document(&flag)],
            ..v1::ApplyRequest::default()
        };
        tokio::spawn(async move { api.apply(Request::new(request)).await.map(|_| ()) })
    };
    let (one, two) = (apply(reading("a", "b")), apply(reading("b", "a")));
    let outcomes = [one.await.unwrap(), two.await.unwrap()];
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        1,
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_copy_keeps_units_where_they_are_and_leaves_the_kill_behind() {
    let service = service().await;
    let share = |variant: &str, buckets| Share {
        variant: variant.to_owned(),
        buckets: Buckets::new(buckets).unwrap(),
    };
    let with = |ranges: Vec<Share>| Flag {
        killed: true,
        default: Serve::Split(Split {
            shares: vec![share("new", 30_000), share("old", 70_000)],
            ranges,
        }),
        ..flag("checkout")
    };
    let names = || vec![named(Kind::Flag, "checkout"), named(Kind::Segment, "staff")];
    service.apply(vec![segment("staff", &["ada", "bob"])]).await.unwrap();
    service
        .trial
        .write(with(vec![share("old", 70_000), share("new", 30_000)]))
        .await;
    let results = service.copy(names(), "staging").await.unwrap();
    assert_eq!(actions(&results), [Created, Created]);
    let copied = service.flag("staging", "checkout").unwrap();
    assert_eq!(
        copied,
        Flag {
            killed: false,
            ..service.flag("production", "checkout").unwrap()
        }
    );
    let state = service.trial.truth.state();
    let (staging, staff) = (key("staging"), key("staff"));
    let record = state.segment(&staging, &staff).unwrap();
    let units = record.included.units(state.chunks_of(&staging)).unwrap();
    assert_eq!(
        units
            .iter()
            .map(String::as_str)
            .collect::<std::collections::BTreeSet<_>>(),
        ["ada", "bob"].into()
    );
    // The layout of the source, also where its shares say it.
    service.trial.write(with(Vec::new())).await;
    assert_eq!(
        actions(&service.copy(names(), "staging").await.unwrap()),
        [Updated, Unchanged]
    );
    assert_eq!(
        service.flag("staging", "checkout").unwrap().default,
        with(Vec::new()).default
    );
    assert_eq!(
        actions(&service.copy(names(), "staging").await.unwrap()),
        [Unchanged; 2]
    );
}

#[tokio::test]
async fn a_copy_of_what_is_not_there_or_onto_itself_is_refused() {
    let service = service().await;
    service.trial.write(flag("a")).await;
    let names = |key: &str| vec![named(Kind::Flag, key)];
    assert_eq!(
        service.copy(names("b"), "staging").await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        fields(&service.copy(names("a"), "production").await.unwrap_err()),
        ["target"]
    );
    assert_eq!(
        fields(&service.copy(Vec::new(), "staging").await.unwrap_err()),
        ["names"]
    );
    assert_eq!(
        service.copy(names("a"), "mars").await.unwrap_err().code(),
        Code::NotFound
    );
    service.trial.write(reading("reader", "a")).await;
    // What it reads must be there, or come with it.
    let status = service.copy(names("reader"), "staging").await.unwrap_err();
    assert_eq!(fields(&status), ["names[0].prerequisites[0].flag"]);
    let both = vec![named(Kind::Flag, "reader"), named(Kind::Flag, "a")];
    assert_eq!(actions(&service.copy(both, "staging").await.unwrap()), [Created; 2]);
}

#[tokio::test]
async fn a_comparison_tells_what_a_copy_would_do_page_by_page() {
    let service = service().await;
    let flags = ["differs", "equal", "new-1", "new-2"];
    service
        .apply(flags.iter().map(|name| document(&flag(name))).collect())
        .await
        .unwrap();
    service.apply(vec![segment("staff", &["ada"])]).await.unwrap();
    let names = vec![
        named(Kind::Flag, "differs"),
        named(Kind::Flag, "equal"),
        named(Kind::Segment, "staff"),
    ];
    service.copy(names, "staging").await.unwrap();
    service
        .trial
        .write(Flag {
            owner: "ada".to_owned(),
            ..flag("differs")
        })
        .await;
    service
        .trial
        .write(Flag {
            killed: true,
            ..flag("equal")
        })
        .await;
    service.apply(vec![segment("staff", &["ada", "bob"])]).await.unwrap();
    let request = v1::ApplyRequest {
        environment: "staging".to_owned(),
        documents: vec![document(&flag("only-there"))],
        ..v1::ApplyRequest::default()
    };
    service.ask(request).await.unwrap();
    let (mut told, mut token) = (Vec::new(), String::new());
    let equal = loop {
        let page = service.compare(2, &token).await;
        told.extend(page.differences);
        token = page.next_page_token;
        if token.is_empty() {
            break page.equal;
        }
    };
    let said = told
        .iter()
        .map(|found| (found.name.as_ref().unwrap().key.as_str(), found.action()));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            ("differs", Updated),
            ("new-1", Created),
            ("new-2", Created),
            ("only-there", Deleted),
            ("staff", Updated)
        ]
    );
    assert_eq!(equal, 1);
    assert_eq!(told[0].changes[0].path, "owner");
    assert!(!told[4].changes.is_empty());
}

#[tokio::test]
async fn a_segment_without_members_keeps_those_that_it_has() {
    let service = service().await;
    service.apply(vec![segment("staff", &["ada", "bob"])]).await.unwrap();
    assert_eq!(service.apply(vec![segment("staff", &[])]).await.unwrap(), [Unchanged]);
    assert_eq!(
        service.apply(vec![segment("staff", &["ada"])]).await.unwrap(),
        [Updated]
    );
    let state = service.trial.truth.state();
    assert_eq!(state.segment(&production(), &key("staff")).unwrap().included.count(), 1);
    // Two segments of the same members share what holds them.
    let twins = vec![segment("one", &["eve"]), segment("two", &["eve"])];
    assert_eq!(service.apply(twins).await.unwrap(), [Created; 2]);
}

#[tokio::test]
async fn all_that_was_applied_is_there_after_a_restart() {
    let service = service().await;
    service
        .apply(vec![
            document(&of_segment("targeted", "staff")),
            segment("staff", &["ada"]),
        ])
        .await
        .unwrap();
    let before = service.trial.truth.state();
    let Service { trial, api } = service;
    drop(api);
    let trial = trial.again().await;
    let after = trial.truth.state();
    assert_eq!(after.flags, before.flags);
    assert_eq!(after.segments, before.segments);
    assert_eq!(after.references, before.references);
}
