//! Baselines: captured by a stage's name or place, imported from options or a document, deleted as they were seen.
#![allow(clippy::unwrap_used)]

use proto::v1;
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake, State};

impl State {
    fn baseline(&self, key: &str) -> Result<v1::StoredBaseline, Status> {
        let found = self.baselines.get(key).cloned();
        found.ok_or_else(|| Status::not_found(format!("no baseline {key}")))
    }

    fn put_baseline(&mut self, baseline: v1::StoredBaseline) -> v1::StoredBaseline {
        self.revision += 1;
        let baseline = v1::StoredBaseline {
            revision: self.revision,
            ..baseline
        };
        self.baselines.insert(baseline.key.clone(), baseline.clone());
        baseline
    }
}

#[tonic::async_trait]
impl v1::baselines_server::Baselines for Fake {
    async fn capture_baseline(
        &self,
        request: Request<v1::CaptureBaselineRequest>,
    ) -> Answer<v1::CaptureBaselineResponse> {
        let request = request.into_inner();
        let value = v1::BaselineValue {
            metric: "error-rate".into(),
            value: "0.8 %".into(),
            outcomes: 12_000,
            number: 0.008,
            buckets: 61.7,
            hours: 2,
        };
        let origin = v1::BaselineOrigin {
            rollout: request.rollout,
            stage: request.stage,
            arm: "control".into(),
            soaked_us: 900_000_000,
            ..Default::default()
        };
        let baseline = self.state().put_baseline(v1::StoredBaseline {
            key: request.key,
            values: vec![value],
            origin: Some(origin),
            ..Default::default()
        });
        Ok(Response::new(v1::CaptureBaselineResponse {
            baseline: Some(baseline),
            left_out: vec!["p95: no durations were reported".into()],
        }))
    }

    async fn import_baseline(&self, request: Request<v1::ImportBaselineRequest>) -> Answer<v1::ImportBaselineResponse> {
        let request = request.into_inner();
        let value = |(metric, value): (String, String)| v1::BaselineValue {
            metric,
            value,
            ..Default::default()
        };
        let baseline = self.state().put_baseline(v1::StoredBaseline {
            key: request.key,
            description: request.description,
            values: request.values.into_iter().map(value).collect(),
            ..Default::default()
        });
        Ok(Response::new(v1::ImportBaselineResponse {
            baseline: Some(baseline),
        }))
    }

    async fn get_baseline(&self, request: Request<v1::GetBaselineRequest>) -> Answer<v1::GetBaselineResponse> {
        let baseline = Some(self.state().baseline(&request.get_ref().key)?);
        Ok(Response::new(v1::GetBaselineResponse { baseline }))
    }

    async fn list_baselines(&self, request: Request<v1::ListBaselinesRequest>) -> Answer<v1::ListBaselinesResponse> {
        let state = self.state();
        let after = request.into_inner().page_token;
        let mut behind = state.baselines.values().filter(|baseline| baseline.key > after);
        // Pages of one, so that every list of more needs its tokens.
        let baselines = Vec::from_iter(behind.next().cloned());
        let more = behind.next().is_some();
        let next_page_token = baselines.first().filter(|_| more).map(|baseline| baseline.key.clone());
        Ok(Response::new(v1::ListBaselinesResponse {
            baselines,
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    async fn delete_baseline(&self, request: Request<v1::DeleteBaselineRequest>) -> Answer<v1::DeleteBaselineResponse> {
        let mut state = self.state();
        let request = request.into_inner();
        assert_eq!(request.expected_revision, state.baseline(&request.key)?.revision);
        state.baselines.remove(&request.key);
        Ok(Response::new(v1::DeleteBaselineResponse {}))
    }
}

#[tokio::test]
async fn a_baseline_is_imported_shown_listed_and_deleted() {
    let fake = Fake::start().await;
    let run = fake
        .run(&[
            "baseline",
            "import",
            "before",
            "--value",
            "p95=890ms",
            "--value",
            "error-rate=0.8 %",
        ])
        .await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("890ms") && run.out.contains("imported"), "{run:?}");
    let document = "key: later\ndescription: of the dashboards\nvalues: {p99: 2 s}\n";
    let run = fake.run_with_input(&["baseline", "import", "-f", "-"], document).await;
    assert_eq!(run.code, 0, "{run:?}");
    let list = fake.run(&["baseline", "list"]).await;
    assert!(list.out.contains("before") && list.out.contains("p99 2 s"), "{list:?}");
    let shown = fake.run(&["baseline", "show", "later", "-o", "json"]).await;
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["values"][0]["value"], "2 s");
    let run = fake.run(&["baseline", "delete", "later", "--yes"]).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!fake.state().baselines.contains_key("later"));
}

#[tokio::test]
async fn what_cannot_be_a_baseline_is_a_mistake_of_the_caller() {
    let fake = Fake::start().await;
    for (arguments, input, said) in [
        (&["baseline", "import", "before"][..], "", "--value"),
        (&["baseline", "import", "before", "--value", "p95=soon"], "", "soon"),
        (
            &["baseline", "import", "before", "--value", "p95=1s", "--value", "p95=2s"],
            "",
            "twice",
        ),
        (&["baseline", "import", "-f", "-"], "values: {p95: 1 s}", "no key"),
        (
            &["baseline", "import", "other", "-f", "-"],
            "{key: before, values: {p95: 1 s}}",
            "not of other",
        ),
    ] {
        let run = fake.run_with_input(arguments, input).await;
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
        assert!(run.err.contains(said), "{arguments:?}: {run:?}");
    }
}

#[tokio::test]
async fn a_stage_is_captured_by_its_name_and_what_is_left_out_is_said() {
    let fake = Fake::start().await;
    let arguments = [
        "baseline",
        "capture",
        "checkout#3",
        "--stage",
        "observe",
        "--name",
        "before",
    ];
    let run = fake.run(&arguments).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("control in stage observe of checkout#3"), "{run:?}");
    assert!(run.out.contains("12,000"), "{run:?}");
    let told = ["BUCKETS", "62", "2 of 168"];
    assert!(told.iter().all(|told| run.out.contains(told)), "{run:?}");
    assert!(run.err.contains("left out: p95: no durations were reported"), "{run:?}");
}
