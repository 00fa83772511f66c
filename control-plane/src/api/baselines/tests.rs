#![allow(clippy::unwrap_used, clippy::expect_used)]

use proto::said::Said;
use rollout::{Phase, Unit};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::{
    builders::{SECOND_US, START_US, actor, advanced, flag, plan_of, production, sources, started, started_by},
    change::rollout::{self as changes, Count},
    record::{Exit, Soak},
    state::BAKING,
    store::Txn,
    trial::Trial,
};

const QUARTER_US: i64 = 15 * 60 * SECOND_US;

/// The service over a store of its own, with a rollout of the flag checkout in its first stage.
struct Service {
    trial: Trial,
    api: BaselinesApi,
}

impl Service {
    async fn new() -> Self {
        let trial = Trial::new().await;
        let state = trial.write(flag("checkout")).await;
        let record = started(plan_of("checkout", Unit::Unit, &[5, 100], SECOND_US), 1);
        let count = Count {
            value: 0,
            revision: None,
        };
        let key = refusal::key("flag", "checkout").unwrap();
        let txn = started_by(&record, state.flag(&production(), &key).unwrap(), count, &actor());
        trial.commit(txn).await;
        let view = View::new(trial.truth.clone(), sources(&trial.truth.state()));
        Self {
            api: BaselinesApi::new(view, QUARTER_US),
            trial,
        }
    }

    fn rollout(&self) -> Arc<RolloutRecord> {
        found_rollout(&self.trial.truth.state(), &production(), "checkout#1").unwrap()
    }

    /// Control of the first stage: 8 bad of 1,000.
    async fn measure(&self) {
        let record = self.rollout();
        let mut evidence = crate::evidence::EvidenceRecord {
            batches: 1,
            sealed_at_us: START_US + QUARTER_US,
            ..crate::evidence::EvidenceRecord::default()
        };
        evidence.visit_mut(0, 1).control.outcomes = 1_000;
        let arms = evidence.sums_mut((0, 1)).metrics.entry((0, 0)).or_default();
        arms.control.add(1, 8, 1_000);
        let sums = model::write_sums(&evidence.sums[&(0, 1)]);
        let txn = Txn::default()
            .put(
                keys::evidence(&production(), record.id),
                model::write_evidence(&evidence),
            )
            .put(keys::sums_of(&production(), record.id, (0, 1)), sums);
        self.trial.commit(txn).await;
    }

    async fn soak(&self, soaked_us: i64) {
        let record = self.rollout();
        let soak = Soak {
            visits: record.state.visits.len() as u32 + u32::from(record.state.is_baking()) * BAKING,
            soaked_us,
        };
        self.trial.commit(changes::soak(&record, soak)).await;
    }

    async fn capture(&self, stage: &str, key: &str) -> Result<v1::CaptureBaselineResponse, Status> {
        let mut request = Request::new(v1::CaptureBaselineRequest {
            environment: "production".to_owned(),
            rollout: "checkout".to_owned(),
            stage: stage.to_owned(),
            key: key.to_owned(),
            description: "d".to_owned(),
        });
        Said::Actor.say(request.metadata_mut(), "ada");
        Ok(self.api.capture_baseline(request).await?.into_inner())
    }

    async fn import(&self, key: &str, values: &[(&str, &str)]) -> Result<v1::StoredBaseline, Status> {
        let text = |(metric, value): &(&str, &str)| ((*metric).to_owned(), (*value).to_owned());
        let request = v1::ImportBaselineRequest {
            environment: "production".to_owned(),
            key: key.to_owned(),
            description: String::new(),
            values: values.iter().map(text).collect(),
        };
        let response = self.api.import_baseline(Request::new(request)).await?;
        Ok(response.into_inner().baseline.unwrap())
    }

    async fn get(&self, key: &str) -> Result<v1::StoredBaseline, Status> {
        let request = v1::GetBaselineRequest {
            environment: "production".to_owned(),
            key: key.to_owned(),
        };
        let response = self.api.get_baseline(Request::new(request)).await?;
        Ok(response.into_inner().baseline.unwrap())
    }

    async fn list(&self, page_size: u32, page_token: &str) -> v1::ListBaselinesResponse {
        let request = v1::ListBaselinesRequest {
            environment: "production".to_owned(),
            page_size,
            page_token: page_token.to_owned(),
        };
        self.api
            .list_baselines(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    }

    async fn delete(&self, key: &str, expected_revision: u64) -> Result<(), Status> {
        let request = v1::DeleteBaselineRequest {
            environment: "production".to_owned(),
            key: key.to_owned(),
            expected_revision,
        };
        self.api.delete_baseline(Request::new(request)).await.map(drop)
    }
}

/// The fields that a refusal names.
fn fields(status: &Status) -> Vec<String> {
    let found = status.get_details_bad_request().map(|found| found.field_violations);
    found.unwrap_or_default().into_iter().map(|found| found.field).collect()
}

#[tokio::test]
async fn a_live_visit_is_captured_once_it_has_soaked_for_a_quarter_of_an_hour() {
    let service = Service::new().await;
    service.measure().await;
    service.soak(QUARTER_US - 1).await;
    let refused = service.capture("", "").await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("14m59s of complete data"), "{refused:?}");
    service.soak(QUARTER_US).await;
    let captured = service.capture("at-5", "").await.unwrap();
    let baseline = captured.baseline.unwrap();
    assert_eq!(baseline.key, "checkout-1-at-5");
    assert_eq!(baseline.created_by, "ada");
    let error_rate = baseline
        .values
        .iter()
        .find(|value| value.metric == "error-rate")
        .unwrap();
    assert_eq!((error_rate.value.as_str(), error_rate.outcomes), ("0.8 %", 1_000));
    assert!(
        captured.left_out.iter().any(|left| left.starts_with("p95: ")),
        "{:?}",
        captured.left_out
    );
    let origin = baseline.origin.clone().unwrap();
    assert_eq!((origin.rollout.as_str(), origin.stage.as_str()), ("checkout#1", "at-5"));
    assert_eq!(service.get("checkout-1-at-5").await.unwrap(), baseline);
    let taken = service.capture("", "").await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
}

