#![allow(clippy::unwrap_used, clippy::expect_used)]

use proto::v1::EnvironmentKind::{Production, Staging};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::{flag, key},
    publish::Subscription,
    sync::fleet::Introduction,
    trial::Trial,
};

/// The service over a store of its own.
struct Service {
    trial: Trial,
    fleet: Arc<Fleet>,
    api: EnvironmentsApi,
}

impl Service {
    async fn new() -> Self {
        let trial = Trial::new().await;
        let fleet = Arc::new(Fleet::new());
        let api = EnvironmentsApi::new(trial.truth.clone(), fleet.clone());
        Self { trial, fleet, api }
    }

    async fn create(&self, environment: v1::Environment) -> Result<v1::Environment, Status> {
        let request = v1::CreateEnvironmentRequest {
            environment: Some(environment),
        };
        let response = self.api.create_environment(Request::new(request)).await?;
        Ok(response.into_inner().environment.unwrap())
    }

    async fn update(
        &self,
        environment: v1::Environment,
        expected_revision: u64,
        paths: &[&str],
    ) -> Result<v1::Environment, Status> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let request = v1::UpdateEnvironmentRequest {
            environment: Some(environment),
            expected_revision,
            update_mask: Some(prost_types::FieldMask { paths }),
        };
        let response = self.api.update_environment(Request::new(request)).await?;
        Ok(response.into_inner().environment.unwrap())
    }

    async fn get(&self, name: &str) -> Result<v1::Environment, Status> {
        let request = v1::GetEnvironmentRequest { key: name.to_owned() };
        let response = self.api.get_environment(Request::new(request)).await?;
        Ok(response.into_inner().environment.unwrap())
    }

    async fn delete(&self, name: &str, expected_revision: u64) -> Result<(), Status> {
        let request = v1::DeleteEnvironmentRequest {
            key: name.to_owned(),
            expected_revision,
        };
        self.api.delete_environment(Request::new(request)).await.map(|_| ())
    }

    async fn keys(&self) -> Vec<String> {
        let request = Request::new(v1::ListEnvironmentsRequest {});
        let all = self
            .api
            .list_environments(request)
            .await
            .unwrap()
            .into_inner()
            .environments;
        all.into_iter().map(|environment| environment.key).collect()
    }
}

fn wire(name: &str, kind: v1::EnvironmentKind, order: u32) -> v1::Environment {
    v1::Environment {
        key: name.to_owned(),
        kind: kind.into(),
        order,
        description: format!("about {name}"),
        revision: 0,
    }
}

fn subscription(name: &str) -> Subscription {
    Subscription {
        environment: key(name),
        set: None,
    }
}

fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn a_new_environment_comes_last_and_can_be_subscribed_to_at_once() {
    let service = Service::new().await;
    let created = service.create(wire("canary", Production, 0)).await.unwrap();
    assert_eq!((created.order, created.description.as_str()), (4, "about canary"));
    assert!(created.revision > 0);
    assert_eq!(service.get("canary").await.unwrap(), created);
    assert_eq!(service.keys().await, ["development", "staging", "production", "canary"]);
    let snapshots = service.trial.publisher.subscribe(&subscription("canary")).unwrap();
    assert_eq!(snapshots.borrow().index.len(), 1);
    let twice = service.create(wire("canary", Production, 0)).await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn each_environment_draws_a_token_key_of_its_own() {
    let service = Service::new().await;
    for name in ["one", "two"] {
        service.create(wire(name, Staging, 0)).await.unwrap();
    }
    let state = service.trial.truth.state();
    let token_key = |name: &str| state.environments[&key(name)].environment.token_key;
    assert_ne!(token_key("one"), token_key("two"));
}

#[tokio::test]
async fn everything_that_is_wrong_with_an_environment_is_said_at_once() {
    let service = Service::new().await;
    let wrong = v1::Environment {
        key: "no spaces".to_owned(),
        description: "d".repeat(4_097),
        ..v1::Environment::default()
    };
    let refused = service.create(wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        ["environment.key", "environment.kind", "environment.description"]
    );
    let taken = service.create(wire("canary", Production, 2)).await.unwrap_err();
    assert_eq!(fields(&taken), ["environment.order"]);
    assert!(taken.message().contains("staging"), "{}", taken.message());
}

#[tokio::test]
async fn an_update_takes_what_its_mask_names() {
    let service = Service::new().await;
    let before = service.get("staging").await.unwrap();
    let wanted = wire("staging", Production, 9);
    let after = service
        .update(wanted.clone(), before.revision, &["order"])
        .await
        .unwrap();
    assert_eq!(
        (after.order, after.kind, after.description.as_str()),
        (9, before.kind, "")
    );
    assert_eq!(service.keys().await, ["development", "production", "staging"]);
    let stale = service.update(wanted.clone(), before.revision, &[]).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    let whole = service.update(wanted.clone(), 0, &[]).await.unwrap();
    assert_eq!(whole.description, "about staging");
    assert_eq!(
        service.update(wanted, 0, &[]).await.unwrap(),
        whole,
        "an equal one is not written again"
    );
    let unknown = service
        .update(wire("staging", Production, 9), 0, &["token_key"])
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
    let taken = service
        .update(wire("staging", Production, 1), 0, &["order"])
        .await
        .unwrap_err();
    assert_eq!(fields(&taken), ["environment.order"]);
}

#[tokio::test]
async fn an_environment_that_is_used_is_not_deleted_and_says_by_what() {
    let service = Service::new().await;
    service.trial.write(flag("checkout")).await;
    service.trial.archive(&key("checkout")).await;
    service.trial.write(flag("banner")).await;
    let introduction = Introduction {
        agent: "agent-7".into(),
        subscription: subscription("production"),
        version: String::new(),
        address: None,
        diskless: false,
    };
    let now_us = runtime::clock::now_us();
    service.fleet.connected(introduction, 1, 60_000_000, now_us).unwrap();
    let refused = service.delete("production", 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    for use_ in ["2 flags, 1 of them archived", "agent-7"] {
        assert!(refused.message().contains(use_), "{}", refused.message());
    }
    assert_eq!(refused.get_details_precondition_failure().unwrap().violations.len(), 2);
    assert!(service.get("production").await.is_ok());
}

#[tokio::test]
async fn who_lives_by_a_deleted_environment_hears_that_nothing_more_comes() {
    let service = Service::new().await;
    let mut snapshots = service.trial.publisher.subscribe(&subscription("staging")).unwrap();
    let stale = service.delete("staging", 1_000).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    service.delete("staging", 0).await.unwrap();
    assert!(snapshots.changed().await.is_err());
    assert!(service.trial.publisher.subscribe(&subscription("staging")).is_err());
    assert_eq!(service.get("staging").await.unwrap_err().code(), Code::NotFound);
    // It can come back, with a key of its own.
    service.create(wire("staging", Staging, 0)).await.unwrap();
    assert!(service.trial.publisher.subscribe(&subscription("staging")).is_ok());
}

#[tokio::test]
async fn the_last_environment_stays() {
    let service = Service::new().await;
    for name in ["development", "staging"] {
        service.delete(name, 0).await.unwrap();
    }
    let refused = service.delete("production", 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_deletion_that_meets_a_new_document_is_refused() {
    let service = Service::new().await;
    let state = service.trial.truth.state();
    let before = &state.environments[&key("staging")];
    let deletion = change::environment::delete(&state, before, &Trial::somebody("ada"));
    let document = change::populate(Txn::default(), &state, &key("staging"));
    let store = service.trial.truth.store();
    assert!(matches!(
        store.txn(document.clone()).await.unwrap(),
        crate::store::Outcome::Committed(_)
    ));
    assert!(matches!(
        store.txn(deletion.clone()).await.unwrap(),
        crate::store::Outcome::Refused { .. }
    ));
    // The other way round the document finds no environment.
    service.trial.truth.at(state.revision + 1).await.unwrap();
    service.delete("staging", 0).await.unwrap();
    assert!(matches!(
        store.txn(document).await.unwrap(),
        crate::store::Outcome::Refused { .. }
    ));
}

#[tokio::test]
async fn two_who_want_the_same_place_do_not_both_get_it() {
    let service = Arc::new(Service::new().await);
    let creating = ["one", "two", "three", "four"].map(|name| {
        let service = service.clone();
        tokio::spawn(async move { service.create(wire(name, Staging, 0)).await.unwrap().order })
    });
    let mut orders = Vec::new();
    for created in creating {
        orders.push(created.await.unwrap());
    }
    orders.sort_unstable();
    assert_eq!(orders, [4, 5, 6, 7]);
}

#[tokio::test]
async fn there_are_a_hundred_environments_and_no_more() {
    let service = Service::new().await;
    for number in 0..97 {
        service.create(wire(&format!("e{number}"), Staging, 0)).await.unwrap();
    }
    let refused = service.create(wire("one-more", Staging, 0)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
}
