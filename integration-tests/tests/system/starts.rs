//! What a start is refused for, what a rollout forbids, and what a retry begins with.
//!
//! A rollout compares two arms that must stay what they were, so nothing may be moved under it.

use integration_tests::{
    flags,
    plans::{half_for_long, plan},
    service::{Service, Traffic},
    system::System,
};
use proto::v1;
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_a_rollout_holds_takes_no_second_one() {
    let system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    let refused = system
        .operator
        .try_start(plan("checkout", &[half_for_long()]))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("checkout#1"), "{refused}");
    assert_eq!(system.operator.get("checkout").await.rollout, "checkout#1");
    // Another environment is another flag.
    let staging = system.operator.within("staging");
    staging.create(flags::boolean("checkout")).await;
    staging.start(plan("checkout", &[half_for_long()])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollout_stands_on_cannot_be_edited_under_it() {
    let system = System::start().await;
    system.operator.create(flags::boolean("checkout")).await;
    system.operator.start(plan("checkout", &[half_for_long()])).await;
    let resalted = v1::Flag {
        salt: "another".to_owned(),
        ..flags::boolean("checkout")
    };
    let refused = system.operator.try_update(resalted, 0).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("salt"), "{refused}");
    // What moves no unit is an edit like any other.
    system
        .operator
        .update(v1::Flag {
            owner: "payments".to_owned(),
            ..flags::boolean("checkout")
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_does_not_serve_the_control_takes_no_rollout() {
    let system = System::start().await;
    let cases = [
        (
            "serves-treatment",
            v1::Flag {
                default_serve: Some(flags::variant("on")),
                ..flags::boolean("serves-treatment")
            },
        ),
        (
            "disabled",
            v1::Flag {
                enabled: false,
                ..flags::boolean("disabled")
            },
        ),
        ("killed", flags::boolean("killed")),
    ];
    for (key, flag) in cases {
        system.operator.create(flag).await;
        if key == "killed" {
            system.operator.try_kill(key).await.unwrap();
        }
        let refused = system
            .operator
            .try_start(plan(key, &[half_for_long()]))
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{key}: {refused}");
        assert!(refused.message().contains(key), "{refused}");
        assert_eq!(system.operator.get(key).await.rollout, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_after_an_abort_is_a_new_rollout_with_fresh_evidence() {
    let system = System::start().await;
    let agent = system.agent("agent").await;
    system.operator.create(flags::boolean("checkout")).await;
    let harmful = Service::start(Traffic::of("checkout").failing(0.4, 0.01), &[&agent]).await;
    let first = system.operator.start(plan("checkout", &[half_for_long()])).await;
    system.operator.aborted("checkout#1").await;
    harmful.stop().await;

    let second = system.operator.start(plan("checkout", &[half_for_long()])).await;
    assert_eq!(second.name, "checkout#2");
    assert_ne!((&second.id, second.index), (&first.id, first.index));
    assert_eq!(second.evidence.as_ref().unwrap().log_evidence, None);
    assert_eq!(second.total_counts, Some(nothing()));
    let mended = Service::start(Traffic::of("checkout"), &[&agent]).await;
    let heard = |rollout: &v1::Rollout| {
        let counts = rollout.total_counts.unwrap_or_default();
        counts.treatment.is_some_and(|arm| arm.outcomes >= 100) && counts.control.is_some_and(|arm| arm.outcomes >= 100)
    };
    let running = system
        .operator
        .rollout_until("outcomes of the retry", "checkout#2", heard)
        .await;
    assert_eq!(running.end, None, "nothing of the first rollout counts in the second");
    let total = running.total_counts.unwrap();
    assert_eq!((total.treatment.unwrap().bad, total.control.unwrap().bad), (0, 0));
    mended.stop().await;
    assert_eq!(
        system.operator.rollout("checkout#1").await.end.unwrap().cause,
        "evidence"
    );
}

fn nothing() -> v1::ArmCounts {
    v1::ArmCounts {
        treatment: Some(v1::ArmCount::default()),
        control: Some(v1::ArmCount::default()),
    }
}
