//! Levels that a Prometheus is asked for: a limit that is broken stops a rollout, one that is kept does not, and whatever
//! else is answered is no verdict, and is shown.

use std::time::Duration;

use integration_tests::{
    acts::simple,
    flags,
    plans::{self, half_for_long, micros},
    prometheus::{Prometheus, Said},
    system::{PRODUCTION, System},
    violations, wait,
};
use proto::v1::{self, plans_client::PlansClient};

/// A control plane that knows a Prometheus.
async fn system(prometheus: &Prometheus) -> System {
    System::start_with(&["--prometheus", &prometheus.url()]).await
}

/// A rollout of half the units whose queue may be no longer than a guard says.
fn plan(flag: &str, guard: &str) -> v1::Plan {
    let depth = v1::OwnMetric {
        key: "queue-depth".to_owned(),
        unit: "count".to_owned(),
        prometheus: Some(v1::PrometheusQuery {
            query: "max(queue_depth{flag=\"{{flag}}\", variant=\"{{variant}}\"})".to_owned(),
            interval_us: micros(Duration::from_secs(5)),
            ..v1::PrometheusQuery::default()
        }),
        ..v1::OwnMetric::default()
    };
    v1::Plan {
        metrics: vec![depth],
        guards: vec![v1::Guard {
            harm: guard.to_owned(),
            ..v1::Guard::default()
        }],
        ..plans::plan(flag, &[half_for_long()])
    }
}

/// What a query of this arm of this flag holds.
fn of(flag: &str, variant: &str) -> String {
    format!("{{flag=\"{flag}\", variant=\"{variant}\"}}")
}

/// The one level of a rollout.
fn level(rollout: &v1::Rollout) -> v1::LevelReading {
    let [level] = rollout.levels.as_slice() else {
        panic!("{:#?}", rollout.levels)
    };
    level.clone()
}

