#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use evaluation::{EntryKind, Flag, Prerequisite};
use prost_types::FieldMask;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::{flag, key, production},
    compile,
    store::keys,
    trial::Trial,
};

struct Service {
    trial: Trial,
    api: Arc<FlagsApi>,
}

async fn service() -> Service {
    let trial = Trial::new().await;
    let api = Arc::new(FlagsApi::new(
        trial.truth.clone(),
        crate::builders::sources(&trial.truth.state()),
    ));
    Service { trial, api }
}

fn wire(name: &str) -> v1::Flag {
    v1::Flag::from(&flag(name))
}

fn reading(name: &str, reads: &str) -> v1::Flag {
    v1::Flag::from(&Flag {
        prerequisites: vec![Prerequisite {
            flag: reads.to_owned(),
            variants: vec!["new".to_owned()],
        }],
        ..flag(name)
    })
}

fn creation(flag: v1::Flag) -> v1::CreateFlagRequest {
    v1::CreateFlagRequest {
        environment: "production".to_owned(),
        flag: Some(flag),
        validate_only: false,
    }
}

fn update(flag: v1::Flag) -> v1::UpdateFlagRequest {
    v1::UpdateFlagRequest {
        environment: "production".to_owned(),
        flag: Some(flag),
        ..v1::UpdateFlagRequest::default()
    }
}

fn masked(flag: v1::Flag, paths: &[&str]) -> v1::UpdateFlagRequest {
    v1::UpdateFlagRequest {
        update_mask: Some(FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..update(flag)
    }
}

fn deletion(key: &str) -> v1::DeleteFlagRequest {
    v1::DeleteFlagRequest {
        environment: "production".to_owned(),
        key: key.to_owned(),
        expected_revision: 0,
    }
}

fn archival(key: &str) -> v1::ArchiveFlagRequest {
    v1::ArchiveFlagRequest {
        environment: "production".to_owned(),
        key: key.to_owned(),
        expected_revision: 0,
    }
}

impl Service {
    async fn create(&self, flag: v1::Flag) -> Result<v1::StoredFlag, Status> {
        let created = self.api.create_flag(Request::new(creation(flag))).await?;
        Ok(created.into_inner().flag.unwrap())
    }

    async fn update(&self, request: v1::UpdateFlagRequest) -> Result<(v1::StoredFlag, bool), Status> {
        let updated = self.api.update_flag(Request::new(request)).await?.into_inner();
        Ok((updated.flag.unwrap(), updated.changed))
    }

    async fn delete(&self, key: &str) -> Result<v1::StoredFlag, Status> {
        let deleted = self.api.delete_flag(Request::new(deletion(key))).await?;
        Ok(deleted.into_inner().flag.unwrap())
    }

    async fn archive(&self, key: &str) -> Result<v1::StoredFlag, Status> {
        let archived = self.api.archive_flag(Request::new(archival(key))).await?;
        Ok(archived.into_inner().flag.unwrap())
    }

    async fn kill(&self, key: &str, expected_revision: u64) -> Result<v1::StoredFlag, Status> {
        let request = v1::KillFlagRequest {
            environment: "production".to_owned(),
            key: key.to_owned(),
            expected_revision,
        };
        Ok(self
            .api
            .kill_flag(Request::new(request))
            .await?
            .into_inner()
            .flag
            .unwrap())
    }

    async fn list(&self, request: v1::ListFlagsRequest) -> Result<(Vec<String>, String), Status> {
        let request = v1::ListFlagsRequest {
            environment: "production".to_owned(),
            ..request
        };
        let page = self.api.list_flags(Request::new(request)).await?.into_inner();
        let keys = page.flags.into_iter().map(|flag| flag.flag.unwrap().key);
        Ok((keys.collect(), page.next_page_token))
    }

    /// Whether agents hold a flag.
    fn is_delivered(&self, name: &str) -> bool {
        let state = self.trial.truth.state();
        let id = evaluation::EntryId {
            kind: EntryKind::Flag,
            key: Arc::from(name),
        };
        compile::entry(&state, &production(), &id).is_some()
    }
}

fn kind(status: &Status) -> String {
    status.get_details_precondition_failure().unwrap().violations[0]
        .r#type
        .clone()
}

fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|found| found.field).collect()
}

