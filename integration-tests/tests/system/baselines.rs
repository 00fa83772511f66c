//! Baselines that are captured: what a stage was like judges a treatment that everybody gets, beside which there is no
//! control any more.

use std::time::Duration;

use integration_tests::{
    agent::Agent,
    flags,
    heard::treated,
    plans::{self, micros, stage},
    records::now_us,
    service::{Service, Traffic},
    system::System,
    wait,
};
use proto::v1;
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
/// More than the test below takes.
const ROOM: Duration = Duration::from_secs(120);

/// Waits until the hour has a while to go, for what is captured in one hour says nothing of the next.
async fn hour_with_room() {
    let left_us = || micros(HOUR) - now_us() % micros(HOUR);
    while left_us() < micros(ROOM) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Captures a shadow stage, in which 2 % of all requests fail, as `before`.
async fn captured(system: &System, agent: &Agent) -> Value {
    system.operator.create(flags::boolean("observed")).await;
    let observe = v1::Stage {
        shadow: true,
        ..stage("observe", 50_000, DAY)
    };
    system.operator.start(plans::plan("observed", &[observe])).await;
    let traffic = Traffic::of("observed").failing(0.02, 0.02);
    let service = Service::start(traffic, &[agent]).await;
    let console = system.console();
    let capture = ["baseline", "capture", "observed#1", "--name", "before"];
    let early = console.run(&capture).await;
    assert_eq!(early.code, Some(1), "{early:?}");
    assert!(early.err.contains("a baseline needs 8s"), "{early:?}");
    wait::until("the stage to have soaked", async || {
        let made = console.run(&capture).await;
        wait::so(made.code == Some(0), made)
    })
    .await;
    service.stop().await;
    console
        .succeeds(&["baseline", "show", "before", "-o", "json"])
        .await
        .json()
}

/// Starts a rollout to everybody at once under one guard that compares with `before`.
async fn everybody_at_once(system: &System, flag: &str, harm: &str) {
    system.operator.create(flags::boolean(flag)).await;
    let plan = v1::Plan {
        guards: vec![v1::Guard {
            harm: harm.to_owned(),
            level: v1::GuardLevel::Abort.into(),
            ..v1::Guard::default()
        }],
        baseline: Some(v1::Baseline {
            source: "captured".to_owned(),
            artifact: "before".to_owned(),
            ..v1::Baseline::default()
        }),
        ..plans::plan(flag, &[stage("all", 100_000, DAY)])
    };
    system.operator.start(plan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stage_was_like_aborts_what_is_worse_for_everybody_and_not_what_is_alike() {
    hour_with_room().await;
    let mut system = System::start_with(&["--shortest-capture", "8s"]).await;
    let agent = system.agent("agent").await;
    let before = captured(&system, &agent).await;
    let kept = before["values"].as_array().unwrap();
    let rate = kept.iter().find(|value| value["metric"] == "error-rate").unwrap();
    assert!((32.0..=64.0).contains(&rate["buckets"].as_f64().unwrap()), "{before:#}");
    assert_eq!(rate["hours"], 1, "{before:#}");

    let mut services = Vec::new();
    for (flag, harm, failing) in [
        ("alike", "error-rate > 2x baseline", 0.02),
        ("alike-by-hour", "error-rate > 2x baseline-same-hour", 0.02),
        ("worse", "error-rate > 2x baseline", 0.2),
        ("worse-by-hour", "error-rate > 2x baseline-same-hour", 0.2),
    ] {
        everybody_at_once(&system, flag, harm).await;
        let traffic = Traffic {
            per_second: 100,
            ..Traffic::of(flag).failing(failing, failing)
        };
        services.push(Service::start(traffic, &[&agent]).await);
    }
    let mut heard = 0;
    for name in ["worse#1", "worse-by-hour#1"] {
        let aborted = system.operator.aborted(name).await;
        let end = aborted.end.as_ref().unwrap();
        assert_eq!(end.cause, "evidence", "{end:?}");
        assert!(end.reason.contains("2x baseline"), "{end:?}");
        heard = heard.max(treated(&aborted));
    }
    for name in ["alike#1", "alike-by-hour#1"] {
        let alike = system.operator.heard(name, 2 * heard).await;
        assert_eq!((alike.end.as_ref(), alike.hold_reasons.len()), (None, 0), "{alike:?}");
    }
    for service in services {
        service.stop().await;
    }
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    for name in ["worse#1", "worse-by-hour#1", "alike#1", "alike-by-hour#1"] {
        let replay = ["rollout", "replay", name, "-o", "json"];
        let replayed = system.console().succeeds(&replay).await.json();
        assert_eq!(
            (&replayed["differs_at"], &replayed["decision"]),
            (&Value::Null, &"same".into()),
            "{name}: {replayed:#}"
        );
    }
}