async fn asked(prometheus: &Prometheus, part: &str, times: usize) {
    wait::until(&format!("{part} to be asked for {times} times"), async || {
        let asked = prometheus.asked(part);
        wait::so(asked >= times, asked)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_beyond_its_limit_stops_a_rollout_and_one_at_its_limit_does_not() {
    let prometheus = Prometheus::start().await;
    let system = system(&prometheus).await;
    let _agent = system.agent("agent").await;
    for flag in ["aborts", "against", "returns", "fine"] {
        system.operator.create(flags::boolean(flag)).await;
    }
    for flag in ["aborts", "returns"] {
        prometheus.says(&of(flag, "on"), Said::number(101.0));
    }
    prometheus.says(&of("against", "on"), Said::number(41.0));
    prometheus.says(&of("against", "off"), Said::number(20.0));
    prometheus.says(&of("fine", "on"), Said::number(100.0));
    system.operator.start(plan("fine", "queue-depth > 100")).await;
    system.operator.start(plan("aborts", "queue-depth > 100")).await;
    system.operator.start(plan("against", "queue-depth > 2x control")).await;
    let mut returns = plan("returns", "error-rate > 50 %");
    returns.stages[0].rollback = vec!["queue-depth > 100".to_owned()];
    system.operator.start(returns).await;

    for (rollout, outcome, cause) in [
        ("aborts#1", "aborted", "rule"),
        ("against#1", "aborted", "rule"),
        ("returns#1", "rolled-back", "criterion"),
    ] {
        let ended = system
            .operator
            .rollout_until("ended", rollout, |rollout| rollout.end.is_some())
            .await;
        let end = ended.end.unwrap();
        assert_eq!((&*end.outcome, &*end.cause), (outcome, cause), "{rollout}: {end:?}");
        assert!(end.reason.contains("queue-depth"), "{rollout}: {}", end.reason);
        let replayed = system
            .console()
            .succeeds(&["rollout", "replay", rollout, "-o", "json"])
            .await;
        let replayed = replayed.json();
        assert_eq!(replayed["decision"], "same", "{replayed:#}");
        if cause == "rule" {
            assert_eq!(replayed["own"]["reached"][2]["rung"], "abort", "{replayed:#}");
        }
    }
    let what_if = [
        "rollout",
        "what-if",
        "aborts#1",
        "--guard",
        "queue-depth > 200",
        "-o",
        "json",
    ];
    let lenient = system.console().succeeds(&what_if).await.json();
    assert_eq!(lenient["other"]["reached"], serde_json::json!([]), "{lenient:#}");
    assert!(
        prometheus.asked(&of("aborts", "on")) >= 3,
        "one reading decides nothing"
    );

    asked(&prometheus, &of("fine", "on"), 4).await;
    let fine = system.operator.rollout("fine#1").await;
    assert_eq!(fine.end, None, "{:?}", fine.end);
    assert_eq!(fine.guards[0].finding, "none");
    let read = level(&fine);
    assert_eq!((read.treatment, read.control), (Some(100.0), None));
    assert_eq!(
        (&*read.source, &*read.unit, &*read.missing),
        ("prometheus", "count", "")
    );
    assert_eq!(read.control_missing, "no data: the query finds no series");
    // It is heard all the same, and no part of the evidence.
    assert_eq!(fine.evidence.unwrap().log_evidence, None);
    prometheus.says(&of("fine", "on"), Said::number(101.0));
    let ended = system
        .operator
        .rollout_until("aborted", "fine#1", |rollout| rollout.end.is_some())
        .await;
    assert_eq!(ended.end.unwrap().outcome, "aborted");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_data_holds_no_verdict_and_is_shown() {
    let prometheus = Prometheus::start().await;
    let system = system(&prometheus).await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", "queue-depth > 100")).await;
    let why = "no data: the query finds no series";
    let silent = system
        .operator
        .rollout_until("shown as silent", "checkout#1", |rollout| level(rollout).missing == why)
        .await;
    assert_eq!((&silent.end, level(&silent).at_us), (&None, 0));
    asked(&prometheus, &of("checkout", "on"), 4).await;
    let silent = system.operator.rollout("checkout#1").await;
    assert_eq!(silent.end, None);
    assert_eq!(silent.guards[0].finding, "no data");
    let page = system.console().succeeds(&["rollout", "get", "checkout#1"]).await;
    assert!(page.out.contains(&format!("no queue-depth: {why}")), "{}", page.out);
    prometheus.says(&of("checkout", "on"), Said::number(7.0));
    let heard = system
        .operator
        .rollout_until("heard", "checkout#1", |rollout| level(rollout).treatment == Some(7.0))
        .await;
    assert_eq!(level(&heard).missing, "");
    // The number stands for its time; that the next question failed is told at once.
    prometheus.says(&of("checkout", "on"), Said::Raw(500, "oops".to_owned()));
    let failing = system
        .operator
        .rollout_until("told", "checkout#1", |rollout| level(rollout).missing.contains("500"))
        .await;
    assert_eq!(level(&failing).treatment, Some(7.0));
    let page = system
        .console()
        .succeeds(&["rollout", "get", "checkout#1", "-o", "json"])
        .await;
    assert_eq!(page.json()["levels"][0]["source"], "prometheus");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_prometheus_answers_is_survived_and_shown() {
    let mut prometheus = Prometheus::start().await;
    let mut system = system(&prometheus).await;
    let _agent = system.agent("agent").await;
    let answers = [
        (
            "down",
            Said::Raw(500, "oops".to_owned()),
            "Prometheus answered 500",
            "status",
        ),
        (
            "garbage",
            Said::Raw(200, "\u{0}{<".to_owned()),
            "not one of Prometheus's query API",
            "malformed",
        ),
        (
            "huge",
            Said::Raw(200, "9".repeat(32 << 20)),
            "longer than 65536 bytes",
            "too_long",
        ),
        ("many", Said::Series(500), "several series", "several_series"),
        (
            "nan",
            Said::Number("NaN".to_owned()),
            "NaN, which is no number",
            "not_finite",
        ),
        (
            "infinite",
            Said::Number("+Inf".to_owned()),
            "inf, which is no number",
            "not_finite",
        ),
        ("negative", Said::number(-1.0), "never below 0", "impossible"),
        ("silent", Said::Nothing, "did not answer in time", "timed_out"),
        (
            "refused",
            Said::Raw(
                400,
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#.to_owned(),
            ),
            "refused the query: bad_data: parse error",
            "refused",
        ),
    ];
    for (flag, said, _, _) in &answers {
        system.operator.create(flags::boolean(flag)).await;
        prometheus.says(&of(flag, "on"), said.clone());
        system.operator.start(plan(flag, "queue-depth > 0")).await;
    }
    for (flag, _, why, result) in &answers {
        let name = format!("{flag}#1");
        let shown = system
            .operator
            .rollout_until(why, &name, |rollout| level(rollout).missing.contains(why))
            .await;
        assert_eq!((&shown.end, level(&shown).treatment), (&None, None), "{flag}");
        let series = format!("tidegate_prometheus_queries_total{{result=\"{result}\"}}");
        assert!(system.control_plane.metric(&series).await >= 1.0, "{series}");
    }
    prometheus.goes().await;
    let away = |rollout: &v1::Rollout| level(rollout).missing.contains("cannot be reached");
    system.operator.rollout_until("away", "down#1", away).await;
    prometheus.comes().await;
    prometheus.says(&of("down", "on"), Said::number(0.0));
    let back = |rollout: &v1::Rollout| level(rollout).treatment == Some(0.0);
    let heard = system.operator.rollout_until("back", "down#1", back).await;
    assert_eq!(heard.end, None);
    for (flag, ..) in &answers {
        let rollout = system.operator.rollout(&format!("{flag}#1")).await;
        assert_eq!(rollout.end, None, "{flag}: no answer is a verdict");
    }
    assert!(system.control_plane.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_rollout_is_asked_about_and_an_ended_one_is_not() {
    let prometheus = Prometheus::start().await;
    let system = system(&prometheus).await;
    let _agent = system.agent("agent").await;
    for flag in ["paused", "ended"] {
        system.operator.create(flags::boolean(flag)).await;
        prometheus.says(&of(flag, "on"), Said::number(1.0));
        system.operator.start(plan(flag, "queue-depth > 100")).await;
        asked(&prometheus, &of(flag, "on"), 1).await;
    }
    system.operator.act("paused#1", simple::PAUSE).await;
    system.operator.try_abort("ended#1").await.unwrap();
    system.operator.aborted("ended#1").await;
    let (before, ended) = (
        prometheus.asked(&of("paused", "on")),
        prometheus.asked(&of("ended", "on")),
    );
    asked(&prometheus, &of("paused", "on"), before + 3).await;
    // One may have been under way.
    assert!(
        prometheus.asked(&of("ended", "on")) <= ended + 1,
        "nobody asks about what has ended"
    );
    prometheus.says(&of("paused", "on"), Said::number(101.0));
    let ended = system
        .operator
        .rollout_until("aborted while paused", "paused#1", |rollout| rollout.end.is_some())
        .await;
    assert_eq!(ended.end.unwrap().cause, "rule");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_switch_trips_by_a_level_without_any_rollout() {
    let prometheus = Prometheus::start().await;
    let system = system(&prometheus).await;
    let _agent = system.agent("agent").await;
    for (flag, depth) in [("harmful", 101.0), ("fine", 100.0)] {
        system.operator.create(flags::boolean(flag)).await;
        // Everybody is served the default.
        prometheus.says(&of(flag, "off"), Said::number(depth));
        let plan = v1::Plan {
            key: format!("stand-by-{flag}"),
            kill_switch: Some(v1::KillSwitch {
                auto_trip: true,
                conditions: vec!["queue-depth > 100".to_owned()],
                ..v1::KillSwitch::default()
            }),
            ..plan(flag, "error-rate > 50 %")
        };
        let request = v1::CreatePlanRequest {
            environment: PRODUCTION.to_owned(),
            plan: Some(plan),
        };
        let mut plans = PlansClient::new(system.operator.channel());
        plans.create_plan(request).await.unwrap();
    }
    wait::until("the kill switch to trip", async || {
        let flag = system.operator.get("harmful").await.flag.unwrap_or_default();
        wait::so(flag.killed, flag)
    })
    .await;
    asked(&prometheus, &of("fine", "off"), 4).await;
    assert!(!system.operator.get("fine").await.flag.unwrap().killed);
    let acts = system.operator.audit("harmful").await;
    let kill = acts.iter().find(|act| act.action == "flag.kill").unwrap();
    assert!(kill.reason.contains("queue-depth > 100"), "{kill:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_needs_a_prometheus_is_refused_where_none_is_known() {
    let system = System::start().await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let refused = system.operator.try_start(plan("checkout", "queue-depth > 100")).await;
    let refused = refused.unwrap_err();
    violations::names_exactly("the start", &refused, &["plan.metrics[0].prometheus"]);
    assert!(refused.message().contains("--prometheus URL"), "{refused}");
    let mut broken = plan("checkout", "queue-depth > 2x control");
    let query = broken.metrics[0].prometheus.as_mut().unwrap();
    query.query = "max(queue_depth{flag={{flag}}, v=\"{{vairant}}\"}".to_owned();
    let refused = system.operator.try_start(broken).await.unwrap_err();
    assert_eq!(violations::fields(&refused), ["plan.metrics[0].prometheus.query"; 3]);
}