#[tokio::test]
async fn a_created_flag_is_there_with_a_salt_of_its_own() {
    let service = service().await;
    let created = service
        .create(v1::Flag {
            salt: String::new(),
            ..wire("checkout")
        })
        .await
        .unwrap();
    assert_eq!((created.version, created.archived_at_us), (1, 0));
    assert_eq!(created.flag.as_ref().unwrap().salt.len(), 15);
    assert_eq!(
        created.revision,
        service
            .trial
            .truth
            .state()
            .flag(&production(), &key("checkout"))
            .unwrap()
            .revision
    );
    let again = service.create(wire("checkout")).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn what_is_only_validated_is_answered_alike_and_not_written() {
    let service = service().await;
    let before = service.trial.truth.state().revision;
    let request = v1::CreateFlagRequest {
        validate_only: true,
        ..creation(wire("checkout"))
    };
    let answer = service
        .api
        .create_flag(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.flag.unwrap().revision, 0);
    let wrong = v1::Flag {
        off_variant: "none".to_owned(),
        ..wire("checkout")
    };
    let request = v1::CreateFlagRequest {
        validate_only: true,
        ..creation(wrong)
    };
    let status = service.api.create_flag(Request::new(request)).await.unwrap_err();
    assert_eq!(fields(&status), ["flag.off_variant"]);
    assert_eq!(service.trial.truth.state().revision, before);
    service.create(wire("checkout")).await.unwrap();
    let owned = v1::Flag {
        owner: "ada".to_owned(),
        ..wire("checkout")
    };
    let request = v1::UpdateFlagRequest {
        validate_only: true,
        ..update(owned)
    };
    let (flag, changed) = service.update(request).await.unwrap();
    assert_eq!(
        (changed, flag.revision, flag.flag.unwrap().owner.as_str()),
        (true, 0, "ada")
    );
    assert_eq!(
        service
            .trial
            .truth
            .state()
            .flag(&production(), &key("checkout"))
            .unwrap()
            .version,
        1
    );
}

#[tokio::test]
async fn a_mask_takes_what_it_names_and_leaves_the_rest() {
    let service = service().await;
    service
        .create(v1::Flag {
            owner: "ada".to_owned(),
            ..wire("checkout")
        })
        .await
        .unwrap();
    let wanted = v1::Flag {
        key: "checkout".to_owned(),
        description: "new".to_owned(),
        owner: "bob".to_owned(),
        ..v1::Flag::default()
    };
    let (flag, changed) = service
        .update(masked(wanted.clone(), &["description", "key"]))
        .await
        .unwrap();
    let flag = flag.flag.unwrap();
    assert!(changed);
    assert_eq!(
        (flag.description.as_str(), flag.owner.as_str(), flag.variants.len()),
        ("new", "ada", 2)
    );
    let (_, changed) = service.update(masked(wanted.clone(), &["description"])).await.unwrap();
    assert!(!changed);
    let status = service
        .update(masked(wanted, &["nothing", "variants.new", "killed", "type"]))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(fields(&status).len(), 4);
    assert!(
        status.message().contains("there are: description"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn an_edit_of_an_old_revision_is_refused_with_the_current_one() {
    let service = service().await;
    let created = service.create(wire("checkout")).await.unwrap();
    let killed = service.kill("checkout", created.revision).await.unwrap();
    for status in [
        service.kill("checkout", created.revision).await.unwrap_err(),
        service
            .update(v1::UpdateFlagRequest {
                expected_revision: created.revision,
                ..update(wire("checkout"))
            })
            .await
            .unwrap_err(),
    ] {
        assert_eq!(
            (status.code(), kind(&status).as_str()),
            (Code::FailedPrecondition, "REVISION")
        );
        assert!(
            status.message().contains(&killed.revision.to_string()),
            "{}",
            status.message()
        );
    }
}

#[tokio::test]
async fn of_writers_that_race_none_is_lost() {
    let service = service().await;
    service.create(wire("checkout")).await.unwrap();
    let writers = (0..24).map(|number| {
        let api = service.api.clone();
        tokio::spawn(async move {
            let mut wanted = wire("checkout");
            let (owner, tag) = (format!("owner-{number}"), format!("tag-{number}"));
            (wanted.owner, wanted.tags) = (owner, vec![tag]);
            let paths: &[&str] = if number % 2 == 0 { &["owner"] } else { &["tags"] };
            api.update_flag(Request::new(masked(wanted, paths))).await.unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let record = service
        .trial
        .truth
        .state()
        .flag(&production(), &key("checkout"))
        .unwrap()
        .clone();
    assert_eq!(record.version, 25);
    assert!(record.flag.owner.starts_with("owner-") && record.flag.tags.len() == 1);
}

#[tokio::test]
async fn every_writer_is_answered_with_what_it_wrote_itself() {
    let service = service().await;
    let created = service.create(wire("a")).await.unwrap();
    let writes = (0..40).map(|number| {
        let api = service.api.clone();
        tokio::spawn(async move {
            let description = format!("write {number}");
            let flag = v1::Flag {
                description: description.clone(),
                ..wire("a")
            };
            let answer = api.update_flag(Request::new(update(flag))).await.unwrap();
            let stored = answer.into_inner().flag.unwrap();
            assert_eq!(stored.flag.unwrap().description, description);
            (stored.version, stored.revision)
        })
    });
    let mut written = Vec::new();
    for write in writes.collect::<Vec<_>>() {
        written.push(write.await.unwrap());
    }
    written.sort_unstable();
    let versions = written.iter().map(|(version, _)| *version).collect::<Vec<_>>();
    assert_eq!(
        versions,
        (created.version + 1..=created.version + 40).collect::<Vec<_>>()
    );
    assert!(written.windows(2).all(|two| two[0].1 < two[1].1), "{written:?}");
}

#[tokio::test]
async fn of_two_writers_of_one_revision_one_wins() {
    let service = service().await;
    let revision = service.create(wire("checkout")).await.unwrap().revision;
    let write = |owner: &str| {
        let (api, owner) = (service.api.clone(), owner.to_owned());
        tokio::spawn(async move {
            let wanted = v1::Flag {
                owner,
                ..wire("checkout")
            };
            let request = v1::UpdateFlagRequest {
                expected_revision: revision,
                ..update(wanted)
            };
            api.update_flag(Request::new(request)).await.map(|_| ())
        })
    };
    let (one, two) = (write("ada"), write("bob"));
    let outcomes = [one.await.unwrap(), two.await.unwrap()];
    let lost = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().err())
        .collect::<Vec<_>>();
    assert_eq!(lost.len(), 1);
    assert_eq!(kind(lost[0]), "REVISION");
}

#[tokio::test]
async fn writes_that_race_close_no_circle() {
    for _ in 0..5 {
        let service = service().await;
        for name in ["a", "b"] {
            service.create(wire(name)).await.unwrap();
        }
        let write = |flag: v1::Flag| {
            let api = service.api.clone();
            tokio::spawn(async move { api.update_flag(Request::new(update(flag))).await.map(|_| ()) })
        };
        let (one, two) = (write(reading("a", "b")), write(reading("b", "a")));
        let outcomes = [one.await.unwrap(), two.await.unwrap()];
        let lost = outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .collect::<Vec<_>>();
        assert_eq!(lost.len(), 1, "{outcomes:?}");
        assert_eq!(fields(lost[0]), ["flag.prerequisites[0].flag"]);
    }
}

#[tokio::test]
async fn a_deletion_that_races_a_reader_leaves_nothing_unread() {
    for _ in 0..5 {
        let service = service().await;
        service.create(wire("base")).await.unwrap();
        let (one, two) = (service.api.clone(), service.api.clone());
        let read =
            tokio::spawn(async move { one.create_flag(Request::new(creation(reading("reader", "base")))).await });
        let gone = tokio::spawn(async move { two.delete_flag(Request::new(deletion("base"))).await });
        let (read, gone) = (read.await.unwrap(), gone.await.unwrap());
        assert!(read.is_ok() != gone.is_ok(), "{read:?} {gone:?}");
        if let Err(status) = gone {
            assert_eq!(kind(&status), "REFERENCED");
        }
    }
}

#[tokio::test]
async fn an_archived_flag_is_kept_and_not_delivered_until_it_returns() {
    let service = service().await;
    service.create(wire("checkout")).await.unwrap();
    assert!(service.is_delivered("checkout"));
    let archived = service.archive("checkout").await.unwrap();
    assert!(archived.archived_at_us > 0);
    assert!(!service.is_delivered("checkout"));
    // Again is the same.
    assert_eq!(service.archive("checkout").await.unwrap().revision, archived.revision);
    for status in [
        service.kill("checkout", 0).await.unwrap_err(),
        service
            .update(masked(wire("checkout"), &["enabled", "owner"]))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(
            (status.code(), kind(&status).as_str()),
            (Code::FailedPrecondition, "ARCHIVED")
        );
    }
    // Nobody may begin to read it.
    let status = service.create(reading("reader", "checkout")).await.unwrap_err();
    assert_eq!(fields(&status), ["flag.prerequisites[0].flag"]);
    let request = v1::UnarchiveFlagRequest {
        environment: "production".to_owned(),
        key: "checkout".to_owned(),
        expected_revision: archived.revision,
    };
    let back = service
        .api
        .unarchive_flag(Request::new(request))
        .await
        .unwrap()
        .into_inner()
        .flag
        .unwrap();
    assert_eq!((back.archived_at_us, back.version), (0, 3));
    assert_eq!(back.flag, archived.flag);
    assert!(service.is_delivered("checkout"));
}

#[tokio::test]
async fn a_flag_that_is_read_is_neither_archived_nor_deleted() {
    let service = service().await;
    service.create(wire("base")).await.unwrap();
    service.create(reading("reader", "base")).await.unwrap();
    for status in [
        service.archive("base").await.unwrap_err(),
        service.delete("base").await.unwrap_err(),
    ] {
        assert_eq!(kind(&status), "REFERENCED");
        assert!(status.message().contains("read by flag reader"), "{}", status.message());
    }
    // A reader that is archived reads nothing, and must find what it reads when it returns.
    service.archive("reader").await.unwrap();
    service.delete("base").await.unwrap();
    let request = v1::UnarchiveFlagRequest {
        environment: "production".to_owned(),
        key: "reader".to_owned(),
        expected_revision: 0,
    };
    let status = service.api.unarchive_flag(Request::new(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn versions_go_on_after_a_deletion_and_a_return() {
    let service = service().await;
    service.create(wire("checkout")).await.unwrap();
    let deleted = service.delete("checkout").await.unwrap();
    assert_eq!((deleted.version, deleted.flag.unwrap().key.as_str()), (1, "checkout"));
    assert_eq!(service.delete("checkout").await.unwrap_err().code(), Code::NotFound);
    assert!(!service.is_delivered("checkout"));
    assert_eq!(service.create(wire("checkout")).await.unwrap().version, 3);
    let prefix = keys::versions("flag", &production(), "checkout");
    let versions = service
        .trial
        .truth
        .store()
        .range(&prefix, None, 10, crate::store::Order::Ascending);
    assert_eq!(versions.await.unwrap().items.len(), 3);
}

#[tokio::test]
async fn filters_must_all_fit_and_pages_miss_nothing() {
    let service = service().await;
    for number in 0..10 {
        let mut flag = wire(&format!("flag-{number}"));
        flag.tags = if number % 2 == 0 {
            vec!["even".to_owned(), "all".to_owned()]
        } else {
            vec!["all".to_owned()]
        };
        flag.owner = if number < 5 { "ada".to_owned() } else { "bob".to_owned() };
        flag.description = format!("Number {number}");
        flag.flag_set = if number == 4 { "shop".to_owned() } else { String::new() };
        service.create(flag).await.unwrap();
    }
    service.archive("flag-8").await.unwrap();
    let all = v1::ListFlagsRequest::default;
    let evens = || v1::ListFlagsRequest {
        tags: vec!["even".to_owned(), "all".to_owned()],
        page_size: 2,
        ..all()
    };
    let (first, token) = service.list(evens()).await.unwrap();
    assert_eq!(first, ["flag-0", "flag-2"]);
    // The key that a page ended with may go.
    service.delete("flag-2").await.unwrap();
    let (second, end) = service
        .list(v1::ListFlagsRequest {
            page_token: token.clone(),
            ..evens()
        })
        .await
        .unwrap();
    assert_eq!(
        (second, end),
        (vec!["flag-4".to_owned(), "flag-6".to_owned()], String::new())
    );
    let reordered = vec!["all".to_owned(), "even".to_owned()];
    let same = v1::ListFlagsRequest {
        page_token: token.clone(),
        tags: reordered,
        page_size: 1,
        ..evens()
    };
    assert_eq!(service.list(same).await.unwrap().0, ["flag-4"]);
    let other = v1::ListFlagsRequest {
        page_token: token,
        owner: "ada".to_owned(),
        ..evens()
    };
    assert_eq!(fields(&service.list(other).await.unwrap_err()), ["page_token"]);
    let cases = [
        (
            v1::ListFlagsRequest {
                owner: "bob".to_owned(),
                ..all()
            },
            4,
        ),
        (
            v1::ListFlagsRequest {
                text: "nUMBER 3".to_owned(),
                ..all()
            },
            1,
        ),
        (
            v1::ListFlagsRequest {
                flag_set: "shop".to_owned(),
                ..all()
            },
            1,
        ),
        (
            v1::ListFlagsRequest {
                r#type: v1::FlagType::Boolean.into(),
                ..all()
            },
            0,
        ),
        (
            v1::ListFlagsRequest {
                archived: v1::ArchivedFilter::Only.into(),
                ..all()
            },
            1,
        ),
        (
            v1::ListFlagsRequest {
                archived: v1::ArchivedFilter::Included.into(),
                ..all()
            },
            9,
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(
            service.list(request.clone()).await.unwrap().0.len(),
            expected,
            "{request:?}"
        );
    }
    let wrong = v1::ListFlagsRequest {
        r#type: 99,
        archived: 99,
        flag_set: "/".to_owned(),
        ..all()
    };
    assert_eq!(
        fields(&service.list(wrong).await.unwrap_err()),
        ["type", "archived", "flag_set"]
    );
}

#[tokio::test]
async fn a_request_without_a_document_or_to_no_environment_says_so() {
    let service = service().await;
    let none = v1::CreateFlagRequest {
        flag: None,
        ..creation(wire("a"))
    };
    assert_eq!(
        fields(&service.api.create_flag(Request::new(none)).await.unwrap_err()),
        ["flag"]
    );
    let nowhere = v1::CreateFlagRequest {
        environment: "mars".to_owned(),
        ..creation(wire("a"))
    };
    assert_eq!(
        service.api.create_flag(Request::new(nowhere)).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        fields(
            &service
                .update(update(v1::Flag {
                    key: "no key".to_owned(),
                    ..wire("a")
                }))
                .await
                .unwrap_err()
        ),
        ["flag.key"]
    );
    assert_eq!(
        service.update(update(wire("missing"))).await.unwrap_err().code(),
        Code::NotFound
    );
}
