#![allow(clippy::unwrap_used, clippy::expect_used)]

use evaluation::Segment;
use rollout::Unit;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    api::{AuditApi, EnvironmentsApi, HistoryApi},
    builders::{SECOND_US, flag, key, plan_of, production},
    follow::Followers,
    plan_wire,
    sync::fleet::Fleet,
    trial::Trial,
};
use proto::{
    said::Said,
    v1::{audit_server::Audit as _, environments_server::Environments as _, history_server::History as _},
};
use runtime::shutdown::Shutdown;

fn plan(name: &str) -> v1::Plan {
    v1::Plan {
        key: name.to_owned(),
        ..plan_wire::write(&plan_of("checkout", Unit::Unit, &[5, 50, 100], 60 * SECOND_US))
    }
}

/// A plan of other contents under the same key.
fn described(name: &str, description: &str) -> v1::Plan {
    v1::Plan {
        description: description.to_owned(),
        ..plan(name)
    }
}

/// The service over a store of its own, with the flag checkout and the segment staff in production.
struct Service {
    trial: Trial,
    api: PlansApi,
}

impl Service {
    async fn new() -> Self {
        let trial = Trial::new().await;
        let api = PlansApi::new(trial.truth.clone(), Levels::new(false));
        let service = Self { trial, api };
        service.trial.write(flag("checkout")).await;
        service.put_segment("staff").await;
        service
    }

    async fn put_segment(&self, name: &str) {
        let segment = Segment {
            key: key(name),
            description: String::new(),
            owner: String::new(),
            tags: [].into(),
            included: Vec::new(),
            excluded: Vec::new(),
            groups: Vec::new(),
        };
        self.trial.write_segment(segment).await;
    }

    async fn create(&self, plan: v1::Plan) -> Result<v1::StoredPlan, Status> {
        let request = v1::CreatePlanRequest {
            environment: "production".to_owned(),
            plan: Some(plan),
        };
        let mut request = Request::new(request);
        Said::Actor.say(request.metadata_mut(), "ada");
        Said::Reason.say(request.metadata_mut(), "it is time");
        Ok(self.api.create_plan(request).await?.into_inner().plan.unwrap())
    }

    async fn update(&self, plan: v1::Plan, expected_revision: u64) -> Result<v1::StoredPlan, Status> {
        let request = v1::UpdatePlanRequest {
            environment: "production".to_owned(),
            plan: Some(plan),
            expected_revision,
        };
        let response = self.api.update_plan(Request::new(request)).await?;
        Ok(response.into_inner().plan.unwrap())
    }

    async fn get(&self, name: &str, version: u32) -> Result<v1::StoredPlan, Status> {
        let request = v1::GetPlanRequest {
            environment: "production".to_owned(),
            key: name.to_owned(),
            version,
        };
        Ok(self
            .api
            .get_plan(Request::new(request))
            .await?
            .into_inner()
            .plan
            .unwrap())
    }

    async fn delete(&self, name: &str, expected_revision: u64) -> Result<(), Status> {
        let request = v1::DeletePlanRequest {
            environment: "production".to_owned(),
            key: name.to_owned(),
            expected_revision,
        };
        self.api.delete_plan(Request::new(request)).await.map(drop)
    }

    async fn list(&self, page_size: u32, page_token: &str) -> Result<v1::ListPlansResponse, Status> {
        let request = v1::ListPlansRequest {
            environment: "production".to_owned(),
            page_size,
            page_token: page_token.to_owned(),
        };
        Ok(self.api.list_plans(Request::new(request)).await?.into_inner())
    }

    async fn versions(&self, page_size: u32, page_token: &str) -> v1::ListPlanVersionsResponse {
        let request = v1::ListPlanVersionsRequest {
            environment: "production".to_owned(),
            key: "new-checkout".to_owned(),
            page_size,
            page_token: page_token.to_owned(),
        };
        let response = self.api.list_plan_versions(Request::new(request)).await;
        response.unwrap().into_inner()
    }

