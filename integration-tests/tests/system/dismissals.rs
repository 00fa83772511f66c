//! A person can dismiss a signal, not a latch: a rollout that is held by what a person judges to be no harm goes on, and
//! one that harms is aborted whatever was dismissed.

use std::{ops::RangeFrom, time::Duration};

use futures::stream::iter;
use integration_tests::{
    acts::{self, ANN, REASON, simple::RESUME},
    agent::Agent,
    flags,
    habit::Habit,
    plans::{self, half_for_long, stage},
    service::{Service, Traffic},
    system::System,
    wait,
};
use proto::v1::{self, exposure_name::Name, outcomes_client::OutcomesClient};
use serde_json::json;
use tonic::Code;

fn guard(harm: &str) -> v1::Guard {
    v1::Guard {
        harm: harm.to_owned(),
        ..v1::Guard::default()
    }
}

fn is_held_by_evidence(rollout: &v1::Rollout) -> bool {
    rollout.hold_reasons.iter().any(|reason| reason == "evidence")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_dismisses_slower_than_control_and_the_rollout_goes_on_to_its_next_stage() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let short = stage("short", 40_000, Duration::from_secs(1));
    let long = stage("long", 60_000, Duration::from_secs(86_400));
    let plan = v1::Plan {
        guards: vec![guard("error-rate > 2 %")],
        baseline: Some(v1::Baseline {
            values: [("p95".to_owned(), "100 ms".to_owned())].into(),
            ..v1::Baseline::default()
        }),
        lost_after_us: 3_000_000,
        ..plans::plan("checkout", &[short, long])
    };
    system.operator.start(plan).await;
    let [control, slow] = [0.05, 0.4].map(|share| Habit::timed(40, share, 300));
    let traffic = Traffic {
        per_second: 220,
        ..Traffic::of("checkout").habits(slow, control)
    };
    let running = |rollout: &v1::Rollout| rollout.clock_started_at_us > 0;
    system.operator.rollout_until("its clock", "checkout#1", running).await;
    // The dwell is short; until the guard speaks the gate must not open.
    system.operator.act("checkout#1", acts::simple::PAUSE).await;
    let service = Service::start(traffic, &[&agent]).await;
    let signalled = system
        .operator
        .rollout_until("signalled", "checkout#1", |rollout| {
            let hold = rollout.evidence.as_ref().map(|evidence| evidence.log_hold);
            let mut raised = rollout.signals.iter();
            raised.any(|signal| signal.signal == "evidence" && signal.log_size >= hold)
        })
        .await;
    // A replay grants that the engine may not have seen the last batch; there must be none without the signal among the last.
    let batches = |rollout: &v1::Rollout| rollout.evidence.as_ref().map_or(0, |evidence| evidence.batches);
    let enough = batches(&signalled) + 2;
    system
        .operator
        .rollout_until("two more batches", "checkout#1", |rollout| batches(rollout) >= enough)
        .await;
    service.stop().await;
    system.operator.act("checkout#1", RESUME).await;
    let held = system
        .operator
        .rollout_until("held", "checkout#1", is_held_by_evidence)
        .await;
    assert_eq!((held.stage, held.end.clone()), (0, None));

    // Nobody can resume it, and everybody is told what to do.
    let console = system.console();
    let refused = system.operator.try_act("checkout#1", RESUME).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains("dismiss evidence"), "{}", refused.message());
    let shown = console.succeeds(&["rollout", "get", "checkout#1"]).await;
    let command = "tidegate rollout dismiss 'checkout#1' --signal evidence --guard 2 --reason";
    assert!(shown.out.contains(command), "{}", shown.out);
    let other = system
        .operator
        .try_act("checkout#1", acts::dismiss("evidence", "1"))
        .await;
    let said = other.unwrap_err().message().to_owned();
    assert!(said.contains("raised are: evidence of guard 2"), "{said}");

    // Frames that come late may double it; a person looks again.
    let advanced = wait::until("the next stage", async || {
        let rollout = system.operator.rollout("checkout#1").await;
        let stands = rollout.signals.iter().any(|signal| signal.raised && !signal.dismissed);
        if rollout.stage == 0 && stands {
            let _ = system
                .operator
                .try_act("checkout#1", acts::dismiss("evidence", "slower than control"))
                .await;
        }
        wait::so(rollout.stage == 1, &rollout.signals).map(|()| rollout)
    })
    .await;
    let dismissed = advanced
        .transitions
        .iter()
        .find(|made| made.kind == "dismissed")
        .unwrap();
    assert_eq!(dismissed.actor, ANN);
    for part in ["p95 > 1x control (slower than control)", REASON] {
        assert!(dismissed.detail.contains(part), "{}", dismissed.detail);
    }
    assert_eq!(advanced.end, None);

    // The gate opened over evidence, and the replay knows why.
    let replayed = console
        .succeeds(&["rollout", "replay", "checkout#1", "-o", "json"])
        .await
        .json();
    let moves = replayed["moves"].as_array().unwrap();
    let gate = moves.iter().find(|made| made["kind"] == "advanced").unwrap();
    assert_eq!(
        (&gate["agrees"], &gate["dismissed"]),
        (&json!(true), &json!(true)),
        "{replayed:#}"
    );

    // It was for one stage: the next one is held by the same evidence.
    let again = system
        .operator
        .rollout_until("held again", "checkout#1", is_held_by_evidence)
        .await;
    assert_eq!(again.stage, 1);
    let audit = console
        .succeeds(&["audit", "--action", "rollout.dismiss", "-o", "json"])
        .await;
    assert!(audit.out.contains(ANN), "{}", audit.out);
}

