//! Every rule that users write: a rollout that breaks it is stopped by it, and one just inside of it is not.
//!
//! Each test has two flags under the same guard, one whose treatment breaks it and one whose treatment does not; both
//! serve the same users. The second must have been heard long enough to be judged.

use integration_tests::{
    flags,
    habit::Habit,
    plans::{self, half_for_long},
    service::{Service, Traffic},
    system::{PRODUCTION, System},
    wait,
};
use proto::v1::{self, plans_client::PlansClient};

/// Outcomes of treatment after which a rollout that is inside its limit has been heard.
const HEARD: u64 = 1_300;

/// A rule, and what is known of the time before.
#[derive(Default)]
struct Rule {
    guard: &'static str,
    baseline: &'static [(&'static str, &'static str)],
}

/// A rollout of half the units under one guard alone.
fn plan(flag: &str, rule: &Rule) -> v1::Plan {
    let guard = v1::Guard {
        harm: rule.guard.to_owned(),
        ..v1::Guard::default()
    };
    let values = rule.baseline.iter();
    v1::Plan {
        guards: vec![guard],
        baseline: Some(v1::Baseline {
            values: values
                .map(|(metric, value)| ((*metric).to_owned(), (*value).to_owned()))
                .collect(),
            ..v1::Baseline::default()
        }),
        lost_after_us: 3_000_000,
        ..plans::plan(flag, &[half_for_long()])
    }
}

/// Breaking the rule ends the rollout by it; being inside does not.
async fn trips(rule: Rule, control: Habit, harmful: Habit, fine: Habit) {
    let cause = Box::pin(trips_by(rule, control, harmful, fine)).await;
    assert_eq!(cause, "evidence");
}

/// The cause by which the harmful one ended.
async fn trips_by(rule: Rule, control: Habit, harmful: Habit, fine: Habit) -> String {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    for flag in ["harmful", "fine"] {
        system.operator.create(flags::boolean(flag)).await;
        system.operator.start(plan(flag, &rule)).await;
    }
    let traffic = |flag: &str, treatment: Habit| Traffic {
        per_second: 220,
        ..Traffic::of(flag).habits(treatment, control.clone())
    };
    let bad = Service::start(traffic("harmful", harmful), &[&agent]).await;
    let good = Service::start(traffic("fine", fine), &[&agent]).await;
    let ended = system
        .operator
        .rollout_until("aborted", "harmful#1", |rollout| rollout.end.is_some())
        .await;
    let end = ended.end.unwrap();
    assert_eq!(end.outcome, "aborted", "{}: {end:?}", rule.guard);
    assert!(end.reason.contains(rule.guard), "{}: {}", rule.guard, end.reason);
    let heard = system.operator.heard("fine#1", HEARD).await;
    assert_eq!(heard.end, None, "{}: {:?}", rule.guard, heard.guards);
    assert_ne!(heard.guards[0].finding, "no data", "{}: it is judged", rule.guard);
    assert_eq!(heard.evidence.unwrap().level, "none", "{}", rule.guard);
    bad.stop().await;
    good.stop().await;
    end.cause
}

fn rule(guard: &'static str) -> Rule {
    Rule {
        guard,
        ..Rule::default()
    }
}

