//! A rollout is started from options or a document and followed to its end, which is the exit code.
#![allow(clippy::unwrap_used)]

use proto::v1;

use crate::fake::Fake;

fn rollout(phase: v1::RolloutPhase, wanted_buckets: u32, transitions: &[&str]) -> v1::Rollout {
    let transition = |(at, kind): (usize, &&str)| v1::Transition {
        sequence: at as u64 + 1,
        kind: (*kind).into(),
        ..Default::default()
    };
    v1::Rollout {
        name: "checkout#1".into(),
        phase: phase.into(),
        wanted_buckets,
        transitions: transitions.iter().enumerate().map(transition).collect(),
        ..Default::default()
    }
}

fn ended(phase: v1::RolloutPhase, outcome: &str) -> v1::Rollout {
    let end = v1::RolloutEnd {
        outcome: outcome.into(),
        cause: outcome.into(),
        ..Default::default()
    };
    v1::Rollout {
        end: Some(end),
        ..rollout(phase, 0, &["started", outcome])
    }
}

#[tokio::test]
async fn options_and_a_document_start_the_same_rollout() {
    let fake = Fake::start().await;
    let line = [
        "rollout",
        "start",
        "checkout",
        "--treatment",
        "on",
        "--control",
        "off",
        "--stage",
        "canary:5%:10m",
        "--stage",
        "all:100%:0s",
        "--limit",
        "1.2",
        "--alpha",
        "0.02",
        "--lost-after",
        "45s",
        "--unit",
        "request",
        "--minimum-units",
        "7",
    ];
    let started = fake.run(&line).await;
    assert_eq!(started.code, 0, "{started:?}");
    assert!(
        started.out.contains("tidegate rollout watch 'checkout#1'"),
        "{started:?}"
    );
    let document = "
flag: checkout
treatment: on
control: off
unit: request
stages:
  - {name: canary, percent: 5, dwell: 10m, minimum_units: 7}
  - {name: all, percent: 100, dwell: 0s, minimum_units: 7}
guards: [{metric: error-rate, limit: 1.2, level: abort}]
alpha: 0.02
lost_after: 45s
";
    assert_eq!(
        fake.run_with_input(&["rollout", "start", "-f", "-"], document)
            .await
            .code,
        0
    );
    let plans = fake.state().plans.clone();
    assert_eq!(plans[0], plans[1]);
    assert_eq!(
        fake.run_with_input(&["rollout", "start", "search", "-f", "-"], document)
            .await
            .code,
        2
    );
}

#[tokio::test]
async fn a_watch_ends_as_the_rollout_ends() {
    let fake = Fake::start().await;
    let soaking = rollout(v1::RolloutPhase::Soaking, 5_000, &["started"]);
    let cases = [
        (
            vec![soaking.clone(), ended(v1::RolloutPhase::Completed, "completed")],
            0,
        ),
        (vec![soaking.clone(), ended(v1::RolloutPhase::Aborted, "aborted")], 3),
        (vec![ended(v1::RolloutPhase::Aborting, "aborted")], 3),
        (vec![soaking.clone()], 4),
        (Vec::new(), 4),
    ];
    for (changes, code) in cases {
        fake.state().changes = changes;
        let watch = fake.run(&["rollout", "watch", "checkout"]).await;
        assert_eq!(watch.code, code, "{watch:?}");
    }
}

#[tokio::test]
async fn a_watch_writes_each_change_once() {
    let fake = Fake::start().await;
    let soaking = rollout(v1::RolloutPhase::Soaking, 5_000, &["started"]);
    let end = ended(v1::RolloutPhase::Aborted, "aborted");
    fake.state().changes = vec![soaking.clone(), soaking.clone(), soaking, end];
    let watch = fake.run(&["rollout", "watch", "checkout#1"]).await;
    assert_eq!(
        watch.out.lines().count(),
        5,
        "two transitions, two states, one end: {watch:?}"
    );
    let json = fake.run(&["rollout", "watch", "checkout#1", "-o", "json"]).await;
    let phases: Vec<String> = json
        .out
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["phase"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!((phases, json.code), (vec!["soaking".into(), "aborted".into()], 3));
}

#[tokio::test]
async fn an_abort_that_comes_too_late_is_refused_in_words() {
    let fake = Fake::start().await;
    let refused = fake.run(&["rollout", "abort", "checkout#1"]).await;
    assert_eq!(
        (refused.code, refused.err.as_str()),
        (1, "error: checkout#1 has ended\n")
    );
    let missing = fake.run(&["rollout", "get", "search"]).await;
    assert_eq!((missing.code, missing.err.as_str()), (1, "error: no rollout search\n"));
    let empty = fake.run(&["rollout", "list", "--active"]).await;
    assert_eq!(
        (empty.code, empty.out.as_str()),
        (0, "no active rollouts in production\n")
    );
}
