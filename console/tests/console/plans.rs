//! Plans: stored, shown, refused with paths, deleted at the version that was seen; walks in virtual time.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::fake::{Answer, Fake, State};

const DOCUMENT: &str = "
key: checkout-plan
flag: checkout
treatment: on
control: off
stages:
  - {name: canary, percent: 5, dwell: 24h}
  - {name: all, percent: 100, dwell: 0s}
";

impl State {
    fn plan(&self, key: &str, version: u32) -> Result<v1::StoredPlan, Status> {
        let versions = self.stored_plans.get(key);
        let plan = versions.and_then(|versions| match version {
            0 => versions.last(),
            version => versions.get(version as usize - 1),
        });
        plan.cloned().ok_or_else(|| Status::not_found(format!("no plan {key}")))
    }

    fn write_plan(&mut self, environment: String, plan: v1::Plan, actor: String) -> Result<v1::StoredPlan, Status> {
        if !self.lint.violations.is_empty() {
            let mut details = ErrorDetails::new();
            for note in &self.lint.violations {
                details.add_bad_request_violation(&note.field, &note.description);
            }
            return Err(Status::with_error_details(Code::InvalidArgument, "refused", details));
        }
        self.revision += 1;
        let revision = self.revision;
        let versions = self.stored_plans.entry(plan.key.clone()).or_default();
        let stored = v1::StoredPlan {
            environment,
            plan: Some(plan),
            version: versions.len() as u32 + 1,
            revision,
            updated_by: actor,
            ..Default::default()
        };
        versions.push(stored.clone());
        Ok(stored)
    }
}

#[tonic::async_trait]
impl v1::plans_server::Plans for Fake {
    async fn create_plan(&self, request: Request<v1::CreatePlanRequest>) -> Answer<v1::CreatePlanResponse> {
        let mut state = self.state();
        state.note(&request, &request.get_ref().environment);
        let actor = state.calls.last().unwrap().0.clone();
        let v1::CreatePlanRequest { environment, plan } = request.into_inner();
        let plan = Some(state.write_plan(environment, plan.unwrap(), actor)?);
        let notes = state.lint.warnings.clone();
        Ok(Response::new(v1::CreatePlanResponse { plan, notes }))
    }

    async fn get_plan(&self, request: Request<v1::GetPlanRequest>) -> Answer<v1::GetPlanResponse> {
        let request = request.into_inner();
        let plan = Some(self.state().plan(&request.key, request.version)?);
        Ok(Response::new(v1::GetPlanResponse { plan }))
    }

    async fn list_plans(&self, request: Request<v1::ListPlansRequest>) -> Answer<v1::ListPlansResponse> {
        let state = self.state();
        let after = request.into_inner().page_token;
        let next = state.stored_plans.iter().find(|(key, _)| **key > after);
        // Pages of one, so that every list of more needs its tokens.
        let next_page_token = match (next, state.stored_plans.keys().next_back()) {
            (Some((key, _)), Some(last)) if key != last => key.clone(),
            (Some(_) | None, _) => String::new(),
        };
        let plans = next.into_iter().filter_map(|(_, versions)| versions.last().cloned());
        Ok(Response::new(v1::ListPlansResponse {
            plans: plans.collect(),
            next_page_token,
        }))
    }

    async fn update_plan(&self, request: Request<v1::UpdatePlanRequest>) -> Answer<v1::UpdatePlanResponse> {
        let mut state = self.state();
        let request = request.into_inner();
        let plan = request.plan.unwrap();
        let current = state.plan(&plan.key, 0)?.revision;
        if request.expected_revision != 0 && request.expected_revision != current {
            return Err(Status::failed_precondition(format!(
                "the plan is at revision {current}"
            )));
        }
        let plan = Some(state.write_plan(request.environment, plan, String::new())?);
        Ok(Response::new(v1::UpdatePlanResponse {
            plan,
            ..Default::default()
        }))
    }

    async fn delete_plan(&self, request: Request<v1::DeletePlanRequest>) -> Answer<v1::DeletePlanResponse> {
        let mut state = self.state();
        let request = request.into_inner();
        assert_eq!(request.expected_revision, state.plan(&request.key, 0)?.revision);
        state.stored_plans.remove(&request.key);
        Ok(Response::new(v1::DeletePlanResponse {}))
    }

    async fn lint_plan(&self, request: Request<v1::LintPlanRequest>) -> Answer<v1::LintPlanResponse> {
        let request = request.into_inner();
        let mut state = self.state();
        state.asked.push(format!(
            "lint flag={:?} plan_key={:?} start_at={}",
            request.plan.map(|plan| plan.flag),
            request.plan_key,
            request.start_at_us
        ));
        Ok(Response::new(state.lint.clone()))
    }