#[tokio::test]
async fn a_visit_that_was_left_is_captured_as_it_was_when_it_was_left() {
    let service = Service::new().await;
    service.measure().await;
    let before = service.rollout();
    let after = advanced(&before);
    let exit = Exit {
        stage: 0,
        visit: 1,
        entered_at_us: START_US,
        left_at_us: START_US + 2 * QUARTER_US,
        soaked_us: QUARTER_US,
        sequence: after.state.sequence,
        counts: crate::evidence::Counts::default(),
        evidence: None,
        criteria: Vec::new(),
        metrics: Vec::new(),
    };
    let evidence = service.trial.truth.state().evidence_of(before.id).revision;
    let txn = changes::advance(&before, &after, Some(&exit), evidence, &actor());
    service.trial.commit(txn).await;
    assert_eq!(service.rollout().state.phase, Phase::Ramp);
    let origin = service
        .capture("", "left")
        .await
        .unwrap()
        .baseline
        .unwrap()
        .origin
        .unwrap();
    assert_eq!(
        (origin.soaked_us, origin.until_us),
        (QUARTER_US, START_US + 2 * QUARTER_US)
    );
    let everybody = service.capture("at-100", "").await.unwrap_err();
    assert!(
        everybody.message().contains("everybody had the treatment"),
        "{everybody:?}"
    );
    let nowhere = service.capture("at-50", "").await.unwrap_err();
    assert_eq!(fields(&nowhere), ["stage"]);
}

#[tokio::test]
async fn what_an_operator_knows_is_kept_in_the_names_and_units_of_the_catalogue() {
    let service = Service::new().await;
    let values = [("Latency", "890 ms"), ("error rate", "0.8 %"), ("shop-returns", "12")];
    let stored = service.import("before", &values).await.unwrap();
    let known: Vec<_> = stored
        .values
        .iter()
        .map(|value| (value.metric.as_str(), value.number))
        .collect();
    assert_eq!(
        known,
        [("error-rate", 0.008), ("p95", 890_000.0), ("shop-returns", 12.0)]
    );
    assert!(stored.origin.is_none());
    let wrong = [
        ("p95", "0.8 %"),
        ("latency", "1 s"),
        ("eror-rate", "1 %"),
        ("p99", "soon"),
        ("p50", "1 s"),
    ];
    let refused = service.import("be fore", &wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        fields(&refused),
        ["key", "values.eror-rate", "values.p95", "values.p99"]
    );
    let twice = service
        .import("twice", &[("p95", "1 s"), ("latency", "1 s")])
        .await
        .unwrap_err();
    assert_eq!(fields(&twice), ["values.p95"]);
    assert_eq!(fields(&service.import("none", &[]).await.unwrap_err()), ["values"]);
    let more_than_all = service.import("all", &[("error-rate", "120 %")]).await.unwrap_err();
    assert!(
        more_than_all.message().contains("within 0 and 100 %"),
        "{more_than_all:?}"
    );
}

#[tokio::test]
async fn baselines_are_listed_in_pages_and_deleted_at_the_revision_that_was_seen() {
    let service = Service::new().await;
    for key in ["a", "b", "c"] {
        service.import(key, &[("p95", "1 s")]).await.unwrap();
    }
    let first = service.list(2, "").await;
    let keys = |page: &v1::ListBaselinesResponse| -> Vec<String> {
        page.baselines.iter().map(|baseline| baseline.key.clone()).collect()
    };
    assert_eq!(keys(&first), ["a", "b"]);
    assert_eq!(keys(&service.list(2, &first.next_page_token).await), ["c"]);
    let seen = service.get("b").await.unwrap().revision;
    assert_eq!(
        service.delete("b", seen + 1).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    service.delete("b", seen).await.unwrap();
    assert_eq!(service.get("b").await.unwrap_err().code(), Code::NotFound);
    service.import("before-checkout", &[("p95", "1 s")]).await.unwrap();
    let missing = service.get("before-chekout").await.unwrap_err();
    assert!(
        missing.message().ends_with("did you mean before-checkout?"),
        "{missing:?}"
    );
    assert_eq!(service.delete("b", 0).await.unwrap_err().code(), Code::NotFound);
    service.import("b", &[("p99", "2 s")]).await.unwrap();
}

#[tokio::test]
async fn baselines_are_there_after_a_restart() {
    let service = Service::new().await;
    let stored = service.import("before", &[("revenue", "4.20 EUR")]).await.unwrap();
    let Service { trial, api } = service;
    drop(api);
    let trial = trial.again().await;
    let view = View::new(trial.truth.clone(), sources(&trial.truth.state()));
    let again = Service {
        api: BaselinesApi::new(view, QUARTER_US),
        trial,
    };
    assert_eq!(again.get("before").await.unwrap(), stored);
}