    async fn lint(&self, request: v1::LintPlanRequest) -> Result<v1::LintPlanResponse, Status> {
        let environment = "production".to_owned();
        let request = v1::LintPlanRequest { environment, ..request };
        Ok(self.api.lint_plan(Request::new(request)).await?.into_inner())
    }

    async fn restore(&self, version: u32) -> Result<v1::RestoreVersionResponse, Status> {
        let history = HistoryApi::new(self.trial.truth.clone());
        let request = v1::RestoreVersionRequest {
            environment: "production".to_owned(),
            kind: "plan".to_owned(),
            key: "new-checkout".to_owned(),
            version,
            ..v1::RestoreVersionRequest::default()
        };
        Ok(history.restore_version(Request::new(request)).await?.into_inner())
    }
}

fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn a_created_plan_is_there_whole_with_who_and_why() {
    let service = Service::new().await;
    let created = service.create(plan("new-checkout")).await.unwrap();
    assert_eq!(
        (created.version, created.updated_by.as_str(), created.reason.as_str()),
        (1, "ada", "it is time")
    );
    assert_eq!(created.plan, Some(plan("new-checkout")));
    assert_eq!(created.hash.len(), 32);
    assert_eq!(service.get("new-checkout", 0).await.unwrap(), created);
    let state = service.trial.truth.state();
    let record = state.plan(&production(), &key("new-checkout")).unwrap();
    assert_eq!((record.revision, state.revision), (created.revision, created.revision));
    let twice = service.create(plan("new-checkout")).await.unwrap_err();
    assert_eq!(twice.code(), Code::AlreadyExists);
    assert_eq!(service.get("nobody", 0).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_plan_without_a_key_has_that_of_its_flag() {
    let service = Service::new().await;
    let created = service.create(plan("")).await.unwrap();
    assert_eq!(created.plan.unwrap().key, "checkout");
    let updated = service.update(described("", "again"), 0).await.unwrap();
    assert_eq!(updated.version, 2);
    assert_eq!(service.get("checkout", 0).await.unwrap(), updated);
}

#[tokio::test]
async fn a_refused_plan_is_answered_with_everything_that_is_wrong_and_not_stored() {
    let service = Service::new().await;
    let before = service.trial.truth.state().revision;
    let mut wrong = plan("new-checkout");
    wrong.treatment = "newest".to_owned();
    wrong.alpha = 7.0;
    wrong.stages[0].audience = vec!["nobody".to_owned()];
    wrong.stages[2].buckets = 40_000;
    wrong.stages[1].success = vec!["errors should be few".to_owned()];
    let refused = service.create(wrong.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let found = fields(&refused);
    for field in [
        "plan.treatment",
        "plan.alpha",
        "plan.stages[0].audience[0]",
        "plan.stages[2].percentage",
        "plan.stages[1].success[0]",
    ] {
        assert!(found.contains(&field.to_owned()), "{field}: {found:?}");
    }
    assert_eq!(service.trial.truth.state().revision, before);
    let kept = service.create(plan("new-checkout")).await.unwrap();
    let refused = service.update(wrong, 0).await.unwrap_err();
    assert_eq!((refused.code(), fields(&refused)), (Code::InvalidArgument, found));
    assert_eq!(service.get("new-checkout", 0).await.unwrap(), kept);
    let elsewhere = v1::CreatePlanRequest {
        environment: "nowhere".to_owned(),
        plan: Some(plan("new-checkout")),
    };
    let refused = service.api.create_plan(Request::new(elsewhere)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn an_update_of_another_revision_is_refused_and_one_of_the_same_contents_writes_nothing() {
    let service = Service::new().await;
    let created = service.create(plan("new-checkout")).await.unwrap();
    let same = service.update(plan("new-checkout"), created.revision).await.unwrap();
    assert_eq!(same, created);
    let updated = service
        .update(described("new-checkout", "two"), created.revision)
        .await
        .unwrap();
    assert_eq!((updated.version, updated.created_at_us), (2, created.created_at_us));
    assert_ne!(updated.hash, created.hash);
    let stale = service
        .update(described("new-checkout", "three"), created.revision)
        .await
        .unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    let stale = service.delete("new-checkout", created.revision).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    assert_eq!(service.get("new-checkout", 0).await.unwrap(), updated);
    let absent = service.update(plan("other"), 0).await.unwrap_err();
    assert_eq!(absent.code(), Code::NotFound);
}

#[tokio::test]
async fn of_updates_at_once_none_is_lost() {
    let service = Service::new().await;
    service.create(plan("new-checkout")).await.unwrap();
    let updates = (0..8).map(|number| service.update(described("new-checkout", &format!("{number}")), 0));
    let done = futures::future::join_all(updates.collect::<Vec<_>>()).await;
    let mut versions = done.into_iter().map(|done| done.unwrap().version).collect::<Vec<_>>();
    versions.sort_unstable();
    assert_eq!(versions, (2..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_version_stays_and_numbers_go_on_after_a_deletion() {
    let service = Service::new().await;
    let first = service.create(plan("new-checkout")).await.unwrap();
    let second = service.update(described("new-checkout", "two"), 0).await.unwrap();
    service.delete("new-checkout", second.revision).await.unwrap();
    assert_eq!(service.get("new-checkout", 0).await.unwrap_err().code(), Code::NotFound);
    let fourth = service.create(plan("new-checkout")).await.unwrap();
    assert_eq!(fourth.version, 4);
    assert_eq!(service.get("new-checkout", 1).await.unwrap(), first);
    assert_eq!(service.get("new-checkout", 2).await.unwrap(), second);
    for version in [3, 5] {
        let absent = service.get("new-checkout", version).await.unwrap_err();
        assert_eq!(absent.code(), Code::NotFound, "{version}");
    }
    let (one, rest) = (service.versions(3, "").await, service.versions(3, "2").await);
    assert_eq!(one.next_page_token, "2");
    assert_eq!((&one.plans[0], &one.plans[2]), (&fourth, &second));
    let deletion = &one.plans[1];
    assert_eq!((deletion.version, deletion.plan.is_none()), (3, true));
    assert_eq!((rest.plans, rest.next_page_token.as_str()), (vec![first], ""));
}

#[tokio::test]
async fn a_list_is_walked_in_pages_that_meet_each_plan_once() {
    let service = Service::new().await;
    for number in 0..5 {
        service.create(plan(&format!("plan-{number}"))).await.unwrap();
    }
    let (mut walked, mut token) = (Vec::new(), String::new());
    loop {
        let page = service.list(2, &token).await.unwrap();
        assert!(page.plans.len() <= 2);
        walked.extend(page.plans.into_iter().map(|stored| stored.plan.unwrap().key));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(walked, ["plan-0", "plan-1", "plan-2", "plan-3", "plan-4"]);
    assert_eq!(service.list(501, "").await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(
        service.list(2, "plan-1").await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn lint_says_what_a_plan_costs_and_stores_nothing() {
    let service = Service::new().await;
    let before = service.trial.truth.state().revision;
    let said = service
        .lint(v1::LintPlanRequest {
            plan: Some(v1::Plan {
                units_per_day: 10_000,
                requests_per_day: 100_000,
                ..plan("new-checkout")
            }),
            ..v1::LintPlanRequest::default()
        })
        .await
        .unwrap();
    assert_eq!(said.violations, []);
    assert_eq!(said.phase, "completed");
    let stages = said.stages.iter().map(|cost| cost.units).collect::<Vec<_>>();
    assert_eq!(stages, [500, 5_000, 10_000]);
    assert!(said.stages[0].until_us >= said.stages[0].from_us + 60 * SECOND_US);
    let purposes = said.limits.iter().map(|cost| cost.purpose.as_str());
    assert_eq!(
        purposes.collect::<std::collections::BTreeSet<_>>(),
        ["certify", "times-limit"].into()
    );
    assert_eq!(service.trial.truth.state().revision, before);
    // A plan that cannot work is told what is wrong with it; that is no error.
    let mut wrong = plan("new-checkout");
    wrong.stages[0].audience = vec!["nobody".to_owned()];
    let said = service
        .lint(v1::LintPlanRequest {
            plan: Some(wrong),
            ..v1::LintPlanRequest::default()
        })
        .await
        .unwrap();
    assert_eq!(said.violations[0].field, "stages[0].audience[0]");
}

#[tokio::test]
async fn a_plan_that_asks_a_prometheus_that_nobody_told_of_is_stored_with_a_warning() {
    let mut service = Service::new().await;
    let mut asking = plan("new-checkout");
    asking.metrics = vec![v1::OwnMetric {
        key: "depth".to_owned(),
        unit: "count".to_owned(),
        prometheus: Some(v1::PrometheusQuery {
            query: "max(depth{variant=\"{{variant}}\"})".to_owned(),
            ..v1::PrometheusQuery::default()
        }),
        ..v1::OwnMetric::default()
    }];
    service.create(asking).await.unwrap();
    let stored = v1::LintPlanRequest {
        plan_key: "new-checkout".to_owned(),
        ..v1::LintPlanRequest::default()
    };
    let said = service.lint(stored.clone()).await.unwrap();
    let warning = said.warnings.iter().find(|one| one.field == "metrics[0].prometheus");
    let warning = &warning.unwrap().description;
    assert!(warning.contains("start it with --prometheus URL"), "{warning}");
    assert_eq!(said.violations, []);
    service.api.levels = Levels::new(true);
    let said = service.lint(stored).await.unwrap();
    assert!(said.warnings.iter().all(|one| one.field != "metrics[0].prometheus"));
}

#[tokio::test]
async fn a_stored_plan_is_linted_against_what_is_there_now() {
    let service = Service::new().await;
    let mut staff = plan("new-checkout");
    staff.stages[0].audience = vec!["staff".to_owned()];
    service.create(staff.clone()).await.unwrap();
    let stored = v1::LintPlanRequest {
        plan_key: "new-checkout".to_owned(),
        ..v1::LintPlanRequest::default()
    };
    assert_eq!(service.lint(stored.clone()).await.unwrap().violations, []);
    service.trial.delete_segment(&key("staff")).await;
    let said = service.lint(stored.clone()).await.unwrap();
    assert_eq!(said.violations[0].field, "stages[0].audience[0]");
    let both = v1::LintPlanRequest {
        plan: Some(staff),
        ..stored.clone()
    };
    assert_eq!(service.lint(both).await.unwrap_err().code(), Code::InvalidArgument);
    let before_all = v1::LintPlanRequest {
        start_at_us: -1,
        ..stored
    };
    assert_eq!(
        service.lint(before_all).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn a_version_is_restored_if_it_still_fits() {
    let service = Service::new().await;
    let mut staff = plan("new-checkout");
    staff.stages[0].audience = vec!["staff".to_owned()];
    let first = service.create(staff).await.unwrap();
    service.update(plan("new-checkout"), 0).await.unwrap();
    let restored = service.restore(1).await.unwrap();
    let changed = &restored.changes[0];
    assert_eq!(changed.path, "stages[\"at-5\"].audience[\"staff\"]");
    let now = service.get("new-checkout", 0).await.unwrap();
    assert_eq!((now.version, &now.plan, &now.hash), (3, &first.plan, &first.hash));
    let again = service.restore(1).await.unwrap();
    assert_eq!(again.changes, []);
    service.delete("new-checkout", 0).await.unwrap();
    service.trial.delete_segment(&key("staff")).await;
    let refused = service.restore(3).await.unwrap_err();
    assert_eq!(
        (refused.code(), fields(&refused)),
        (Code::InvalidArgument, vec!["stages[0].audience[0]".to_owned()])
    );
    let back = service.restore(2).await.unwrap();
    assert_eq!(back.version.unwrap().version, 5);
    assert_eq!(
        service.get("new-checkout", 0).await.unwrap().plan,
        Some(plan("new-checkout"))
    );
}

#[tokio::test]
async fn history_has_plans_as_it_has_flags() {
    let service = Service::new().await;
    let first = service.create(plan("new-checkout")).await.unwrap();
    let mut wider = plan("new-checkout");
    wider.stages[0].buckets = 10_000;
    service.update(wider, 0).await.unwrap();
    let history = HistoryApi::new(service.trial.truth.clone());
    let (environment, kind, name) = ("production".to_owned(), "plan".to_owned(), "new-checkout".to_owned());
    let kept = history
        .get_version(Request::new(v1::GetVersionRequest {
            environment: environment.clone(),
            kind: kind.clone(),
            key: name.clone(),
            version: 1,
        }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(kept.document, Some(v1::get_version_response::Document::Plan(first)));
    let differs = history
        .diff_versions(Request::new(v1::DiffVersionsRequest {
            environment: environment.clone(),
            kind: kind.clone(),
            key: name.clone(),
            from: 1,
            to: 2,
        }))
        .await
        .unwrap()
        .into_inner();
    let changes = differs.changes.iter();
    let changes = changes.map(|change| (change.path.as_str(), change.before.as_str(), change.after.as_str()));
    assert_eq!(
        changes.collect::<Vec<_>>(),
        [("stages[\"at-5\"].buckets", "5000", "10000")]
    );
    let listed = history
        .list_versions(Request::new(v1::ListVersionsRequest {
            environment,
            kind,
            key: name,
            ..v1::ListVersionsRequest::default()
        }))
        .await
        .unwrap()
        .into_inner();
    let actions = listed.versions.iter().map(|version| version.action.as_str());
    assert_eq!(actions.collect::<Vec<_>>(), ["plan.update", "plan.create"]);
}

#[tokio::test]
async fn what_is_done_to_a_plan_is_audited() {
    let service = Service::new().await;
    service.create(plan("new-checkout")).await.unwrap();
    service.update(described("new-checkout", "two"), 0).await.unwrap();
    service.delete("new-checkout", 0).await.unwrap();
    let audit = AuditApi::new(service.trial.truth.clone(), Followers::new(), Shutdown::new());
    let request = v1::ListAuditRequest {
        environment: "production".to_owned(),
        action: "plan".to_owned(),
        ..v1::ListAuditRequest::default()
    };
    let found = audit.list_audit(Request::new(request)).await.unwrap().into_inner();
    let records = found.records.iter();
    let told = records.map(|record| (record.action.as_str(), record.kind.as_str(), record.key.as_str()));
    let of = |action| (action, "plan", "new-checkout");
    assert_eq!(
        told.collect::<Vec<_>>(),
        [of("plan.delete"), of("plan.update"), of("plan.create")]
    );
    assert_eq!(found.records[1].after, "{\"description\":\"two\"}");
}

#[tokio::test]
async fn an_environment_that_holds_a_plan_stays() {
    let service = Service::new().await;
    service.create(plan("new-checkout")).await.unwrap();
    service.trial.delete(&key("checkout")).await;
    service.trial.delete_segment(&key("staff")).await;
    let environments = EnvironmentsApi::new(service.trial.truth.clone(), Arc::new(Fleet::new()));
    let delete = || {
        environments.delete_environment(Request::new(v1::DeleteEnvironmentRequest {
            key: "production".to_owned(),
            ..v1::DeleteEnvironmentRequest::default()
        }))
    };
    let refused = delete().await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("has 1 plans"), "{refused:?}");
    service.delete("new-checkout", 0).await.unwrap();
    delete().await.unwrap();
}

#[tokio::test]
async fn the_built_in_metrics_are_listed_as_criteria_write_them() {
    let service = Service::new().await;
    let request = Request::new(v1::ListMetricsRequest {});
    let metrics = service.api.list_metrics(request).await.unwrap().into_inner().metrics;
    let of = |key: &str| metrics.iter().find(|metric| metric.key == key).unwrap();
    let rate = of("error-rate");
    assert_eq!(
        (rate.kind.as_str(), rate.unit.as_str(), rate.better.as_str()),
        ("rate", "fraction", "lower")
    );
    let p95 = of("p95");
    assert_eq!((p95.kind.as_str(), p95.unit.as_str()), ("quantile", "duration"));
    assert!(
        metrics
            .iter()
            .all(|metric| !metric.source.is_empty() && !metric.description.is_empty())
    );
}