fn against(guard: &'static str, baseline: &'static [(&'static str, &'static str)]) -> Rule {
    Rule { guard, baseline }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_rate_above_its_limit() {
    let [control, harmful, fine] = [0.004, 0.1, 0.005].map(Habit::failing);
    trips(rule("error-rate > 2 %"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_rate_of_twice_the_baseline() {
    let [control, harmful, fine] = [0.02, 0.25, 0.022].map(Habit::failing);
    trips(
        against("error-rate > 2x baseline", &[("error-rate", "2 %")]),
        control,
        harmful,
        fine,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_a_judge_finds() {
    let [control, harmful, fine] = [0.1, 0.45, 0.1].map(|share| Habit::judged("hallucination-rate", share));
    trips(rule("hallucination-rate > 15 %"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_some_points_above_the_baseline() {
    let [control, harmful, fine] = [0.04, 0.4, 0.05].map(|share| Habit::judged("hallucination-rate", share));
    let known = against(
        "hallucination-rate > baseline + 5 points",
        &[("hallucination-rate", "4 %")],
    );
    trips(known, control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_of_twice_the_baseline() {
    let [control, harmful, fine] = [0.002, 0.15, 0.002].map(|slow| Habit::timed(40, slow, 500));
    trips(
        against("p99 > 2x baseline", &[("p99", "100 ms")]),
        control,
        harmful,
        fine,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_treatment_that_is_slower_than_control_is_held_without_a_guard_of_its_own() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let known = against("error-rate > 2 %", &[("p95", "100 ms")]);
    for flag in ["harmful", "fine"] {
        system.operator.create(flags::boolean(flag)).await;
        system.operator.start(plan(flag, &known)).await;
    }
    let [control, harmful, fine] = [0.05, 0.4, 0.04].map(|slow| Habit::timed(40, slow, 300));
    let traffic = |flag: &str, treatment: Habit| Traffic {
        per_second: 220,
        ..Traffic::of(flag).habits(treatment, control.clone())
    };
    let slow = Service::start(traffic("harmful", harmful), &[&agent]).await;
    let equal = Service::start(traffic("fine", fine), &[&agent]).await;
    let held = system
        .operator
        .rollout_until("held", "harmful#1", |rollout| {
            rollout.hold_reasons.iter().any(|reason| reason == "evidence") || rollout.end.is_some()
        })
        .await;
    assert_eq!(held.end, None, "it never aborts");
    let guard = held.guard_views.last().unwrap();
    assert_eq!(
        (guard.harm.as_str(), guard.level()),
        ("p95 > 1x control", v1::GuardLevel::Hold)
    );
    let said = &held
        .transitions
        .iter()
        .rfind(|made| made.kind == "held")
        .unwrap()
        .detail;
    assert!(said.contains("p95 > 1x control (slower than control)"), "{said}");
    let heard = system.operator.heard("fine#1", HEARD).await;
    assert_eq!((heard.end, heard.hold_reasons), (None, vec![]));
    assert_eq!(heard.guards.last().unwrap().finding, "none", "it is judged");
    slow.stop().await;
    equal.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_token_that_comes_late() {
    let late = |share: f64| {
        let mut habit = Habit::sometimes("time-to-first-token", share, 3_000_000.0);
        habit
            .values
            .push(("time-to-first-token".to_owned(), share - 1.0, 400_000.0));
        habit
    };
    let [control, harmful, fine] = [0.01, 0.3, 0.01].map(late);
    trips(rule("time-to-first-token > 2 s"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_score_below_its_limit() {
    let [control, harmful, fine] = [0.93, 0.5, 0.92].map(|score| Habit::worth("faithfulness", score));
    trips(rule("faithfulness < 0.85"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cost_above_its_limit() {
    let [control, harmful, fine] = [0.3, 1.2, 0.35].map(|cost| Habit::worth("cost-per-query", cost));
    trips(rule("cost-per-query > $0.50"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_more_than_twice_the_control() {
    let [control, harmful, fine] = [800.0, 4_000.0, 900.0].map(|tokens| Habit::worth("tokens-per-query", tokens));
    trips(rule("tokens-per-query > 2x control"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revenue_below_control() {
    let [control, harmful, fine] = [0.8, 0.2, 0.8].map(|share| Habit::sometimes("revenue", share, 30.0));
    trips(rule("revenue < 0.95x control"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversion_below_control() {
    let [control, harmful, fine] = [0.6, 0.15, 0.6].map(|share| Habit::sometimes("conversion", share, 1.0));
    trips(rule("conversion < 0.95x control"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throughput_below_the_baseline_by_what_never_comes_back() {
    let [control, harmful, fine] = [0.02, 0.6, 0.03].map(Habit::silent);
    trips(rule("throughput < 0.8x baseline"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_complaints_than_allowed_in_a_day() {
    let [control, harmful, fine] = [0.0, 0.2, 0.0].map(|share| Habit::sometimes("complaints", share, 1.0));
    let cause = Box::pin(trips_by(rule("complaints > 10 in 24h"), control, harmful, fine)).await;
    assert_eq!(cause, "rule");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_case_of_lost_data() {
    let [control, harmful, fine] = [0.0, 0.002, 0.0].map(|share| Habit::sometimes("data-loss", share, 1.0));
    let cause = Box::pin(trips_by(rule("data-loss > 0"), control, harmful, fine)).await;
    assert_eq!(cause, "rule");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_treatment_that_dies_before_it_can_report_is_found_by_what_is_lost() {
    let [control, harmful, fine] = [0.02, 0.7, 0.02].map(Habit::silent);
    trips(rule("error-rate > 1x control"), control, harmful, fine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_that_are_expected_do_not_count() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let guards = [("error-rate > 2 %", vec!["card-declined".to_owned()])].map(|(harm, except)| v1::Guard {
        harm: harm.to_owned(),
        except,
        ..v1::Guard::default()
    });
    let plan = v1::Plan {
        guards: guards.to_vec(),
        ..plans::plan("checkout", &[half_for_long()])
    };
    system.operator.start(plan).await;
    let declined = |class: &str| Habit {
        class: class.to_owned(),
        ..Habit::failing(0.3)
    };
    let expected = Traffic::of("checkout").habits(declined("card-declined"), Habit::failing(0.001));
    let service = Service::start(expected, &[&agent]).await;
    let heard = system.operator.heard("checkout#1", HEARD).await;
    assert_eq!(heard.end, None, "{:?}", heard.guards);
    service.stop().await;
    let other = Traffic::of("checkout").habits(declined("db-timeout"), Habit::failing(0.001));
    let service = Service::start(other, &[&agent]).await;
    let ended = system
        .operator
        .rollout_until("aborted", "checkout#1", |rollout| rollout.end.is_some())
        .await;
    assert_eq!(ended.end.unwrap().cause, "evidence");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_arms_suffer_holds_and_does_not_abort() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let rule = rule("error-rate > 5 %");
    system.operator.start(plan("checkout", &rule)).await;
    let outage = Traffic::of("checkout").habits(Habit::failing(0.4), Habit::failing(0.4));
    let service = Service::start(outage, &[&agent]).await;
    let held = system
        .operator
        .rollout_until("held", "checkout#1", |rollout| {
            let reasons = &rollout.hold_reasons;
            reasons
                .iter()
                .any(|reason| reason == "incident" || reason == "spill-over")
                || rollout.end.is_some()
        })
        .await;
    assert_eq!(held.end, None, "{:?}", held.end);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_switch_trips_by_its_condition_and_not_within_it() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let plan = |flag: &str| v1::Plan {
        // One that errors do not break: an abort would be sooner than the kill.
        guards: vec![v1::Guard {
            harm: "timeout-rate > 50 %".to_owned(),
            ..v1::Guard::default()
        }],
        kill_switch: Some(v1::KillSwitch {
            auto_trip: true,
            conditions: vec!["error-rate > 5 %".to_owned()],
            ..v1::KillSwitch::default()
        }),
        ..plans::plan(flag, &[half_for_long()])
    };
    for flag in ["harmful", "fine"] {
        system.operator.create(flags::boolean(flag)).await;
        system.operator.start(plan(flag)).await;
    }
    let bad = Service::start(Traffic::of("harmful").failing(0.12, 0.0), &[&agent]).await;
    let good = Service::start(Traffic::of("fine").failing(0.02, 0.0), &[&agent]).await;
    system
        .operator
        .rollout_until("off", "harmful#1", |rollout| {
            rollout.hold_reasons.iter().any(|reason| reason == "flag-off")
        })
        .await;
    assert!(system.operator.get("harmful").await.flag.unwrap().killed);
    let heard = system.operator.heard("fine#1", 600).await;
    assert_eq!(heard.end, None);
    assert!(!system.operator.get("fine").await.flag.unwrap().killed);
    bad.stop().await;
    good.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_switch_stands_without_any_rollout() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    for flag in ["harmful", "fine"] {
        system.operator.create(flags::boolean(flag)).await;
        let plan = v1::Plan {
            key: format!("stand-by-{flag}"),
            kill_switch: Some(v1::KillSwitch {
                auto_trip: true,
                conditions: vec!["error-rate > 5 %".to_owned()],
                ..v1::KillSwitch::default()
            }),
            ..plans::plan(flag, &[half_for_long()])
        };
        let request = v1::CreatePlanRequest {
            environment: PRODUCTION.to_owned(),
            plan: Some(plan),
        };
        PlansClient::new(system.operator.channel())
            .create_plan(request)
            .await
            .unwrap();
    }
    let bad = Service::start(Traffic::of("harmful").failing(0.2, 0.2), &[&agent]).await;
    let good = Service::start(Traffic::of("fine").failing(0.01, 0.01), &[&agent]).await;
    wait::until("the kill switch to trip", async || {
        let stored = system.operator.get("harmful").await;
        let flag = stored.flag.unwrap_or_default();
        if flag.killed { Ok(()) } else { Err(format!("{flag:?}")) }
    })
    .await;
    assert!(!system.operator.get("fine").await.flag.unwrap().killed);
    let acts = system.operator.audit("harmful").await;
    let kill = acts.iter().find(|act| act.action == "flag.kill").unwrap();
    assert!(kill.reason.contains("error-rate > 5 %"), "{kill:?}");
    let told = system.operator.past_events(&["alert"]).await;
    let told: Vec<_> = told.iter().map(|told| &told.event["data"]).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    for (field, expected) in [
        ("severity", "critical"),
        ("about", "kill-switch"),
        ("flag", "harmful"),
        ("rollout", "harmful#standing"),
        ("plan", "stand-by-harmful"),
        ("criterion", "error-rate > 5 %"),
    ] {
        assert_eq!(told[0][field], expected, "{field}");
    }
    assert!(bad.stop().await.treatment > 100, "everybody was exposed");
    good.stop().await;
}
