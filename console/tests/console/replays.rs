//! A rollout is judged again; the exit code says whether all is as it was recorded.
#![allow(clippy::unwrap_used)]

use proto::v1;

use crate::fake::Fake;

fn same() -> v1::ReplayRolloutResponse {
    v1::ReplayRolloutResponse {
        rollout: "checkout#3".into(),
        batches: 12,
        sealed: 12,
        decision: "same".into(),
        own: Some(v1::Course::default()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_replay_exits_with_1_unless_all_agrees() {
    let fake = Fake::start().await;
    let differs = v1::ReplayRolloutResponse {
        differs_at: 3,
        ..same()
    };
    let decision = v1::ReplayRolloutResponse {
        decision: "differs".into(),
        ..same()
    };
    let in_part = v1::ReplayRolloutResponse {
        decision: "not-replayed".into(),
        ..same()
    };
    for (replay, code) in [(same(), 0), (differs, 1), (decision, 1), (in_part, 0)] {
        fake.state().replay = replay;
        let run = fake.run(&["rollout", "replay", "checkout#3"]).await;
        assert_eq!(run.code, code, "{run:?}");
        let json = fake.run(&["rollout", "replay", "checkout#3", "-o", "json"]).await;
        assert_eq!(json.code, code, "{json:?}");
        let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(json["batches"], 12);
    }
}

#[tokio::test]
async fn other_limits_are_asked_for_as_they_are_written() {
    let fake = Fake::start().await;
    fake.state().replay = v1::ReplayRolloutResponse {
        other: Some(v1::Course::default()),
        ..same()
    };
    let line = [
        "rollout",
        "what-if",
        "checkout#3",
        "--guard",
        "errors > 2x control",
        "--guard",
        "revenue -5 % against control",
        "--alpha",
        "0.05",
    ];
    let run = fake.run(&line).await;
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        fake.state().asked.last().unwrap(),
        "replay checkout#3 Some(([\"error-rate > 2x control\", \"revenue < 0.95x control\"], 0.05))"
    );
    for wrong in [
        &["rollout", "what-if", "checkout#3"][..],
        &["rollout", "what-if", "checkout#3", "--guard", "all metrics stable"],
        &["rollout", "what-if", "checkout#3", "--alpha", "2"],
    ] {
        let run = fake.run(wrong).await;
        assert_eq!(run.code, 2, "{run:?}");
    }
}

#[tokio::test]
async fn a_series_is_read_to_its_last_page() {
    let fake = Fake::start().await;
    let page = |batch, next: &str| v1::GetSeriesResponse {
        rollout: "checkout#3".into(),
        series: vec![v1::Series {
            metric: "error-rate".into(),
            counted: "error-rate".into(),
            points: vec![v1::Point {
                batch,
                ..Default::default()
            }],
            ..Default::default()
        }],
        next_page_token: next.into(),
        ..Default::default()
    };
    fake.state().series = vec![page(1, "11.10"), page(11, "")];
    let line = [
        "metrics",
        "series",
        "checkout#3",
        "--metric",
        "Error Rate",
        "-o",
        "json",
    ];
    let run = fake.run(&line).await;
    assert_eq!(run.code, 0, "{run:?}");
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let points = json["series"][0]["points"].as_array().unwrap();
    assert_eq!((&points[0]["batch"], &points[1]["batch"]), (&1.into(), &11.into()));
    assert_eq!(
        fake.state().asked,
        [
            "series checkout#3 error-rate 50 \"\"",
            "series checkout#3 error-rate 50 \"11.10\""
        ]
    );
}
