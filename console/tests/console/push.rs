//! Measurements are pushed one by one or as lines of a file, in parts, and a part that is refused says what went before.
#![allow(clippy::unwrap_used)]

use proto::v1::{self, measurement::Of};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

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
        let wrong = request.measurements.iter().position(|one| one.metric == "unfit");
        if let Some(at) = wrong {
            let fields = [("stands_for_us", "is for levels"), ("values[0]", "is 17")];
            let violations =
                fields.map(|(field, what)| FieldViolation::new(format!("measurements[{at}].{field}"), what));
            let details = ErrorDetails::with_bad_request(violations.to_vec());
            return Err(Status::with_error_details(
                Code::InvalidArgument,
                "two violations",
                details,
            ));
        }
        let at_of = |key: &str| {
            state
                .pushed
                .iter()
                .find(|known| known.key == key)
                .map(|known| known.at_us)
        };
        let moved = request
            .measurements
            .iter()
            .find(|one| at_of(&one.key).is_some_and(|at_us| at_us != one.at_us));
        if let Some(moved) = moved {
            return Err(Status::already_exists(format!(
                "{} was pushed with another time",
                moved.key
            )));
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

#[tokio::test]
async fn what_is_refused_is_named_as_people_wrote_it() {
    let fake = Fake::start().await;
    let push = |rest: &[&'static str]| [&["push", "--flag", "checkout"], rest].concat();
    let options = push(&["--metric", "unfit", "--arm", "control", "--key", "K", "--for", "2m"]);
    let run = fake.run(&options).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.err.contains("--for: is for levels") && run.err.contains("--value: is 17"),
        "{run:?}"
    );
    let text = "\n{\"key\": \"A\", \"metric\": \"cpu\", \"arm\": \"control\"}\n\n\
                {\"key\": \"B\", \"metric\": \"unfit\", \"arm\": \"control\"}\n";
    let run = fake.run_with_input(&push(&["-f", "-"]), text).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("-:4: for: is for levels"), "{run:?}");
    assert!(run.err.contains("-:4: values[0]: is 17"), "{run:?}");
    let long = push(&["--metric", "cpu", "--arm", "control", "--key", "K", "--for", "30h"]);
    let run = fake.run(&long).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("--for") && run.err.contains("24h"), "{run:?}");
}

#[tokio::test]
async fn a_push_with_a_time_from_now_that_is_repeated_is_told_how_to_write_it() {
    let fake = Fake::start().await;
    let push = |at| {
        [
            "push",
            "--flag",
            "checkout",
            "--metric",
            "complaints",
            "--arm",
            "control",
            "--key",
            "R-1",
            "--at",
            at,
        ]
    };
    assert_eq!(fake.run(&push("5m")).await.code, 0);
    let run = fake.run(&push("6m")).await;
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("another time at each run"), "{run:?}");
    // A moment is the same at each run.
    let run = fake.run(&push("2026-01-01T00:00:00Z")).await;
    assert!(run.code == 1 && !run.err.contains("at each run"), "{run:?}");
}