/// Requests of new units until one has treatment: that one fails, the others do not.
async fn one_more_fails(agent: &Agent, flag: &str, units: &mut RangeFrom<u32>) {
    let door = agent.evaluator();
    let mut observations = Vec::new();
    loop {
        let unit = format!("user-{}", units.next().unwrap());
        let answer = door.boolean(flag, &unit).await.unwrap();
        let is_treatment = answer.arm.as_deref() == Some("treatment");
        let outcome = if is_treatment {
            v1::OutcomeKind::Error
        } else {
            v1::OutcomeKind::Ok
        };
        observations.push(v1::Observation {
            exposures: vec![v1::ExposureName {
                name: answer.token.map(Name::Token),
            }],
            outcome: outcome.into(),
            ..v1::Observation::default()
        });
        if is_treatment {
            break;
        }
    }
    let reported = observations.len() as u64;
    let message = v1::ObserveRequest { observations };
    let observed = OutcomesClient::new(door.channel()).observe(iter([message])).await;
    assert_eq!(observed.unwrap().into_inner().counted, reported);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dismissed_hold_of_a_guard_that_may_abort_still_aborts() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let plan = v1::Plan {
        guards: vec![guard("error-rate > 1x control")],
        ..plans::plan("checkout", &[half_for_long()])
    };
    system.operator.start(plan).await;
    agent.evaluator().holds_boolean("checkout").await;
    system
        .operator
        .rollout_until("its clock", "checkout#1", |rollout| rollout.clock_started_at_us > 0)
        .await;
    let mut units = 0..;
    let number = |rollout: &v1::Rollout| rollout.evidence.as_ref().and_then(|evidence| evidence.log_evidence);
    // One failed unit at a time less than doubles the evidence, so that it does not jump from no hold to an abort.
    let mut known = system.operator.rollout("checkout#1").await;
    while !is_held_by_evidence(&known) {
        let before = number(&known);
        one_more_fails(&agent, "checkout", &mut units).await;
        known = system
            .operator
            .rollout_until("to have heard of it", "checkout#1", |rollout| {
                number(rollout) > before
                    && (is_held_by_evidence(rollout) || rollout.evidence.as_ref().unwrap().level != "hold")
            })
            .await;
        assert_eq!(known.end, None, "it is held before it is aborted");
    }
    let dismissed = system.operator.act("checkout#1", acts::dismiss("evidence", "")).await;
    let signal = dismissed
        .signals
        .iter()
        .find(|signal| signal.signal == "evidence")
        .unwrap();
    assert!(signal.raised && signal.dismissed, "{signal:?}");
    system
        .operator
        .rollout_until("resumed", "checkout#1", |rollout| rollout.hold_reasons.is_empty())
        .await;
    while known.end.is_none() {
        let before = number(&known);
        one_more_fails(&agent, "checkout", &mut units).await;
        known = system
            .operator
            .rollout_until("to have heard of it too", "checkout#1", |rollout| {
                rollout.end.is_some()
                    || (number(rollout) > before && rollout.evidence.as_ref().unwrap().level != "abort")
            })
            .await;
    }
    let end = known.end.unwrap();
    assert_eq!(
        (end.outcome.as_str(), end.cause.as_str()),
        ("aborted", "evidence"),
        "{end:?}"
    );
    // Nothing clears a latch.
    let late = system
        .operator
        .try_act("checkout#1", acts::dismiss("evidence", ""))
        .await
        .unwrap_err();
    assert!(late.message().contains("an abort is for good"), "{}", late.message());
}
