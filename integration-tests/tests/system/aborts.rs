//! Aborts: by evidence when treatment harms and only then, by hand at any time, and for good.
//!
//! An abort is believed when no user of any agent gets treatment, not when the control plane says so.

use std::time::Duration;

use integration_tests::{
    agent::Agent,
    flags,
    plans::{everybody, half_for_long, impatient, plan, stage},
    service::{Service, Traffic},
    system::System,
    wait,
};
use proto::v1::{self, RolloutPhase};

#[tokio::test(flavor = "multi_thread")]
async fn a_harmful_rollout_is_aborted_by_evidence_and_nobody_gets_treatment_after() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout").failing(0.4, 0.01), &[&agents[0], &agents[1]]).await;
    system
        .operator
        .start(impatient(plan("checkout", &[half_for_long(), everybody()])))
        .await;

    let rollout = system.operator.aborted("checkout#1").await;
    proves_harm(&rollout);
    nobody_gets_treatment(&[&agents[0], &agents[1]]).await;
    gives_no_more_treatment(&service).await;
    let flag = system.operator.get("checkout").await;
    assert_eq!(
        (flag.rollout.as_str(), flag.flag.unwrap().default_serve),
        ("", Some(flags::variant("off")))
    );
    let audited = system.operator.audit("checkout#1").await;
    assert!(
        audited
            .iter()
            .any(|record| record.action == "rollout.abort" && record.actor == "tidegate"),
        "{audited:#?}"
    );
    assert_eq!(service.stop().await.failed, Vec::<String>::new());
}

/// The end says what was seen when it was decided, and when treatment was gone.
fn proves_harm(rollout: &v1::Rollout) {
    let end = rollout.end.as_ref().unwrap();
    assert_eq!(
        (end.outcome.as_str(), end.cause.as_str(), end.actor.as_str()),
        ("aborted", "evidence", "tidegate")
    );
    let evidence = end.evidence.as_ref().unwrap();
    assert!(evidence.log_evidence.unwrap() >= evidence.log_abort, "{evidence:?}");
    assert_eq!(evidence.level, "abort");
    let treatment = end.counts.as_ref().unwrap().treatment.unwrap();
    assert!(
        treatment.bad_units > 0 && treatment.bad >= treatment.bad_units,
        "{treatment:?}"
    );
    assert!(
        treatment.units_at_least >= treatment.bad_units && treatment.outcomes >= treatment.bad,
        "{treatment:?}"
    );
    assert_eq!((rollout.wanted_buckets, rollout.acked_buckets), (0, 0));
    let delivery = rollout.delivery.as_ref().unwrap();
    assert_eq!((delivery.live, delivery.applied, delivery.persisted), (2, 2, 2));
    assert!(
        end.decided_at_us <= end.published_at_us && end.published_at_us <= end.applied_at_us,
        "{end:?}"
    );
    assert!(end.applied_at_us <= end.persisted_at_us, "{end:?}");
    let zero_at_us = end.decided_at_us + end.time_to_zero_us;
    assert_eq!(
        zero_at_us,
        end.applied_at_us.max(end.last_treatment_exposure_us),
        "{end:?}"
    );
}

async fn nobody_gets_treatment(agents: &[&Agent]) {
    for agent in agents {
        agent.evaluator().gives_nobody_treatment("checkout", 200).await;
    }
}

