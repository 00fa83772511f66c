//! Measurements are pushed one by one or as lines of a file, in parts, and a part that is refused says what went before.
#![allow(clippy::unwrap_used)]

use proto::v1::{self, measurement::Of};
use tonic::{Request, Response, Status};

use crate::fake::{Answer, Fake};

#[tonic::async_trait]
impl v1::measurements_server::Measurements for Fake {
    async fn push(&self, request: Request<v1::PushRequest>) -> Answer<v1::PushResponse> {
        let mut state = self.state();
        let request = request.into_inner();
        if request
            .measurements
            .iter()
            .any(|measurement| measurement.metric == "nothing")
        {
            return Err(Status::invalid_argument("measurements[0].metric: nothing is no metric"));
        }
        let before = state.pushed.len();
        let pushed = request.measurements.iter().map(|measurement| v1::Pushed {
            key: measurement.key.clone(),
            metric: measurement.metric.clone(),
            arm: "treatment".into(),
            ..Default::default()
        });
        let pushed: Vec<_> = pushed.collect();
        let is_known = |key: &str| state.pushed.iter().any(|known| known.key == key);
        let repeated_before = pushed.iter().filter(|pushed| is_known(&pushed.key)).count() as u32;
        state.pushed.extend(request.measurements);
        state.asked.push(format!(
            "push rollout={:?} flag={:?} {} after {before}",
            request.rollout,
            request.flag,
            pushed.len()
        ));
        Ok(Response::new(v1::PushResponse {
            rollout: "checkout#3".into(),
            pushed,
            repeated_before,
        }))
    }
}

#[tokio::test]
async fn one_measurement_is_pushed_from_options() {
    let fake = Fake::start().await;
    let run = fake
        .run(&[
            "push",
            "--rollout",
            "checkout#3",
            "--metric",
            "complaints",
            "--arm",
            "treatment",
            "--key",
            "TICKET-17",
        ])
        .await;
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.contains("checkout#3: pushed 1 measurements, 0"), "{run:?}");
    let unit = [
        "push", "--flag", "checkout", "--metric", "revenue", "--value", "-12.5", "--unit", "user-7",
    ];
    let run = fake.run(&[&unit[..], &["--key", "R-1"]].concat()).await;
    assert_eq!(run.code, 0, "{run:?}");
    let state = fake.state();
    assert_eq!(state.pushed[0].values, [1.0]);
    assert_eq!(state.pushed[1].values, [-12.5]);
    assert!(matches!(&state.pushed[1].of, Some(Of::Context(_))));
    let asked = [
        "push rollout=\"checkout#3\" flag=\"\" 1 after 0",
        "push rollout=\"\" flag=\"checkout\" 1 after 1",
    ];
    assert_eq!(state.asked, asked);
}

#[tokio::test]
async fn a_file_is_pushed_in_parts_and_again_without_harm() {
    let fake = Fake::start().await;
    let line =
        |number: usize| format!("{{\"key\": \"T-{number}\", \"metric\": \"complaints\", \"arm\": \"control\"}}\n");
    let text: String = (0..250).map(line).collect();
    for repeated in [0, 250] {
        let run = fake
            .run_with_input(&["push", "--flag", "checkout", "-f", "-"], &text)
            .await;
        assert_eq!(run.code, 0, "{run:?}");
        let said = format!("pushed 250 measurements, {repeated} of them");
        assert!(run.out.contains(&said), "{run:?}");
    }
    assert_eq!(fake.state().asked.len(), 6);
    let json = fake
        .run_with_input(&["push", "--flag", "checkout", "-f", "-", "-o", "json"], &line(1))
        .await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&json["repeated"], &json["measurements"][0]["key"]),
        (&1.into(), &"T-1".into())
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_line_and_with_what_went_before() {
    let fake = Fake::start().await;
    let run = fake.run_with_input(&["push", "-f", "-"], "{\"key\": \"T\"}\n").await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("-:1: "), "{run:?}");
    for arguments in [
        &["push"][..],
        &["push", "--metric", "complaints", "--arm", "treatment"],
        &["push", "--metric", "complaints", "--key", "K"],
        &[
            "push",
            "--metric",
            "complaints",
            "--key",
            "K",
            "--arm",
            "treatment",
            "--unit",
            "u",
        ],
        &[
            "push",
            "--metric",
            "complaints",
            "--key",
            "K",
            "--arm",
            "treatment",
            "--value",
            "NaN",
        ],
    ] {
        let run = fake.run(arguments).await;
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
    }
    let line = |number: usize| {
        let metric = if number == 120 { "nothing" } else { "complaints" };
        format!("{{\"key\": \"T-{number}\", \"metric\": \"{metric}\", \"arm\": \"control\"}}\n")
    };
    let text: String = (0..200).map(line).collect();
    let run = fake
        .run_with_input(&["push", "--flag", "checkout", "-f", "-"], &text)
        .await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.err.contains("100 of 200 measurements were pushed before"),
        "{run:?}"
    );
}
