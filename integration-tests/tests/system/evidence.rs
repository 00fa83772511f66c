//! Evidence that is asked again: gates that certify, a replay of what happened, other limits, and measurements from
//! outside, each as a person at the console meets it.

use std::time::Duration;

use integration_tests::{
    flags,
    habit::Habit,
    heard::treated,
    plans::{self, everybody, half_for_long, stage},
    service::{Service, Traffic},
    system::System,
    wait,
};
use proto::v1;
use serde_json::{Value, json};

/// A stage of half the units that opens when its criterion is proved.
fn certified(criterion: &str) -> v1::Stage {
    v1::Stage {
        success: vec![criterion.to_owned()],
        gate: "certify".to_owned(),
        max_extensions: 16,
        extension_us: 2_000_000,
        ..stage("proved", 50_000, Duration::from_secs(1))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_opens_on_a_proof_and_not_for_a_rate_at_its_limit() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let mut services = Vec::new();
    for (flag, failing) in [("safe", 0.01), ("at-the-limit", 0.1)] {
        system.operator.create(flags::boolean(flag)).await;
        let plan = plans::plan(flag, &[certified("error-rate < 10 %"), everybody()]);
        system.operator.start(plan).await;
        let traffic = Traffic {
            users: Some(4_999),
            per_second: 500,
            ..Traffic::of(flag).habits(Habit::failing(failing), Habit::failing(failing))
        };
        services.push(Service::start(traffic, &[&agent]).await);
    }
    let proved = system
        .operator
        .rollout_until("proved", "safe#1", |rollout| rollout.stage > 0)
        .await;
    assert!(
        treated(&proved) >= 500,
        "fifty bad outcomes are to be expected first: {}",
        treated(&proved)
    );
    let tried = system
        .operator
        .rollout_until("to have been heard as long", "at-the-limit#1", |rollout| {
            treated(rollout) >= 2 * treated(&proved).min(2_500) || rollout.stage > 0
        })
        .await;
    assert_eq!(tried.stage, 0, "{:?}", tried.criteria);
    assert_eq!(tried.end, None);
    let waits = tried.waits.iter().map(|wait| wait.kind.as_str()).collect::<Vec<_>>();
    assert!(waits.contains(&"certificate"), "{:?}", tried.waits);
    for service in services {
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_was_aborted_is_replayed_to_the_same_decision_and_asked_by_other_limits() {
    let mut system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let guards = ["error-rate > 1x control", "cost-per-query > $0.50"].map(|harm| v1::Guard {
        harm: harm.to_owned(),
        ..v1::Guard::default()
    });
    let plan = v1::Plan {
        guards: guards.to_vec(),
        ..plans::plan("checkout", &[half_for_long()])
    };
    system.operator.start(plan).await;
    let service = Service::start(Traffic::of("checkout").failing(0.3, 0.01), &[&agent]).await;
    let aborted = system.operator.aborted("checkout#1").await;
    service.stop().await;
    assert_eq!(aborted.end.unwrap().cause, "evidence");
    let console = system.console();
    // Once more after a restart: the record alone is enough.
    for restarts in [false, true] {
        if restarts {
            system.control_plane.kill_9().await;
            system.control_plane.restart().await;
        }
        let replayed = console
            .succeeds(&["rollout", "replay", "checkout#1", "-o", "json"])
            .await
            .json();
        assert_eq!(replayed["differs_at"], Value::Null, "{replayed:#}");
        assert_eq!(replayed["decision"], "same", "{replayed:#}");
        assert!(replayed["batches"].as_u64().unwrap() > 0, "{replayed:#}");
        let reached = rungs(&replayed["own"]);
        assert_eq!(reached, ["warn", "hold", "abort"], "{replayed:#}");
    }
    // A limit that lies far beyond what happened would have stopped nothing.
    let asked = |limit: &'static str| {
        let console = &console;
        async move {
            let what_if = ["rollout", "what-if", "checkout#1", "-o", "json", "--guard", limit];
            console.succeeds(&what_if).await.json()
        }
    };
    let lenient = asked("error-rate > 90 %").await;
    assert_eq!(rungs(&lenient["other"]), Vec::<String>::new(), "{lenient:#}");
    let strict = asked("error-rate > 2x control").await;
    assert!(rungs(&strict["other"]).contains(&"warn".to_owned()), "{strict:#}");
    let unknown = ["rollout", "what-if", "checkout#1", "--guard", "p99 > 17 ms"];
    let unknown = console.run(&unknown).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(
        unknown.err.contains("p99 > 17 ms") || unknown.err.contains("counted"),
        "{unknown:?}"
    );
}

fn rungs(course: &Value) -> Vec<String> {
    let reached = course["reached"].as_array().cloned().unwrap_or_default();
    let rung = |reached: &Value| reached["rung"].as_str().unwrap_or_default().to_owned();
    reached.iter().map(rung).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_are_pushed_twice_count_once_and_the_one_too_many_aborts() {
    let mut system = System::start().await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let plan = v1::Plan {
        guards: vec![v1::Guard {
            harm: "complaints > 3 in 24h".to_owned(),
            ..v1::Guard::default()
        }],
        ..plans::plan("checkout", &[half_for_long()])
    };
    system.operator.start(plan).await;
    system
        .operator
        .rollout_until("its clock", "checkout#1", |rollout| rollout.clock_started_at_us > 0)
        .await;
    let console = system.console();
    let push = |key: &'static str, value: &'static str| {
        let console = &console;
        async move {
            let told = [
                "push",
                "--rollout",
                "checkout#1",
                "--metric",
                "complaints",
                "--arm",
                "treatment",
            ];
            let named = ["--key", key, "--value", value, "-o", "json"];
            console.run(&[&told[..], &named[..]].concat()).await
        }
    };
    for key in ["TICKET-1", "TICKET-2", "TICKET-3", "TICKET-2", "TICKET-1"] {
        let pushed = push(key, "1").await;
        assert_eq!(pushed.code, Some(0), "{pushed:?}");
    }
    // The same key with other content is another measurement under a name that is taken.
    let other = push("TICKET-3", "2").await;
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.err.contains("TICKET-3"), "{other:?}");
    let counted = wait::until("three tickets to be counted", async || {
        let rollout = system.operator.rollout("checkout#1").await;
        let guard = rollout.guard_views.first().cloned().unwrap_or_default();
        let value = guard.treatment.unwrap_or_default();
        wait::so((value - 3.0).abs() < 1e-9, &rollout.guard_views).map(|()| rollout)
    })
    .await;
    assert_eq!(counted.end, None, "three are allowed");
    // What was acknowledged is not forgotten by a crash, nor counted again after it.
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    let repeated = push("TICKET-2", "1").await.json();
    assert_eq!(repeated["repeated"], json!(1), "{repeated:#}");
    assert_eq!(system.operator.rollout("checkout#1").await.end, None);
    let fourth = push("TICKET-4", "1").await;
    assert_eq!(fourth.code, Some(0), "{fourth:?}");
    let ended = system
        .operator
        .rollout_until("aborted", "checkout#1", |rollout| rollout.end.is_some())
        .await;
    let end = ended.end.unwrap();
    assert_eq!(
        (end.outcome.as_str(), end.cause.as_str()),
        ("aborted", "rule"),
        "{end:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_that_was_imported_is_taken_over_by_a_plan_and_outlives_its_artifact() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let console = system.console();
    let import = [
        "baseline",
        "import",
        "before",
        "--value",
        "error-rate=2 %",
        "--value",
        "p95=890 ms",
    ];
    console.succeeds(&import).await;
    let refused = console
        .run(&[
            "baseline",
            "import",
            "wrong",
            "--value",
            "error-rate=2 parsecs",
            "--value",
            "p17q=1 s",
        ])
        .await;
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.err.contains("parsecs") || refused.err.contains("error-rate"),
        "{refused:?}"
    );
    system.operator.create(flags::boolean("checkout")).await;
    let plan = v1::Plan {
        guards: vec![v1::Guard {
            harm: "error-rate > baseline + 3 points".to_owned(),
            ..v1::Guard::default()
        }],
        baseline: Some(v1::Baseline {
            source: "captured".to_owned(),
            artifact: "before".to_owned(),
            ..v1::Baseline::default()
        }),
        ..plans::plan("checkout", &[half_for_long()])
    };
    let started = system.operator.start(plan).await;
    console.succeeds(&["baseline", "delete", "before", "--yes"]).await;
    let taken = started.plan.unwrap().baseline.unwrap_or_default();
    assert!(!taken.values.is_empty(), "{taken:?}");
    let service = Service::start(Traffic::of("checkout").failing(0.3, 0.02), &[&agent]).await;
    let ended = system
        .operator
        .rollout_until("aborted", "checkout#1", |rollout| rollout.end.is_some())
        .await;
    service.stop().await;
    let end = ended.end.unwrap();
    assert!(end.reason.contains("baseline + 3 points"), "{}", end.reason);
    let early = console.run(&["baseline", "capture", "checkout#1"]).await;
    assert_eq!(early.code, Some(1), "{early:?}");
    assert!(early.err.contains("15m"), "it says how much is needed: {early:?}");
}

/// A plan whose treatment may use no more than 80 % of its processors.
fn by_cpu(flag: &str) -> v1::Plan {
    v1::Plan {
        guards: vec![v1::Guard {
            harm: "cpu > 80 %".to_owned(),
            ..v1::Guard::default()
        }],
        ..plans::plan(flag, &[half_for_long()])
    }
}

/// What the console is told to push: a level of treatment.
fn cpu<'a>(rollout: &'a str, key: &'a str, value: &'a str) -> [&'a str; 11] {
    [
        "push",
        "--rollout",
        rollout,
        "--metric",
        "cpu",
        "--arm",
        "treatment",
        "--key",
        key,
        "--value",
        value,
    ]
}

/// Starts a rollout by this plan, and waits for its clock.
async fn running(system: &System, plan: v1::Plan) {
    let name = format!("{}#1", plan.flag);
    system.operator.start(plan).await;
    let is_running = |rollout: &v1::Rollout| rollout.clock_started_at_us > 0;
    system.operator.rollout_until("its clock", &name, is_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_that_was_pushed_is_not_forgotten_whenever_the_control_plane_is_killed() {
    let mut system = System::start().await;
    let _agent = system.agent("agent").await;
    let flags = ["at-once", "soon", "later", "late"];
    for flag in flags {
        system.operator.create(flags::boolean(flag)).await;
        running(&system, by_cpu(flag)).await;
        for key in ["1", "2"] {
            let name = format!("{flag}#1");
            system.console().succeeds(&cpu(&name, key, "0.9")).await;
        }
    }
    for (flag, after_ms) in flags.into_iter().zip([0, 10, 20, 40]) {
        let name = format!("{flag}#1");
        // Whether the third is durable then, and whether it was answered or acted upon, is left to chance.
        let (console, third) = (system.console(), cpu(&name, "3", "0.9"));
        let killing = async {
            tokio::time::sleep(Duration::from_millis(after_ms)).await;
            system.control_plane.kill_9().await;
        };
        tokio::join!(console.run(&third), killing);
        system.control_plane.restart().await;
        // Again, as whoever had no answer does; if it was taken, it is no other one.
        console.succeeds(&third).await;
        let ended = system
            .operator
            .rollout_until("aborted", &name, |rollout| rollout.end.is_some())
            .await;
        assert_eq!(ended.end.unwrap().cause, "rule", "{name}");
    }
    for flag in flags {
        let name = format!("{flag}#1");
        let replay = ["rollout", "replay", &name, "-o", "json"];
        let replayed = system.console().succeeds(&replay).await.json();
        assert_eq!(replayed["decision"], "same", "{name}: {replayed:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_by_levels_that_were_pushed_is_replayed_to_the_same_decision_and_asked_by_other_limits() {
    let mut system = System::start().await;
    let _agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    running(&system, by_cpu("checkout")).await;
    // Two in a row, and a restart in between, which forgets nothing: the third is enough.
    for (key, value) in [("1", "0.5"), ("2", "0.9"), ("3", "0.9")] {
        system.console().succeeds(&cpu("checkout#1", key, value)).await;
    }
    system.control_plane.kill_9().await;
    system.control_plane.restart().await;
    assert_eq!(system.operator.rollout("checkout#1").await.end, None);
    system.console().succeeds(&cpu("checkout#1", "4", "0.9")).await;
    let ended = system
        .operator
        .rollout_until("aborted", "checkout#1", |rollout| rollout.end.is_some())
        .await;
    assert_eq!(ended.end.unwrap().cause, "rule");
    let console = system.console();
    let replayed = console
        .succeeds(&["rollout", "replay", "checkout#1", "-o", "json"])
        .await
        .json();
    assert_eq!(replayed["decision"], "same", "{replayed:#}");
    let all = ["warn", "hold", "abort"];
    assert_eq!(rungs(&replayed["own"]), all, "{replayed:#}");
    for (limit, expected) in [("cpu > 95 %", &[][..]), ("cpu > 70 %", &all)] {
        let what_if = ["rollout", "what-if", "checkout#1", "-o", "json", "--guard", limit];
        let other = console.succeeds(&what_if).await.json();
        assert_eq!(rungs(&other["other"]), expected, "{limit}: {other:#}");
    }
    let unread = console
        .run(&["rollout", "what-if", "checkout#1", "--guard", "memory > 512 MiB"])
        .await;
    assert!(unread.err.contains("levels that were read: cpu"), "{unread:?}");
}