/// A running service makes 300 more evaluations of which none counts for an arm, and none gives treatment.
async fn gives_no_more_treatment(service: &Service) {
    let before = service.seen();
    let after = wait::until("300 more evaluations", async || {
        let seen = service.seen();
        if seen.unexposed >= before.unexposed + 300 {
            Ok(seen)
        } else {
            Err(format!("{seen:?}"))
        }
    })
    .await;
    assert_eq!(after.treatment, before.treatment);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harmful_rollout_that_splits_requests_is_aborted_too() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(
        Traffic::of("checkout").by_request().failing(0.4, 0.01),
        &[&agents[0], &agents[1]],
    )
    .await;
    let by_request = v1::Plan {
        unit: v1::SplittingUnit::Request.into(),
        ..plan("checkout", &[half_for_long()])
    };
    system.operator.start(by_request).await;
    let rollout = system.operator.aborted("checkout#1").await;
    assert_eq!(rollout.end.unwrap().cause, "evidence");
    nobody_gets_treatment(&[&agents[0], &agents[1]]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_arms_failing_alike_do_not_abort() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout").failing(0.3, 0.3), &[&agent]).await;
    let half = v1::Stage {
        minimum_outcomes: Some(500),
        ..stage("half", 50_000, Duration::from_secs(2))
    };
    system.operator.start(plan("checkout", &[half, everybody()])).await;
    let done = system.operator.phase("checkout#1", RolloutPhase::Completed).await;
    let counts = done.total_counts.unwrap();
    let (treatment, control) = (counts.treatment.unwrap(), counts.control.unwrap());
    assert!(
        treatment.bad > 100 && control.bad > 100,
        "both arms failed: {treatment:?} {control:?}"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_by_hand_says_who_and_why_and_cannot_be_repeated() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let service = Service::start(Traffic::of("checkout"), &[&agent]).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.heard("checkout#1", 1).await;
    let console = system.console();
    let arguments = [
        "rollout",
        "abort",
        "checkout#1",
        "--actor",
        "ann@desk",
        "--reason",
        "the phones ring",
    ];
    console.succeeds(&arguments).await;

    let end = system.operator.aborted("checkout#1").await.end.unwrap();
    assert_eq!(
        (end.cause.as_str(), end.actor.as_str(), end.reason.as_str()),
        ("person", "ann@desk", "the phones ring")
    );
    nobody_gets_treatment(&[&agent]).await;
    gives_no_more_treatment(&service).await;
    let again = system.operator.try_abort("checkout#1").await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::FailedPrecondition, "{again}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_names_the_agents_that_it_could_not_reach_until_they_are_back() {
    let system = System::start().await;
    let agents = [system.agent("agent-1").await, system.agent("agent-2").await];
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.delivered(2).await;
    agents[1].freeze().await;
    system.operator.try_abort("checkout#1").await.unwrap();
    let rollout = system.operator.phase("checkout#1", RolloutPhase::Aborted).await;
    assert_eq!(rollout.delivery.unwrap().unreached, ["agent-2"]);
    nobody_gets_treatment(&[&agents[0]]).await;

    agents[1].thaw().await;
    system.operator.nobody_is_unreached("checkout#1", 2).await;
    nobody_gets_treatment(&[&agents[1]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_abort_it_is_told_whether_what_harmed_has_recovered() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    let mut services = Vec::new();
    // What treatment did to the second stays when treatment has gone.
    for (flag, after) in [("well", 0.01), ("broken", 0.4)] {
        system.operator.create(flags::boolean(flag)).await;
        system.operator.start(impatient(plan(flag, &[half_for_long()]))).await;
        let harm = Service::start(Traffic::of(flag).failing(0.4, 0.01), &[&agent]).await;
        let name = format!("{flag}#1");
        let ended = system
            .operator
            .rollout_until("its end", &name, |rollout| rollout.end.is_some());
        let end = ended.await.end.unwrap();
        harm.stop().await;
        assert!(end.time_to_trip_us > 0, "{end:?}");
        let recovery = end.recovery.expect("an abort by evidence is followed");
        assert!(recovery.bar < recovery.harmed / 2.0, "{recovery:?}");
        services.push(Service::start(Traffic::of(flag).failing(1.0, after), &[&agent]).await);
    }
    let recovery = |rollout: &v1::Rollout| rollout.end.clone().unwrap_or_default().recovery.unwrap_or_default();
    let well = system
        .operator
        .rollout_until("its recovery", "well#1", |rollout| {
            recovery(rollout).outcome == "recovered"
        })
        .await;
    let found = recovery(&well);
    assert!(found.outcomes >= 100 && found.value.unwrap() <= found.bar, "{found:?}");
    let shown = system.console().succeeds(&["rollout", "get", "well#1"]).await.out;
    assert!(
        shown.contains("recovered") && shown.contains("after the abort"),
        "{shown}"
    );
    // The other has been heard at least as much by then.
    wait::until("the other to be measured", async || {
        let seen = services[1].seen();
        wait::so(seen.control >= 300, seen)
    })
    .await;
    let broken = recovery(&system.operator.rollout("broken#1").await);
    assert_eq!(broken.outcome, "watching", "{broken:?}");
    for service in services {
        let seen = service.stop().await;
        assert_eq!(seen.treatment, 0, "nobody gets treatment after an abort");
    }
}