    async fn list_plan_versions(
        &self,
        request: Request<v1::ListPlanVersionsRequest>,
    ) -> Answer<v1::ListPlanVersionsResponse> {
        let versions = self.state().stored_plans.get(&request.get_ref().key).cloned();
        Ok(Response::new(v1::ListPlanVersionsResponse {
            plans: versions.unwrap_or_default().into_iter().rev().collect(),
            ..Default::default()
        }))
    }

    async fn list_metrics(&self, _: Request<v1::ListMetricsRequest>) -> Answer<v1::ListMetricsResponse> {
        let metric = v1::MetricDefinition {
            key: "error-rate".into(),
            kind: "rate".into(),
            unit: "fraction".into(),
            better: "lower".into(),
            aliases: vec!["errors".into()],
            ..Default::default()
        };
        Ok(Response::new(v1::ListMetricsResponse { metrics: vec![metric] }))
    }
}

fn note(field: &str, description: &str) -> v1::LintNote {
    v1::LintNote {
        field: field.into(),
        description: description.into(),
    }
}

fn refused() -> v1::LintPlanResponse {
    v1::LintPlanResponse {
        violations: vec![
            note("stages[1].percentage", "must rise"),
            note("treatment", "no variant `onn`"),
        ],
        warnings: vec![note("stages[0].dwell", "under 24h")],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_plan_is_stored_shown_written_again_and_deleted() {
    let fake = Fake::start().await;
    fake.state().lint.warnings = vec![note("stages[0].dwell", "under 24h")];
    let created = fake
        .run_with_input(&["plan", "create", "-", "--reason", "release 42"], DOCUMENT)
        .await;
    assert_eq!(
        (created.out.as_str(), created.err.as_str()),
        (
            "checkout-plan: version 1, revision 1 in production\n\
             start it with: tidegate rollout start --plan checkout-plan -e production\n",
            "stages[0].dwell: under 24h\n"
        ),
        "{created:?}"
    );
    assert_eq!(fake.state().calls.last().unwrap().1, "release 42");
    let stale = fake
        .run_with_input(&["plan", "update", "-", "--revision", "9"], DOCUMENT)
        .await;
    assert_eq!(
        (stale.code, stale.err.as_str()),
        (1, "error: the plan is at revision 1\n")
    );
    let updated = fake
        .run_with_input(&["plan", "update", "-", "--revision", "1"], DOCUMENT)
        .await;
    assert!(updated.out.starts_with("checkout-plan: version 2"), "{updated:?}");

    let page = fake.run(&["plan", "get", "checkout-plan", "--version", "1"]).await;
    assert!(
        page.out.contains("version 1, revision 1") && page.out.contains("canary"),
        "{page:?}"
    );
    let history = fake.run(&["plan", "history", "checkout-plan"]).await;
    assert_eq!(history.out.lines().count(), 3, "{history:?}");
    let other = DOCUMENT.replace("checkout-plan", "other");
    fake.run_with_input(&["plan", "create", "-"], &other).await;
    let list = fake.run(&["plan", "list"]).await;
    assert_eq!(list.out.lines().count(), 3, "both pages: {list:?}");

    assert_eq!(
        fake.run(&["plan", "delete", "checkout-plan"]).await.code,
        2,
        "it is asked for"
    );
    assert_eq!(fake.run(&["plan", "delete", "checkout-plan", "--yes"]).await.code, 0);
    let gone = fake.run(&["plan", "get", "checkout-plan"]).await;
    assert_eq!((gone.code, gone.err.as_str()), (1, "error: no plan checkout-plan\n"));
}

#[tokio::test]
async fn a_plan_that_lint_refuses_is_not_stored_and_every_path_is_named() {
    let fake = Fake::start().await;
    fake.state().lint = refused();
    let created = fake.run_with_input(&["plan", "create", "-"], DOCUMENT).await;
    assert_eq!(
        (created.code, created.err.as_str()),
        (
            1,
            "error: stages[1].percentage: must rise\n       treatment: no variant `onn`\n"
        )
    );
    assert!(fake.state().stored_plans.is_empty());
}

#[tokio::test]
async fn lint_says_all_of_it_and_fails_only_on_violations() {
    let fake = Fake::start().await;
    fake.state().lint = refused();
    let report = fake.run_with_input(&["plan", "lint", "-"], DOCUMENT).await;
    assert_eq!(report.code, 1, "{report:?}");
    for part in [
        "  stages[1].percentage: must rise\n",
        "  stages[0].dwell: under 24h\n",
        "2 violations, 1 warning: the plan is refused",
    ] {
        assert!(report.out.contains(part), "{report:?}");
    }
    let json = fake
        .run_with_input(&["plan", "lint", "-", "-o", "json"], DOCUMENT)
        .await;
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (json.code, &value["violations"][0]["field"]),
        (1, &"stages[1].percentage".into())
    );
    fake.state().lint.violations.clear();
    let moment = ["--start-at", "2026-12-01T09:00:00Z"];
    let fine = fake
        .run(&[&["plan", "lint", "--plan", "checkout-plan"][..], &moment].concat())
        .await;
    assert_eq!(fine.code, 0, "{fine:?}");
    assert_eq!(
        fake.state().asked.last().unwrap(),
        "lint flag=None plan_key=\"checkout-plan\" start_at=1796115600000000"
    );
}

#[tokio::test]
async fn a_walk_is_of_a_document_a_stored_plan_or_a_rollout() {
    let fake = Fake::start().await;
    fake.state().walk = v1::SimulateRolloutResponse {
        steps: vec![v1::PlannedStep {
            at_us: 1_796_115_600_000_000,
            kind: "advanced".into(),
            stage: "all".into(),
            phase: "delivering".into(),
        }],
        phase: "completed".into(),
        ..Default::default()
    };
    fake.run_with_input(&["plan", "create", "-"], DOCUMENT).await;
    let walked = fake.run_with_input(&["plan", "simulate", "-"], DOCUMENT).await;
    assert!(
        walked.out.contains("advanced") && walked.out.contains("ends completed"),
        "{walked:?}"
    );
    let harm = ["--scenario", "harm", "--stage", "canary"];
    fake.run(&[&["plan", "simulate", "--plan", "checkout-plan"][..], &harm].concat())
        .await;
    fake.run(&["rollout", "simulate", "checkout#1", "--scenario", "unattended"])
        .await;
    let asked: Vec<String> = fake.state().asked.iter().rev().take(3).rev().cloned().collect();
    assert_eq!(
        asked,
        [
            "simulate rollout=\"\" flag=Some(\"checkout\") scenario=good stage=\"\"",
            "simulate rollout=\"\" flag=Some(\"checkout\") scenario=harm stage=\"canary\"",
            "simulate rollout=\"checkout#1\" flag=None scenario=unattended stage=\"\"",
        ]
    );
    let nowhere = fake
        .run(&["rollout", "simulate", "checkout", "--scenario", "harm"])
        .await;
    assert_eq!(nowhere.code, 2, "{nowhere:?}");
}

#[tokio::test]
async fn metrics_are_listed() {
    let fake = Fake::start().await;
    let list = fake.run(&["metrics", "list"]).await;
    assert!(
        list.out.contains("error-rate") && list.out.contains("errors"),
        "{list:?}"
    );
}

#[tokio::test]
async fn a_plan_is_drafted_from_files_and_is_fit_to_be_stored() {
    let fake = Fake::start().await;
    fake.run(&["create", "checkout"]).await;
    let folder = tempfile::tempdir().unwrap();
    let feature = folder.path().join("feature.md");
    let text = "# Checkout\n\nOne page.\n\n- Flag: checkout\n- Owner: ann\n\n## Risk\n\n- User impact: LOW - staff\n\
                - Revenue impact: HIGH - payments\n- Criticality: LOW\n- Reversibility: easy - the flag\n\n\
                ## Baseline\n\n- Error rate: 0.8 %\n- p95: 890 ms\n";
    std::fs::write(&feature, text).unwrap();
    let plan = folder.path().join("plan.yaml");
    let (feature, plan) = (feature.to_str().unwrap(), plan.to_str().unwrap());
    let drafted = fake.run(&["plan", "draft", feature, "--to", plan]).await;
    assert_eq!(drafted.code, 0, "{drafted:?}");
    let created = fake.run(&["plan", "create", plan]).await;
    assert_eq!(created.code, 0, "{created:?}");
    let stored = fake.state().plan("checkout-canary", 0).unwrap().plan.unwrap();
    assert_eq!(
        (
            stored.treatment.as_str(),
            stored.control.as_str(),
            stored.strategy.as_str()
        ),
        ("on", "off", "canary"),
        "the risk is high; the arms are the flag's"
    );
    assert_eq!(stored.baseline.unwrap().values["p95"], "890 ms");
    let nothing = fake.run(&["plan", "draft"]).await;
    assert_eq!(nothing.code, 2, "{nothing:?}");
    let arms = ["--treatment", "on", "--control", "off"];
    let offline = crate::fake::command("http://127.0.0.1:1")
        .args([&["plan", "draft", "--flag", "a", "--strategy", "instant"][..], &arms].concat())
        .output()
        .await
        .unwrap();
    assert!(
        offline.status.success(),
        "with its arms named it needs no control plane: {offline:?}"
    );
}
